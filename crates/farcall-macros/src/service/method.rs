//! One method of a service, read and checked.

use super::streams;
use crate::{
    attrs::{Errors, FieldAttrs, MethodAttrs, Place},
    names, types,
};
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::{
    Attribute, Error, FnArg, GenericArgument, Ident, Pat, PatType, PathArguments, ReceiverKind,
    Result, ReturnType, Safety, Signature, TraitItemFn, Type, ext::IdentExt, spanned::Spanned,
};

/// Functions that every client has; a method of the same name must be called otherwise there.
const TAKEN: &[&str] = &[
    "connect",
    "lazy",
    "builder",
    "over",
    "over_as",
    "from_client",
    "client",
    "named",
    "deadline",
    "meta",
    "format",
    "compress",
    "ready",
    "clone",
];

/// Where a method runs.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Run {
    /// `async fn`: polled where the bytes arrived, a task once it waits.
    Future,
    /// `fn`: run where the bytes arrived.
    Direct,
    /// `#[method(blocking)] async fn`: polled to its end on the blocking pool.
    BlockingFuture,
    /// `#[method(blocking)] fn`: run on the blocking pool.
    Blocking,
}

/// A parameter that travels.
pub(super) struct Param {
    pub(super) ident: Ident,
    pub(super) ty: Type,
    /// `#[field(…)]`.
    pub(super) attrs: Vec<Attribute>,
}

/// A method, understood.
pub(super) struct Method {
    pub(super) ident: Ident,
    /// The static that describes it.
    pub(super) info: Ident,
    /// Its name on the wire, and where that is written.
    pub(super) name: String,
    pub(super) name_at: Span,
    /// Its name on the client.
    pub(super) client: Ident,
    /// The struct that carries several parameters.
    pub(super) args: Ident,
    /// Whether it wants its context.
    pub(super) cx: bool,
    pub(super) params: Vec<Param>,
    /// `Result<Reply>`, as written.
    pub(super) output: Type,
    /// `Reply`; of a stream, its items.
    pub(super) reply: Type,
    /// It answers with a stream.
    pub(super) outbound: bool,
    /// The items of the stream it takes in place of an argument.
    pub(super) inbound: Option<Type>,
    pub(super) run: Run,
    pub(super) idempotent: bool,
    pub(super) spawn: bool,
    /// The name of the one parameter, for the paths of faults.
    pub(super) argument: String,
    pub(super) docs: Vec<Attribute>,
    pub(super) cfgs: Vec<Attribute>,
    pub(super) deprecated: Option<Attribute>,
}

impl Method {
    /// Reads a function of the trait `service`.
    pub(super) fn read(item: &TraitItemFn, service: &Ident, go_names: bool) -> Result<Method> {
        let sig = &item.sig;
        let mut errors = Errors::default();
        errors.take(item.modifiers.require_empty());
        refuse_modifiers(sig, &mut errors);
        errors.take(receiver(sig));
        let attrs = errors.take(MethodAttrs::read(&item.attrs)).unwrap_or_default();
        let Params { cx, params, inbound } = params(sig, &mut errors);
        let output = errors.take(output(sig));

        let plain = names::plain(&sig.ident);
        let (name, name_at) = match &attrs.name {
            Some(name) => (name.value(), name.span()),
            None => (names::pascal(&plain), sig.ident.span()),
        };
        errors.take(super::check_wire(&name, name_at));
        let client = errors.take(client_name(&sig.ident, &attrs));
        let run = match (sig.asyncness.is_some(), attrs.blocking.is_some()) {
            (true, false) => Run::Future,
            (true, true) => Run::BlockingFuture,
            (false, true) => Run::Blocking,
            (false, false) => Run::Direct,
        };
        let streams = inbound.is_some() || output.as_ref().is_some_and(|o| o.stream);
        if streams {
            streams::check_run(sig, &attrs, &mut errors);
        }
        if let (Some(span), false) = (attrs.spawn, sig.asyncness.is_some()) {
            errors.at(
                span,
                "`spawn` gives a future its own task: write `async fn`, or `blocking` for code \
                 that blocks",
            );
        }
        let several = params.len() > 1;
        if several {
            // What is wrong with the fields shows here, at the parameters, and not in a hidden
            // type.
            let hidden = super::args::declare(&quote!(), &service.clone(), &params, go_names);
            errors.take(crate::message::expand(hidden).map(|_| ()));
        } else if let Some(attr) = params.first().and_then(|p| p.attrs.first()) {
            errors.at(
                attr.span(),
                "a single parameter is the message itself, so it has no number or name; put \
                 `#[field(…)]` on the fields of its type",
            );
        }
        errors.finish()?;
        let (Some(Output { output, reply, stream }), Some(client)) = (output, client) else {
            return Err(Error::new(sig.ident.span(), "this method could not be read"));
        };
        let find = |name: &'static str| {
            item.attrs.iter().filter(move |a| a.path().is_ident(name)).cloned()
        };
        Ok(Method {
            ident: sig.ident.clone(),
            info: Ident::new(&plain.to_uppercase(), sig.ident.span()),
            name,
            name_at,
            client,
            args: format_ident!("{service}{}Args", names::pascal(&plain)),
            cx,
            output,
            reply,
            outbound: stream,
            inbound,
            run,
            idempotent: attrs.idempotent,
            spawn: attrs.spawn.is_some(),
            argument: match &params[..] {
                [one] => names::plain(&one.ident),
                _ => String::new(),
            },
            params,
            docs: find("doc").collect(),
            cfgs: super::cfgs(&item.attrs),
            deprecated: find("deprecated").next(),
        })
    }

    /// The type that travels to the method.
    pub(super) fn request(&self) -> TokenStream {
        match &self.params[..] {
            [] => quote!(()),
            [one] => one.ty.to_token_stream(),
            _ => self.args.to_token_stream(),
        }
    }
}

