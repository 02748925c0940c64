//! Whether a type of the peer's fits a type of ours, and how the one is read as the other.
//!
//! As in Go (`decode.go`, `compatibleType`) it is looked at once for the whole of two types, before
//! any value is read, and nothing is converted: a signed integer is no unsigned one, however small.
//! What fits becomes a plan, which is kept for the stream.

use super::types::{self, Def, Types};
use farcall_core::{Fault, Kind, Marshaler, Schema, Shape, Why};
use std::collections::HashMap;
use std::sync::Arc;

/// A place in a plan or, tagged, a type of the peer's to be read as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot(pub(super) usize);

impl Spot {
    const LEAF: Spot = Spot(0);

    pub(super) fn node(index: usize) -> Spot {
        Spot(index << 1)
    }

    pub(super) const fn wire(id: i32) -> Spot {
        Spot((id as usize) << 1 | 1)
    }

    #[inline(always)]
    pub(super) fn index(self) -> usize {
        self.0 >> 1
    }

    /// The type of the peer's, if it is read as it is.
    #[inline(always)]
    pub(super) fn id(self) -> Option<i32> {
        (self.0 & 1 == 1).then_some((self.0 >> 1) as i32)
    }
}

/// How a type of the peer's is read as one of ours.
#[derive(Debug)]
pub(super) enum Node {
    /// A value without parts.
    Leaf,
    /// A struct: what to do with each field of the peer's.
    Struct {
        steps: Box<[Way]>,
        times: bool,
    },
    /// A slice, or an array of so many.
    List {
        item: Spot,
        len: Option<usize>,
    },
    Map {
        key: Spot,
        value: Spot,
    },
    /// A message of ours without fields: whatever comes is passed over.
    Nothing {
        id: i32,
    },
}

/// What to do with a field.
#[derive(Debug)]
pub(super) struct Way {
    /// The field of ours, or `SKIP`.
    pub(super) field: usize,
    pub(super) spot: Spot,
    /// A time that is not sent is year 1, not 1970.
    pub(super) time: bool,
}

pub(super) const SKIP: usize = usize::MAX;

/// A plan, its root first to be read.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) nodes: Box<[Node]>,
    pub(super) root: Spot,
}

/// Why there is none, and where.
#[derive(Clone, Debug)]
pub(super) struct Misfit {
    why: Why,
    /// Innermost first.
    path: Vec<&'static str>,
    /// More definitions might help.
    hole: bool,
}

impl Misfit {
    #[cold]
    fn fault(&self) -> Fault {
        self.path.iter().fold(Fault::new(self.why.clone()), |fault, name| fault.in_field(name))
    }
}

/// The plans of one stream, by the address of our shape and the number of the peer's type. What
/// does not fit is kept as well: it costs a walk through the types to know.
#[derive(Debug, Default)]
pub(super) struct Plans {
    made: HashMap<(usize, i32), Result<Arc<Plan>, Misfit>>,
    /// What making them has cost, in fields looked at.
    spent: usize,
}

/// Fields that may be looked at to make the plans of one stream. A thousand methods of a hundred
/// fields each take a tenth; types that are made to be looked at again with each call take more.
const MOST_SPENT: usize = 1 << 20;
/// What a plan costs beside its fields.
const EACH: usize = 32;

impl Plans {
    #[inline]
    pub(super) fn get(&self, shape: &'static Shape, id: i32) -> Option<Result<Arc<Plan>, Fault>> {
        let plan = self.made.get(&(std::ptr::from_ref(shape).addr(), id))?;
        Some(plan.as_ref().map(Arc::clone).map_err(Misfit::fault))
    }

