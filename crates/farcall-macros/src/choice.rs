//! `#[derive(Message)]` on enums without payloads: named integers.

use crate::{
    attrs::{Errors, FieldAttrs, MessageAttrs, Place, other},
    message::Head,
    names,
};
use proc_macro2::{Literal, Span, TokenStream};
use quote::quote;
use syn::{
    DataEnum, DeriveInput, Error, Expr, ExprLit, ExprUnary, Fields, Ident, Lit, Result, Type, UnOp,
    Variant, spanned::Spanned,
};

/// Whether no variant has a payload, the one that keeps unknown numbers aside.
pub(crate) fn is_choice(data: &DataEnum) -> bool {
    let keeps = |v: &Variant| v.attrs.iter().any(|a| a.path().is_ident("message"));
    data.variants.iter().all(|v| matches!(v.fields, Fields::Unit) || keeps(v))
}

/// A variant with its number and its name on the wire.
struct Named<'a> {
    ident: &'a Ident,
    number: i32,
    name: String,
}

/// The expansion of the derive.
pub(crate) fn expand(
    input: &DeriveInput,
    data: &DataEnum,
    attrs: &MessageAttrs,
) -> Result<TokenStream> {
    if let Some(span) = attrs.go_names {
        let text = "an enum travels as a number: `go_names` is for the fields of messages";
        return Err(Error::new(span, text));
    }
    let head = Head::new(input, attrs)?;
    let (named, keeper) = read(input, data)?;
    let Some(zero) = named.iter().find(|v| v.number == 0) else {
        return Err(Error::new(
            input.ident.span(),
            format!(
                "no variant of `{0}` has number 0, which is what an absent field holds (proto3 \
                 enums start at 0): add one, for instance `Unspecified = 0`",
                input.ident
            ),
        ));
    };
    let (name, zero) = (&head.name, zero.ident);
    let idents: Vec<_> = named.iter().map(|v| v.ident).collect();
    let numbers: Vec<_> = named.iter().map(|v| Literal::i32_unsuffixed(v.number)).collect();
    let texts = named.iter().map(|v| &v.name);
    let open = keeper.is_some();
    let kept = keeper.map(|k| quote!(Self::#k(number) => number,));
    let unknown = match keeper {
        Some(keeper) => quote!(number => Self::#keeper(number)),
        // Sources refuse such numbers themselves, for they know the place in the bytes.
        None => quote! {
            _ => {
                return ::core::result::Result::Err(::farcall::__private::Fault::new(
                    ::farcall::__private::Why::NoSuchChoice { of: #name },
                ));
            }
        },
    };
    let number = quote! {
        match *self {
            #(Self::#idents => #numbers,)*
            #kept
        }
    };
    let shaped = head.implement(
        "Shaped",
        &quote! {
            const SHAPE: ::farcall::__private::Shape = ::farcall::__private::Shape::Enum(&__NAMES);
        },
    );
    let put = head.implement(
        "Put",
        &quote! {
            #[inline(always)]
            fn is_blank(&self) -> bool {
                let number: i32 = #number;
                number == 0
            }
            #[inline]
            fn put_to<__S: ::farcall::__private::Sink + ?::core::marker::Sized>(
                &self,
                _: &'static ::farcall::__private::Shape,
                to: &mut __S,
            ) {
                let number: i32 = #number;
                to.choice(number, &__NAMES)
            }
        },
    );
    let take = head.implement(
        "Take",
        &quote! {
            #[inline(always)]
            fn blank() -> Self {
                Self::#zero
            }
            #[inline]
            fn take_from<__S: ::farcall::__private::Source + ?::core::marker::Sized>(
                &mut self,
                _: &'static ::farcall::__private::Shape,
                from: &mut __S,
            ) -> ::core::result::Result<(), ::farcall::__private::Fault> {
                *self = match from.choice(&__NAMES)? {
                    #(#numbers => Self::#idents,)*
                    #unknown
                };
                ::core::result::Result::Ok(())
            }
        },
    );
    Ok(head.enclose(&quote! {
        static __NAMES: ::farcall::__private::Names = ::farcall::__private::Names {
            name: #name,
            values: &[#((#numbers, #texts)),*],
            open: #open,
        };
        #shaped
        #put
        #take
    }))
}

type Variants<'a> = (Vec<Named<'a>>, Option<&'a Ident>);

fn read<'a>(input: &'a DeriveInput, data: &'a DataEnum) -> Result<Variants<'a>> {
    let (mut errors, mut named, mut keeper) = (Errors::default(), Vec::<Named<'_>>::new(), None);
    let mut next = 0_i64;
    for variant in &data.variants {
        let ident = &variant.ident;
        if let Some(span) = errors.take(other(&variant.attrs, true)).flatten() {
            match (keeps_i32(variant), keeper.replace(ident)) {
                (false, _) => errors.at(
                    span,
                    format!("the variant that keeps unknown numbers holds one: `{ident}(i32)`"),
                ),
                (true, Some(_)) => errors.at(span, "only one variant can keep unknown numbers"),
                (true, None) => {}
            }
            continue;
        }
        let Some(attrs) = errors.take(FieldAttrs::read(&variant.attrs, Place::Choice)) else {
            continue;
        };
        let number = match (&attrs.number, &variant.discriminant) {
            (Some(number), None) => Ok(*number),
            (Some((_, span)), Some(_)) => {
                Err(Error::new(*span, "the number is given already, behind the `=`"))
            }
            (None, Some((_, value))) => literal(value),
            (None, None) => Ok((next, ident.span())),
        };
        let Some((number, span)) = errors.take(number) else { continue };
        next = number + 1;
        let Ok(number) = i32::try_from(number) else {
            errors.at(span, "the numbers of an enum are 32 bits wide");
            continue;
        };
        let name = match &attrs.name {
            Some(name) => names::check(&name.value(), name.span()).map(|()| name.value()),
            None => Ok(names::plain(ident)),
        };
        let Some(name) = errors.take(name) else { continue };
        if let Some(twin) = named.iter().find(|v| v.number == number) {
            errors.at(span, format!("`{}` and `{ident}` both have number {number}", twin.ident));
        } else if let Some(twin) = named.iter().find(|v| v.name == name) {
            let text = format!("`{}` and `{ident}` are both called `{name}`", twin.ident);
            errors.at(ident.span(), text);
        }
        named.push(Named { ident, number, name });
    }
    if data.variants.is_empty() {
        errors.at(input.ident.span(), "an enum without variants has no values to carry");
    }
    errors.finish()?;
    Ok((named, keeper))
}

fn keeps_i32(variant: &Variant) -> bool {
    match &variant.fields {
        Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
            matches!(&fields.unnamed[0].ty, Type::Path(path) if path.path.is_ident("i32"))
        }
        _ => false,
    }
}

fn literal(value: &Expr) -> Result<(i64, Span)> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Int(int), .. }) => Ok((int.base10_parse()?, int.span())),
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) => {
            literal(expr).map(|(number, span)| (-number, span))
        }
        other => Err(Error::new(
            other.span(),
            "the number must be written as a literal: a macro cannot compute it",
        )),
    }
}
