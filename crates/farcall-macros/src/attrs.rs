//! The attributes people write, read into structs; every mistake is named at the token that makes
//! it.

use proc_macro2::Span;
use syn::{
    Attribute, Error, Ident, LitInt, LitStr, Meta, Result, Token, ext::IdentExt,
    parse::ParseStream, spanned::Spanned,
};

/// Several mistakes are reported at once: each is kept, and the work goes on.
#[derive(Default)]
pub(crate) struct Errors(Option<Error>);

impl Errors {
    /// Keeps a mistake.
    pub(crate) fn push(&mut self, error: Error) {
        match &mut self.0 {
            Some(first) => first.combine(error),
            None => self.0 = Some(error),
        }
    }

    /// Keeps a mistake at a place.
    pub(crate) fn at(&mut self, span: Span, text: impl std::fmt::Display) {
        self.push(Error::new(span, text));
    }

    /// The value, or nothing and the mistake kept.
    pub(crate) fn take<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    /// All mistakes, if there were any.
    pub(crate) fn finish(self) -> Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}

/// Where a `#[field(…)]` stands: not every key means something everywhere.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    /// A field of a struct.
    Field,
    /// A variant with a payload.
    Payload,
    /// A variant of an enum without payloads.
    Choice,
    /// One of several parameters of a method.
    Parameter,
}

impl Place {
    fn keys(self) -> &'static [&'static str] {
        match self {
            Place::Field => &[
                "name",
                "json",
                "go",
                "required",
                "omit_empty",
                "zigzag",
                "fixed",
                "oneof",
                "skip",
            ],
            Place::Payload => &["name", "json", "go", "zigzag", "fixed"],
            Place::Choice => &["name"],
            Place::Parameter => {
                &["name", "json", "go", "required", "omit_empty", "zigzag", "fixed"]
            }
        }
    }
}

/// `#[field(2, name = "B", json = "b", go = "B", required, omit_empty, zigzag, fixed, oneof,
/// skip)]`; flags are kept as the place where they were written.
#[derive(Default)]
pub(crate) struct FieldAttrs {
    pub(crate) number: Option<(i64, Span)>,
    pub(crate) name: Option<LitStr>,
    pub(crate) json: Option<LitStr>,
    pub(crate) go: Option<LitStr>,
    pub(crate) required: Option<Span>,
    pub(crate) omit_empty: Option<Span>,
    pub(crate) zigzag: Option<Span>,
    pub(crate) fixed: Option<Span>,
    pub(crate) oneof: Option<Span>,
    pub(crate) skip: Option<Span>,
    /// How many keys there are, the number included.
    count: usize,
}

impl FieldAttrs {
    /// Reads the `#[field(…)]` among `attrs`.
    pub(crate) fn read(attrs: &[Attribute], place: Place) -> Result<FieldAttrs> {
        let mut found = FieldAttrs::default();
        for attr in attrs.iter().filter(|a| a.path().is_ident("field")) {
            list(attr, "field")?.parse_args_with(|input: ParseStream<'_>| {
                if input.peek(LitInt) || input.peek(Token![-]) {
                    found.number = Some(number(input)?);
                    found.count += 1;
                    comma(input)?;
                }
                options(input, place.keys(), |key, input| found.one(key, input))
            })?;
        }
        found.check()?;
        Ok(found)
    }

    fn one(&mut self, key: &Ident, input: ParseStream<'_>) -> Result<()> {
        self.count += 1;
        let twice = match key.to_string().as_str() {
            "name" => self.name.replace(text(key, input)?).is_some(),
            "json" => self.json.replace(text(key, input)?).is_some(),
            "go" => self.go.replace(text(key, input)?).is_some(),
            "required" => self.required.replace(flag(key, input)?).is_some(),
            "omit_empty" => self.omit_empty.replace(flag(key, input)?).is_some(),
            "zigzag" => self.zigzag.replace(flag(key, input)?).is_some(),
            "fixed" => self.fixed.replace(flag(key, input)?).is_some(),
            "oneof" => self.oneof.replace(flag(key, input)?).is_some(),
            _ => self.skip.replace(flag(key, input)?).is_some(),
        };
        if twice { Err(Error::new(key.span(), format!("`{key}` is given twice"))) } else { Ok(()) }
    }

    fn check(&self) -> Result<()> {
        if let (Some(_), Some(span)) = (self.zigzag, self.fixed) {
            return Err(Error::new(
                span,
                "`zigzag` and `fixed` exclude each other: an integer travels one way",
            ));
        }
        if let (Some(span), 2..) = (self.skip, self.count) {
            return Err(Error::new(
                span,
                "`skip` stands alone: a field that is not part of the message has no number, name \
                 or options",
            ));
        }
        if let Some(span) = self.oneof
            && self.count > 1 + usize::from(self.required.is_some())
        {
            return Err(Error::new(
                span,
                "a `oneof` has no number, name or options of its own: its variants are the fields; \
                 write them there, as `#[field(20)]` on a variant of the enum",
            ));
        }
        Ok(())
    }
}

