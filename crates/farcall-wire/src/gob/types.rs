//! The types of one stream: how they are defined, and what was defined so far.
//!
//! A definition is a value of Go's struct `wireType` (package `encoding/gob`, `type.go`), written
//! like any other: exactly one of its fields is set.
//!
//! ```text
//! wireType    0 ArrayT  1 SliceT  2 StructT  3 MapT  4 GobEncoderT  5 BinaryMarshalerT  6 Text…
//! CommonType  0 Name    1 Id
//! arrayType   0 CommonType  1 Elem  2 Len      sliceType  0 CommonType  1 Elem
//! structType  0 CommonType  1 Field            mapType    0 CommonType  1 Key  2 Elem
//! fieldType   0 Name    1 Id                   the others 0 CommonType
//! ```
//!
//! The number inside `CommonType` is not looked at: Go itself writes another one there than in
//! front of the definition for pointers to types that marshal themselves.

use super::Broken;
use super::ints::{Cursor, put_blob, put_int, put_uint};
use farcall_core::{Limits, Marshaler, Marshals};
use std::collections::HashMap;

pub(super) const BOOL: i32 = 1;
pub(super) const INT: i32 = 2;
pub(super) const UINT: i32 = 3;
pub(super) const FLOAT: i32 = 4;
pub(super) const BYTES: i32 = 5;
pub(super) const TEXT: i32 = 6;
pub(super) const COMPLEX: i32 = 7;
pub(super) const INTERFACE: i32 = 8;
/// The first number of users' types in Go since 1.21; before, 65.
const FIRST: i64 = 64;

/// How much a stream may define.
#[derive(Clone, Copy, Debug)]
pub(super) struct Most {
    /// `Limits::gob_types`
    types: usize,
    /// `Limits::gob_type_bytes`
    type_bytes: usize,
    /// `Limits::gob_fields`
    fields: usize,
    /// `Limits::name_bytes`; the names of fields and of what an interface holds. The name of a type
    /// is as long as its definition lets it be: Go writes a struct without a name out in full.
    name_bytes: usize,
}

impl Most {
    /// For what was written here.
    pub(super) const OURS: Most = Most {
        types: usize::MAX,
        type_bytes: usize::MAX,
        fields: usize::MAX,
        name_bytes: usize::MAX,
    };

    pub(super) fn new(limits: &Limits) -> Most {
        Most {
            types: limits.gob_types,
            type_bytes: limits.gob_type_bytes,
            fields: limits.gob_fields,
            // What every stream of net/rpc has: short names of services are no reason to refuse it.
            name_bytes: limits.name_bytes.max("ServiceMethod".len()),
        }
    }

    /// A name that is not too long.
    pub(super) fn name<'a>(&self, from: &mut Cursor<'a>) -> Result<&'a [u8], Broken> {
        let (name, limit) = (from.blob()?, self.name_bytes);
        match name.len() {
            length if length > limit => Err(Broken::NameLong { length, limit }),
            _ => Ok(name),
        }
    }
}

/// What a type is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Def {
    Array {
        elem: i32,
        len: usize,
    },
    Slice {
        elem: i32,
    },
    Struct {
        fields: Box<[FieldDef]>,
    },
    Map {
        key: i32,
        value: i32,
    },
    /// A type that marshals itself. Not one of the two: a `TextMarshaler`, which no Go sends.
    Opaque {
        by: Option<Marshaler>,
        time: IsTime,
    },
}

/// Whether a type that marshals itself is `time.Time`, for readers without types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IsTime {
    /// It is a `GobEncoder` named `Time`.
    Named,
    /// It is a `GobEncoder` without a name: Go names no type that it met behind a pointer first, as
    /// in a field `*time.Time`. Then the bytes must tell.
    Perhaps,
    No,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct FieldDef {
    pub(super) name: Box<str>,
    pub(super) id: i32,
}

/// All types that were defined so far. Nothing is ever changed or taken out.
#[derive(Debug)]
pub(super) struct Types {
    defs: HashMap<i32, Def>,
    bytes: usize,
    pub(super) most: Most,
}

impl Types {
    pub(super) fn new(most: Most) -> Types {
        Types { defs: HashMap::new(), bytes: 0, most }
    }

    #[inline]
    pub(super) fn get(&self, id: i32) -> Option<&Def> {
        self.defs.get(&id)
    }

    pub(super) fn is_struct(&self, id: i32) -> bool {
        matches!(self.get(id), Some(Def::Struct { .. }))
    }

    /// Whether a type exists.
    pub(super) fn has(&self, id: i32) -> bool {
        matches!(id, BOOL..=INTERFACE) || self.defs.contains_key(&id)
    }

