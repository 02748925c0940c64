//! The constant tables of a message: its fields, and how to find one by number or by name.

use crate::{
    attrs::{Errors, FieldAttrs},
    names,
};
use proc_macro2::{Literal, Span, TokenStream};
use quote::quote;
use syn::{Error, Result};

/// One field of the table.
pub(crate) struct Entry {
    pub(crate) number: u32,
    pub(crate) name: String,
    json: String,
    go: String,
    shape: TokenStream,
    omit_empty: bool,
    /// What the user calls it, and where.
    label: String,
    span: Span,
    counted: bool,
}

impl Entry {
    /// A field: its Rust name, its place among the others (from 1), what was asked for, and its
    /// shape.
    pub(crate) fn new(
        rust: &str,
        span: Span,
        place: usize,
        attrs: &FieldAttrs,
        go_names: bool,
        shape: TokenStream,
    ) -> Result<Entry> {
        let asked = |text: &Option<syn::LitStr>| match text {
            Some(text) => names::check(&text.value(), text.span()).map(|()| Some(text.value())),
            None => Ok(None),
        };
        let default = || if go_names { names::go(rust) } else { rust.to_owned() };
        let name = asked(&attrs.name)?.unwrap_or_else(default);
        let json = asked(&attrs.json)?.unwrap_or_else(|| name.clone());
        let go = match asked(&attrs.go)? {
            None if names::is_go(&name) => name.clone(),
            None => names::go(&name),
            Some(go) if names::is_go(&go) => go,
            Some(_) => {
                let text = "a Go name starts with a capital and holds letters, digits and `_` only";
                return Err(Error::new(attrs.go.as_ref().map_or(span, |go| go.span()), text));
            }
        };
        let counted = attrs.number.is_none();
        let (number, at) = attrs.number.unwrap_or((place as i64, span));
        Ok(Entry {
            number: check_number(number, at)?,
            name,
            json,
            go,
            shape,
            omit_empty: attrs.omit_empty.is_some(),
            label: rust.to_owned(),
            span: at,
            counted,
        })
    }

    /// The expression of the `Field`.
    pub(crate) fn field(&self) -> TokenStream {
        let Entry { number, name, json, go, shape, omit_empty, .. } = self;
        let json_key = names::json_key(json);
        let packed_key = Literal::byte_string(&names::packed_key(name));
        quote! {
            ::farcall::__private::Field::new(
                #number, #name, #json, #go, #json_key, #packed_key, #shape, #omit_empty,
            )
        }
    }
}

/// Protobuf's rules for field numbers; Thrift and the rest have none that are narrower.
fn check_number(number: i64, at: Span) -> Result<u32> {
    match number {
        19_000..=19_999 => Err(Error::new(
            at,
            format!("protobuf keeps the numbers 19000 to 19999 to itself, {number} among them"),
        )),
        1..=536_870_911 => Ok(number as u32),
        _ => Err(Error::new(
            at,
            format!("a field number is 1 or more and at most 536870911 (2^29 - 1), not {number}"),
        )),
    }
}

/// Refuses two fields of one number or one name.
pub(crate) fn distinct(entries: &[&Entry], errors: &mut Errors) {
    for (i, late) in entries.iter().enumerate() {
        for early in &entries[..i] {
            // The one that was numbered by its place is the one to give a number.
            let (late, early) =
                if early.counted && !late.counted { (early, late) } else { (late, early) };
            let (a, b) = (&early.label, &late.label);
            let number = late.number;
            if number == early.number && late.counted {
                errors.at(
                    late.span,
                    format!(
                        "`{b}` has number {number} by its place, which `{a}` has already: give it \
                         one of its own, `#[field(…)]`"
                    ),
                );
            } else if number == early.number {
                errors.at(late.span, format!("`{a}` and `{b}` both have number {number}"));
            }
            let one = |x: &String, y: &String| if x == y { Some(x.clone()) } else { None };
            let same = one(&late.name, &early.name)
                .or_else(|| one(&late.json, &early.json))
                .or_else(|| one(&late.go, &early.go));
            if let Some(name) = same {
                errors
                    .at(late.span, format!("`{a}` and `{b}` are both called `{name}` on the wire"));
            }
        }
    }
}

/// A whole `Schema`, its tables computed here: nothing is left to constant evaluation, which cannot
/// size arrays in generic types. `entries` are in the order of the table.
pub(crate) fn schema(name: &str, entries: &[&Entry]) -> TokenStream {
    let fields = entries.iter().map(|entry| entry.field());
    let dense = dense(entries);
    let by_json = sorted(entries, |e| &e.json);
    let by_name = sorted(entries, |e| &e.name);
    quote! {
        ::farcall::__private::Schema {
            name: #name,
            fields: &[#(#fields),*],
            dense: &[#(#dense),*],
            sorted: (&[#(#by_json),*], &[#(#by_name),*]),
        }
    }
}

/// Number to index + 1 (see `farcall_core::tables::dense`).
fn dense(entries: &[&Entry]) -> Vec<Literal> {
    let small = |e: &&&Entry| e.number < 1024;
    let len = match entries.iter().filter(small).map(|e| e.number as usize + 1).max() {
        Some(len) if entries.len() < 255 => len,
        _ => 0,
    };
    let mut table = vec![0; len];
    for (index, entry) in entries.iter().enumerate() {
        if let Some(slot) = table.get_mut(entry.number as usize) {
            *slot = index as u8 + 1;
        }
    }
    table.into_iter().map(Literal::u8_unsuffixed).collect()
}

fn sorted(entries: &[&Entry], of: impl Fn(&Entry) -> &String) -> Vec<Literal> {
    let mut order: Vec<u16> = (0..entries.len() as u16).collect();
    order.sort_by_key(|&i| of(entries[i as usize]).as_bytes());
    order.into_iter().map(Literal::u16_unsuffixed).collect()
}
