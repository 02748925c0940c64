//! Several parameters of a method travel as one message: a hidden struct, numbered in their order.

use super::{
    Service,
    method::{Method, Param},
};
use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::Ident;

/// The struct with its derive, for methods that need one.
pub(super) fn expand(service: &Service, method: &Method) -> TokenStream {
    if method.params.len() < 2 {
        return TokenStream::new();
    }
    let vis = service.vis.to_token_stream();
    let declared = declare(&vis, &method.args, &method.params, service.go_names);
    // It was expanded once when the method was read, and went well.
    let derived =
        crate::message::expand(declared.clone()).unwrap_or_else(syn::Error::into_compile_error);
    let cfgs: Vec<_> = service.cfgs.iter().chain(&method.cfgs).collect();
    let (ident, params) = (&method.args, &method.params);
    let (names, types) = (params.iter().map(|p| &p.ident), params.iter().map(|p| &p.ty));
    quote! {
        #(#cfgs)*
        #[doc(hidden)]
        #vis struct #ident { #(#names: #types,)* }
        #(#cfgs)*
        #derived
    }
}

/// The struct as people would have written it.
pub(super) fn declare(
    vis: &TokenStream,
    ident: &Ident,
    params: &[Param],
    go_names: bool,
) -> TokenStream {
    let go_names = go_names.then(|| quote!(#[message(go_names)]));
    let fields = params.iter().map(|Param { ident, ty, attrs }| quote!(#(#attrs)* #ident: #ty));
    quote! {
        #go_names
        #vis struct #ident { #(#fields,)* }
    }
}
