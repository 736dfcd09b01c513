//! Converts a record into a trace chunk.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use loam_kernel::{ProjectId, TenantId, truncate_bytes};
use serde_json::{Map, Value};

use super::batch::Defaults;
use super::endpoint::endpoint;
use super::functions::Functions;
use super::record_error::RecordError;
use super::text::{Seconds, Text, Timestamp};
use super::wire::{CallInfo, DetailInfo, Metrics, Record};
use crate::redact;
use crate::trace::{
    Detail, Environment, Function, Measurements, OperationKind, RequestInfo, ResponseInfo, ServerSpan,
    Source, Span, TraceChunk, VersionInfo,
};

/// Maximum length of ids.
const MAX_ID: usize = 64;
/// Maximum length of descriptive strings, in bytes; longer ones are truncated.
const MAX_TEXT: usize = 2_000;
/// Maximum length of an exception, in bytes.
const MAX_EXCEPTION: usize = 4_000;
/// Maximum number of headers, query parameters or attributes.
const MAX_FIELDS: usize = 100;
/// Maximum age of a record in nanoseconds, 31 days: older ones would fall into a month that may be archived.
const MAX_AGE: i64 = 31 * DAY;
/// Maximum clock skew into the future, in nanoseconds.
const MAX_CLOCK_SKEW: i64 = 600_000_000_000;
/// Maximum distance of a call from its record, and maximum duration, in nanoseconds.
const DAY: i64 = 86_400_000_000_000;
const BYTES_PER_MB: f64 = 1_048_576.0;
/// Maximum memory of a request, in megabytes.
const MAX_MB: f64 = 1e9;

/// The origin of records, and the limits and defaults that apply to them.
pub(super) struct Context<'a> {
    pub(super) tenant: TenantId,
    pub(super) project: ProjectId,
    pub(super) now: DateTime<Utc>,
    pub(super) max_calls: usize,
    pub(super) defaults: &'a Defaults,
}

impl Context<'_> {
    /// Validates a record and converts it.
    pub(super) fn chunk(&self, record: Record<'_>) -> Result<TraceChunk, RecordError> {
        let trace_id = trace_id(&record.trace_id)?;
        let id = match &record.id {
            Some(text) => id("id", text)?,
            None => trace_id.clone(),
        };
        self.check_time(record.timestamp)?;
        if record.function_calls.len() > self.max_calls {
            let message = format!("must have at most {} calls", self.max_calls);
            return Err(RecordError::new("too_many_calls", "function_calls", message));
        }
        let spans = spans_of_calls(&record, &id)?;
        let request = request(record.request_info.unwrap_or_default())?;
        let response = response(record.response_info.unwrap_or_default())?;
        let measured = measurements(record.performance_metrics.as_ref())?;
        let service =
            record.service.as_ref().map(|text| text.truncated(200)).or(self.defaults.service.as_deref());
        let route = record.endpoint.as_ref().map(|text| &*text.0);
        let endpoint = endpoint(route, request.method.as_deref(), request.path.as_deref());
        let (root, mut spans) = spans;
        let root = match root {
            Some(index) => &mut spans[index],
            None => {
                let root = self.root(
                    &record.timestamp,
                    record.performance_metrics.as_ref(),
                    &spans,
                    &id,
                    &endpoint,
                )?;
                spans.insert(0, root);
                &mut spans[0]
            }
        };
        root.kind = OperationKind::Request;
        root.parent =
            record.parent_call_id.as_ref().map(|text| self::id("parent_call_id", text)).transpose()?;
        if let Some(exception) = &record.exception_info {
            root.exception = Some(redact::text(exception.truncated(MAX_EXCEPTION)).into_owned());
        }
        let is_error = record.is_error.unwrap_or_else(|| {
            root.exception.is_some() || response.status_code.is_some_and(|status| status >= 500)
        });
        let server_span = ServerSpan {
            call_id: id,
            endpoint,
            service: service.map(|text| truncate_bytes(text, 200).to_owned()),
            is_error,
            request,
            response,
            measured,
            version: version(record.version_info.as_ref().or(self.defaults.version_info.as_ref()))?,
            environment: environment(record.environment.as_ref().or(self.defaults.environment.as_ref()))?,
        };
        Ok(TraceChunk {
            tenant: self.tenant,
            project: self.project,
            trace_id,
            source: Source::Records,
            server_spans: vec![server_span],
            spans,
        })
    }

    fn check_time(&self, at: Timestamp) -> Result<(), RecordError> {
        let now = self.now.timestamp_nanos_opt().unwrap_or(i64::MAX);
        if at.0 < now.saturating_sub(MAX_AGE) {
            return Err(RecordError::new("too_old", "timestamp", "must be within the last 31 days"));
        }
        if at.0 > now.saturating_add(MAX_CLOCK_SKEW) {
            let message =
                "must be at most 10 minutes ahead of this server's clock; set the clock of the application";
            return Err(RecordError::new("in_the_future", "timestamp", message));
        }
        Ok(())
    }

    /// The root span, which stands for the record itself.
    fn root(
        &self,
        at: &Timestamp,
        metrics: Option<&Metrics>,
        spans: &[Span],
        id: &str,
        endpoint: &str,
    ) -> Result<Span, RecordError> {
        let duration = match metrics.and_then(|metrics| metrics.total_duration) {
            Some(input) => checked_duration("performance_metrics.total_duration", input)?,
            None => {
                let end =
                    spans.iter().map(|span| span.start_ns.saturating_add_unsigned(span.duration_ns)).max();
                let Some(end) = end else {
                    let message = "is required unless there are calls";
                    return Err(RecordError::invalid("performance_metrics.total_duration", message));
                };
                u64::try_from(end.saturating_sub(at.0)).unwrap_or_default()
            }
        };
        Ok(Span {
            id: id.to_owned(),
            parent: None,
            function: Arc::new(Function { name: endpoint.to_owned(), ..Function::default() }),
            kind: OperationKind::Request,
            start_ns: at.0,
            duration_ns: duration,
            cpu_ns: None,
            memory_delta: None,
            exception: None,
            detail: None,
        })
    }
}

