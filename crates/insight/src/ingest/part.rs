//! From a record as it was sent to a part of a trace.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use loam_kernel::{ProjectId, TenantId};
use serde_json::{Map, Value};

use super::batch::Defaults;
use super::endpoint::endpoint;
use super::fault::Fault;
use super::functions::Functions;
use super::text::{Moment, Seconds, Text};
use super::wire::{CallInfo, DetailInfo, Metrics, Record};
use crate::redact;
use crate::trace::{
    Call, Detail, Entry, Environment, Function, Measured, Part, RequestInfo, ResponseInfo, Source,
    VersionInfo, Work,
};

/// Longest of ids.
const MAX_ID: usize = 64;
/// Longest of texts that describe; what is longer is cut.
const MAX_TEXT: usize = 2_000;
/// Longest of what was raised.
const MAX_EXCEPTION: usize = 4_000;
/// The most fields of what was asked.
const MAX_FIELDS: usize = 100;
/// Nanoseconds that a record may be old, 31 days: what is older would fall into a month that may be put away.
const MAX_AGE: i64 = 31 * DAY;
/// Nanoseconds that a clock may be ahead.
const MAX_AHEAD: i64 = 600_000_000_000;
/// Nanoseconds that a call may begin before its record or after it, or may take.
const DAY: i64 = 86_400_000_000_000;
const BYTES_PER_MB: f64 = 1_048_576.0;
/// Memory that a request may have taken, in megabytes.
const MAX_MB: f64 = 1e9;

/// Whose records they are, and what holds for them.
pub(super) struct Context<'a> {
    pub(super) tenant: TenantId,
    pub(super) project: ProjectId,
    pub(super) now: DateTime<Utc>,
    pub(super) max_calls: usize,
    pub(super) defaults: &'a Defaults,
}

impl Context<'_> {
    /// The part of a trace that a record is.
    pub(super) fn part(&self, record: Record<'_>) -> Result<Part, Fault> {
        let trace_id = trace_id(&record.trace_id)?;
        let id = match &record.id {
            Some(text) => id("id", text)?,
            None => trace_id.clone(),
        };
        self.check_time(record.timestamp)?;
        if record.function_calls.len() > self.max_calls {
            let message = format!("must hold at most {} calls", self.max_calls);
            return Err(Fault::new("too_many_calls", "function_calls", message));
        }
        let calls = calls(&record, &id)?;
        let request = request(record.request_info.unwrap_or_default())?;
        let response = response(record.response_info.unwrap_or_default())?;
        let measured = measured(record.performance_metrics.as_ref())?;
        let service = record.service.as_ref().map(|text| text.cut(200)).or(self.defaults.service.as_deref());
        let route = record.endpoint.as_ref().map(|text| &*text.0);
        let endpoint = endpoint(route, request.method.as_deref(), request.path.as_deref());
        let (root, mut calls) = calls;
        let root = match root {
            Some(place) => &mut calls[place],
            None => {
                let root = self.root(
                    &record.timestamp,
                    record.performance_metrics.as_ref(),
                    &calls,
                    &id,
                    &endpoint,
                )?;
                calls.insert(0, root);
                &mut calls[0]
            }
        };
        root.work = Work::Request;
        root.parent =
            record.parent_call_id.as_ref().map(|text| self::id("parent_call_id", text)).transpose()?;
        if let Some(exception) = &record.exception_info {
            root.exception = Some(redact::text(exception.cut(MAX_EXCEPTION)).into_owned());
        }
        let is_error = record.is_error.unwrap_or_else(|| {
            root.exception.is_some() || response.status_code.is_some_and(|status| status >= 500)
        });
        let entry = Entry {
            call_id: id,
            endpoint,
            service: service.map(|text| text[..text.floor_char_boundary(200)].to_owned()),
            is_error,
            request,
            response,
            measured,
            version: version(record.version_info.as_ref().or(self.defaults.version_info.as_ref()))?,
            environment: environment(record.environment.as_ref().or(self.defaults.environment.as_ref()))?,
        };
        Ok(Part {
            tenant: self.tenant,
            project: self.project,
            trace_id,
            source: Source::Records,
            entries: vec![entry],
            calls,
        })
    }

    fn check_time(&self, at: Moment) -> Result<(), Fault> {
        let now = self.now.timestamp_nanos_opt().unwrap_or(i64::MAX);
        if at.0 < now.saturating_sub(MAX_AGE) {
            return Err(Fault::new("too_old", "timestamp", "must be within the last 31 days"));
        }
        if at.0 > now.saturating_add(MAX_AHEAD) {
            let message =
                "must be at most 10 minutes ahead of this server's clock; set the clock of the application";
            return Err(Fault::new("in_the_future", "timestamp", message));
        }
        Ok(())
    }

    /// The call that the record itself is.
    fn root(
        &self,
        at: &Moment,
        metrics: Option<&Metrics>,
        calls: &[Call],
        id: &str,
        endpoint: &str,
    ) -> Result<Call, Fault> {
        let duration = match metrics.and_then(|metrics| metrics.total_duration) {
            Some(told) => span("performance_metrics.total_duration", told)?,
            None => {
                let end =
                    calls.iter().map(|call| call.start_ns.saturating_add_unsigned(call.duration_ns)).max();
                let Some(end) = end else {
                    let message = "must say how long the request took, unless its calls do";
                    return Err(Fault::invalid("performance_metrics.total_duration", message));
                };
                u64::try_from(end.saturating_sub(at.0)).unwrap_or_default()
            }
        };
        Ok(Call {
            id: id.to_owned(),
            parent: None,
            function: Arc::new(Function { name: endpoint.to_owned(), ..Function::default() }),
            work: Work::Request,
            start_ns: at.0,
            duration_ns: duration,
            cpu_ns: None,
            memory_delta: None,
            exception: None,
            detail: None,
        })
    }
}