fn refuse_modifiers(sig: &Signature, errors: &mut Errors) {
    if !sig.generics.params.is_empty() || sig.generics.where_clause.is_some() {
        let text = "a method cannot be generic: a peer calls it by name and knows nothing of type \
                    parameters";
        let span = match sig.generics.params.is_empty() {
            true => sig.generics.where_clause.span(),
            false => sig.generics.params.span(),
        };
        errors.at(span, text);
    }
    if let Some(token) = &sig.constness {
        errors.at(token.span, "a method cannot be `const`");
    }
    match &sig.safety {
        Safety::Default => {}
        other => errors.at(other.span(), "a method cannot be `unsafe`: any peer may call it"),
    }
    if let Some(abi) = &sig.abi {
        errors.at(abi.span(), "a method is an ordinary Rust function: leave out `extern`");
    }
    if let Some(variadic) = &sig.variadic {
        errors.at(variadic.span(), "a method has a fixed number of parameters: use a `Vec`");
    }
}

fn receiver(sig: &Signature) -> Result<()> {
    let Some(FnArg::Receiver(receiver)) = sig.inputs.first() else {
        return Err(Error::new(
            sig.ident.span(),
            format!(
                "a method takes `&self` first: write `{}fn {}(&self, …)`",
                if sig.asyncness.is_some() { "async " } else { "" },
                sig.ident
            ),
        ));
    };
    match &receiver.kind {
        ReceiverKind::Reference(_, None, None) => Ok(()),
        ReceiverKind::Reference(_, _, Some(_)) => Err(Error::new(
            receiver.span(),
            "a method takes `&self`: calls run at the same time, so state that changes goes behind \
             a lock or an atomic",
        )),
        ReceiverKind::Reference(..) => {
            Err(Error::new(receiver.span(), "write `&self`, without a lifetime"))
        }
        _ => Err(Error::new(
            receiver.span(),
            "a method takes `&self`: the service is shared by all calls",
        )),
    }
}

/// What a method takes.
struct Params {
    cx: bool,
    params: Vec<Param>,
    inbound: Option<Type>,
}

fn params(sig: &Signature, errors: &mut Errors) -> Params {
    let (mut cx, mut params, mut inbound) = (false, Vec::<Param>::new(), None);
    let others = sig.inputs.iter().filter(|input| match input {
        FnArg::Typed(input) => !matches!(context(input), Ok(true)),
        FnArg::Receiver(_) => false,
    });
    let alone = others.count() == 1;
    let inputs = sig.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(input) => Some(input),
        FnArg::Receiver(_) => None,
    });
    for (i, input) in inputs.enumerate() {
        match context(input) {
            Ok(true) if i == 0 => cx = true,
            Ok(true) => errors.at(input.ty.span(), "the context comes right after `&self`"),
            Ok(false) if streams::is_inbound(&input.ty) => {
                inbound = errors.take(streams::inbound(input, alone));
            }
            Ok(false) => params.extend(errors.take(param(input))),
            Err(error) => errors.push(error),
        }
    }
    for (i, late) in params.iter().enumerate() {
        if params[..i].iter().any(|early| early.ident == late.ident) {
            errors.at(late.ident.span(), "two parameters have this name");
        }
    }
    Params { cx, params, inbound }
}

