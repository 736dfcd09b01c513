//! The packed form of trace chunks. The journal and the database store the same bytes.
//!
//! The version, then zstd over: the server spans, as JSON; the distinct functions, details and
//! exceptions; then the spans, column by column.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use loam_kernel::{Error, Result};
use loam_platform::varint::{Reader, put_optional_text, put_text, put_varint, put_zigzag};
use zstd::bulk::{Compressor, Decompressor};

use super::chunk::{Function, OperationKind, ServerSpan, Source, Span, TRACE_CHUNK};
use super::columns::{self, Dictionary};
use super::details;

/// Low, since compression delays the response of an ingest request.
const LEVEL: i32 = 1;
/// Maximum size of an unpacked chunk, in bytes.
const MAX_UNPACKED_BYTES: usize = 64 << 20;

/// Indexed by the byte that stands for the kind in the packed form.
const KINDS: [OperationKind; 8] = [
    OperationKind::Function,
    OperationKind::Request,
    OperationKind::Database,
    OperationKind::Cache,
    OperationKind::ExternalApi,
    OperationKind::Model,
    OperationKind::Tool,
    OperationKind::Queue,
];

thread_local! {
    // creating one for every chunk would cost more than compressing it
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = RefCell::new(Compressor::new(LEVEL).ok());
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = RefCell::new(Decompressor::new().ok());
}

/// Spans of one trace. Each server span refers to one of the spans here or in another chunk of the trace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SpanSet {
    /// The server spans, each with its source.
    pub server_spans: Vec<(Source, ServerSpan)>,
    /// The spans.
    pub spans: Vec<Span>,
}

/// Packs spans.
pub(crate) fn pack<'a>(
    server_spans: impl IntoIterator<Item = (Source, &'a ServerSpan)>,
    spans: &[Span],
) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(256 + 40 * spans.len());
    let server_spans: Vec<(Source, &ServerSpan)> = server_spans.into_iter().collect();
    let server_spans = if server_spans.is_empty() {
        Vec::new()
    } else {
        serde_json::to_vec(&server_spans).map_err(Error::internal)?
    };
    put_varint(&mut bytes, server_spans.len() as u64);
    bytes.extend_from_slice(&server_spans);
    put_spans(&mut bytes, spans)?;
    COMPRESSOR.with_borrow_mut(|compressor| {
        let compressor = compressor.as_mut().ok_or_else(|| Error::internal("zstd can't be initialised"))?;
        let mut packed = vec![0; 1 + zstd::zstd_safe::compress_bound(bytes.len())];
        let length = compressor.compress_to_buffer(&bytes, &mut packed[1..]).map_err(Error::internal)?;
        packed[0] = TRACE_CHUNK.version();
        packed.truncate(1 + length);
        packed.shrink_to_fit();
        Ok(packed)
    })
}

/// Unpacks what [`pack`] wrote.
///
/// # Errors
/// When the bytes are invalid.
pub(crate) fn unpack(packed: &[u8]) -> Result<SpanSet> {
    let damaged = || TRACE_CHUNK.damaged();
    let (_, body) = TRACE_CHUNK.open(packed)?;
    let size =
        Decompressor::upper_bound(body).filter(|size| *size <= MAX_UNPACKED_BYTES).ok_or_else(damaged)?;
    let bytes = DECOMPRESSOR.with_borrow_mut(|decompressor| {
        let decompressor =
            decompressor.as_mut().ok_or_else(|| Error::internal("zstd can't be initialised"))?;
        decompressor.decompress(body, size).map_err(|_| damaged())
    })?;
    read(&bytes).ok_or_else(damaged)
}

fn put_spans(bytes: &mut Vec<u8>, spans: &[Span]) -> Result<()> {
    let (mut functions, mut details) = (Dictionary::new(), Dictionary::new());
    let (mut indexes, mut exceptions): (HashMap<&str, u64>, Vec<&str>) = Default::default();
    let functions_of: Vec<u64> = spans.iter().map(|span| functions.index(&span.function)).collect();
    let details_of: Vec<Option<u64>> =
        spans.iter().map(|span| span.detail.as_ref().map(|detail| details.index(detail))).collect();
    let exceptions_of: Vec<Option<u64>> = spans
        .iter()
        .map(|span| {
            let text = span.exception.as_deref()?;
            Some(*indexes.entry(text).or_insert_with(|| {
                exceptions.push(text);
                exceptions.len() as u64 - 1
            }))
        })
        .collect();
    put_functions(bytes, &functions.all);
    details::put(bytes, &details.all)?;
    put_varint(bytes, exceptions.len() as u64);
    exceptions.iter().for_each(|text| put_text(bytes, text));
    put_varint(bytes, spans.len() as u64);
    columns::put_ids(bytes, spans);
    columns::put_parents(bytes, spans);
    columns::put_numbers(bytes, &functions_of);
    bytes.extend(spans.iter().map(|span| span.kind as u8));
    columns::put_times(bytes, &spans.iter().map(|span| span.start_ns).collect::<Vec<_>>());
    columns::put_durations(bytes, spans.iter().map(|span| span.duration_ns));
    let cpu: Vec<Option<u64>> = spans.iter().map(|span| span.cpu_ns).collect();
    columns::put_optionals(bytes, &cpu, |bytes, values| {
        columns::put_durations(bytes, values.iter().copied())
    });
    let memory: Vec<Option<i64>> = spans.iter().map(|span| span.memory_delta).collect();
    columns::put_optionals(bytes, &memory, |bytes, values| {
        values.iter().for_each(|value| put_zigzag(bytes, *value));
    });
    columns::put_optionals(bytes, &exceptions_of, columns::put_numbers);
    columns::put_optionals(bytes, &details_of, columns::put_numbers);
    Ok(())
}

