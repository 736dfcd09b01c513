//! Parts of traces, packed: what the journal and the database keep are the same bytes.
//!
//! A byte that says which form this is, then zstd over: the requests, as JSON; the functions, details and exceptions,
//! each once; then the calls, a column after the other.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use loam_kernel::{Error, Result};
use zstd::bulk::{Compressor, Decompressor};

use super::bytes::{Reader, put, put_maybe, put_text};
use super::columns::{self, Table};
use super::part::{Call, Detail, Entry, Function, Source, Work};

/// The form. Another takes another number, and a reader for this one for as long as there are trees of it.
const FORM: u8 = 1;
/// Compressed in the path of an answer, and read many times.
const LEVEL: i32 = 1;
/// The most that a part is taken to come to.
const MAX_OPEN: usize = 64 << 20;

/// The order is that of their numbers in the packed form.
const WORKS: [Work; 8] = [
    Work::Function,
    Work::Request,
    Work::Database,
    Work::Cache,
    Work::ExternalApi,
    Work::Model,
    Work::Tool,
    Work::Queue,
];

thread_local! {
    // making one anew for every part would cost more than compressing it
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = RefCell::new(Compressor::new(LEVEL).ok());
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = RefCell::new(Decompressor::new().ok());
}

/// What was packed. The requests are each told by one of the calls here or elsewhere in the trace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Opened {
    /// The requests, and how each was told.
    pub entries: Vec<(Source, Entry)>,
    /// The calls.
    pub calls: Vec<Call>,
}

/// Packs requests and calls.
pub(crate) fn pack<'a>(
    entries: impl IntoIterator<Item = (Source, &'a Entry)>,
    calls: &[Call],
) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(256 + 40 * calls.len());
    let entries: Vec<(Source, &Entry)> = entries.into_iter().collect();
    let entries = if entries.is_empty() {
        Vec::new()
    } else {
        serde_json::to_vec(&entries).map_err(Error::internal)?
    };
    put(&mut bytes, entries.len() as u64);
    bytes.extend_from_slice(&entries);
    put_calls(&mut bytes, calls)?;
    COMPRESSOR.with_borrow_mut(|compressor| {
        let compressor = compressor.as_mut().ok_or_else(|| Error::internal("zstd can't be set up"))?;
        let mut packed = vec![0; 1 + zstd::zstd_safe::compress_bound(bytes.len())];
        let length = compressor.compress_to_buffer(&bytes, &mut packed[1..]).map_err(Error::internal)?;
        packed[0] = FORM;
        packed.truncate(1 + length);
        packed.shrink_to_fit();
        Ok(packed)
    })
}

/// Opens what was packed.
///
/// # Errors
/// When the bytes are anything else.
pub(crate) fn open(packed: &[u8]) -> Result<Opened> {
    let invalid = || Error::internal("a packed part of a trace can't be read");
    let Some((&FORM, body)) = packed.split_first() else { return Err(invalid()) };
    let size = Decompressor::upper_bound(body).filter(|size| *size <= MAX_OPEN).ok_or_else(invalid)?;
    let bytes = DECOMPRESSOR.with_borrow_mut(|decompressor| {
        let decompressor = decompressor.as_mut().ok_or_else(|| Error::internal("zstd can't be set up"))?;
        decompressor.decompress(body, size).map_err(Error::internal)
    })?;
    read(&bytes).ok_or_else(invalid)
}

fn put_calls(bytes: &mut Vec<u8>, calls: &[Call]) -> Result<()> {
    let (mut functions, mut details) = (Table::new(), Table::new());
    let (mut numbers, mut exceptions): (HashMap<&str, u64>, Vec<&str>) = Default::default();
    let functions_of: Vec<u64> = calls.iter().map(|call| functions.number(&call.function)).collect();
    let details_of: Vec<Option<u64>> =
        calls.iter().map(|call| call.detail.as_ref().map(|detail| details.number(detail))).collect();
    let exceptions_of: Vec<Option<u64>> = calls
        .iter()
        .map(|call| {
            let text = call.exception.as_deref()?;
            Some(*numbers.entry(text).or_insert_with(|| {
                exceptions.push(text);
                exceptions.len() as u64 - 1
            }))
        })
        .collect();
    put_functions(bytes, &functions.all);
    let details = if details.all.is_empty() {
        Vec::new()
    } else {
        postcard::to_allocvec(&details.all).map_err(Error::internal)?
    };
    put(bytes, details.len() as u64);
    bytes.extend_from_slice(&details);
    put(bytes, exceptions.len() as u64);
    exceptions.iter().for_each(|text| put_text(bytes, text));
    put(bytes, calls.len() as u64);
    columns::put_ids(bytes, calls);
    columns::put_parents(bytes, calls);
    columns::put_numbers(bytes, &functions_of);
    bytes.extend(calls.iter().map(|call| call.work as u8));
    columns::put_times(bytes, &calls.iter().map(|call| call.start_ns).collect::<Vec<_>>());
    columns::put_lengths(bytes, calls.iter().map(|call| call.duration_ns));
    let cpu: Vec<Option<u64>> = calls.iter().map(|call| call.cpu_ns).collect();
    columns::put_some(bytes, &cpu, |bytes, values| columns::put_lengths(bytes, values.iter().copied()));
    let memory: Vec<Option<i64>> = calls.iter().map(|call| call.memory_delta).collect();
    columns::put_some(bytes, &memory, |bytes, values| {
        values.iter().for_each(|value| super::bytes::put_signed(bytes, *value));
    });
    columns::put_some(bytes, &exceptions_of, columns::put_numbers);
    columns::put_some(bytes, &details_of, columns::put_numbers);
    Ok(())
}