/// Whether a parameter is the context: a reference to a `Cx`.
fn context(input: &PatType) -> Result<bool> {
    let is_cx = |ty| types::last_segment(ty).is_some_and(|segment| segment.ident == "Cx");
    match &*input.ty {
        Type::Reference(reference) if is_cx(&reference.elem) => {
            match (&reference.mutability, &reference.lifetime) {
                (None, None) => Ok(true),
                _ => Err(Error::new(input.ty.span(), "the context is lent: write `cx: &Cx`")),
            }
        }
        ty if is_cx(ty) => {
            Err(Error::new(ty.span(), "the context is lent: write `cx: &Cx`, with the `&`"))
        }
        _ => Ok(false),
    }
}

fn param(input: &PatType) -> Result<Param> {
    let attrs: Vec<Attribute> = input.attrs.clone();
    if let Some(attr) = attrs.iter().find(|a| !a.path().is_ident("field")) {
        return Err(Error::new(attr.span(), "a parameter takes `#[field(…)]` only"));
    }
    FieldAttrs::read(&attrs, Place::Parameter)?;
    let ident = match &*input.pat {
        Pat::Ident(pat)
            if pat.by_ref.is_none() && pat.mutability.is_none() && pat.subpat.is_none() =>
        {
            pat.ident.clone()
        }
        pat => {
            return Err(Error::new(
                pat.span(),
                "a parameter is a plain name, for its name may travel: `args: Args`",
            ));
        }
    };
    if let Type::ImplTrait(ty) = &*input.ty {
        return Err(Error::new(
            ty.span(),
            "a method names the type it takes, for bytes must become one: `impl Trait` is none",
        ));
    }
    types::check(&input.ty)?;
    Ok(Param { ident, ty: (*input.ty).clone(), attrs })
}

/// The return type, as written, and what it holds when all went well: a message, or the items of a
/// stream.
struct Output {
    output: Type,
    reply: Type,
    stream: bool,
}

fn output(sig: &Signature) -> Result<Output> {
    let wrong = |at: Span| {
        Error::new(
            at,
            "a method returns `Result<Reply>`, or `Result<Reply, E>` where `E: Into<Status>`; one \
             without a result returns `Result<()>`",
        )
    };
    let output = match &sig.output {
        ReturnType::Type(_, output) => output,
        ReturnType::Default => return Err(wrong(sig.ident.span())),
    };
    if let Type::ImplTrait(ty) = &**output {
        let text = "write `async fn …` and the `Result` itself: the macro makes the future";
        return Err(Error::new(ty.span(), text));
    }
    let arguments = match types::last_segment(output) {
        Some(segment) if segment.ident == "Result" => &segment.arguments,
        _ => return Err(wrong(output.span())),
    };
    let PathArguments::AngleBracketed(arguments) = arguments else {
        return Err(wrong(output.span()));
    };
    match arguments.args.first() {
        Some(GenericArgument::Type(Type::ImplTrait(stream))) if arguments.args.len() <= 2 => {
            let (output, reply) = ((**output).clone(), streams::items(stream)?);
            Ok(Output { output, reply, stream: true })
        }
        Some(GenericArgument::Type(reply)) if arguments.args.len() <= 2 => {
            types::check(reply)?;
            Ok(Output { output: (**output).clone(), reply: reply.clone(), stream: false })
        }
        _ => Err(wrong(output.span())),
    }
}

/// What the method is called on the client: never one of the functions every client has.
fn client_name(ident: &Ident, attrs: &MethodAttrs) -> Result<Ident> {
    let name = match &attrs.client {
        Some(text) => {
            let parsed = text.parse_with(Ident::parse_any);
            let ident = parsed.map_err(|_| {
                Error::new(text.span(), "the name on the client is a Rust name: `client = \"mul\"`")
            })?;
            // Keywords are written raw; `self` and its kin cannot be.
            match syn::parse_str::<Ident>(&ident.to_string()) {
                Ok(_) => ident,
                Err(_) => Ident::new_raw(&ident.unraw().to_string(), ident.span()),
            }
        }
        None => ident.clone(),
    };
    match TAKEN.iter().any(|taken| name == taken) {
        true => Err(Error::new(
            attrs.client.as_ref().map_or(name.span(), |text| text.span()),
            format!(
                "every client has a function `{name}` of its own: give the method another name \
                 there, `#[method(client = \"call_{name}\")]`; its name on the wire stays"
            ),
        )),
        false => Ok(name),
    }
}
