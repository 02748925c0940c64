//! Arguments and replies, with Go's names in JSON. In MessagePack rpcx-rs writes structs as lists.

// The derive macro calls it so.
#![allow(deprecated)]

use rmp_serde as rmps;
use rpcx_derive::RpcxParam;
use rpcx_protocol::{Error, ErrorKind, Result, RpcxParam, SerializeType};
use serde::{Deserialize, Serialize};
use std::error::Error as _;

#[derive(Debug, Default, Clone, Serialize, Deserialize, RpcxParam)]
pub struct Args {
    #[serde(rename = "A")]
    pub a: i64,
    #[serde(rename = "B")]
    pub b: i64,
}

#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize, RpcxParam)]
pub struct Reply {
    #[serde(rename = "C")]
    pub c: i64,
}

#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize, RpcxParam)]
pub struct Quotient {
    #[serde(rename = "Quo")]
    pub quo: i64,
    #[serde(rename = "Rem")]
    pub rem: i64,
}

#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize, RpcxParam)]
#[serde(transparent)]
pub struct Text(pub String);
