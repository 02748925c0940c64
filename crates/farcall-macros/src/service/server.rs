//! The server half: a type that holds the service and registers its methods.

use super::{
    Service,
    method::{Method, Run},
};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};

/// The type, and its impls.
pub(super) fn expand(service: &Service) -> (TokenStream, TokenStream) {
    let Service { ident, vis, name, cfgs, .. } = service;
    let server = service.half("Server");
    let doc = format!("Serves a [`{ident}`]: what `Server::add` takes.");
    let declared = quote! {
        #(#cfgs)*
        #[doc = #doc]
        #[allow(dead_code)]
        #vis struct #server<S> {
            service: ::farcall::__private::Arc<S>,
            name: ::std::borrow::Cow<'static, str>,
        }
    };
    let methods = service.methods.iter().map(|method| register(service, method));
    let unused = service.methods.is_empty().then(|| quote!(let _ = methods;));
    let impls = quote! {
        #[allow(dead_code)]
        impl<S: #ident> #server<S> {
            /// Serves this value.
            pub fn new(service: S) -> Self {
                Self::shared(::farcall::__private::Arc::new(service))
            }

            /// Serves a value that is used elsewhere, too.
            pub fn shared(service: ::farcall::__private::Arc<S>) -> Self {
                Self { service, name: ::std::borrow::Cow::Borrowed(#name) }
            }

            /// Serves it under another name.
            #[must_use]
            pub fn named(
                mut self,
                name: impl ::core::convert::Into<::std::string::String>,
            ) -> Self {
                self.name = ::std::borrow::Cow::Owned(name.into());
                self
            }
        }

        #[allow(deprecated)]
        impl<__S: #ident> ::farcall::Service for #server<__S> {
            fn name(&self) -> &str {
                &self.name
            }

            fn register(self, methods: &mut ::farcall::Methods) {
                #unused
                #(#methods)*
            }
        }
    };
    (declared, impls)
}

/// One call of `Methods`, which erases the types of one method.
fn register(service: &Service, method: &Method) -> TokenStream {
    let Method { ident, info, cfgs, cx, .. } = method;
    // What a method's types lack is reported at the method, and not at the attribute. Names in the
    // closures stay the macro's own.
    let at = Span::call_site().located_at(ident.span());
    let (service, request) = (&service.ident, method.request());
    // With a context or without, with no parameter, one, or several out of one message.
    let (pattern, values) = match &method.params[..] {
        [] => (quote_spanned!(at=> (): ()), quote!()),
        [_] => (quote!(request: #request), quote!(, request)),
        several => {
            let names: Vec<_> = several.iter().map(|p| &p.ident).collect();
            (quote!(request: #request), quote!(#(, request.#names)*))
        }
    };
    let call = |lent: TokenStream| {
        let cx = cx.then(|| quote!(, #lent));
        quote_spanned!(at=> <__S as #service>::#ident(&service #cx #values))
    };
    if method.outbound || method.inbound.is_some() {
        return streaming(service, method, &pattern, &values);
    }
    let name = if *cx { quote!(cx) } else { quote!(_cx) };
    let (way, run) = match method.run {
        Run::Future => {
            let call = call(quote!(&cx));
            let run = quote_spanned! {at=>
                move |cx: ::farcall::Cx, #pattern| {
                    let service = ::farcall::__private::Arc::clone(&service);
                    async move {
                        let result = #call.await;
                        (cx, result)
                    }
                }
            };
            ("unary", run)
        }
        Run::Direct => {
            let call = call(quote!(cx));
            ("direct", quote_spanned!(at=> move |#name: &::farcall::Cx, #pattern| #call))
        }
        Run::BlockingFuture => {
            let call = call(quote!(cx));
            let run = quote_spanned! {at=>
                move |#name: &::farcall::Cx, #pattern| ::farcall::__private::block_on(#call)
            };
            ("blocking", run)
        }
        Run::Blocking => {
            let call = call(quote!(cx));
            ("blocking", quote_spanned!(at=> move |#name: &::farcall::Cx, #pattern| #call))
        }
    };
    let way = Ident::new(way, at);
    quote_spanned! {at=>
        #(#cfgs)*
        methods.#way(&#info, {
            let service = ::farcall::__private::Arc::clone(&self.service);
            #run
        });
    }
}

/// The same for a method that streams: one future owns the service, the context and the stream that
/// borrows from them, and sends the items.
fn streaming(
    service: &Ident,
    method: &Method,
    pattern: &TokenStream,
    values: &TokenStream,
) -> TokenStream {
    let Method { ident, info, cfgs, cx, reply, .. } = method;
    let at = Span::call_site().located_at(ident.span());
    let cx = cx.then(|| quote!(, &cx));
    let (way, takes, values) = match (&method.inbound, method.outbound) {
        (Some(items), true) => ("both", quote!(items: ::farcall::Inbound<#items>), quote!(, items)),
        (Some(items), false) => {
            ("inbound", quote!(items: ::farcall::Inbound<#items>), quote!(, items))
        }
        (None, _) => ("outbound", pattern.clone(), values.clone()),
    };
    let way = Ident::new(way, at);
    let call = quote_spanned!(at=> <__S as #service>::#ident(&service #cx #values));
    let (out, result) = if method.outbound {
        let pump = quote_spanned! {at=>
            match #call.await {
                ::core::result::Result::Ok(stream) => out.pump(stream).await,
                ::core::result::Result::Err(error) => {
                    let status: ::farcall::Status = ::core::convert::Into::into(error);
                    ::core::result::Result::Err(status)
                }
            }
        };
        (quote_spanned!(at=> , mut out: ::farcall::Outbound<#reply>), pump)
    } else {
        (quote!(), quote_spanned!(at=> #call.await))
    };
    quote_spanned! {at=>
        #(#cfgs)*
        methods.#way(&#info, {
            let service = ::farcall::__private::Arc::clone(&self.service);
            move |cx: ::farcall::Cx, #takes #out| {
                let service = ::farcall::__private::Arc::clone(&service);
                async move {
                    let result = #result;
                    (cx, result)
                }
            }
        });
    }
}
