//! `#[derive(Fault)]` on enums: errors of a service that callers get back as what they were.
//!
//! Each variant becomes a hidden message of the same fields, which travels as JSON beside the text
//! where a protocol has a place for it. Where there is only the text, the pieces between its
//! placeholders are cut out again.

use crate::attrs::Errors;
use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::{
    Attribute, Data, DeriveInput, Error, Fields, Ident, LitStr, Result, Token, Type, Variant,
    parse::{Parse, ParseStream},
    spanned::Spanned,
};

/// A variant, understood.
struct Kind<'a> {
    ident: &'a Ident,
    code: Ident,
    text: Option<Text>,
    fields: Vec<Field<'a>>,
    shape: &'a Fields,
}

struct Field<'a> {
    /// As a variable: the field's own name, or one made up.
    ident: Ident,
    ty: &'a Type,
}

/// A text with placeholders, taken apart.
struct Text {
    /// One more than there are places.
    pieces: Vec<String>,
    /// The fields at the places, by index.
    places: Vec<usize>,
}

/// `#[fault(NotFound, "no account {name}")]`
struct Given {
    code: Ident,
    text: Option<LitStr>,
}

impl Parse for Given {
    fn parse(input: ParseStream<'_>) -> Result<Given> {
        let code: Ident = input.parse().map_err(|e| {
            Error::new(e.span(), "the code comes first: `#[fault(NotFound, \"no {name}\")]`")
        })?;
        if !CODES.iter().any(|known| code == known) {
            let text = format!("`{code}` is not a code (known: `{}`)", CODES.join("`, `"));
            return Err(Error::new(code.span(), text));
        }
        let comma: Option<Token![,]> = input.parse()?;
        let text = match comma {
            Some(_) if !input.is_empty() => Some(input.parse()?),
            _ => None,
        };
        let _trailing: Option<Token![,]> = input.parse()?;
        match input.is_empty() {
            true => Ok(Given { code, text }),
            false => Err(input.error("a code and a text are all there is to say")),
        }
    }
}

/// The expansion of the derive.
pub(crate) fn expand(input: TokenStream) -> Result<TokenStream> {
    let input: DeriveInput = syn::parse2(input)?;
    let Data::Enum(data) = &input.data else {
        let text = "errors are the variants of an enum: a struct is one variant of it";
        return Err(Error::new(input.ident.span(), text));
    };
    if !input.generics.params.is_empty() {
        let text = "an error that travels has no type parameters: its caller must know the types";
        return Err(Error::new(input.generics.span(), text));
    }
    if let Some(attr) = fault_attrs(&input.attrs).next() {
        let text = "`#[fault(…)]` stands at the variants";
        return Err(Error::new(attr.span(), text));
    }
    let mut errors = Errors::default();
    let kinds: Vec<Kind<'_>> =
        data.variants.iter().filter_map(|variant| errors.take(kind(variant))).collect();
    let texts = kinds.iter().filter(|kind| kind.text.is_some()).count();
    if texts != 0 && texts != kinds.len() {
        for kind in kinds.iter().filter(|kind| kind.text.is_none()) {
            errors.at(kind.ident.span(), "the other variants have a text: give this one its own");
        }
    }
    errors.finish()?;

    let ident = &input.ident;
    let messages = kinds.iter().map(message);
    let (statuses, details) = (kinds.iter().map(status), kinds.iter().map(from_detail));
    let by_text = kinds.iter().filter_map(from_text);
    let display = (texts != 0).then(|| display(ident, &kinds));
    Ok(quote! {
        const _: () = {
            #(#messages)*

            impl ::farcall::__private::TypedFault for #ident {
                fn into_status(self) -> ::farcall::Status {
                    let __text = ::std::string::ToString::to_string(&self);
                    match self { #(#statuses)* }
                }

                fn from_status(
                    status: &::farcall::Status,
                ) -> ::core::option::Option<Self> {
                    if let ::core::option::Option::Some((__variant, __body)) =
                        ::farcall::__private::faults::detail(status)
                    {
                        return match &*__variant {
                            #(#details)*
                            _ => ::core::option::Option::None,
                        };
                    }
                    #(#by_text)*
                    ::core::option::Option::None
                }
            }

            impl ::core::convert::From<#ident> for ::farcall::Status {
                fn from(error: #ident) -> Self {
                    ::farcall::__private::TypedFault::into_status(error)
                }
            }

            #display
        };
    })
}

fn fault_attrs(attrs: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attrs.iter().filter(|attr| attr.path().is_ident("fault"))
}

fn kind(variant: &Variant) -> Result<Kind<'_>> {
    let mut attrs = fault_attrs(&variant.attrs);
    let Some(attr) = attrs.next() else {
        let text = format!("give `{0}` a code: `#[fault(NotFound, \"…\")]`", variant.ident);
        return Err(Error::new(variant.ident.span(), text));
    };
    if let Some(second) = attrs.next() {
        return Err(Error::new(second.span(), "`fault` is given twice"));
    }
    let Given { code, text } = attr.parse_args()?;
    let fields: Vec<Field<'_>> = variant
        .fields
        .iter()
        .enumerate()
        .map(|(i, field)| Field {
            ident: field.ident.clone().unwrap_or_else(|| format_ident!("value{i}")),
            ty: &field.ty,
        })
        .collect();
    let text = text.map(|text| Text::read(&text, &variant.fields)).transpose()?;
    Ok(Kind { ident: &variant.ident, code, text, fields, shape: &variant.fields })
}

