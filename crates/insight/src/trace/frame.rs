//! Parts of traces as they are written: to the journal whole, to the database the calls alone.

use std::sync::Arc;

use loam_journal::Frame;
use loam_kernel::{Error, ProjectId, Result, TenantId};
use serde::{Deserialize, Serialize};

use super::part::{Call, Detail, Entry, Function, Part, Source, Work};

/// The kind of a frame with a part of a trace.
pub(crate) const RECORDS: u8 = 48;

/// Compressed in the path of an answer, and read many times.
const LEVEL: i32 = 1;
/// The most that packed calls are taken to come to.
const MAX_OPEN: usize = 256 << 20;

#[derive(Serialize, Deserialize)]
struct Written {
    tenant: TenantId,
    project: ProjectId,
    trace_id: String,
    source: Source,
    entries: Vec<Entry>,
    calls: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Packed {
    functions: Vec<Function>,
    details: Vec<Detail>,
    calls: Vec<PackedCall>,
}

#[derive(Serialize, Deserialize)]
struct PackedCall {
    id: String,
    parent: Option<String>,
    function: u32,
    work: Work,
    start_ns: i64,
    duration_ns: u64,
    cpu_ns: Option<u64>,
    memory_delta: Option<i64>,
    exception: Option<String>,
    detail: Option<u32>,
}

/// A part as a frame's payload.
pub(crate) fn write(part: &Part) -> Result<Vec<u8>> {
    let written = Written {
        tenant: part.tenant,
        project: part.project,
        trace_id: part.trace_id.clone(),
        source: part.source,
        entries: part.entries.clone(),
        calls: pack_calls(&part.calls)?,
    };
    postcard::to_allocvec(&written).map_err(Error::internal)
}

/// The part of a frame.
pub(crate) fn read(frame: &Frame) -> Result<Part> {
    let written: Written = postcard::from_bytes(&frame.payload).map_err(Error::internal)?;
    Ok(Part {
        tenant: written.tenant,
        project: written.project,
        trace_id: written.trace_id,
        source: written.source,
        entries: written.entries,
        calls: unpack_calls(&written.calls)?,
    })
}

/// Calls as they are kept.
pub(crate) fn pack_calls(calls: &[Call]) -> Result<Vec<u8>> {
    let mut packed =
        Packed { functions: Vec::new(), details: Vec::new(), calls: Vec::with_capacity(calls.len()) };
    for call in calls {
        packed.calls.push(PackedCall {
            id: call.id.clone(),
            parent: call.parent.clone(),
            function: place(&mut packed.functions, &call.function),
            work: call.work,
            start_ns: call.start_ns,
            duration_ns: call.duration_ns,
            cpu_ns: call.cpu_ns,
            memory_delta: call.memory_delta,
            exception: call.exception.clone(),
            detail: call.detail.as_ref().map(|detail| place(&mut packed.details, detail)),
        });
    }
    let bytes = postcard::to_allocvec(&packed).map_err(Error::internal)?;
    zstd::bulk::compress(&bytes, LEVEL).map_err(Error::internal)
}

/// Kept calls.
pub(crate) fn unpack_calls(bytes: &[u8]) -> Result<Vec<Call>> {
    let bytes = zstd::bulk::decompress(bytes, MAX_OPEN).map_err(Error::internal)?;
    let packed: Packed = postcard::from_bytes(&bytes).map_err(Error::internal)?;
    let functions: Vec<Arc<Function>> = packed.functions.into_iter().map(Arc::new).collect();
    let details: Vec<Arc<Detail>> = packed.details.into_iter().map(Arc::new).collect();
    let call = |call: PackedCall| {
        Some(Call {
            function: functions.get(call.function as usize)?.clone(),
            detail: match call.detail {
                Some(place) => Some(details.get(place as usize)?.clone()),
                None => None,
            },
            id: call.id,
            parent: call.parent,
            work: call.work,
            start_ns: call.start_ns,
            duration_ns: call.duration_ns,
            cpu_ns: call.cpu_ns,
            memory_delta: call.memory_delta,
            exception: call.exception,
        })
    };
    packed
        .calls
        .into_iter()
        .map(call)
        .collect::<Option<_>>()
        .ok_or_else(|| Error::internal("packed calls name a function that is not there"))
}

fn place<T: Clone + PartialEq>(all: &mut Vec<T>, one: &Arc<T>) -> u32 {
    let found = all.iter().position(|other| *other == **one);
    let place = found.unwrap_or_else(|| {
        all.push(T::clone(one));
        all.len() - 1
    });
    u32::try_from(place).unwrap_or(u32::MAX)
}
