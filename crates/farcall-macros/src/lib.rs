//! The macros of farcall.
use proc_macro::TokenStream;
/// Placeholder.
#[proc_macro_derive(Message, attributes(message, field))]
pub fn message(_: TokenStream) -> TokenStream {
    TokenStream::new()
}
/// Placeholder.
#[proc_macro_attribute]
pub fn service(_: TokenStream, item: TokenStream) -> TokenStream {
    item
}