/// `#[message(go_names, name = "…")]` on a type.
#[derive(Default)]
pub(crate) struct MessageAttrs {
    pub(crate) go_names: Option<Span>,
    pub(crate) name: Option<LitStr>,
}

impl MessageAttrs {
    /// Reads the `#[message(…)]` among the attributes of a type.
    pub(crate) fn read(attrs: &[Attribute]) -> Result<MessageAttrs> {
        let mut found = MessageAttrs::default();
        for attr in attrs {
            if attr.path().is_ident("field") {
                return Err(Error::new(
                    attr.span(),
                    "`#[field(…)]` is for fields and variants; a type takes `#[message(…)]`",
                ));
            }
            if attr.path().is_ident("message") {
                list(attr, "message")?.parse_args_with(|input: ParseStream<'_>| {
                    options(input, &["name", "go_names"], |key, input| {
                        match key == "name" {
                            true => found.name = Some(text(key, input)?),
                            false => found.go_names = Some(flag(key, input)?),
                        }
                        Ok(())
                    })
                })?;
            }
        }
        Ok(found)
    }
}

/// Refuses `#[message(…)]` where `#[field(…)]` belongs; on variants, finds `#[message(other)]`.
pub(crate) fn other(attrs: &[Attribute], variant: bool) -> Result<Option<Span>> {
    let mut found = None;
    for attr in attrs.iter().filter(|a| a.path().is_ident("message")) {
        if !variant {
            return Err(Error::new(
                attr.span(),
                "`#[message(…)]` is for the type; a field takes `#[field(…)]`",
            ));
        }
        list(attr, "message")?.parse_args_with(|input: ParseStream<'_>| {
            options(input, &["other"], |key, input| {
                found = Some(flag(key, input)?);
                Ok(())
            })
        })?;
    }
    Ok(found)
}

/// `#[farcall::service(name = "chat.Room", go_names)]`.
#[derive(Default)]
pub(crate) struct ServiceAttrs {
    pub(crate) name: Option<LitStr>,
    pub(crate) go_names: bool,
}

impl ServiceAttrs {
    /// Reads the arguments of the attribute.
    pub(crate) fn read(input: ParseStream<'_>) -> Result<ServiceAttrs> {
        let mut found = ServiceAttrs::default();
        options(input, &["name", "go_names"], |key, input| {
            match key == "name" {
                true => found.name = Some(text(key, input)?),
                false => found.go_names = flag(key, input).map(|_| true)?,
            }
            Ok(())
        })?;
        Ok(found)
    }
}

/// `#[method(name = "Mul", client = "multiply", idempotent, blocking, spawn)]`.
#[derive(Default)]
pub(crate) struct MethodAttrs {
    pub(crate) name: Option<LitStr>,
    pub(crate) client: Option<LitStr>,
    pub(crate) idempotent: bool,
    pub(crate) blocking: Option<Span>,
    pub(crate) spawn: Option<Span>,
}

