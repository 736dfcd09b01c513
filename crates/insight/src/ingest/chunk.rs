//! Converts a record into a trace chunk.

use std::sync::Arc;

use chrono::DateTime;
use loam_kernel::{ProjectId, TenantId, truncate_bytes};
use serde_json::Value;

use super::batch::{Defaults, Item};
use super::calls::{self, Parent};
use super::endpoint::endpoint;
use super::limits::{
    MAX_FIELDS, MAX_TEXT, TimeLimits, check_id, checked_duration, exception as exception_text,
};
use super::record_error::RecordError;
use super::text::{Seconds, Text, Timestamp};
use super::wire::{Metrics, Record};
use super::wire_call::CallInfo;
use crate::redact;
use crate::trace::{
    Environment, Function, Measurements, OperationKind, RequestInfo, ResponseInfo, ServerSpan, Source, Span,
    TraceChunk, VersionInfo,
};

const BYTES_PER_MB: f64 = 1_048_576.0;
/// Maximum memory of a request, in megabytes.
const MAX_MB: f64 = 1e9;

/// The origin of records, and the limits and defaults that apply to them.
pub(super) struct Context<'a> {
    pub(super) tenant: TenantId,
    pub(super) project: ProjectId,
    pub(super) times: TimeLimits,
    pub(super) max_calls: usize,
    pub(super) defaults: &'a Defaults,
}

impl Context<'_> {
    /// Validates an item of a batch and converts it.
    pub(super) fn chunk_of(&self, item: Item<'_>) -> Result<TraceChunk, RecordError> {
        match item {
            Item::Record(record) => self.chunk(*record),
            Item::Call(call) => self.chunk_of_call(*call),
        }
    }

    /// Validates a record and converts it.
    pub(super) fn chunk(&self, mut record: Record<'_>) -> Result<TraceChunk, RecordError> {
        record.function_calls.iter_mut().for_each(CallInfo::flatten);
        let trace_id = trace_id(&record.trace_id)?;
        let id = match &record.id {
            Some(text) => id("id", text)?,
            None => trace_id.clone(),
        };
        self.times
            .check(DateTime::from_timestamp_nanos(record.timestamp.0))
            .map_err(|e| RecordError::new(e.code, "timestamp", e.message))?;
        if record.function_calls.len() > self.max_calls {
            let message = format!("must have at most {} calls", self.max_calls);
            return Err(RecordError::new("too_many_calls", "function_calls", message));
        }
        let parent = Parent { id: &id, start_ns: Some(record.timestamp.0) };
        let path = |index: usize, field: &str| format!("function_calls[{index}].{field}");
        let spans = calls::spans(&record.functions, &record.function_calls, parent, path)?;
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
            root.exception = Some(exception_text(&exception.0));
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

    /// Converts a call that is sent outside of its record, whose root call has the id of the trace.
    pub(super) fn chunk_of_call(&self, mut call: CallInfo<'_>) -> Result<TraceChunk, RecordError> {
        call.flatten();
        let Some(trace) = call.trace_id.take() else {
            return Err(RecordError::invalid("trace_id", "is required"));
        };
        let trace_id = trace_id(&trace)?;
        let parent = Parent { id: &trace_id, start_ns: None };
        let (_, spans) = calls::spans(&[], &[call], parent, |_, field| field.to_owned())?;
        for span in &spans {
            self.times
                .check(DateTime::from_timestamp_nanos(span.start_ns))
                .map_err(|e| RecordError::new(e.code, "start_time", e.message))?;
        }
        Ok(TraceChunk {
            tenant: self.tenant,
            project: self.project,
            trace_id,
            source: Source::Records,
            server_spans: Vec::new(),
            spans,
        })
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