fn put_functions(bytes: &mut Vec<u8>, functions: &[&Function]) {
    put_varint(bytes, functions.len() as u64);
    // by field, as module and file names of different functions are similar
    functions.iter().for_each(|function| put_optional_text(bytes, function.module.as_deref()));
    functions.iter().for_each(|function| put_optional_text(bytes, function.file_path.as_deref()));
    functions.iter().for_each(|function| put_optional_text(bytes, function.class_name.as_deref()));
    functions.iter().for_each(|function| put_text(bytes, &function.name));
    functions
        .iter()
        .for_each(|function| put_varint(bytes, function.line_number.map_or(0, |line| u64::from(line) + 1)));
}

fn read_functions(reader: &mut Reader<'_>) -> Option<Vec<Arc<Function>>> {
    let count = reader.count(5)?;
    let mut all = vec![Function::default(); count];
    for function in &mut all {
        function.module = reader.optional_text()?.map(str::to_owned);
    }
    for function in &mut all {
        function.file_path = reader.optional_text()?.map(str::to_owned);
    }
    for function in &mut all {
        function.class_name = reader.optional_text()?.map(str::to_owned);
    }
    for function in &mut all {
        reader.text()?.clone_into(&mut function.name);
    }
    for function in &mut all {
        function.line_number = match reader.varint()? {
            0 => None,
            line => Some(u32::try_from(line - 1).ok()?),
        };
    }
    Some(all.into_iter().map(Arc::new).collect())
}

fn read(bytes: &[u8]) -> Option<SpanSet> {
    let mut reader = Reader(bytes);
    let length = reader.count(1)?;
    let server_spans = match reader.slice(length)? {
        [] => Vec::new(),
        text => serde_json::from_slice(text).ok()?,
    };
    let functions = read_functions(&mut reader)?;
    let details = details::read(&mut reader)?;
    let count = reader.count(1)?;
    let exceptions = columns::collect(count, || reader.text().map(str::to_owned))?;
    let count = reader.count(5)?;
    let ids = columns::ids(&mut reader, count)?;
    let mut parents = columns::parents(&mut reader, &ids)?.into_iter();
    let functions_of = columns::numbers(&mut reader, count)?;
    let kinds = reader.slice(count)?;
    let starts = columns::times(&mut reader, count)?;
    let durations = columns::durations(&mut reader, count)?;
    let cpu = columns::optionals(&mut reader, count, columns::durations)?;
    let memory =
        columns::optionals(&mut reader, count, |reader, count| columns::collect(count, || reader.zigzag()))?;
    let exceptions_of = columns::optionals(&mut reader, count, columns::numbers)?;
    let details_of = columns::optionals(&mut reader, count, columns::numbers)?;
    let mut spans = Vec::with_capacity(count);
    for (index, id) in ids.into_iter().enumerate() {
        spans.push(Span {
            id,
            parent: parents.next()?,
            function: resolve(&functions, functions_of[index])?,
            kind: *KINDS.get(usize::from(kinds[index]))?,
            start_ns: starts[index],
            duration_ns: durations[index],
            cpu_ns: cpu[index],
            memory_delta: memory[index],
            exception: resolve_optional(exceptions_of[index], |index| resolve(&exceptions, index))?,
            detail: resolve_optional(details_of[index], |index| resolve(&details, index))?,
        });
    }
    Some(SpanSet { server_spans, spans })
}

fn resolve<T: Clone>(all: &[T], index: u64) -> Option<T> {
    all.get(usize::try_from(index).ok()?).cloned()
}

/// Resolves an optional reference; `None` if it is present but invalid.
fn resolve_optional<T>(index: Option<u64>, read: impl FnOnce(u64) -> Option<T>) -> Option<Option<T>> {
    match index {
        Some(index) => read(index).map(Some),
        None => Some(None),
    }
}

#[cfg(test)]
#[path = "pack_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "pack_format_tests.rs"]
mod format_tests;