    /// What a type is, for error texts.
    pub(super) fn describe(&self, id: i32) -> &'static str {
        match id {
            BOOL => "bool",
            INT => "a signed integer",
            UINT => "an unsigned integer",
            FLOAT => "a float",
            BYTES => "bytes",
            TEXT => "text",
            COMPLEX => "a complex number",
            INTERFACE => "an interface",
            _ => match self.get(id) {
                None => "a type that was never defined",
                Some(Def::Array { .. }) => "an array",
                Some(Def::Slice { .. }) => "a slice",
                Some(Def::Struct { .. }) => "a struct",
                Some(Def::Map { .. }) => "a map",
                Some(Def::Opaque { time: IsTime::Named, .. }) => "a time",
                Some(Def::Opaque { by: Some(Marshaler::Gob), .. }) => "a GobEncoder",
                Some(Def::Opaque { by: Some(Marshaler::Binary), .. }) => "a BinaryMarshaler",
                Some(Def::Opaque { by: None, .. }) => "a TextMarshaler",
            },
        }
    }

    /// Reads the definition of the type with this number, which is known to be negated on the wire.
    pub(super) fn define(&mut self, id: i64, from: &mut Cursor<'_>) -> Result<(), Broken> {
        if !(FIRST..=i64::from(i32::MAX)).contains(&id) {
            return Err(Broken::TypeId { id });
        }
        let id = id as i32;
        if self.defs.contains_key(&id) {
            return Err(Broken::Twice { id });
        }
        if self.defs.len() >= self.most.types {
            return Err(Broken::ManyTypes { limit: self.most.types });
        }
        let before = from.pos;
        let def = definition(from, &self.most)?;
        self.bytes += from.pos - before;
        if self.bytes > self.most.type_bytes {
            return Err(Broken::LongTypes { limit: self.most.type_bytes });
        }
        self.defs.insert(id, def);
        Ok(())
    }
}

fn rule<T>(rule: &'static str) -> Result<T, Broken> {
    Err(Broken::Definition { rule })
}

/// Walks the fields of a struct whose layout is known: `each` is given their numbers.
fn fields<'a>(
    from: &mut Cursor<'a>,
    most: u64,
    mut each: impl FnMut(&mut Cursor<'a>, u64) -> Result<(), Broken>,
) -> Result<(), Broken> {
    let mut next = 0_u64;
    loop {
        // Go takes the end of the message for the end of the struct.
        let delta = if from.left() == 0 { 0 } else { from.uint()? };
        if delta == 0 {
            return Ok(());
        }
        match next.checked_add(delta).filter(|n| *n <= most) {
            Some(after) => next = after,
            None => return rule("it has a field that no type has"),
        }
        each(from, next - 1)?;
    }
}

/// The number of a type inside a definition. Whether it exists is seen when it is used.
fn id(from: &mut Cursor<'_>) -> Result<i32, Broken> {
    match i32::try_from(from.int()?) {
        Ok(id) if id > 0 => Ok(id),
        _ => rule("it refers to a type by a number that none can have"),
    }
}

fn common<'a>(from: &mut Cursor<'a>) -> Result<&'a [u8], Broken> {
    let mut named: &[u8] = &[];
    fields(from, 2, |from, field| {
        match field {
            0 => named = from.blob()?,
            _ => drop(from.int()?),
        }
        Ok(())
    })?;
    Ok(named)
}

