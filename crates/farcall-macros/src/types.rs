//! What can be told of a type by its looks, to catch mistakes where they are written. Everything
//! else is left to the traits.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};
use syn::{Error, GenericArgument, PathArguments, PathSegment, Result, Type};

/// Refuses what no message can hold: borrowed values, 128-bit integers, characters.
pub(crate) fn check(ty: &Type) -> Result<()> {
    tokens(ty.to_token_stream())
}

fn tokens(stream: TokenStream) -> Result<()> {
    for token in stream {
        match token {
            TokenTree::Punct(p) if p.as_char() == '&' => return Err(borrowed(p.span())),
            TokenTree::Punct(p) if p.as_char() == '\'' => return Err(borrowed(p.span())),
            TokenTree::Ident(name) if name == "i128" || name == "u128" => {
                return Err(Error::new(
                    name.span(),
                    format!(
                        "no format carries `{name}`: use `u64` or `i64`, two of them, or text or \
                         bytes"
                    ),
                ));
            }
            TokenTree::Ident(name) if name == "char" => {
                return Err(Error::new(
                    name.span(),
                    "no format carries `char`: use `String`, or `u32` for a code point",
                ));
            }
            TokenTree::Group(group) => tokens(group.stream())?,
            _ => {}
        }
    }
    Ok(())
}

/// A message owns what it holds.
pub(crate) fn borrowed(at: Span) -> Error {
    Error::new(
        at,
        "a message owns what it holds, for it outlives the frame it came in: use `String`, or \
         `Str` and `Bytes`, which share the frame without copying",
    )
}

/// `T` of an `Option<T>`, however the path to `Option` is spelled.
pub(crate) fn option_of(ty: &Type) -> Option<&Type> {
    let segment = last_segment(ty)?;
    match (&segment.arguments, segment.ident == "Option") {
        (PathArguments::AngleBracketed(args), true) if args.args.len() == 1 => {
            match args.args.first() {
                Some(GenericArgument::Type(inner)) => Some(inner),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The last segment of a type that is a path.
pub(crate) fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match ty {
        Type::Path(path) => path.path.segments.last(),
        Type::Group(group) => last_segment(&group.elem),
        Type::Paren(paren) => last_segment(&paren.elem),
        _ => None,
    }
}

/// Whether an identifier stands anywhere in a type.
pub(crate) fn mentions(ty: &Type, name: &str) -> bool {
    fn within(stream: TokenStream, name: &str) -> bool {
        stream.into_iter().any(|token| match token {
            TokenTree::Ident(ident) => ident == name,
            TokenTree::Group(group) => within(group.stream(), name),
            _ => false,
        })
    }
    within(ty.to_token_stream(), name)
}

/// Whether the blank value of a type holds no other value: an empty list or map, an absent option.
pub(crate) fn may_be_empty(ty: &Type) -> bool {
    const EMPTY: &[&str] = &["Option", "Vec", "HashMap", "BTreeMap"];
    last_segment(ty).is_some_and(|segment| EMPTY.iter().any(|name| segment.ident == name))
}

/// The type with `Self` spelled out, so that it can stand outside of an `impl`.
pub(crate) fn without_self(ty: &Type, this: &TokenStream) -> TokenStream {
    fn replace(stream: TokenStream, this: &TokenStream) -> TokenStream {
        let one = |token| match token {
            TokenTree::Ident(ident) if ident == "Self" => {
                // Invisible brackets keep `Self::Item` one type in front of its `::`.
                let mut group = Group::new(Delimiter::None, this.clone());
                group.set_span(ident.span());
                TokenTree::Group(group)
            }
            TokenTree::Group(old) => {
                let mut group = Group::new(old.delimiter(), replace(old.stream(), this));
                group.set_span(old.span());
                TokenTree::Group(group)
            }
            other => other,
        };
        stream.into_iter().map(one).collect()
    }
    match mentions(ty, "Self") {
        true => replace(ty.to_token_stream(), this),
        false => ty.to_token_stream(),
    }
}

/// How an integer asks to be packed.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Packed {
    Plain,
    Zigzag,
    Fixed,
}

/// The expression of a type's shape, its errors pointing at the type.
pub(crate) fn shape(ty: &TokenStream, packed: Packed, at: Span) -> TokenStream {
    let shape = quote_spanned!(at=> <#ty as ::farcall::__private::Shaped>::SHAPE);
    match packed {
        Packed::Plain => shape,
        Packed::Zigzag => quote_spanned!(at=> #shape.zigzag()),
        Packed::Fixed => quote_spanned!(at=> #shape.fixed()),
    }
}

/// Reads `zigzag` and `fixed`, refusing them where the type cannot be an integer.
pub(crate) fn packed(zigzag: Option<Span>, fixed: Option<Span>, ty: &Type) -> Result<Packed> {
    const OTHERS: &[&str] = &["bool", "f32", "f64", "String", "Str", "Bytes", "Timestamp"];
    const UNSIGNED: &[&str] = &["u8", "u16", "u32", "u64", "usize"];
    const SIGNED: &[&str] = &["i8", "i16", "i32", "i64", "isize"];
    let any = |names: &[&str]| names.iter().any(|name| mentions(ty, name));
    let (span, packed, key) = match (zigzag, fixed) {
        (Some(span), _) => (span, Packed::Zigzag, "zigzag"),
        (None, Some(span)) => (span, Packed::Fixed, "fixed"),
        (None, None) => return Ok(Packed::Plain),
    };
    if any(OTHERS) && !any(SIGNED) && !any(UNSIGNED) {
        let text = format!("`{key}` is for integers, and for lists, options and maps of them");
        return Err(Error::new(span, text));
    }
    if packed == Packed::Zigzag && any(UNSIGNED) && !any(SIGNED) {
        return Err(Error::new(
            span,
            "`zigzag` shortens negative numbers; an unsigned integer has none: leave it out, or \
             write `fixed`",
        ));
    }
    Ok(packed)
}
