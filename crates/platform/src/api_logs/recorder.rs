//! Samples and records requests.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use http::{HeaderMap, Method, StatusCode, Uri, header};
use loam_kernel::{
    Actor, ApiKeyId, ApiLogId, Origin, ProjectId, Result, Scope, TenantId, UserId, truncate_chars,
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::record::Record;
use super::settings::{ApiLogSettings, SETTINGS};
use crate::pack::pack;
use crate::records::{self, API_LOG, Records, Throttle, dropped, is_secret_parameter};
use crate::system_config::{LiveConfig, SystemConfig};

/// Maximum records per second of requests without a valid key, which anybody can send.
const UNAUTHENTICATED_PER_SECOND: u32 = 20;
const MAX_PATH: usize = 2000;
const MAX_VALUE: usize = 1000;
const MAX_PARAMETERS: usize = 100;

/// The class of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A change through the resource API.
    Write,
    /// Read-only.
    Read,
    /// A model call, or another protocol of the gateway.
    Call,
}

impl Class {
    /// The class of a request.
    pub fn of(method: &Method, path: &str) -> Self {
        let reads = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        match (path.starts_with("/api/"), reads) {
            (true, false) => Self::Write,
            (_, true) => Self::Read,
            (false, false) => Self::Call,
        }
    }
}

/// The caller, once it is authenticated.
#[derive(Clone, Copy, Debug, Default)]
pub struct Caller {
    /// The tenant; nil without a valid credential.
    pub tenant: TenantId,
    pub(crate) api_key: Option<ApiKeyId>,
    pub(crate) user: Option<UserId>,
    pub(crate) project: Option<ProjectId>,
}

impl From<&Scope> for Caller {
    fn from(scope: &Scope) -> Self {
        let api_key = match scope.actor() {
            Actor::ApiKey(id) => Some(*id),
            _ => None,
        };
        Self { tenant: scope.tenant(), api_key, user: scope.user, project: scope.project }
    }
}

/// The data of a request that is captured when it starts.
pub struct RequestStart {
    class: Class,
    began: Instant,
    headers: Option<HeaderMap>,
    /// Maximum size of a captured body; 0: none.
    pub keep_body: usize,
}

/// A request that is recorded when its response has ended.
pub struct PendingRecord {
    logs: ApiLogs,
    start: RequestStart,
    caller: Caller,
    origin: Arc<Origin>,
    method: Method,
    uri: Uri,
    status: StatusCode,
    /// Maximum size of a captured body; 0: none.
    pub keep_body: usize,
}

/// Records requests. Cheap to clone.
#[derive(Clone)]
pub struct ApiLogs {
    records: Records,
    settings: LiveConfig<ApiLogSettings>,
    plan: Arc<Plan>,
}

/// The union of all tenants' settings, so that a request that no tenant records costs one branch.
#[derive(Default)]
struct Plan {
    /// Whether headers are captured, by class.
    headers: AtomicUsize,
    /// Maximum size of a captured body.
    body: AtomicUsize,
    strangers: Throttle,
}

impl ApiLogs {
    /// With the live configuration.
    pub fn new(records: Records, config: &SystemConfig) -> Result<Self> {
        let this = Self { records, settings: config.live(&SETTINGS)?, plan: Arc::default() };
        this.refresh_plan();
        let follower = this.clone();
        config.subscribe(move |key| {
            if key == SETTINGS.name() {
                follower.refresh_plan();
            }
        });
        Ok(this)
    }

    fn refresh_plan(&self) {
        let mut headers = 0;
        let mut body = 0;
        for class in [Class::Write, Class::Read, Class::Call] {
            // a failed call may be recorded without its headers: capturing them for every call would cost too much
            let wanted = self.settings.any(|settings| {
                let sampling = &settings.sampling;
                sampling.of(class) > 0.0 || (class != Class::Call && sampling.errors > 0.0)
            });
            headers |= usize::from(wanted) << class as usize;
        }
        self.settings.any(|settings| {
            body = body.max(if settings.bodies { settings.max_body_bytes } else { 0 });
            false
        });
        self.plan.headers.store(headers, Ordering::Relaxed);
        self.plan.body.store(body, Ordering::Relaxed);
    }

