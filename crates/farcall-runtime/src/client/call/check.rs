//! Calls that are not sent, because no server could take them.

use crate::{
    client::{auth::NO_PLACE, link::Link},
    limits::meta_bytes,
};
use farcall_core::{Compress, Format, Limits, Status};
use farcall_wire::CallHead;

/// What every server would close the connection for is not sent.
#[inline]
pub(super) fn check(head: &CallHead<'_>, limits: &Limits) -> Result<(), Status> {
    if head.service.len().max(head.method.len()) > limits.name_bytes {
        return Err(too_large("the name", limits.name_bytes, "Limits::name_bytes"));
    }
    if !head.meta.is_empty() && meta_bytes(head.meta) > limits.meta_bytes {
        return Err(too_large("the metadata", limits.meta_bytes, "Limits::meta_bytes"));
    }
    Ok(())
}

/// Whether a protocol that carries one format, or no metadata, can carry the call; what it cannot
/// is named.
pub(super) fn fits(link: &Link, head: &CallHead<'_>) -> Result<(), Status> {
    let protocol = link.target.protocol;
    let (carried, default) = (protocol.carries(head.format), protocol.default_format());
    let what = match head {
        CallHead { meta, .. }
            if !protocol.carries_meta() && meta.iter().any(|(key, _)| key == NO_PLACE) =>
        {
            "credentials".to_owned()
        }
        CallHead { meta: [(key, _), ..], .. } if !protocol.carries_meta() => {
            format!("metadata (`{key}`)")
        }
        CallHead { format: Format::Gob, .. } if !carried => "bodies in gob".to_owned(),
        CallHead { format, .. } if !carried => format!("bodies in {format}, only in {default}"),
        CallHead { compress: Compress::None, .. } => return Ok(()),
        CallHead { compress, .. } if !protocol.compresses() => {
            format!("compressed bodies ({compress})")
        }
        _ => return Ok(()),
    };
    Err(Status::invalid_argument(format!("{} does not carry {what}", protocol.name())))
}

#[cold]
fn too_large(what: &str, most: usize, limit: &str) -> Status {
    Status::resource_exhausted(format!("{what} is too long; the limit is {most} bytes ({limit})"))
}