/// The spans of a record's calls, and the index of the one that is the record itself, if any. A call whose parent is
/// not among them becomes a child of the record.
fn spans_of_calls(record: &Record<'_>, root: &str) -> Result<(Option<usize>, Vec<Span>), RecordError> {
    let mut ids: HashSet<&str> = HashSet::with_capacity(record.function_calls.len());
    for (index, call) in record.function_calls.iter().enumerate() {
        let at = |field: &str| format!("function_calls[{index}].{field}");
        check_id(&call.call_id).map_err(|message| RecordError::invalid(at("call_id"), message))?;
        if !ids.insert(&call.call_id.0) {
            return Err(RecordError::new(
                "duplicate_call_id",
                at("call_id"),
                "duplicates the id of another call of this record",
            ));
        }
    }
    let mut functions = Functions::of(&record.functions)?;
    let mut details: HashMap<(&DetailInfo<'_>, OperationKind), Arc<Detail>> = HashMap::new();
    let mut spans = Vec::with_capacity(record.function_calls.len() + 1);
    let mut own = None;
    for (index, input) in record.function_calls.iter().enumerate() {
        let error = |field: &str, message: &str| {
            RecordError::invalid(format!("function_calls[{index}].{field}"), message)
        };
        let kind = operation_kind(input);
        let start = match (input.start_offset, input.start_time) {
            (Some(offset), _) => record.timestamp.0.saturating_add(offset.0),
            (None, Some(time)) => time.0,
            (None, None) => {
                return Err(error("start_offset", "is required unless `start_time` is given"));
            }
        };
        if start.abs_diff(record.timestamp.0) > DAY.unsigned_abs() {
            let field = if input.start_offset.is_some() { "start_offset" } else { "start_time" };
            return Err(error(field, "must be within a day of the record's timestamp"));
        }
        let duration = match (input.duration, input.end_time) {
            (Some(duration), _) => checked_duration(&format!("function_calls[{index}].duration"), duration)?,
            (None, Some(end)) => u64::try_from(end.0.saturating_sub(start))
                .map_err(|_| error("end_time", "must not be before the start of the call"))?,
            (None, None) => return Err(error("duration", "is required unless `end_time` is given")),
        };
        let is_own = input.call_id.0 == root;
        own = own.or_else(|| is_own.then_some(index));
        let parent = input.parent_call_id.as_ref().map(|text| &*text.0);
        let parent =
            parent.filter(|parent| ids.contains(parent) && *parent != input.call_id.0).unwrap_or(root);
        spans.push(Span {
            id: (*input.call_id.0).to_owned(),
            parent: (!is_own).then(|| parent.to_owned()),
            function: functions.of_call(index, input)?,
            kind,
            start_ns: start,
            duration_ns: duration,
            cpu_ns: input.cpu_time.and_then(Seconds::as_nanos),
            memory_delta: input.memory_delta,
            exception: input
                .exception_info
                .as_ref()
                .map(|text| redact::text(text.truncated(MAX_EXCEPTION)).into_owned()),
            detail: input.detail.as_ref().map(|detail| {
                details
                    .entry((detail, kind))
                    .or_insert_with(|| Arc::new(redacted_detail(detail, kind)))
                    .clone()
            }),
        });
    }
    if let Some(index) = find_cycle(&spans) {
        let message = "forms a cycle of calls";
        return Err(RecordError::invalid(format!("function_calls[{index}].parent_call_id"), message));
    }
    Ok((own, spans))
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

/// Details without values and secrets.
fn redacted_detail(input: &DetailInfo<'_>, kind: OperationKind) -> Detail {
    let short = |text: &Option<Text<'_>>| text.as_ref().map(|text| text.truncated(200).to_owned());
    let is_key =
        kind == OperationKind::Cache || input.system.as_ref().is_some_and(|system| system.0 == "redis");
    let statement = input.statement.as_ref().map(|text| match kind {
        _ if is_key => redact::key(text.truncated(MAX_TEXT)),
        OperationKind::Database => redact::statement(&text.0),
        OperationKind::ExternalApi => redact::address(text.truncated(MAX_TEXT)),
        _ => redact::text(text.truncated(MAX_TEXT)).into_owned(),
    });
    let mut attributes: Map<String, Value> = input
        .attributes
        .iter()
        .take(MAX_FIELDS)
        .map(|(name, value)| (name.truncated(200).to_owned(), Value::from(value.truncated(MAX_TEXT))))
        .collect();
    redact::params(&mut attributes);
    let text = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    Detail {
        system: short(&input.system),
        operation: short(&input.operation),
        statement,
        target: input.target.as_ref().map(|text| redact::address(text.truncated(MAX_TEXT))),
        hit: input.hit,
        status_code: input.status_code,
        first_byte_ns: input.first_byte.and_then(Seconds::as_nanos),
        rows: input.rows,
        attributes: attributes
            .into_iter()
            .map(|(name, value)| (name, text(value)))
            .collect::<BTreeMap<_, _>>(),
    }
}

fn request(mut input: RequestInfo) -> Result<RequestInfo, RecordError> {
    for (name, fields) in [("query_params", &mut input.query_params), ("headers", &mut input.headers)] {
        if fields.len() > MAX_FIELDS {
            return Err(RecordError::invalid(
                format!("request_info.{name}"),
                format!("must have at most {MAX_FIELDS} fields"),
            ));
        }
        for (field, value) in &mut *fields {
            if field.contains('\0') || has_nul(value) {
                return Err(nul(&format!("request_info.{name}.{}", field.replace('\0', ""))));
            }
            shorten(value);
        }
    }
    redact::params(&mut input.query_params);
    redact::headers(&mut input.headers);
    let text =
        |name: &str, text: &mut Option<String>, max| truncate(&format!("request_info.{name}"), text, max);
    text("method", &mut input.method, 20)?;
    text("path", &mut input.path, MAX_TEXT)?;
    text("user_agent", &mut input.user_agent, 500)?;
    text("remote_ip", &mut input.remote_ip, 100)?;
    input.method.as_mut().map(|method| method.make_ascii_uppercase());
    input.path.as_mut().map(|path| *path = redact::address(path));
    Ok(input)
}

fn response(mut input: ResponseInfo) -> Result<ResponseInfo, RecordError> {
    truncate("response_info.content_type", &mut input.content_type, 200)?;
    match input.status_code {
        None | Some(100..=599) => Ok(input),
        Some(_) => {
            Err(RecordError::invalid("response_info.status_code", "must be an HTTP status code, 100 to 599"))
        }
    }
}

fn version(input: Option<&VersionInfo>) -> Result<VersionInfo, RecordError> {
    let mut input = input.cloned().unwrap_or_default();
    truncate("version_info.app_version", &mut input.app_version, 100)?;
    truncate("version_info.git_commit", &mut input.git_commit, 100)?;
    Ok(input)
}

fn environment(input: Option<&Environment>) -> Result<Environment, RecordError> {
    let mut input = input.cloned().unwrap_or_default();
    truncate("environment.python_version", &mut input.python_version, 200)?;
    truncate("environment.framework_version", &mut input.framework_version, 200)?;
    truncate("environment.server_info", &mut input.server_info, 500)?;
    Ok(input)
}

fn measurements(input: Option<&Metrics>) -> Result<Measurements, RecordError> {
    let Some(input) = input else { return Ok(Measurements::default()) };
    let time = |name: &str, input: Option<Seconds>| {
        input.map(|input| checked_duration(&format!("performance_metrics.{name}"), input)).transpose()
    };
    let memory = input.memory_usage.as_ref();
    let database = input.database_metrics.as_ref();
    let cache = input.cache_metrics.as_ref();
    Ok(Measurements {
        cpu_ns: time("cpu_time", input.cpu_time)?,
        memory_peak: memory.and_then(|memory| memory.peak_memory).map(peak).transpose()?,
        memory_delta: memory.and_then(|memory| memory.memory_delta).map(delta).transpose()?,
        query_count: database.and_then(|database| database.query_count),
        query_ns: time("database_metrics.query_time", database.and_then(|database| database.query_time))?,
        slow_queries: database.and_then(|database| database.slow_queries),
        cache_hits: cache.and_then(|cache| cache.cache_hits),
        cache_misses: cache.and_then(|cache| cache.cache_misses),
        cache_ns: time("cache_metrics.cache_time", cache.and_then(|cache| cache.cache_time))?,
    })
}

fn peak(megabytes: f64) -> Result<i64, RecordError> {
    let param = "performance_metrics.memory_usage.peak_memory";
    let wrong = || RecordError::invalid(param, format!("must be between 0 and {MAX_MB} megabytes"));
    (0.0..=MAX_MB).contains(&megabytes).then(|| bytes(megabytes)).ok_or_else(wrong)
}

fn delta(megabytes: f64) -> Result<i64, RecordError> {
    let param = "performance_metrics.memory_usage.memory_delta";
    let wrong = || RecordError::invalid(param, format!("must be between -{MAX_MB} and {MAX_MB} megabytes"));
    (-MAX_MB..=MAX_MB).contains(&megabytes).then(|| bytes(megabytes)).ok_or_else(wrong)
}

#[expect(clippy::cast_possible_truncation, reason = "bounded before")]
fn bytes(megabytes: f64) -> i64 {
    (megabytes * BYTES_PER_MB).round() as i64
}

fn checked_duration(param: &str, input: Seconds) -> Result<u64, RecordError> {
    input
        .as_nanos()
        .filter(|nanos| *nanos <= DAY.unsigned_abs())
        .ok_or_else(|| RecordError::invalid(param, "must be between 0 and 86,400 seconds"))
}

/// A trace id. W3C trace ids are normalised to lower case, so that all chunks of a trace are found.
fn trace_id(input: &Text<'_>) -> Result<String, RecordError> {
    let mut text = id("trace_id", input)?;
    if text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        text.make_ascii_lowercase();
    }
    Ok(text)
}

fn id(param: &str, text: &Text<'_>) -> Result<String, RecordError> {
    check_id(text).map_err(|message| RecordError::invalid(param, message))?;
    Ok((*text.0).to_owned())
}

fn check_id(text: &Text<'_>) -> Result<(), &'static str> {
    let plain = (1..=MAX_ID).contains(&text.0.len()) && text.0.bytes().all(|byte| byte.is_ascii_graphic());
    if plain { Ok(()) } else { Err("must be 1 to 64 printable ASCII characters without spaces") }
}

fn truncate(param: &str, text: &mut Option<String>, max: usize) -> Result<(), RecordError> {
    let Some(text) = text else { return Ok(()) };
    if text.contains('\0') {
        return Err(nul(param));
    }
    text.truncate(text.floor_char_boundary(max));
    Ok(())
}

fn nul(param: &str) -> RecordError {
    RecordError::invalid(param, "must not contain a NUL character")
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        _ => false,
    }
}

/// Truncates descriptive values instead of rejecting them; large objects and arrays become strings first.
fn shorten(value: &mut Value) {
    if value.is_object() || value.is_array() {
        let text = value.to_string();
        if text.len() > MAX_TEXT {
            *value = Value::from(text);
        }
    }
    if let Value::String(text) = value {
        text.truncate(text.floor_char_boundary(MAX_TEXT));
    }
}