impl MethodAttrs {
    /// Reads the `#[method(…)]` among `attrs`.
    pub(crate) fn read(attrs: &[Attribute]) -> Result<MethodAttrs> {
        const KEYS: &[&str] = &["name", "client", "idempotent", "blocking", "spawn"];
        let mut found = MethodAttrs::default();
        for attr in attrs.iter().filter(|a| a.path().is_ident("method")) {
            list(attr, "method")?.parse_args_with(|input: ParseStream<'_>| {
                options(input, KEYS, |key, input| {
                    match key.to_string().as_str() {
                        "name" => found.name = Some(text(key, input)?),
                        "client" => found.client = Some(text(key, input)?),
                        "idempotent" => found.idempotent = flag(key, input).map(|_| true)?,
                        "blocking" => found.blocking = Some(flag(key, input)?),
                        _ => found.spawn = Some(flag(key, input)?),
                    }
                    Ok(())
                })
            })?;
        }
        if let (Some(_), Some(span)) = (found.blocking, found.spawn) {
            return Err(Error::new(
                span,
                "`spawn` and `blocking` exclude each other: `blocking` runs on the blocking pool \
                 already",
            ));
        }
        Ok(found)
    }
}

fn list<'a>(attr: &'a Attribute, name: &str) -> Result<&'a syn::MetaList> {
    match &attr.meta {
        Meta::List(list) => Ok(list),
        other => {
            Err(Error::new(other.span(), format!("write its options in brackets: `#[{name}(…)]`")))
        }
    }
}

fn options(
    input: ParseStream<'_>,
    known: &[&str],
    mut take: impl FnMut(&Ident, ParseStream<'_>) -> Result<()>,
) -> Result<()> {
    while !input.is_empty() {
        if input.peek(LitInt) || input.peek(Token![-]) {
            let text = "the number comes first, once: `#[field(2, name = \"b\")]`";
            return Err(Error::new(input.span(), text));
        }
        if input.peek(LitStr) {
            let text = "a text needs its key: `name = \"…\"`";
            return Err(Error::new(input.span(), text));
        }
        let key = input.call(Ident::parse_any)?;
        if !known.iter().any(|k| key == k) {
            return Err(unknown(&key, known));
        }
        take(&key, input)?;
        comma(input)?;
    }
    Ok(())
}

fn comma(input: ParseStream<'_>) -> Result<()> {
    if input.is_empty() || input.parse::<Option<Token![,]>>()?.is_some() {
        return Ok(());
    }
    Err(Error::new(input.span(), "a comma belongs between options"))
}

fn unknown(key: &Ident, known: &[&str]) -> Error {
    let hint = match key.to_string().as_str() {
        "rename" => "; to rename, write `name = \"…\"`",
        "tag" | "number" | "id" => "; a number stands alone and first: `#[field(3)]`",
        "optional" => "; for a field that may be absent, use `Option<…>`",
        "default" => "; an absent field is its zero value without saying so",
        "skip_serializing_if" => "; to leave out what is empty, write `omit_empty`",
        _ => "",
    };
    let known: Vec<_> = known.iter().map(|k| format!("`{k}`")).collect();
    let known = known.join(", ");
    Error::new(key.span(), format!("`{key}` means nothing here{hint} (known: {known})"))
}

fn number(input: ParseStream<'_>) -> Result<(i64, Span)> {
    let minus: Option<Token![-]> = input.parse()?;
    let digits: LitInt = input.parse()?;
    let number: i64 = digits.base10_parse()?;
    Ok((if minus.is_some() { -number } else { number }, digits.span()))
}

fn text(key: &Ident, input: ParseStream<'_>) -> Result<LitStr> {
    if input.peek(Token![=]) && input.peek2(LitStr) {
        input.parse::<Token![=]>()?;
        return input.parse();
    }
    Err(Error::new(key.span(), format!("`{key}` takes a text: `{key} = \"…\"`")))
}

fn flag(key: &Ident, input: ParseStream<'_>) -> Result<Span> {
    if input.is_empty() || input.peek(Token![,]) {
        return Ok(key.span());
    }
    Err(Error::new(input.span(), format!("`{key}` takes no value: write `{key}` alone")))
}