/// Reads a `wireType`.
pub(super) fn definition(from: &mut Cursor<'_>, most: &Most) -> Result<Def, Broken> {
    let mut def = None;
    fields(from, 7, |from, variant| {
        if def.is_some() {
            return rule("it is two kinds of type at once");
        }
        def = Some(match variant {
            0 => {
                let (mut elem, mut len) = (None, 0);
                fields(from, 3, |from, field| {
                    match field {
                        0 => drop(common(from)?),
                        1 => elem = Some(id(from)?),
                        _ => len = from.int()?,
                    }
                    Ok(())
                })?;
                match (elem, usize::try_from(len)) {
                    (Some(elem), Ok(len)) => Def::Array { elem, len },
                    _ => return rule("an array has no element type, or a negative length"),
                }
            }
            1 => {
                let mut elem = None;
                fields(from, 2, |from, field| {
                    match field {
                        0 => drop(common(from)?),
                        _ => elem = Some(id(from)?),
                    }
                    Ok(())
                })?;
                let Some(elem) = elem else { return rule("a slice has no element type") };
                Def::Slice { elem }
            }
            2 => {
                let mut list = Vec::new();
                fields(from, 2, |from, field| {
                    match field {
                        0 => drop(common(from)?),
                        _ => list = struct_fields(from, most)?,
                    }
                    Ok(())
                })?;
                Def::Struct { fields: list.into() }
            }
            3 => {
                let (mut key, mut value) = (None, None);
                fields(from, 3, |from, field| {
                    match field {
                        0 => drop(common(from)?),
                        1 => key = Some(id(from)?),
                        _ => value = Some(id(from)?),
                    }
                    Ok(())
                })?;
                let (Some(key), Some(value)) = (key, value) else {
                    return rule("a map has no key or no element type");
                };
                Def::Map { key, value }
            }
            variant => {
                let mut named: &[u8] = &[];
                fields(from, 1, |from, _| {
                    named = common(from)?;
                    Ok(())
                })?;
                let by = match variant {
                    4 => Some(Marshaler::Gob),
                    5 => Some(Marshaler::Binary),
                    _ => None,
                };
                let time = match (by, named) {
                    (Some(Marshaler::Gob), b"Time") => IsTime::Named,
                    (Some(Marshaler::Gob), b"") => IsTime::Perhaps,
                    _ => IsTime::No,
                };
                Def::Opaque { by, time }
            }
        });
        Ok(())
    })?;
    match def {
        Some(def) => Ok(def),
        None => rule("it says nothing"),
    }
}

fn struct_fields(from: &mut Cursor<'_>, most: &Most) -> Result<Vec<FieldDef>, Broken> {
    let count = from.uint()?;
    if count > most.fields as u64 {
        return Err(Broken::ManyFields { count, limit: most.fields });
    }
    let mut list: Vec<FieldDef> = Vec::new();
    for _ in 0..count {
        if from.left() == 0 {
            return Err(Broken::CutShort);
        }
        let (mut named, mut of): (&[u8], _) = (&[], None);
        fields(from, 2, |from, field| {
            match field {
                0 => named = most.name(from)?,
                _ => of = Some(id(from)?),
            }
            Ok(())
        })?;
        let (Ok(text), Some(id)) = (std::str::from_utf8(named), of) else {
            return rule("a field has no type, or its name is not text");
        };
        if text.is_empty() {
            return rule("a field has no name");
        }
        list.push(FieldDef { name: text.into(), id });
    }
    // By name, once: comparing each with each would take seconds for types made to.
    let mut names: Vec<&str> = list.iter().map(|f| &*f.name).collect();
    names.sort_unstable();
    if names.windows(2).any(|two| two[0] == two[1]) {
        return rule("two fields have the same name");
    }
    Ok(list)
}

/// A type of ours, as it is described to the peer.
pub(super) enum Describe<'a> {
    Array(i32, usize),
    Slice(i32),
    Struct(&'a str, &'a [(&'a str, i32)]),
    Map(i32, i32),
    Marshals(Marshals),
}

/// Appends a definition, without the number and the length in front of it.
pub(super) fn describe(out: &mut Vec<u8>, id: i32, what: &Describe<'_>) {
    let (variant, named) = match what {
        Describe::Array(..) => (1, ""),
        Describe::Slice(_) => (2, ""),
        Describe::Struct(name, _) => (3, *name),
        Describe::Map(..) => (4, ""),
        Describe::Marshals(Marshals { name, by: Marshaler::Gob }) => (5, *name),
        Describe::Marshals(Marshals { name, by: Marshaler::Binary }) => (6, *name),
    };
    out.extend_from_slice(&[variant, 1]);
    if named.is_empty() {
        out.push(2);
    } else {
        out.push(1);
        put_blob(out, named.as_bytes());
        out.push(1);
    }
    put_int(out, id.into());
    out.push(0);
    let mut field = |v: i64| {
        out.push(1);
        put_int(out, v);
    };
    match *what {
        Describe::Array(elem, len) => {
            field(elem.into());
            // Zero is left out like in any struct.
            if len > 0 {
                field(len as i64);
            }
        }
        Describe::Slice(elem) => field(elem.into()),
        Describe::Map(key, value) => {
            field(key.into());
            field(value.into());
        }
        Describe::Struct(_, []) | Describe::Marshals(_) => {}
        Describe::Struct(_, fields) => {
            out.push(1);
            put_uint(out, fields.len() as u64);
            for (name, id) in fields {
                out.push(1);
                put_blob(out, name.as_bytes());
                out.push(1);
                put_int(out, (*id).into());
                out.push(0);
            }
        }
    }
    out.extend_from_slice(&[0, 0]);
}