impl Text {
    fn read(text: &LitStr, fields: &Fields) -> Result<Text> {
        let wrong = |why: String| Err(Error::new(text.span(), why));
        let (mut pieces, mut places) = (vec![String::new()], Vec::new());
        let value = text.value();
        let mut rest = value.chars().peekable();
        while let Some(c) = rest.next() {
            let Some(piece) = pieces.last_mut() else { break };
            match c {
                '{' | '}' if rest.peek() == Some(&c) => piece.extend(rest.next()),
                '}' => return wrong("a `}` without its `{`; a bare one is written `}}`".into()),
                '{' => {
                    let name: String = rest.by_ref().take_while(|c| *c != '}').collect();
                    let found = fields.iter().enumerate().position(|(i, field)| {
                        let own = field.ident.as_ref().map(ToString::to_string);
                        own.unwrap_or_else(|| i.to_string()) == name
                    });
                    let Some(found) = found else {
                        return wrong(format!(
                            "`{{{name}}}` names no field of this variant: a place holds a field's \
                             name, or its number, and nothing more"
                        ));
                    };
                    places.push(found);
                    pieces.push(String::new());
                }
                c => piece.push(c),
            }
        }
        Ok(Text { pieces, places })
    }

    /// Whether every field can be cut out of a text.
    fn is_readable(&self, fields: usize) -> bool {
        let once = (0..fields).all(|i| self.places.iter().filter(|p| **p == i).count() == 1);
        let apart = self.pieces.iter().skip(1).rev().skip(1).all(|piece| !piece.is_empty());
        once && apart
    }
}

impl Kind<'_> {
    /// The hidden message's name.
    fn hidden(&self) -> Ident {
        format_ident!("__{}", self.ident)
    }

    /// The fields as variables: how the variant is built, and taken apart.
    fn built(&self) -> TokenStream {
        let (ident, names) = (self.ident, self.names());
        match self.shape {
            Fields::Named(_) => quote!(Self::#ident { #(#names),* }),
            Fields::Unnamed(_) => quote!(Self::#ident(#(#names),*)),
            Fields::Unit => quote!(Self::#ident),
        }
    }

    fn names(&self) -> Vec<&Ident> {
        self.fields.iter().map(|field| &field.ident).collect()
    }
}

fn message(kind: &Kind<'_>) -> TokenStream {
    let (hidden, names) = (kind.hidden(), kind.names());
    let types = kind.fields.iter().map(|field| field.ty);
    quote! {
        #[derive(::farcall::Message)]
        #[allow(non_camel_case_types)]
        struct #hidden { #(#names: #types),* }
    }
}

fn status(kind: &Kind<'_>) -> TokenStream {
    let (built, hidden, names, code) = (kind.built(), kind.hidden(), kind.names(), &kind.code);
    let variant = kind.ident.to_string();
    quote! {
        #built => ::farcall::__private::faults::status(
            ::farcall::Code::#code, __text, #variant, &#hidden { #(#names),* },
        ),
    }
}

/// The arguments of `format!`: the text with the variables' names in its places.
fn formatted(text: &Text, kind: &Kind<'_>) -> TokenStream {
    let mut format = String::new();
    for (i, piece) in text.pieces.iter().enumerate() {
        format.push_str(&piece.replace('{', "{{").replace('}', "}}"));
        if i < text.places.len() {
            format.push_str("{}");
        }
    }
    let values = text.places.iter().map(|place| &kind.fields[*place].ident);
    let format = LitStr::new(&format, Span::call_site());
    quote!(#format #(, #values)*)
}

fn from_detail(kind: &Kind<'_>) -> TokenStream {
    let (built, hidden, names) = (kind.built(), kind.hidden(), kind.names());
    let variant = kind.ident.to_string();
    quote! {
        #variant => {
            let #hidden { #(#names),* } = ::farcall::__private::faults::read(&__body)?;
            ::core::option::Option::Some(#built)
        }
    }
}

fn from_text(kind: &Kind<'_>) -> Option<TokenStream> {
    let text = kind.text.as_ref().filter(|text| text.is_readable(kind.fields.len()))?;
    let (pieces, built) = (&text.pieces, kind.built());
    let reads = text.places.iter().enumerate().map(|(at, place)| {
        let name = &kind.fields[*place].ident;
        quote!(let #name = ::farcall::__private::faults::read_text(__places[#at])?;)
    });
    Some(quote! {
        let __read = || -> ::core::option::Option<Self> {
            let __places =
                ::farcall::__private::faults::places(status.text(), &[#(#pieces),*])?;
            #(#reads)*
            let _ = __places;
            ::core::option::Option::Some(#built)
        };
        if let ::core::option::Option::Some(__found) = __read() {
            return ::core::option::Option::Some(__found);
        }
    })
}

fn display(ident: &Ident, kinds: &[Kind<'_>]) -> TokenStream {
    let arms = kinds.iter().filter_map(|kind| {
        let text = formatted(kind.text.as_ref()?, kind);
        let built = kind.built();
        let unused = kind.names();
        Some(quote!(#built => { #(let _ = #unused;)* ::core::write!(f, #text) }))
    });
    quote! {
        impl ::core::fmt::Display for #ident {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                match self { #(#arms)* }
            }
        }

        impl ::std::error::Error for #ident {}
    }
}

/// The codes, as `farcall::Code` names them.
const CODES: [&str; 16] = [
    "Cancelled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
];
