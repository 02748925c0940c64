//! Methods that stream: what they take and give, read and checked.

use crate::{
    attrs::{Errors, MethodAttrs},
    types,
};
use syn::{
    Error, GenericArgument, PatType, PathArguments, PathSegment, Result, Signature, Type,
    TypeImplTrait, TypeParamBound, spanned::Spanned,
};

/// Whether a parameter is a stream.
pub(super) fn is_inbound(ty: &Type) -> bool {
    types::last_segment(ty).is_some_and(|segment| segment.ident == "Inbound")
}

/// The items of a parameter that is a stream. `alone`: the method takes nothing else.
pub(super) fn inbound(input: &PatType, alone: bool) -> Result<Type> {
    if !alone {
        return Err(Error::new(
            input.span(),
            "a method that takes a stream takes nothing beside it: what belongs to all items goes \
             into the first, or into metadata",
        ));
    }
    if let Some(attr) = input.attrs.first() {
        return Err(Error::new(attr.span(), "a stream has no number or name"));
    }
    let items = types::last_segment(&input.ty).and_then(only_type);
    let Some(items) = items else {
        return Err(Error::new(input.ty.span(), "name the items of the stream: `Inbound<Line>`"));
    };
    types::check(items)?;
    Ok(items.clone())
}

/// The items of a stream that a method answers with.
pub(super) fn items(stream: &TypeImplTrait) -> Result<Type> {
    let wrong = |at| {
        Error::new(
            at,
            "a method answers with a message, or with a stream: `Result<impl Stream<Item = \
             Result<Line>> + Send>`",
        )
    };
    let bounds = stream.bounds.iter().filter_map(|bound| match bound {
        TypeParamBound::Trait(bound) => bound.path.segments.last(),
        _ => None,
    });
    let (mut found, mut send) = (None, false);
    for segment in bounds {
        send |= segment.ident == "Send";
        if segment.ident == "Stream" {
            found = Some(segment);
        }
    }
    let Some(PathArguments::AngleBracketed(arguments)) = found.map(|f| &f.arguments) else {
        return Err(wrong(stream.span()));
    };
    let item = arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::AssocType(item) if item.ident == "Item" => Some(&item.ty),
        _ => None,
    });
    let Some(item) = item else { return Err(wrong(stream.span())) };
    let result = types::last_segment(item).filter(|segment| segment.ident == "Result");
    let Some(items) = result.and_then(first_type) else {
        return Err(Error::new(
            item.span(),
            "the items of a stream are results, for a stream may fail half-way: `Item = \
             Result<Line>`",
        ));
    };
    if !send {
        return Err(Error::new(
            stream.span(),
            "a stream moves between threads: write `impl Stream<…> + Send`",
        ));
    }
    types::check(items)?;
    Ok(items.clone())
}

/// Refuses ways to run that streams do not have.
pub(super) fn check_run(sig: &Signature, attrs: &MethodAttrs, errors: &mut Errors) {
    if let Some(span) = attrs.blocking {
        errors.at(
            span,
            "a method that streams cannot be `blocking`: it waits for its peer between items; give \
             the blocking part to `tokio::task::spawn_blocking`",
        );
    } else if sig.asyncness.is_none() {
        errors.at(sig.fn_token.span, "a method that streams waits for its peer: write `async fn`");
    }
}

fn first_type(segment: &PathSegment) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    match arguments.args.first() {
        Some(GenericArgument::Type(ty)) => Some(ty),
        _ => None,
    }
}

fn only_type(segment: &PathSegment) -> Option<&Type> {
    match &segment.arguments {
        PathArguments::AngleBracketed(arguments) if arguments.args.len() == 1 => {
            first_type(segment)
        }
        _ => None,
    }
}