fn put_functions(bytes: &mut Vec<u8>, functions: &[&Function]) {
    put(bytes, functions.len() as u64);
    // by field, as names of modules and files are alike
    functions.iter().for_each(|function| put_maybe(bytes, function.module.as_deref()));
    functions.iter().for_each(|function| put_maybe(bytes, function.file_path.as_deref()));
    functions.iter().for_each(|function| put_maybe(bytes, function.class_name.as_deref()));
    functions.iter().for_each(|function| put_text(bytes, &function.name));
    functions
        .iter()
        .for_each(|function| put(bytes, function.line_number.map_or(0, |line| u64::from(line) + 1)));
}

fn read_functions(reader: &mut Reader<'_>) -> Option<Vec<Arc<Function>>> {
    let count = reader.count(5)?;
    let mut all = vec![Function::default(); count];
    for function in &mut all {
        function.module = reader.maybe()?.map(str::to_owned);
    }
    for function in &mut all {
        function.file_path = reader.maybe()?.map(str::to_owned);
    }
    for function in &mut all {
        function.class_name = reader.maybe()?.map(str::to_owned);
    }
    for function in &mut all {
        reader.text()?.clone_into(&mut function.name);
    }
    for function in &mut all {
        function.line_number = match reader.number()? {
            0 => None,
            line => Some(u32::try_from(line - 1).ok()?),
        };
    }
    Some(all.into_iter().map(Arc::new).collect())
}

fn read(bytes: &[u8]) -> Option<Opened> {
    let mut reader = Reader(bytes);
    let length = reader.count(1)?;
    let entries = match reader.slice(length)? {
        [] => Vec::new(),
        text => serde_json::from_slice(text).ok()?,
    };
    let functions = read_functions(&mut reader)?;
    let length = reader.count(1)?;
    let details: Vec<Detail> = match reader.slice(length)? {
        [] => Vec::new(),
        packed => postcard::from_bytes(packed).ok()?,
    };
    let details: Vec<Arc<Detail>> = details.into_iter().map(Arc::new).collect();
    let count = reader.count(1)?;
    let exceptions = columns::collect(count, || reader.text().map(str::to_owned))?;
    let count = reader.count(5)?;
    let ids = columns::ids(&mut reader, count)?;
    let mut parents = columns::parents(&mut reader, &ids)?.into_iter();
    let functions_of = columns::numbers(&mut reader, count)?;
    let works = reader.slice(count)?;
    let starts = columns::times(&mut reader, count)?;
    let durations = columns::lengths(&mut reader, count)?;
    let cpu = columns::some(&mut reader, count, columns::lengths)?;
    let memory =
        columns::some(&mut reader, count, |reader, count| columns::collect(count, || reader.signed()))?;
    let exceptions_of = columns::some(&mut reader, count, columns::numbers)?;
    let details_of = columns::some(&mut reader, count, columns::numbers)?;
    let mut calls = Vec::with_capacity(count);
    for (place, id) in ids.into_iter().enumerate() {
        calls.push(Call {
            id,
            parent: parents.next()?,
            function: named(&functions, functions_of[place])?,
            work: *WORKS.get(usize::from(works[place]))?,
            start_ns: starts[place],
            duration_ns: durations[place],
            cpu_ns: cpu[place],
            memory_delta: memory[place],
            exception: maybe(exceptions_of[place], |number| named(&exceptions, number))?,
            detail: maybe(details_of[place], |number| named(&details, number))?,
        });
    }
    Some(Opened { entries, calls })
}

fn named<T: Clone>(all: &[T], number: u64) -> Option<T> {
    all.get(usize::try_from(number).ok()?).cloned()
}

/// A value that may be missing, but if it is there must be read.
fn maybe<T>(number: Option<u64>, read: impl FnOnce(u64) -> Option<T>) -> Option<Option<T>> {
    match number {
        Some(number) => read(number).map(Some),
        None => Some(None),
    }
}

#[cfg(test)]
#[path = "pack_tests.rs"]
mod tests;
