//! `#[derive(Message)]` on enums with payloads.
//!
//! Such an enum is two things at once. As `#[field(oneof)] what: Option<What>` its variants are
//! fields of the message around it. On its own it is a message of which exactly one field is set,
//! which is what Thrift calls a union and what serde writes as `{"circle": {…}}`.

use crate::{
    attrs::{Errors, FieldAttrs, MessageAttrs, Place, other},
    message::Head,
    names,
    table::{self, Entry},
    types,
};
use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{
    DataEnum, DeriveInput, Error, Fields, Ident, Result, Type, parse_quote, spanned::Spanned,
};

/// A variant, understood.
struct Choice<'a> {
    ident: &'a Ident,
    /// `None`: no payload; nothing travels but the field's key, as an empty message.
    payload: Option<&'a Type>,
    /// The payload's shape.
    shape: TokenStream,
    entry: Entry,
}

/// The expansion of the derive.
pub(crate) fn expand(
    input: &DeriveInput,
    data: &DataEnum,
    attrs: &MessageAttrs,
) -> Result<TokenStream> {
    let head = Head::new(input, attrs)?;
    let mut choices = read(&head, data, attrs)?;
    let blank = blank(input, &choices)?;
    choices.sort_by_key(|c| c.entry.number);
    let entries: Vec<&Entry> = choices.iter().map(|c| &c.entry).collect();
    let (len, fields) = (entries.len(), entries.iter().map(|e| e.field()));

    let (put, take) = (put(&head, &choices), take(&head, &choices));
    let oneof = head.implement(
        "OneOf",
        &quote! {
            const FIELDS: &'static [::farcall::__private::Field] = &[#(#fields),*];

            #[inline]
            fn put_one<__S: ::farcall::__private::Sink + ?::core::marker::Sized>(
                this: &::core::option::Option<Self>,
                base: usize,
                schema: &'static ::farcall::__private::Schema,
                at: &mut ::farcall::__private::At,
                to: &mut __S,
            ) {
                if let ::core::option::Option::Some(this) = this {
                    __put(this, base, schema, at, to)
                }
            }

            #[inline]
            fn take_one<__S: ::farcall::__private::Source + ?::core::marker::Sized>(
                this: &mut ::core::option::Option<Self>,
                variant: usize,
                from: &mut __S,
            ) -> ::core::result::Result<(), ::farcall::__private::Fault> {
                __take(this, variant, from)
            }
        },
    );

    let schema = table::schema(&head.name, &entries);
    let (items, schema) = match head.generics.params.is_empty() {
        true => {
            (quote!(static __SCHEMA: ::farcall::__private::Schema = #schema;), quote!(&__SCHEMA))
        }
        false => (TokenStream::new(), quote!(&#schema)),
    };
    let message = head.message(
        &schema,
        &quote!(__put(self, 0, schema, &mut at, to);),
        &quote! {
            let mut this = ::core::option::Option::Some(::core::mem::replace(
                self,
                <Self as ::farcall::__private::Take>::blank(),
            ));
            loop {
                let index = from.field(&mut at, schema)?;
                if index >= #len {
                    break;
                }
                if let ::core::result::Result::Err(fault) = __take(&mut this, index, from) {
                    return ::core::result::Result::Err(fault.in_field(schema.fields[index].name));
                }
            }
            if let ::core::option::Option::Some(this) = this {
                *self = this;
            }
            ::core::result::Result::Ok(())
        },
    );
    let rest = head.lead_to_walk(&blank);
    Ok(head.enclose(&quote!(#items #put #take #oneof #rest #message)))
}

fn read<'a>(head: &Head, data: &'a DataEnum, attrs: &MessageAttrs) -> Result<Vec<Choice<'a>>> {
    let this = head.this();
    let (mut errors, mut choices) = (Errors::default(), Vec::new());
    for (i, variant) in data.variants.iter().enumerate() {
        let ident = &variant.ident;
        if let Some(span) = errors.take(other(&variant.attrs, true)).flatten() {
            errors.at(
                span,
                "`other` keeps unknown numbers of an enum without payloads; an unknown field of a \
                 `oneof` is skipped",
            );
            continue;
        }
        if let Some((_, value)) = &variant.discriminant {
            errors.at(
                value.span(),
                format!("a variant with a payload is a field: write `#[field(…)] {ident}(…)`"),
            );
            continue;
        }
        let payload = match &variant.fields {
            Fields::Unit => None,
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
                let ty = &fields.unnamed[0].ty;
                if let (Some(inner), true) =
                    (types::option_of(ty), errors.take(types::check(ty)).is_some())
                {
                    let inner = quote!(#inner).to_string().replace(' ', "");
                    errors.at(
                        ty.span(),
                        format!(
                            "a variant is set or not, so its payload cannot be optional as well: \
                             write `{ident}({inner})`"
                        ),
                    );
                }
                Some(ty)
            }
            fields => {
                errors.at(
                    fields.span(),
                    format!(
                        "a variant holds one value: put these in a struct with \
                         `#[derive(Message)]` and write `{ident}(Its)`"
                    ),
                );
                continue;
            }
        };
        let choice = FieldAttrs::read(&variant.attrs, Place::Payload).and_then(|asked| {
            let shape = match payload {
                None => types::shape(&quote!(()), types::Packed::Plain, ident.span()),
                Some(ty) => {
                    let packed = types::packed(asked.zigzag, asked.fixed, ty)?;
                    types::shape(&types::without_self(ty, &this), packed, ty.span())
                }
            };
            // A variant that is set is written, also when its payload is blank.
            let maybe = quote!(::farcall::__private::Shape::Maybe(const { &#shape }));
            let (rust, go_names) = (names::snake(&names::plain(ident)), attrs.go_names.is_some());
            let entry = Entry::new(&rust, ident.span(), i + 1, &asked, go_names, maybe)?;
            Ok(Choice { ident, payload, shape, entry })
        });
        choices.extend(errors.take(choice));
    }
    let entries: Vec<&Entry> = choices.iter().map(|c| &c.entry).collect();
    table::distinct(&entries, &mut errors);
    errors.finish()?;
    Ok(choices)
}

/// The blank value: the first variant that does not hold the enum itself, for that would have no
/// end.
fn blank(input: &DeriveInput, choices: &[Choice<'_>]) -> Result<TokenStream> {
    let own = input.ident.to_string();
    let endless = |ty: &Type| types::mentions(ty, &own) || types::mentions(ty, "Self");
    for Choice { ident, payload, .. } in choices {
        match payload {
            None => return Ok(quote!(Self::#ident)),
            Some(ty) if endless(ty) && !types::may_be_empty(ty) => {}
            Some(ty) => {
                return Ok(quote_spanned! {ident.span()=>
                    Self::#ident(<#ty as ::farcall::__private::Take>::blank())
                });
            }
        }
    }
    Err(Error::new(
        input.ident.span(),
        format!(
            "every variant of `{own}` holds another `{own}`: values would have no end; add a leaf"
        ),
    ))
}

/// `__put`: writes the variant that is set.
fn put(head: &Head, choices: &[Choice<'_>]) -> TokenStream {
    let (this, mut generics) = (head.this(), head.generics.clone());
    generics.params.push(parse_quote!(__S: ::farcall::__private::Sink + ?::core::marker::Sized));
    let (params, _, bounds) = generics.split_for_impl();
    let name = &head.ident;
    let arms = choices.iter().enumerate().map(|(i, Choice { ident, payload, shape, .. })| {
        let (pattern, value) = match payload {
            Some(_) => (quote!(#name::#ident(value)), quote!(value)),
            None => (quote!(#name::#ident), quote!(&())),
        };
        quote! {
            #pattern => {
                if to.field(at, schema, base + #i, false) {
                    ::farcall::__private::Put::put_to(#value, const { &#shape }, to)
                }
            }
        }
    });
    quote! {
        #[inline]
        fn __put #params (
            this: &#this,
            base: usize,
            schema: &'static ::farcall::__private::Schema,
            at: &mut ::farcall::__private::At,
            to: &mut __S,
        ) #bounds {
            match this { #(#arms)* }
        }
    }
}

/// `__take`: reads a variant, into the payload that is there if it is the same one.
fn take(head: &Head, choices: &[Choice<'_>]) -> TokenStream {
    let (this, mut generics) = (head.this(), head.generics.clone());
    generics.params.push(parse_quote!(__S: ::farcall::__private::Source + ?::core::marker::Sized));
    let (params, _, bounds) = generics.split_for_impl();
    let name = &head.ident;
    let arms =
        choices.iter().enumerate().map(|(i, Choice { ident, payload, shape, .. })| match payload {
            Some(ty) => {
                let ty = types::without_self(ty, &this);
                quote! {
                    #i => {
                        if !::core::matches!(
                            this,
                            ::core::option::Option::Some(#name::#ident(_))
                        ) {
                            *this = ::core::option::Option::Some(#name::#ident(
                                <#ty as ::farcall::__private::Take>::blank(),
                            ));
                        }
                        match this {
                            ::core::option::Option::Some(#name::#ident(value)) => {
                                ::farcall::__private::Take::take_from(
                                    value, const { &#shape }, from,
                                )
                            }
                            _ => ::core::result::Result::Ok(()),
                        }
                    }
                }
            }
            None => quote! {
                #i => {
                    *this = ::core::option::Option::Some(#name::#ident);
                    ::farcall::__private::Take::take_from(&mut (), const { &#shape }, from)
                }
            },
        });
    quote! {
        fn __take #params (
            this: &mut ::core::option::Option<#this>,
            variant: usize,
            from: &mut __S,
        ) -> ::core::result::Result<(), ::farcall::__private::Fault> #bounds {
            if from.none()? {
                return ::core::result::Result::Ok(());
            }
            match variant {
                #(#arms)*
                _ => ::core::result::Result::Ok(()),
            }
        }
    }
}
