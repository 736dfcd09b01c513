//! Records everything that is logged as an error.

use std::sync::Arc;

use loam_kernel::{ErrorLogId, Result, TenantId, truncate_chars};
use serde_json::{Map, Value};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::fingerprint::fingerprint;
use super::record::{Record, clean};
use super::{ErrorLogSettings, SETTINGS};
use crate::records::{self, ERROR_LOG, Records, Throttle, dropped};
use crate::system_config::{LiveConfig, SystemConfig};

/// Maximum number of errors that wait to be recorded.
const MAX_WAITING: usize = 1024;
const MAX_MESSAGE: usize = 4000;
const MAX_TRACE: usize = 16_000;
const MAX_FIELD: usize = 1000;

/// The recording components must not report their own failures: each would cause the next.
const EXCLUDED_TARGETS: [&str; 3] = ["loam_journal", "loam_platform::drain", "loam_platform::records"];

/// An event that was logged as an error.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The component, such as `loam_jobs::run`.
    pub target: String,
    /// The logged message.
    pub message: String,
    /// Its fields, by their dotted names.
    pub fields: Map<String, Value>,
}

/// Receives errors. Cheap to clone; receiving one never blocks, so that a logger can call it.
#[derive(Clone)]
pub struct ErrorLogs(Arc<Inner>);

struct Inner {
    settings: LiveConfig<ErrorLogSettings>,
    records: Records,
    throttle: Throttle,
    reports: mpsc::Sender<Report>,
}

impl ErrorLogs {
    /// With the live configuration; returns the receiver of reports for [`ErrorLogs::run`].
    pub fn new(records: Records, config: &SystemConfig) -> Result<(Self, mpsc::Receiver<Report>)> {
        let (reports, arriving) = mpsc::channel(MAX_WAITING);
        let inner =
            Inner { settings: config.live(&SETTINGS)?, records, throttle: Throttle::default(), reports };
        Ok((Self(Arc::new(inner)), arriving))
    }

    /// Receives an error, or drops it if there are too many.
    pub fn report(&self, report: Report) {
        let settings = self.0.settings.get();
        if !settings.enabled || EXCLUDED_TARGETS.iter().any(|target| report.target.starts_with(target)) {
            return;
        }
        if !self.0.throttle.allow(self.0.records.clock().now(), settings.max_per_second) {
            return dropped("error_logs", "too_many");
        }
        if self.0.reports.try_send(report).is_err() {
            dropped("error_logs", "queue_full");
        }
    }

    /// Records received errors until stopped.
    pub async fn run(self, mut arriving: mpsc::Receiver<Report>, stop: CancellationToken) {
        while let Some(Some(report)) = stop.run_until_cancelled(arriving.recv()).await {
            self.record(report);
        }
        // errors that were reported while stopping
        while let Ok(report) = arriving.try_recv() {
            self.record(report);
        }
    }

    fn record(&self, report: Report) {
        for record in self.records(report) {
            match record.frame() {
                Ok(frame) => self.0.records.append(record.tenant, ERROR_LOG, record.id.0, &[&frame]),
                Err(e) => tracing::warn!(error = %e, "an error can't be recorded"),
            }
        }
    }

    /// The records of a report. A failed request belongs to its tenant, but the cause of an internal failure is visible only to
    /// operators: then there are two records, and the tenant's has no cause.
    fn records(&self, mut report: Report) -> Vec<Record> {
        let mut take = |name: &str| match report.fields.remove(name) {
            Some(Value::String(text)) => Some(text),
            Some(other) => Some(other.to_string()),
            None => None,
        };
        let tenant = take("tenant.id").and_then(|id| id.parse::<TenantId>().ok()).unwrap_or(TenantId::NIL);
        let (request_id, code) = (take("request.id"), take("error.code"));
        let (message, cause) = (take("error.message"), take("error.cause"));
        let error = take("error");
        let internal = code.as_deref().is_none_or(|code| code == "internal_error");
        let kind = code.unwrap_or_else(|| report.target.clone());
        let said = message.unwrap_or_else(|| std::mem::take(&mut report.message));
        let first = error.as_deref().or_else(|| cause.as_deref()?.lines().next());
        let full = first.map_or_else(|| said.clone(), |first| format!("{said}: {first}"));
        let mut context = Value::Object(report.fields);
        if let Value::Object(fields) = &mut context {
            for value in fields.values_mut() {
                if let Value::String(text) = value {
                    *text = truncate_chars(text, MAX_FIELD).to_owned();
                }
            }
            fields.insert("target".to_owned(), report.target.into());
        }
        let mut all = Vec::new();
        if internal && tenant != TenantId::NIL {
            all.push(self.one(tenant, &kind, &said, None, request_id.as_deref(), context.clone()));
            context["tenant_id"] = tenant.to_string().into();
            all.push(self.one(TenantId::NIL, &kind, &full, cause, request_id.as_deref(), context));
        } else {
            all.push(self.one(tenant, &kind, &full, cause, request_id.as_deref(), context));
        }
        all
    }

    fn one(
        &self,
        tenant: TenantId,
        kind: &str,
        message: &str,
        trace: Option<String>,
        request_id: Option<&str>,
        mut context: Value,
    ) -> Record {
        records::json(&mut context);
        let message = clean(message, MAX_MESSAGE);
        let clock = self.0.records.clock();
        Record {
            tenant,
            id: ErrorLogId(clock.id()),
            node: self.0.records.node(),
            kind: kind.to_owned(),
            fingerprint: fingerprint(kind, &message),
            message,
            trace: trace.map(|trace| clean(&trace, MAX_TRACE)),
            request_id: request_id.map(|id| clean(id, MAX_FIELD)),
            context: context.to_string().replace("\\u0000", "\u{fffd}"),
            created_us: clock.now().timestamp_micros(),
        }
    }
}