    #[cold]
    pub(super) fn make(
        &mut self,
        types: &Types,
        shape: &'static Shape,
        id: i32,
    ) -> Result<Arc<Plan>, Fault> {
        if self.spent > MOST_SPENT {
            let what = "more types of arguments or results on one stream";
            return Err(Fault::new(Why::Unsupported { format: super::FORMAT, what }));
        }
        let mut maker = Maker::new(types);
        let made = maker.make(shape, id);
        self.spent += EACH + maker.looked_at;
        let plan = made.as_ref().map(Arc::clone).map_err(Misfit::fault);
        if !matches!(&made, Err(misfit) if misfit.hole) {
            self.made.insert((std::ptr::from_ref(shape).addr(), id), made);
        }
        plan
    }
}

struct Maker<'t> {
    types: &'t Types,
    nodes: Vec<Node>,
    structs: HashMap<(usize, i32), usize>,
    /// Structs whose fields were not looked at: a list, because types may be chained very long.
    left: Vec<Job>,
    jobs: Vec<(usize, &'static str)>,
    looked_at: usize,
}

/// A struct to be planned: into which node, and how it was come to.
struct Job {
    node: usize,
    schema: &'static Schema,
    id: i32,
    by: usize,
}

impl<'t> Maker<'t> {
    fn new(types: &'t Types) -> Maker<'t> {
        let (structs, left) = (HashMap::new(), Vec::new());
        Maker { types, nodes: vec![Node::Leaf], structs, left, jobs: vec![(0, "")], looked_at: 0 }
    }

    fn make(&mut self, shape: &'static Shape, id: i32) -> Result<Arc<Plan>, Misfit> {
        let root = self.spot(shape, id, 0).map_err(|why| self.misfit(why, 0, None))?;
        if let Some(job) = self.left.pop() {
            let known = self.fields(&job)?;
            // Go looks at this for whole values and the contents of interfaces.
            if !known && !job.schema.fields.is_empty() {
                let got = "a struct that has none of its fields";
                let why = Why::WrongType { want: shape.name(), got };
                return Err(self.misfit(why, 0, None));
            }
        }
        while let Some(job) = self.left.pop() {
            self.fields(&job)?;
        }
        let nodes = std::mem::take(&mut self.nodes).into();
        Ok(Arc::new(Plan { nodes, root }))
    }

    #[cold]
    fn misfit(&self, why: Why, by: usize, last: Option<&'static str>) -> Misfit {
        let hole = matches!(why, Why::WrongType { got, .. } if got == self.types.describe(0));
        let mut path: Vec<_> = last.into_iter().collect();
        let mut at = by;
        while at > 0 {
            path.push(self.jobs[at].1);
            at = self.jobs[at].0;
        }
        Misfit { why, path, hole }
    }

    /// Plans the fields of a struct; whether any is known here, or there are none.
    fn fields(&mut self, job: &Job) -> Result<bool, Misfit> {
        let types = self.types;
        let Some(Def::Struct { fields }) = types.get(job.id) else { return Ok(false) };
        self.looked_at += fields.len() + job.schema.fields.len();
        let mut ours: HashMap<&str, usize> = HashMap::new();
        for (index, field) in job.schema.fields.iter().enumerate() {
            ours.entry(field.go).or_insert(index);
        }
        let (mut steps, mut any, mut times) = (Vec::with_capacity(fields.len()), false, false);
        for theirs in fields {
            let step = match ours.get(&*theirs.name) {
                None if types.has(theirs.id) => {
                    Way { field: SKIP, spot: Spot::wire(theirs.id), time: false }
                }
                None => {
                    let why = Why::WrongType { want: "any type", got: types.describe(theirs.id) };
                    return Err(self.misfit(why, job.by, None));
                }
                Some(&field) => {
                    let ours = &job.schema.fields[field];
                    self.jobs.push((job.by, ours.name));
                    let by = self.jobs.len() - 1;
                    let left = self.left.len();
                    let spot = self
                        .spot(&ours.shape, theirs.id, by)
                        .map_err(|why| self.misfit(why, job.by, Some(ours.name)))?;
                    if self.left.len() == left {
                        self.jobs.pop();
                    }
                    any = true;
                    let time = matches!(ours.shape, Shape::One(Kind::Time, _));
                    times |= time;
                    Way { field, spot, time }
                }
            };
            steps.push(step);
        }
        self.nodes[job.node] = Node::Struct { steps: steps.into(), times };
        Ok(any || fields.is_empty())
    }

    fn add(&mut self, node: Node) -> Spot {
        self.nodes.push(node);
        Spot::node(self.nodes.len() - 1)
    }

    /// The spot for a shape of ours and a type of the peer's. Recurses through our lists and maps
    /// alone, which are as deep as they were written down.
    fn spot(&mut self, shape: &'static Shape, id: i32, by: usize) -> Result<Spot, Why> {
        let types = self.types;
        let fits = |fits: bool| match fits {
            true => Ok(Spot::LEAF),
            false => Err(Why::WrongType { want: shape.name(), got: types.describe(id) }),
        };
        match shape {
            Shape::One(Kind::Time, _) => {
                fits(matches!(types.get(id), Some(Def::Opaque { by: Some(Marshaler::Gob), .. })))
            }
            Shape::One(kind, _) => fits(id == scalar(*kind)),
            Shape::Enum(_) => fits(id == types::INT),
            Shape::Marshaled(marshals) => match types.get(id) {
                Some(Def::Opaque { by: Some(by), .. }) => fits(*by == marshals.by),
                _ => fits(false),
            },
            Shape::Maybe(inner) => self.spot(inner, id, by),
            Shape::List(item) => match types.get(id) {
                Some(Def::Slice { elem }) => {
                    let item = self.spot(item, *elem, by)?;
                    Ok(self.add(Node::List { item, len: None }))
                }
                _ => fits(false),
            },
            Shape::Array(item, len) => match types.get(id) {
                Some(Def::Array { elem, len: theirs }) if theirs == len => {
                    let item = self.spot(item, *elem, by)?;
                    Ok(self.add(Node::List { item, len: Some(*len) }))
                }
                Some(Def::Array { .. }) => {
                    let got = "an array of another length";
                    Err(Why::WrongType { want: shape.name(), got })
                }
                _ => fits(false),
            },
            Shape::Map(key, value) => match types.get(id) {
                Some(Def::Map { key: their_key, value: their_value }) => {
                    let key = self.spot(key, *their_key, by)?;
                    let value = self.spot(value, *their_value, by)?;
                    Ok(self.add(Node::Map { key, value }))
                }
                _ => fits(false),
            },
            Shape::Any if types.has(id) => Ok(Spot::wire(id)),
            Shape::Any => fits(false),
            Shape::Message(schema) => {
                let schema = schema();
                if schema.fields.is_empty() && types.has(id) {
                    return Ok(self.add(Node::Nothing { id }));
                }
                if !types.is_struct(id) {
                    return fits(false);
                }
                let key = (std::ptr::from_ref(schema).addr(), id);
                if let Some(node) = self.structs.get(&key) {
                    return Ok(Spot::node(*node));
                }
                let spot = self.add(Node::Leaf);
                self.structs.insert(key, spot.index());
                self.left.push(Job { node: spot.index(), schema, id, by });
                Ok(spot)
            }
        }
    }
}

/// The type that a scalar of ours travels as. Times are types of their own.
pub(super) fn scalar(kind: Kind) -> i32 {
    match kind {
        Kind::Bool => types::BOOL,
        Kind::I8 | Kind::I16 | Kind::I32 | Kind::I64 | Kind::Span => types::INT,
        Kind::U8 | Kind::U16 | Kind::U32 | Kind::U64 => types::UINT,
        Kind::F32 | Kind::F64 => types::FLOAT,
        Kind::Text => types::TEXT,
        Kind::Complex => types::COMPLEX,
        Kind::Bytes | Kind::Time => types::BYTES,
    }
}