    /// Called when a request arrives.
    pub fn request_started(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> RequestStart {
        let class = Class::of(method, uri.path());
        let wanted = self.plan.headers.load(Ordering::Relaxed) & (1 << class as usize) != 0;
        let keep_body = if wanted && is_json(headers) { self.plan.body.load(Ordering::Relaxed) } else { 0 };
        RequestStart { class, began: Instant::now(), headers: wanted.then(|| headers.clone()), keep_body }
    }

    /// Called when its response starts; returns the record to complete at its end, if it is sampled.
    pub fn response_started(
        &self,
        start: RequestStart,
        caller: Caller,
        origin: &Arc<Origin>,
        (method, uri): (&Method, &Uri),
        status: StatusCode,
    ) -> Option<PendingRecord> {
        let (share, keep_body) = self.settings.with(caller.tenant, |settings| {
            let sampling = &settings.sampling;
            let errors = if status.as_u16() >= 400 { sampling.errors } else { 0.0 };
            let keep = if settings.bodies { settings.max_body_bytes } else { 0 };
            (sampling.of(start.class).max(errors), keep)
        });
        if share <= 0.0 || !self.sampled(share) {
            return None;
        }
        let clock = self.records.clock();
        if caller.tenant == TenantId::NIL
            && !self.plan.strangers.allow(clock.now(), UNAUTHENTICATED_PER_SECOND)
        {
            dropped("api_logs", "too_many_strangers");
            return None;
        }
        let (origin, method, uri) = (origin.clone(), method.clone(), uri.clone());
        Some(PendingRecord { logs: self.clone(), start, caller, origin, method, uri, status, keep_body })
    }

    fn sampled(&self, share: f64) -> bool {
        share >= 1.0
            || f64::from(u32::from_le_bytes(self.records.clock().random())) < share * f64::from(u32::MAX)
    }
}

impl PendingRecord {
    /// Records it, with the number of response bytes and the captured bodies.
    pub fn record(self, response_bytes: u64, request_body: Option<&[u8]>, response_body: Option<&[u8]>) {
        let records = &self.logs.records;
        let latency = self.start.began.elapsed();
        let began = records.clock().now() - latency;
        let headers = self.start.headers.as_ref();
        let session = session_of_path(self.uri.path())
            .or_else(|| headers.and_then(|headers| headers.get("x-loam-session-id")?.to_str().ok()));
        let record = Record {
            tenant: self.caller.tenant,
            id: ApiLogId(records.clock().id()),
            node: records.node(),
            request_id: records::text(&self.origin.request_id).into_owned(),
            method: self.method.to_string(),
            path: records::text(truncate_chars(self.uri.path(), MAX_PATH)).into_owned(),
            query_params: self.uri.query().map(|query| query_params(query).to_string()),
            headers: headers.map(headers_json),
            body: request_body.and_then(|body| redacted_body(body, self.keep_body)),
            response_body: response_body.and_then(|body| redacted_body(body, self.keep_body)),
            status: self.status.as_u16(),
            response_bytes,
            latency_us: i64::try_from(latency.as_micros()).unwrap_or(i64::MAX),
            session: session.map(|session| truncate_chars(session, MAX_VALUE).to_owned()),
            user: self.caller.user,
            api_key: self.caller.api_key,
            project: self.caller.project,
            user_agent: self.origin.user_agent.as_deref().map(|agent| records::text(agent).into_owned()),
            ip_address: self.origin.ip_address.map(|ip| ip.to_string()),
            created_us: began.timestamp_micros(),
        };
        match record.frame() {
            Ok(frame) => records.append(record.tenant, API_LOG, record.id.0, &[&frame]),
            Err(e) => tracing::warn!(error = %e, "a request can't be recorded"),
        }
    }
}

/// Whether the content is JSON; other bodies are not recorded, as they can't be redacted.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/json"))
}

/// A redacted and compressed body. A truncated one is no JSON, and is replaced by a note.
/// The session that a path is about.
fn session_of_path(path: &str) -> Option<&str> {
    let id = path.strip_prefix("/api/v1/chat_sessions/")?.split('/').next()?;
    Uuid::try_parse(id).is_ok().then_some(id)
}

fn redacted_body(body: &[u8], keep: usize) -> Option<Vec<u8>> {
    if body.is_empty() || keep == 0 {
        return None;
    }
    let whole = if body.len() <= keep { serde_json::from_slice(body).ok() } else { None };
    let value = match whole {
        Some(mut value) => {
            records::json(&mut value);
            value
        }
        None => json!({ "omitted": "longer than max_body_bytes, or no JSON" }),
    };
    // PostgreSQL doesn't parse it, so only its size is limited
    Some(pack(&[value.to_string()], false, usize::MAX))
}

/// Headers as JSON, written directly: building a tree would cost as much as the rest of the record.
fn headers_json(headers: &HeaderMap) -> String {
    let mut out = String::with_capacity(256);
    out.push('{');
    for name in headers.keys().take(MAX_PARAMETERS) {
        if out.len() > 1 {
            out.push(',');
        }
        quote(&mut out, name.as_str());
        out.push(':');
        let mut values = headers.get_all(name).iter().take(MAX_PARAMETERS).peekable();
        let first = values.next();
        let many = values.peek().is_some();
        out.push_str(if many { "[" } else { "" });
        for (i, value) in first.into_iter().chain(values).enumerate() {
            out.push_str(if i > 0 { "," } else { "" });
            let text = String::from_utf8_lossy(value.as_bytes());
            quote(&mut out, &redacted_value(name.as_str(), &text));
        }
        out.push_str(if many { "]" } else { "" });
    }
    out.push('}');
    out
}

fn quote(out: &mut String, text: &str) {
    match serde_json::to_string(text) {
        Ok(quoted) => out.push_str(&quoted),
        Err(_) => out.push_str("null"),
    }
}

fn query_params(query: &str) -> Value {
    let mut all = Map::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()).take(MAX_PARAMETERS) {
        add(&mut all, &name, &value);
    }
    Value::Object(all)
}

/// A redacted and truncated value.
fn redacted_value<'a>(name: &str, value: &'a str) -> Cow<'a, str> {
    if is_secret_parameter(name) {
        return Cow::Borrowed("[redacted]");
    }
    let redacted_body = if value.len() <= MAX_VALUE {
        records::text(value)
    } else {
        Cow::Owned(records::text(truncate_chars(value, MAX_VALUE)).into_owned())
    };
    // PostgreSQL can't store a NUL
    if redacted_body.contains('\0') {
        Cow::Owned(redacted_body.replace('\0', "\u{fffd}"))
    } else {
        redacted_body
    }
}

/// Adds a redacted value; a second value of the same name makes a list.
fn add(all: &mut Map<String, Value>, name: &str, value: &str) {
    let name = truncate_chars(name, MAX_VALUE).replace('\0', "\u{fffd}");
    let value = json!(redacted_value(&name, value));
    match all.get_mut(&name) {
        None => drop(all.insert(name, value)),
        Some(Value::Array(values)) => values.push(value),
        Some(first) => *first = json!([first.take(), value]),
    }
}
