//! The macros of farcall: `#[derive(Message)]`, `#[derive(Fault)]` and `#[service]`.
//!
//! They are used through the crate `farcall`, which re-exports them and holds what they expand to.
//! Every path in an expansion is absolute, so nothing needs to be in scope and no name of the
//! user's is in the way. A mistake is named at the token that makes it, with what to write
//! instead.
//!
//! In here: `message.rs`, `choice.rs` and `oneof.rs` expand the derive for structs, enums without
//! payloads and enums with them; `fault.rs` the one for errors; `service/` expands the attribute;
//! `attrs.rs` reads what people write in brackets; `table.rs` computes schemas; `names.rs` and
//! `types.rs` know names and types by their looks.

mod attrs;
mod choice;
mod fault;
mod message;
mod names;
mod oneof;
mod service;
mod table;
mod types;

#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

/// Makes a type one that every format can carry: JSON, MessagePack, protobuf, Thrift, gob.
///
/// ```ignore
/// #[derive(farcall::Message)]
/// struct Args {
///     a: i64,
///     b: i64,
/// }
/// ```
///
/// An absent field is its zero value. Neither `Default` nor anything else is required of the
/// type, and nothing but farcall's own traits is implemented. Type parameters are allowed (they
/// become `T: Put + Take`), and so are recursive types.
///
/// # On a struct
///
/// `#[message(…)]`:
///
/// - `name = "shop.Order"`: the name in schemas; otherwise the type's.
/// - `go_names`: names as a Go peer writes them, `A`, `ID`, `HTTPAddr`.
///
/// # On a field
///
/// `#[field(2, …)]`, everything optional:
///
/// - a number, first: the field's number in protobuf and Thrift. Otherwise its place among the
///   fields, counted from 1; `skip` and `oneof` fields do not count.
/// - `name = "B"`: the name on the wire. Otherwise the field's.
/// - `json = "b"`: the name in JSON. Otherwise `name`.
/// - `go = "B"`: the name for Go's gob. Otherwise `name`, made an exported Go name.
/// - `required`: a body without the field is refused. It is always written, at zero too; but
///   protobuf has no empty maps and lists, except of numbers.
/// - `omit_empty`: left out when zero or empty, by formats that would write it too.
/// - `zigzag`, `fixed`: how protobuf packs an integer, or a list, array, option or map of integers
///   (`sint64`, `fixed64`); other formats are the same with or without.
/// - `oneof`: the field is an `Option` of an enum with payloads, whose variants become fields of
///   this message. They are written after the field declared before them.
/// - `skip`: not part of the message; its type needs `Default`.
///
/// # On an enum without payloads
///
/// It travels as a number that has a name. Numbers are the explicit discriminants (`Green = 5`), or
/// given as `#[field(5)]`, or one more than the variant before, from 0. A variant numbered 0 is
/// needed: it is what an absent field holds.
///
/// - `#[field(name = "…")]` on a variant: its name on the wire. Otherwise the variant's.
/// - `#[message(other)]` on a variant `Unknown(i32)`: it keeps numbers that have no name. Without
///   one, they are refused.
///
/// # On an enum with payloads
///
/// Each variant holds one value, or none. The enum serves as `#[field(oneof)]`, and on its own as a
/// message of which one field is set. Names are the variants' in snake case (`SomeText`:
/// `some_text`). The blank value is the first variant that does not hold the enum itself.
///
/// - `#[message(name = "…", go_names)]` as on a struct;
/// - `#[field(20, name = "…", json = "…", go = "…", zigzag, fixed)]` on a variant, as on a field.
#[proc_macro_derive(Message, attributes(message, field))]
pub fn message(input: TokenStream) -> TokenStream {
    message::expand(input.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes an enum a typed error: handlers return it, and callers get it back as what it was.
///
/// ```ignore
/// #[derive(Debug, farcall::Fault)]
/// enum Refused {
///     #[fault(NotFound, "no account {name}")]
///     NoAccount { name: String },
///     #[fault(FailedPrecondition, "{missing} cents are missing")]
///     TooPoor { missing: i64 },
/// }
///
/// // On the server: `async fn pay(&self, order: Order) -> Result<Receipt, Refused>`.
/// // On the client: `status.fault::<Refused>()`.
/// ```
///
/// Each variant has a code, one of `farcall::Code`, and a text in which `{field}` (or `{0}`) stands
/// for a field. The fields' types are those of messages. `Display` and `Error` are implemented
/// from the texts, so the enum needs `Debug`; where no variant has a text, the enum's own `Display`
/// is used and nothing but farcall's own is implemented.
///
/// Protocols with a place for it carry the variant and its fields beside the text: JSON-RPC 2.0 in
/// the error's `data`, rpcx in the reply's metadata under `farcall-fault`, HTTP in the error body.
/// net/rpc and JSON-RPC 1.0 have only the text: there the fields are read back out of it, as long
/// as it names each of them once and something stands between them.
#[proc_macro_derive(Fault, attributes(fault))]
pub fn fault(input: TokenStream) -> TokenStream {
    fault::expand(input.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes a trait a service: `Arith` gains `ArithServer` and `ArithClient`.
///
/// ```ignore
/// #[farcall::service]
/// trait Arith {
///     /// Multiplies.
///     #[method(name = "Mul", idempotent)]
///     async fn mul(&self, args: Args) -> Result<Reply>;
/// }
/// ```
///
/// A type that implements the trait is served as `ArithServer::new(value)`. `ArithClient` has a
/// function per method, which answers a call that can be given options and awaited.
///
/// A method takes `&self`, then the context if it wants it (`cx: &Cx`), then any number of
/// parameters: one is the message itself, several become one message, numbered from 1
/// (`#[field(…)]` on a parameter says otherwise). It returns `Result<Reply>`, or `Result<Reply,
/// E>` where `E: Into<Status>`.
///
/// An `async fn` is polled where the bytes arrived and becomes a task once it waits; a plain `fn`
/// must not wait. A body in the trait is the default of implementations that have none.
///
/// # Streams
///
/// ```ignore
/// async fn history(&self, since: Since) -> Result<impl Stream<Item = Result<Line>> + Send>;
/// async fn upload(&self, lines: Inbound<Line>) -> Result<Summary>;
/// async fn talk(&self, lines: Inbound<Line>) -> Result<impl Stream<Item = Result<Line>> + Send>;
/// ```
///
/// A stream that is answered with may borrow from `&self` and `cx`; an error in it is the last of
/// it, and the call's. `Inbound` is the only parameter beside the context. On the client,
/// `history` and `talk` answer a `StreamCall`, which gives an `Inbound` when it is awaited, and
/// `upload` an `Upload`; they take any `Stream<Item = Line> + Send + 'static`.
///
/// # On the trait
///
/// `#[farcall::service(…)]`:
///
/// - `name = "chat.Room"`: the name on the wire. Otherwise the trait's.
/// - `go_names`: where several parameters become one message, its fields have Go's names.
///
/// # On a method
///
/// `#[method(…)]`:
///
/// - `name = "Mul"`: the name on the wire. Otherwise the function's in Pascal case (`say_hello`:
///   `SayHello`).
/// - `client = "call_connect"`: the function's name on the client, for methods called like one of
///   the functions that every client has.
/// - `idempotent`: running it twice does what running it once does, so calls may be repeated.
/// - `blocking`: it blocks or computes for long, and runs on the blocking pool.
/// - `spawn`: it is a task of its own from the start.
#[proc_macro_attribute]
pub fn service(args: TokenStream, item: TokenStream) -> TokenStream {
    service::expand(args.into(), item.into()).into()
}