/// The calls of a record, and the place of the one that is the record itself, if it is among them. Those whose parent
/// is not among them are called by the record.
fn calls(record: &Record<'_>, root: &str) -> Result<(Option<usize>, Vec<Call>), Fault> {
    let mut known: HashSet<&str> = HashSet::with_capacity(record.function_calls.len());
    for (place, call) in record.function_calls.iter().enumerate() {
        let at = |field: &str| format!("function_calls[{place}].{field}");
        check_id(&call.call_id).map_err(|message| Fault::invalid(at("call_id"), message))?;
        if !known.insert(&call.call_id.0) {
            return Err(Fault::new(
                "duplicate_call_id",
                at("call_id"),
                "is the id of another call of this record",
            ));
        }
    }
    let mut functions = Functions::of(&record.functions)?;
    let mut details: HashMap<(&DetailInfo<'_>, Work), Arc<Detail>> = HashMap::new();
    let mut calls = Vec::with_capacity(record.function_calls.len() + 1);
    let mut own = None;
    for (place, told) in record.function_calls.iter().enumerate() {
        let fault =
            |field: &str, message: &str| Fault::invalid(format!("function_calls[{place}].{field}"), message);
        let work = work(told);
        let start = match (told.start_offset, told.start_time) {
            (Some(offset), _) => record.timestamp.0.saturating_add(offset.0),
            (None, Some(time)) => time.0,
            (None, None) => {
                return Err(fault("start_offset", "must say when it began, or `start_time` must"));
            }
        };
        if start.abs_diff(record.timestamp.0) > DAY.unsigned_abs() {
            let field = if told.start_offset.is_some() { "start_offset" } else { "start_time" };
            return Err(fault(field, "must be within a day of the record's timestamp"));
        }
        let duration = match (told.duration, told.end_time) {
            (Some(duration), _) => span(&format!("function_calls[{place}].duration"), duration)?,
            (None, Some(end)) => u64::try_from(end.0.saturating_sub(start))
                .map_err(|_| fault("end_time", "must not be before the call began"))?,
            (None, None) => return Err(fault("duration", "must say how long it took, or `end_time` must")),
        };
        let is_own = told.call_id.0 == root;
        own = own.or_else(|| is_own.then_some(place));
        let parent = told.parent_call_id.as_ref().map(|text| &*text.0);
        let parent =
            parent.filter(|parent| known.contains(parent) && *parent != told.call_id.0).unwrap_or(root);
        calls.push(Call {
            id: (*told.call_id.0).to_owned(),
            parent: (!is_own).then(|| parent.to_owned()),
            function: functions.of_call(place, told)?,
            work,
            start_ns: start,
            duration_ns: duration,
            cpu_ns: told.cpu_time.and_then(Seconds::span),
            memory_delta: told.memory_delta,
            exception: told
                .exception_info
                .as_ref()
                .map(|text| redact::text(text.cut(MAX_EXCEPTION)).into_owned()),
            detail: told.detail.as_ref().map(|detail| {
                details.entry((detail, work)).or_insert_with(|| Arc::new(clean(detail, work))).clone()
            }),
        });
    }
    if let Some(place) = circle(&calls) {
        let message = "is called, over others, by this call itself";
        return Err(Fault::invalid(format!("function_calls[{place}].parent_call_id"), message));
    }
    Ok((own, calls))
}

/// A call that is its own caller over others, if there is one.
fn circle(calls: &[Call]) -> Option<usize> {
    let places: HashMap<&str, usize> =
        calls.iter().enumerate().map(|(place, call)| (call.id.as_str(), place)).collect();
    // on which walk each was met first
    let mut met = vec![usize::MAX; calls.len()];
    for walk in 0..calls.len() {
        let mut place = walk;
        while met[place] == usize::MAX {
            met[place] = walk;
            match calls[place].parent.as_deref().and_then(|parent| places.get(parent)) {
                Some(parent) => place = *parent,
                None => break,
            }
            if met[place] == walk {
                return Some(place);
            }
        }
    }
    None
}

/// What kind of work a call is: what it says, else what its tags say.
fn work(call: &CallInfo<'_>) -> Work {
    call.kind.unwrap_or_else(|| {
        let tags = call.performance_tags.iter().flatten();
        tags.filter_map(|tag| match &*tag.0 {
            "database" => Some(Work::Database),
            "cache" => Some(Work::Cache),
            "external_api" => Some(Work::ExternalApi),
            _ => None,
        })
        .next()
        .unwrap_or_default()
    })
}

/// Detail without values and secrets.
fn clean(told: &DetailInfo<'_>, work: Work) -> Detail {
    let short = |text: &Option<Text<'_>>| text.as_ref().map(|text| text.cut(200).to_owned());
    let is_key = work == Work::Cache || told.system.as_ref().is_some_and(|system| system.0 == "redis");
    let statement = told.statement.as_ref().map(|text| match work {
        _ if is_key => redact::key(text.cut(MAX_TEXT)),
        Work::Database => redact::statement(&text.0),
        Work::ExternalApi => redact::address(text.cut(MAX_TEXT)),
        _ => redact::text(text.cut(MAX_TEXT)).into_owned(),
    });
    let mut attributes: Map<String, Value> = told
        .attributes
        .iter()
        .take(MAX_FIELDS)
        .map(|(name, value)| (name.cut(200).to_owned(), Value::from(value.cut(MAX_TEXT))))
        .collect();
    redact::params(&mut attributes);
    let text = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    Detail {
        system: short(&told.system),
        operation: short(&told.operation),
        statement,
        target: told.target.as_ref().map(|text| redact::address(text.cut(MAX_TEXT))),
        hit: told.hit,
        status_code: told.status_code,
        first_byte_ns: told.first_byte.and_then(Seconds::span),
        rows: told.rows,
        attributes: attributes
            .into_iter()
            .map(|(name, value)| (name, text(value)))
            .collect::<BTreeMap<_, _>>(),
    }
}

fn request(mut told: RequestInfo) -> Result<RequestInfo, Fault> {
    for (name, fields) in [("query_params", &mut told.query_params), ("headers", &mut told.headers)] {
        if fields.len() > MAX_FIELDS {
            return Err(Fault::invalid(
                format!("request_info.{name}"),
                format!("must hold at most {MAX_FIELDS} fields"),
            ));
        }
        for (field, value) in &mut *fields {
            if field.contains('\0') || has_nul(value) {
                return Err(nul(&format!("request_info.{name}.{}", field.replace('\0', ""))));
            }
            shorten(value);
        }
    }
    redact::params(&mut told.query_params);
    redact::headers(&mut told.headers);
    let text = |name: &str, text: &mut Option<String>, max| cut(&format!("request_info.{name}"), text, max);
    text("method", &mut told.method, 20)?;
    text("path", &mut told.path, MAX_TEXT)?;
    text("user_agent", &mut told.user_agent, 500)?;
    text("remote_ip", &mut told.remote_ip, 100)?;
    told.method.as_mut().map(|method| method.make_ascii_uppercase());
    told.path.as_mut().map(|path| *path = redact::address(path));
    Ok(told)
}

fn response(mut told: ResponseInfo) -> Result<ResponseInfo, Fault> {
    cut("response_info.content_type", &mut told.content_type, 200)?;
    match told.status_code {
        None | Some(100..=599) => Ok(told),
        Some(_) => Err(Fault::invalid("response_info.status_code", "must be an HTTP status, 100 to 599")),
    }
}

fn version(told: Option<&VersionInfo>) -> Result<VersionInfo, Fault> {
    let mut told = told.cloned().unwrap_or_default();
    cut("version_info.app_version", &mut told.app_version, 100)?;
    cut("version_info.git_commit", &mut told.git_commit, 100)?;
    Ok(told)
}

fn environment(told: Option<&Environment>) -> Result<Environment, Fault> {
    let mut told = told.cloned().unwrap_or_default();
    cut("environment.python_version", &mut told.python_version, 200)?;
    cut("environment.framework_version", &mut told.framework_version, 200)?;
    cut("environment.server_info", &mut told.server_info, 500)?;
    Ok(told)
}

fn measured(told: Option<&Metrics>) -> Result<Measured, Fault> {
    let Some(told) = told else { return Ok(Measured::default()) };
    let time = |name: &str, told: Option<Seconds>| {
        told.map(|told| span(&format!("performance_metrics.{name}"), told)).transpose()
    };
    let memory = told.memory_usage.as_ref();
    let database = told.database_metrics.as_ref();
    let cache = told.cache_metrics.as_ref();
    Ok(Measured {
        cpu_ns: time("cpu_time", told.cpu_time)?,
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

fn peak(megabytes: f64) -> Result<i64, Fault> {
    let param = "performance_metrics.memory_usage.peak_memory";
    let wrong = || Fault::invalid(param, format!("must be between 0 and {MAX_MB} megabytes"));
    (0.0..=MAX_MB).contains(&megabytes).then(|| bytes(megabytes)).ok_or_else(wrong)
}

fn delta(megabytes: f64) -> Result<i64, Fault> {
    let param = "performance_metrics.memory_usage.memory_delta";
    let wrong = || Fault::invalid(param, format!("must be between -{MAX_MB} and {MAX_MB} megabytes"));
    (-MAX_MB..=MAX_MB).contains(&megabytes).then(|| bytes(megabytes)).ok_or_else(wrong)
}

#[expect(clippy::cast_possible_truncation, reason = "bounded before")]
fn bytes(megabytes: f64) -> i64 {
    (megabytes * BYTES_PER_MB).round() as i64
}

fn span(param: &str, told: Seconds) -> Result<u64, Fault> {
    told.span()
        .filter(|nanos| *nanos <= DAY.unsigned_abs())
        .ok_or_else(|| Fault::invalid(param, "must be between 0 and 86,400 seconds"))
}

/// A trace's id. W3C's are in small letters, however they come, so that parts of a trace find each other.
fn trace_id(told: &Text<'_>) -> Result<String, Fault> {
    let mut text = id("trace_id", told)?;
    if text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        text.make_ascii_lowercase();
    }
    Ok(text)
}

fn id(param: &str, text: &Text<'_>) -> Result<String, Fault> {
    check_id(text).map_err(|message| Fault::invalid(param, message))?;
    Ok((*text.0).to_owned())
}

fn check_id(text: &Text<'_>) -> Result<(), &'static str> {
    let plain = (1..=MAX_ID).contains(&text.0.len()) && text.0.bytes().all(|byte| byte.is_ascii_graphic());
    if plain { Ok(()) } else { Err("must be 1 to 64 letters, digits or signs of ASCII") }
}

fn cut(param: &str, text: &mut Option<String>, max: usize) -> Result<(), Fault> {
    let Some(text) = text else { return Ok(()) };
    if text.contains('\0') {
        return Err(nul(param));
    }
    text.truncate(text.floor_char_boundary(max));
    Ok(())
}

fn nul(param: &str) -> Fault {
    Fault::invalid(param, "must not contain a NUL character")
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        _ => false,
    }
}

/// What describes is cut rather than refused; what is deep or wide becomes a text first.
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
