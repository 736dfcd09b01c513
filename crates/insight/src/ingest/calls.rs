//! Converts the calls of a record to spans.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::call_detail::{redacted_detail, with_tags};
use super::functions::Functions;
use super::layout::lay_out;
use super::limits::{MAX_DURATION_NS, check_id, checked_duration, exception};
use super::record_error::RecordError;
use super::text::{Seconds, Text};
use super::wire_call::{CallInfo, DetailInfo, FunctionInfo};
use crate::trace::{Detail, OperationKind, Span};

/// The details of a call, and its tags.
type DetailKey<'r, 'a> = (Option<&'r DetailInfo<'a>>, &'r [Text<'a>], OperationKind);

/// The record that calls belong to.
#[derive(Clone, Copy)]
pub(super) struct Parent<'r> {
    /// The id of its root call.
    pub(super) id: &'r str,
    /// Its start, in nanoseconds since 1970; none if the calls are sent without it.
    pub(super) start_ns: Option<i64>,
}

/// The spans of calls, and the index of the one that is the record itself, if any. Of a record, a call whose parent is
/// not among them becomes a child of the record. `path` is that of the calls in the document.
pub(super) fn spans(
    functions: &[FunctionInfo<'_>],
    calls: &[CallInfo<'_>],
    record: Parent<'_>,
    path: impl Fn(usize, &str) -> String,
) -> Result<(Option<usize>, Vec<Span>), RecordError> {
    let ids = ids(calls, &path)?;
    let mut functions = Functions::of(functions)?;
    let mut details: HashMap<DetailKey<'_, '_>, Option<Arc<Detail>>> = HashMap::new();
    let mut spans = Vec::with_capacity(calls.len() + 1);
    // the calls whose start is not given
    let mut unplaced = HashSet::new();
    let mut own = None;
    for (index, input) in calls.iter().enumerate() {
        let error = |field: &str, message: &str| RecordError::invalid(path(index, field), message);
        let kind = operation_kind(input);
        let is_own = input.call_id.0 == record.id;
        own = own.or_else(|| is_own.then_some(index));
        let start = match (input.start_offset, input.start_time, record.start_ns) {
            (Some(offset), _, Some(start)) => start.saturating_add(offset.0),
            (_, Some(time), _) => time.0,
            (None, None, Some(start)) => {
                if !is_own {
                    unplaced.insert(index);
                }
                start
            }
            (_, None, None) => return Err(error("start_time", "is required outside of a record")),
        };
        let distance = record.start_ns.map_or(0, |at| start.abs_diff(at));
        if distance > MAX_DURATION_NS {
            let field = if input.start_offset.is_some() { "start_offset" } else { "start_time" };
            return Err(error(field, "must be within 7 days of the record's timestamp"));
        }
        let duration = match (input.duration, input.end_time) {
            (Some(duration), _) => checked_duration(&path(index, "duration"), duration)?,
            (None, Some(end)) => u64::try_from(end.0.saturating_sub(start))
                .map_err(|_| error("end_time", "must not be before the start of the call"))?,
            (None, None) => return Err(error("duration", "is required unless `end_time` is given")),
        };
        let parent = input.parent_call_id.as_ref().map(|text| &*text.0);
        let parent = match record.start_ns {
            Some(_) => parent.filter(|parent| ids.contains(parent)),
            None => parent.filter(|parent| !parent.is_empty()),
        };
        let parent = parent.filter(|parent| *parent != input.call_id.0).unwrap_or(record.id);
        let tags = input.performance_tags.as_deref().unwrap_or_default();
        spans.push(Span {
            id: (*input.call_id.0).to_owned(),
            parent: (!is_own).then(|| parent.to_owned()),
            function: functions.of_call(index, input, &path)?,
            kind,
            start_ns: start,
            duration_ns: duration,
            cpu_ns: input.cpu_time.and_then(Seconds::as_nanos),
            memory_delta: input.memory_delta,
            exception: input.exception_info.as_ref().map(|text| exception(&text.0)),
            detail: details
                .entry((input.detail.as_ref(), tags, kind))
                .or_insert_with_key(|(detail, tags, kind)| {
                    let detail = detail.map(|detail| redacted_detail(detail, *kind));
                    with_tags(detail, tags).map(Arc::new)
                })
                .clone(),
        });
    }
    if let Some(index) = find_cycle(&spans) {
        return Err(RecordError::invalid(path(index, "parent_call_id"), "forms a cycle of calls"));
    }
    if let Some(start) = record.start_ns.filter(|_| !unplaced.is_empty()) {
        let orders: Vec<Option<f64>> = calls.iter().map(|call| call.call_order).collect();
        lay_out(&mut spans, &unplaced, &orders, record.id, start);
        let is_far = |span: &Span| span.start_ns.abs_diff(start) > MAX_DURATION_NS;
        if let Some(index) = spans.iter().position(is_far) {
            let message = "the calls before this one take more than 7 days in total";
            return Err(RecordError::invalid(path(index, "duration"), message));
        }
    }
    Ok((own, spans))
}

/// The ids of calls, each of which must be unique.
fn ids<'r>(
    calls: &'r [CallInfo<'_>],
    path: &impl Fn(usize, &str) -> String,
) -> Result<HashSet<&'r str>, RecordError> {
    let mut ids = HashSet::with_capacity(calls.len());
    for (index, call) in calls.iter().enumerate() {
        check_id(&call.call_id).map_err(|message| RecordError::invalid(path(index, "call_id"), message))?;
        if !ids.insert(&*call.call_id.0) {
            let message = "duplicates the id of another call of this record";
            return Err(RecordError::new("duplicate_call_id", path(index, "call_id"), message));
        }
    }
    Ok(ids)
}

/// A span that is its own ancestor, if there is one.
fn find_cycle(spans: &[Span]) -> Option<usize> {
    let indexes: HashMap<&str, usize> =
        spans.iter().enumerate().map(|(index, span)| (span.id.as_str(), index)).collect();
    // the walk in which each span was first visited
    let mut seen_in_walk = vec![usize::MAX; spans.len()];
    for walk in 0..spans.len() {
        let mut index = walk;
        while seen_in_walk[index] == usize::MAX {
            seen_in_walk[index] = walk;
            match spans[index].parent.as_deref().and_then(|parent| indexes.get(parent)) {
                Some(parent) => index = *parent,
                None => break,
            }
            if seen_in_walk[index] == walk {
                return Some(index);
            }
        }
    }
    None
}

/// The kind of operation of a call: its `kind`, otherwise from its tags.
fn operation_kind(call: &CallInfo<'_>) -> OperationKind {
    call.kind.unwrap_or_else(|| {
        let tags = call.performance_tags.iter().flatten();
        tags.filter_map(|tag| match &*tag.0 {
            "database" => Some(OperationKind::Database),
            "cache" => Some(OperationKind::Cache),
            "external_api" => Some(OperationKind::ExternalApi),
            _ => None,
        })
        .next()
        .unwrap_or_default()
    })
}
