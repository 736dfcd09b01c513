//! Traces of watched applications, independent of the protocol that they were sent in.

mod chunk;
mod columns;
mod details;
mod frame;
mod ids;
mod pack;
mod tree;

pub use chunk::{
    Detail, Environment, Function, Measurements, OperationKind, RequestInfo, ResponseInfo,
    STACKTRACE_ATTRIBUTE, ServerSpan, Source, Span, TAGS_ATTRIBUTE, TraceChunk, VersionInfo,
};
pub use ids::{record_id, tree_id};
pub use tree::{Node, Tree};

pub(crate) use chunk::TRACE_CHUNK;
pub(crate) use frame::pack_chunk;
pub(crate) use frame::{ChunkHeader, RECORDS, TRACE_CHUNK_FRAME, decode_frame, encode_frame};
pub(crate) use ids::{hash, id};
pub(crate) use pack::{SpanSet, pack, unpack};
