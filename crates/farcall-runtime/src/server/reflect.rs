//! rpcx's reflection: what there is, in the words of Go; and what is said of services beside their
//! methods.
//!
//! Source: rpcx v1.9.4, `reflection/server_reflection.go`: a service `Reflection` whose
//! `GetService` takes a name and whose `GetServices` takes any text; both answer with Go source.
//! Where this differs on purpose: types are those of the methods, however deep, where Go makes them
//! up from the JSON of an empty value; and a method is a `func`, where Go writes `type`.

use super::{
    Bound, Cx, Server,
    router::{Entry, Router},
};
use farcall_core::{Kind, Schema, Shape, Status};
use std::{fmt::Write, sync::Arc};

impl Server {
    /// Tells callers of all services, their methods and types, as rpcx's reflection does: a service
    /// `Reflection` with `GetService` and `GetServices`. `farcall ls` reads it. Its calls pass the
    /// gate as all others. Off unless it is asked for.
    #[must_use]
    pub fn reflection(self) -> Server {
        self.handle("Reflection", "GetService", |cx: Arc<Cx>, body| async move {
            let name: String = cx.decode(&body)?;
            let told = service(&cx.conn.router, &name);
            // The words of Go's.
            let told =
                told.ok_or_else(|| Status::not_found(format!("not found service {name}")))?;
            cx.encode(&format!("{PACKAGE}{told}"))
        })
        .handle("Reflection", "GetServices", |cx: Arc<Cx>, _| async move {
            let router = &cx.conn.router;
            let names = names(router.methods());
            let told: Vec<_> = names.iter().filter_map(|name| service(router, name)).collect();
            cx.encode(&format!("{PACKAGE}{}", told.join("\n")))
        })
    }

    /// Says more of a service than its methods do: what rpcx calls its metadata, a text like
    /// `weight=5&group=blue`. Reflection shows it, and [`Bound::services`] gives it to whoever
    /// registers the server somewhere. The last one holds; of a service that does not exist it is
    /// an error of [`listen`](Server::listen).
    #[must_use]
    pub fn describe(mut self, service: impl Into<String>, metadata: impl Into<String>) -> Server {
        self.described.push((service.into(), metadata.into()));
        self
    }
}

impl Bound {
    /// The names of all services, in the order they were added, and what was said of each by
    /// [`Server::describe`].
    pub fn services(&self) -> Vec<(String, String)> {
        let router = &self.shared.router;
        let said = |name: String| {
            let metadata = router.metadata(&name).unwrap_or_default().to_owned();
            (name, metadata)
        };
        names(router.methods()).into_iter().map(said).collect()
    }
}

/// Checks that what is described exists.
pub(super) fn check(described: &[(String, String)], entries: &[Entry]) -> Result<(), Status> {
    let known = |name: &str| entries.iter().any(|entry| entry.service == name);
    match described.iter().find(|(name, _)| !known(name)) {
        None => Ok(()),
        Some((name, _)) => {
            Err(Status::invalid_argument(format!("`{name}` is described, and does not exist")))
        }
    }
}

const PACKAGE: &str = "package services\n\n";

/// The names of all services, each once.
fn names(entries: &[Entry]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for entry in entries {
        if !names.contains(&entry.service) {
            names.push(entry.service.clone());
        }
    }
    names
}

/// A service as Go has it.
fn service(router: &Router, name: &str) -> Option<String> {
    let methods: Vec<_> = router.methods().iter().filter(|e| e.service == name).collect();
    if methods.is_empty() {
        return None;
    }
    let (mut text, go) = (String::new(), exported(name));
    match router.metadata(name) {
        Some(metadata) => drop(writeln!(text, "// {name}: {metadata}")),
        None if go != name => drop(writeln!(text, "// {name}")),
        None => {}
    }
    let _ = writeln!(text, "type {go} struct{{}}\n");
    let mut types = Types::default();
    for entry in &methods {
        let [argument, reply] = entry.shapes.map(|shape| match shape {
            Some(shape) => types.name(shape),
            // A method that takes bytes says nothing of them.
            None => "[]byte".to_owned(),
        });
        types.flush(&mut text);
        let (item, items) = (entry.streams.inbound, entry.streams.outbound);
        let [argument, reply] = [(argument, item), (reply, items)].map(|(name, streams)| {
            if streams { format!("chan {name}") } else { format!("*{name}") }
        });
        let method = exported(&entry.name);
        if method != entry.name {
            let _ = writeln!(text, "// {}", entry.name);
        }
        let _ = writeln!(
            text,
            "func (s *{go}) {method}(ctx context.Context, arg {argument}, reply {reply}) error {{\n\
             \treturn nil\n}}\n"
        );
    }
    Some(text)
}

/// The types of one service: named when they are met, written once.
#[derive(Default)]
struct Types {
    known: Vec<&'static Schema>,
    written: usize,
}

impl Types {
    /// What Go calls a value of this shape.
    fn name(&mut self, shape: &'static Shape) -> String {
        match shape {
            Shape::One(kind, _) => match kind {
                Kind::Bool => "bool",
                Kind::I8 => "int8",
                Kind::I16 => "int16",
                Kind::I32 => "int32",
                Kind::I64 => "int64",
                Kind::U8 => "uint8",
                Kind::U16 => "uint16",
                Kind::U32 => "uint32",
                Kind::U64 => "uint64",
                Kind::F32 => "float32",
                Kind::F64 => "float64",
                Kind::Text => "string",
                Kind::Bytes => "[]byte",
                Kind::Time => "time.Time",
                Kind::Span => "time.Duration",
                Kind::Complex => "complex128",
            }
            .to_owned(),
            Shape::Enum(_) => "int32".to_owned(),
            // Bytes, in every format that does not know the type.
            Shape::Marshaled(_) => "[]byte".to_owned(),
            Shape::Message(schema) => {
                let schema = schema();
                if schema.name.is_empty() || schema.fields.is_empty() {
                    return "struct{}".to_owned();
                }
                if !self.known.iter().any(|known| std::ptr::eq(*known, schema)) {
                    self.known.push(schema);
                }
                exported(schema.name)
            }
            Shape::Maybe(inner) => format!("*{}", self.name(inner)),
            Shape::List(item) => format!("[]{}", self.name(item)),
            Shape::Array(item, length) => format!("[{length}]{}", self.name(item)),
            Shape::Map(key, value) => format!("map[{}]{}", self.name(key), self.name(value)),
            Shape::Any => "any".to_owned(),
        }
    }

    /// Writes those that were met since, and those that these bring along.
    fn flush(&mut self, text: &mut String) {
        while let Some(schema) = self.known.get(self.written).copied() {
            self.written += 1;
            let _ = writeln!(text, "type {} struct {{", exported(schema.name));
            for field in schema.fields {
                let name = self.name(&field.shape);
                let _ = write!(text, "\t{} {name}", exported(field.go));
                if field.name != exported(field.go) || field.json != field.name {
                    let (packed, json) = (field.name, field.json);
                    let _ = write!(text, " `msgpack:\"{packed}\" json:\"{json}\"`");
                }
                text.push('\n');
            }
            text.push_str("}\n\n");
        }
    }
}

/// A name as Go would export it.
fn exported(name: &str) -> String {
    let mut out = String::new();
    for part in name.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()) {
        let mut letters = part.chars();
        out.extend(letters.next().into_iter().flat_map(char::to_uppercase));
        out.push_str(letters.as_str());
    }
    if out.starts_with(|c: char| c.is_ascii_digit()) { format!("X{out}") } else { out }
}
