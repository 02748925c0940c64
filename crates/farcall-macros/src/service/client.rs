//! The client half: a handle with one function per method.

use super::{Service, method::Method};
use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};

/// The type, and its impls.
pub(super) fn expand(service: &Service) -> (TokenStream, TokenStream) {
    let Service { ident, vis, name, cfgs, .. } = service;
    let client = service.half("Client");
    let doc = format!(
        "Calls a [`{ident}`] elsewhere. Cheap to clone; shared by any number of tasks.\n\n\
         Each function answers a call that can be given options and is awaited."
    );
    let declared = quote! {
        #(#cfgs)*
        #[doc = #doc]
        #[derive(::core::clone::Clone, ::core::fmt::Debug)]
        #[allow(dead_code)]
        #vis struct #client {
            client: ::farcall::Client,
        }
    };
    let (methods, common) = (service.methods.iter().map(|m| call(service, m)), common());
    let impls = quote! {
        #[allow(dead_code)]
        impl #client {
            #(#methods)*
            #common
        }

        impl ::farcall::ServiceClient for #client {
            const SERVICE: &'static str = #name;

            fn from_client(client: ::farcall::Client) -> Self {
                Self { client }
            }
        }
    };
    (declared, impls)
}

/// The function that calls a method.
fn call(service: &Service, method: &Method) -> TokenStream {
    let Method { client, info, docs, cfgs, deprecated, reply, .. } = method;
    let request = method.request();
    let names: Vec<_> = method.params.iter().map(|p| &p.ident).collect();
    let types = method.params.iter().map(|p| &p.ty);
    let value = match &names[..] {
        [] => quote!(()),
        [one] => quote!(#one),
        several => quote!(#request { #(#several),* }),
    };
    let at = Span::call_site().located_at(method.ident.span());
    let (takes, way, value, answer) = match (&method.inbound, method.outbound) {
        (None, false) => {
            (quote!(), quote!(method), value, quote!(::farcall::Call<#request, #reply>))
        }
        (None, true) => (
            quote!(),
            quote!(method_stream),
            value,
            quote!(::farcall::StreamCall<#request, #reply>),
        ),
        (Some(items), outbound) => {
            let takes = quote! {
                , items: impl ::farcall::Stream<Item = #items> + ::core::marker::Send + 'static
            };
            let (way, answer) = match outbound {
                true => (quote!(method_talk), quote!(::farcall::StreamCall<(), #reply>)),
                false => (quote!(method_upload), quote!(::farcall::Upload<#reply>)),
            };
            (takes, way, quote!(items), answer)
        }
    };
    let send = quote_spanned!(at=> self.client.#way(&#info, #value));
    let doc = format!("Calls `{}` of `{}`.", method.name, service.name);
    let gap = (!docs.is_empty()).then(|| quote!(#[doc = ""]));
    quote! {
        #(#cfgs)*
        #deprecated
        #(#docs)*
        #gap
        #[doc = #doc]
        pub fn #client(&self #(, #names: #types)* #takes) -> #answer {
            #send
        }
    }
}

/// What every client has. `TAKEN` in `method.rs` lists these names.
fn common() -> TokenStream {
    quote! {
        /// Connects to `protocol://address`, for instance `rpcx://127.0.0.1:8972`.
        pub async fn connect(
            url: impl ::core::convert::AsRef<str>,
        ) -> ::farcall::Result<Self> {
            let client = ::farcall::Client::connect(url.as_ref()).await?;
            ::core::result::Result::Ok(Self { client })
        }

        /// A client that connects when it is first used.
        pub fn lazy(url: impl ::core::convert::AsRef<str>) -> ::farcall::Result<Self> {
            let client = ::farcall::Client::lazy(url.as_ref())?;
            ::core::result::Result::Ok(Self { client })
        }

        /// Says more about how to connect, and to how many.
        pub fn builder(
            url: impl ::core::convert::AsRef<str>,
        ) -> ::farcall::ClientBuilder<Self> {
            ::farcall::ClientBuilder::new(url.as_ref())
        }

        /// A client over a stream that is open already, or over a server in memory.
        pub fn over(io: impl ::farcall::Over) -> Self {
            Self { client: ::farcall::Client::over(io) }
        }

        /// The same in another protocol than rpcx, by its name: `netrpc`.
        pub fn over_as(
            protocol: &str,
            io: impl ::farcall::Over,
        ) -> ::farcall::Result<Self> {
            let client = ::farcall::Client::over_as(protocol, io)?;
            ::core::result::Result::Ok(Self { client })
        }

        /// A client over the connections of another.
        pub fn from_client(client: ::farcall::Client) -> Self {
            Self { client }
        }

        /// The client underneath, which calls by name.
        pub fn client(&self) -> &::farcall::Client {
            &self.client
        }

        /// Calls a service of another name.
        #[must_use]
        pub fn named(
            self,
            service: impl ::core::convert::Into<::std::string::String>,
        ) -> Self {
            Self { client: self.client.named(service) }
        }

        /// How long calls may take, unless they say otherwise.
        #[must_use]
        pub fn deadline(self, within: ::core::time::Duration) -> Self {
            Self { client: self.client.deadline(within) }
        }

        /// Metadata that every call carries.
        #[must_use]
        pub fn meta(
            self,
            key: impl ::core::convert::Into<::std::string::String>,
            value: impl ::core::convert::Into<::std::string::String>,
        ) -> Self {
            Self { client: self.client.meta(key, value) }
        }

        /// The format of calls, unless they say otherwise.
        #[must_use]
        pub fn format(self, format: ::farcall::Format) -> Self {
            Self { client: self.client.format(format) }
        }

        /// The compression of calls, unless they say otherwise.
        #[must_use]
        pub fn compress(self, compress: ::farcall::Compress) -> Self {
            Self { client: self.client.compress(compress) }
        }

        /// Waits until there is a connection.
        pub async fn ready(&self) -> ::farcall::Result<()> {
            self.client.ready().await
        }
    }
}
