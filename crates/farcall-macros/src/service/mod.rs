//! `#[farcall::service]`: from a trait, the trait with futures that can be sent, a server half that
//! registers its methods, and a client half with one function per method.

mod args;
mod client;
mod method;
mod server;
mod streams;

use crate::{
    attrs::{Errors, ServiceAttrs},
    names,
};
use method::Method;
use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::{
    Attribute, Error, Ident, Item, ItemTrait, Result, TraitItem, Visibility, parse::Parser,
    parse_quote, spanned::Spanned,
};

/// The expansion of the attribute. After a mistake the trait itself stays, so that one error does
/// not bring a dozen others about a trait that is not there.
pub(crate) fn expand(args: TokenStream, item: TokenStream) -> TokenStream {
    let (item, read) = match parse(args, item) {
        Ok(both) => both,
        Err(error) => return error.into_compile_error(),
    };
    match read {
        Ok(service) => service.expand(),
        Err(error) => {
            let (error, item) = (error.into_compile_error(), strip(item));
            quote!(#error #[allow(async_fn_in_trait)] #item)
        }
    }
}

/// The same, for tests: the first mistakes as they are.
#[cfg(test)]
pub(crate) fn try_expand(args: TokenStream, item: TokenStream) -> Result<TokenStream> {
    parse(args, item).and_then(|(_, service)| service).map(|service| service.expand())
}

type Read = (ItemTrait, Result<Service>);

fn parse(args: TokenStream, item: TokenStream) -> Result<Read> {
    let attrs = ServiceAttrs::read.parse2(args)?;
    let item = match syn::parse2(item)? {
        Item::Trait(item) => item,
        Item::Impl(item) => {
            return Err(Error::new(
                item.impl_token.span,
                "`#[farcall::service]` goes on the trait; an `impl` of it needs no attribute",
            ));
        }
        other => {
            return Err(Error::new(
                other.span(),
                "`#[farcall::service]` goes on a trait: `trait Arith { async fn mul(&self, args: \
                 Args) -> Result<Reply>; }`",
            ));
        }
    };
    let service = Service::read(&item, &attrs);
    Ok((item, service))
}

/// A service, understood.
struct Service {
    item: ItemTrait,
    /// The trait's name.
    ident: Ident,
    vis: Visibility,
    /// Its name on the wire.
    name: String,
    methods: Vec<Method>,
    /// Whether messages made of several parameters have Go's names.
    go_names: bool,
    /// The `#[cfg]`s of the trait, for everything made from it.
    cfgs: Vec<Attribute>,
}

impl Service {
    fn read(item: &ItemTrait, attrs: &ServiceAttrs) -> Result<Service> {
        let mut errors = Errors::default();
        refuse_modifiers(item, &mut errors);
        let ident = item.ident.clone();
        let name = match &attrs.name {
            Some(name) => {
                errors.take(check_wire(&name.value(), name.span()));
                name.value()
            }
            None => names::plain(&ident),
        };
        let mut methods: Vec<Method> = Vec::new();
        for item in &item.items {
            match item {
                TraitItem::Fn(item) => {
                    methods.extend(errors.take(Method::read(item, &ident, attrs.go_names)));
                }
                TraitItem::Const(item) => errors.at(
                    item.const_token.span,
                    "a service holds methods only: a constant does not cross the wire",
                ),
                TraitItem::Type(item) => errors.at(
                    item.type_token.span,
                    "a service holds methods only: name the types of arguments and replies in them",
                ),
                other => errors.at(other.span(), "a service holds methods only"),
            }
        }
        for (i, late) in methods.iter().enumerate() {
            for early in &methods[..i] {
                distinct(early, late, &mut errors);
            }
        }
        errors.finish()?;
        let cfgs = cfgs(&item.attrs);
        let (item, vis) = (item.clone(), item.vis.clone());
        Ok(Service { item, ident, vis, name, methods, go_names: attrs.go_names, cfgs })
    }

    fn expand(&self) -> TokenStream {
        let rewritten = self.rewrite();
        let (server, client) = (server::expand(self), client::expand(self));
        let (server_type, server_impl) = server;
        let (client_type, client_impl) = client;
        let cfgs = &self.cfgs;
        let args = self.methods.iter().map(|method| args::expand(self, method));
        let infos = self.methods.iter().map(|method| self.info(method));
        quote! {
            #rewritten
            #server_type
            #client_type
            #(#args)*
            #(#cfgs)*
            const _: () = {
                #(#infos)*
                #server_impl
                #client_impl
            };
        }
    }

    /// What both halves know of a method, once.
    fn info(&self, method: &Method) -> TokenStream {
        let Method { info, cfgs, name, argument, idempotent, spawn, .. } = method;
        let service = &self.name;
        quote! {
            #(#cfgs)*
            static #info: ::farcall::MethodInfo = ::farcall::MethodInfo {
                service: #service,
                name: #name,
                argument: #argument,
                idempotent: #idempotent,
                spawn: #spawn,
            };
        }
    }

    /// The trait, its async functions spelled as functions that return a future which can be sent.
    fn rewrite(&self) -> TokenStream {
        let mut item = strip(self.item.clone());
        let bounds: [syn::TypeParamBound; 3] = [
            parse_quote!(::core::marker::Send),
            parse_quote!(::core::marker::Sync),
            parse_quote!('static),
        ];
        item.supertraits.extend(bounds);
        item.colon_token.get_or_insert_default();
        let functions = item.items.iter_mut().filter_map(|item| match item {
            TraitItem::Fn(item) => Some(item),
            _ => None,
        });
        for (function, method) in functions.zip(&self.methods) {
            if function.sig.asyncness.take().is_some() {
                let output = &method.output;
                function.sig.output = parse_quote! {
                    -> impl ::core::future::Future<Output = #output> + ::core::marker::Send
                };
                if let Some(body) = function.default.take() {
                    function.default = Some(parse_quote!({ async move #body }));
                }
            }
        }
        item.into_token_stream()
    }

    /// `ArithServer`, `ArithClient`.
    fn half(&self, which: &str) -> Ident {
        format_ident!("{}{which}", self.ident)
    }
}

fn refuse_modifiers(item: &ItemTrait, errors: &mut Errors) {
    if let Some(token) = &item.unsafety {
        errors.at(token.span, "a service cannot be an unsafe trait");
    }
    errors.take(item.modifiers.require_empty());
    if !item.generics.params.is_empty() || item.generics.where_clause.is_some() {
        errors.at(
            item.generics.span(),
            "a service cannot be generic: a peer calls it by name and knows nothing of type \
             parameters; be generic in the type that implements it",
        );
    }
}

fn distinct(early: &Method, late: &Method, errors: &mut Errors) {
    let (a, b) = (&early.ident, &late.ident);
    if early.name == late.name {
        errors.at(
            late.name_at,
            format!(
                "`{a}` and `{b}` are both called `{}` on the wire: name one of them with \
                 `#[method(name = \"…\")]`",
                late.name
            ),
        );
    }
    if early.client == late.client {
        errors.at(
            late.client.span(),
            format!("`{a}` and `{b}` are both called `{}` on the client", late.client),
        );
    }
}

/// Refuses names of services and methods that no wire can carry.
fn check_wire(name: &str, at: proc_macro2::Span) -> Result<()> {
    names::check(name, at)?;
    match name.chars().find(|c| c.is_whitespace() || "/?#".contains(*c)) {
        Some(c) => Err(Error::new(
            at,
            format!("`{c}` cannot stand in the name of a service or method: names travel in paths"),
        )),
        None => Ok(()),
    }
}

/// The trait without the attributes that are ours.
fn strip(mut item: ItemTrait) -> ItemTrait {
    for item in &mut item.items {
        if let TraitItem::Fn(function) = item {
            function.attrs.retain(|a| !a.path().is_ident("method"));
            for input in &mut function.sig.inputs {
                if let syn::FnArg::Typed(input) = input {
                    input.attrs.retain(|a| !a.path().is_ident("field"));
                }
            }
        }
    }
    item
}

fn cfgs(attrs: &[Attribute]) -> Vec<Attribute> {
    attrs.iter().filter(|a| a.path().is_ident("cfg")).cloned().collect()
}
