//! Converts OTLP log records to errors of the application.
//!
//! A log record with an exception, or of severity `ERROR` or above, is stored in the error log, with its trace. Others
//! are accepted and not stored: Loam has no store for logs.

mod sink;
mod stored;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use loam_kernel::{ErrorLogId, Result, hex};
use loam_platform::error_logs::{ErrorSource, ReportedError};
use serde_json::{Map, Value as Json, json};

use super::attributes::{Attributes, storable, value_text};
use super::project_ref::ProjectRef;
use super::rejections::Rejections;
use super::settings::OtlpSettings;
use super::wire::{Decoded, ExportLogsServiceRequest, LogRecord};
use crate::ingest::limits::TimeError;
use crate::ingest::{Ingest, TimeLimits, limits};
use crate::records::{append, unavailable};
use crate::redact;
use crate::trace::{self, STACKTRACE_ATTRIBUTE};

use sink::ERRORS;
pub(crate) use sink::ReportedErrorSink;
use stored::ErrorFrame;
pub(crate) use stored::REPORTED_ERRORS_FRAME;

/// The severity number of `ERROR`.
const ERROR: i32 = 17;
/// Approximate maximum size of a frame, in bytes.
const MAX_FRAME_BYTES: usize = 1 << 20;

/// The errors of a request.
#[derive(Debug, Default)]
pub(super) struct Converted {
    pub(super) errors: Vec<ReportedError>,
    pub(super) rejections: Rejections,
}

/// What the log records of a scope have in common.
struct Context<'a> {
    project_ref: ProjectRef,
    settings: &'a OtlpSettings,
    service: Option<&'a str>,
    /// The name of the logger.
    scope: &'a str,
}

/// Converts a request.
pub(super) fn convert(
    request: &ExportLogsServiceRequest,
    project_ref: ProjectRef,
    settings: &OtlpSettings,
    times: TimeLimits,
) -> Converted {
    let mut converted = Converted::default();
    for of in &request.resource_logs {
        let resource = Attributes(of.resource.as_ref().map_or(&[], |resource| &resource.attributes));
        for scope_logs in &of.scope_logs {
            let scope = scope_logs.scope.as_ref().map_or("", |scope| &scope.name);
            let context = Context { project_ref, settings, service: resource.text(&["service.name"]), scope };
            for record in &scope_logs.log_records {
                match context.error(record, times) {
                    Ok(error) => converted.errors.extend(error),
                    Err(TimeError { message, .. }) => converted.rejections.add(message),
                }
            }
        }
    }
    converted
}

impl Context<'_> {
    /// The error that a log record reports, if it reports one.
    fn error(&self, record: &LogRecord, times: TimeLimits) -> Result<Option<ReportedError>, TimeError> {
        let at = time(record, times);
        times.check(at)?;
        let Some((kind, message)) = exception(record) else { return Ok(None) };
        // as the exception of a span is stored, so that both are recognised as one
        let text = limits::exception(&format!("{kind}: {message}"));
        let (kind, message) = text.split_once(": ").unwrap_or((&text, &text));
        let id = |bytes: &[u8], length| {
            (bytes.len() == length && bytes.iter().any(|byte| *byte != 0)).then(|| hex(bytes))
        };
        let (trace_id, span_id) = (id(&record.trace_id, 16), id(&record.span_id, 8));
        let parts = [
            self.project_ref.project.0.as_bytes(),
            &b"log"[..],
            &record.trace_id,
            &record.span_id,
            &record.time_unix_nano.to_be_bytes(),
            self.scope.as_bytes(),
            text.as_bytes(),
        ];
        Ok(Some(ReportedError {
            tenant: self.project_ref.tenant,
            id: ErrorLogId(trace::id(at, &parts)),
            project: self.project_ref.project,
            source: ErrorSource::Log,
            trace_id,
            record_id: None,
            endpoint: None,
            kind: kind.to_owned(),
            message: message.to_owned(),
            stack: Attributes(&record.attributes).text(&[STACKTRACE_ATTRIBUTE]).and_then(limits::stacktrace),
            context: json!({
                "call_id": span_id, "logger": self.text(self.scope), "service": self.service.map(|name| self.text(name)),
                "severity": self.text(&record.severity_text), "attributes": self.attributes(record),
            }),
            at,
        }))
    }

    fn text(&self, text: &str) -> String {
        storable(&redact::text(text), self.settings.max_attribute_bytes)
    }

    /// The attributes, without those of the exception.
    fn attributes(&self, record: &LogRecord) -> Map<String, Json> {
        let others = record.attributes.iter().filter(|one| !one.key.starts_with("exception."));
        let named = others.filter_map(|one| Some((&one.key, one.value.as_ref()?.value.as_ref()?)));
        let shown = named.map(|(key, value)| (self.text(key), self.text(&value_text(value)).into()));
        shown.take(self.settings.max_attributes).collect()
    }
}

/// When it happened; if the application did not say, when it was observed, or received.
fn time(record: &LogRecord, times: TimeLimits) -> DateTime<Utc> {
    let given = [record.time_unix_nano, record.observed_time_unix_nano].into_iter().find(|nanos| *nanos > 0);
    let nanos = given.and_then(|nanos| i64::try_from(nanos).ok());
    nanos.map_or(times.now, DateTime::from_timestamp_nanos)
}

/// Type and message of the exception that a log record carries; of an error without one, its severity and text.
fn exception(record: &LogRecord) -> Option<(String, String)> {
    let attributes = Attributes(&record.attributes);
    let body =
        || record.body.as_ref().and_then(|body| body.value.as_ref()).map(value_text).unwrap_or_default();
    let (kind, message) = (attributes.text(&["exception.type"]), attributes.text(&["exception.message"]));
    if kind.is_some() || message.is_some() {
        let kind = kind.unwrap_or("Exception");
        return Some((kind.to_owned(), message.map_or_else(body, str::to_owned)));
    }
    (record.severity_number >= ERROR).then(|| {
        let severity = if record.severity_text.is_empty() { "ERROR" } else { &record.severity_text };
        (attributes.text(&["error.type"]).unwrap_or(severity).to_owned(), body())
    })
}

impl Ingest {
    /// Ingests log records; returns when their errors are durable, with the rejections.
    pub(super) async fn ingest_logs(
        &self,
        Decoded { request, undecodable }: Decoded<ExportLogsServiceRequest>,
        project_ref: ProjectRef,
    ) -> Result<Rejections> {
        let settings = self.0.otlp.of(project_ref.tenant);
        let Converted { errors, mut rejections } =
            convert(&request, project_ref, &settings, self.time_limits(project_ref.tenant));
        rejections.add_undecodable(&undecodable);
        let journal = self.0.journal.as_ref().ok_or_else(unavailable)?;
        let (mut errors, mut last) = (errors.into_iter().peekable(), None);
        while errors.peek().is_some() {
            let (mut frame, mut size) = (ErrorFrame { tenant: project_ref.tenant, errors: Vec::new() }, 0);
            while size < MAX_FRAME_BYTES
                && let Some(error) = errors.next()
            {
                size += 512 + error.message.len() + error.stack.as_ref().map_or(0, String::len);
                frame.errors.push(error);
            }
            let key = self.0.clock.id::<uuid::Uuid>().into_bytes();
            last = Some(append(journal, project_ref.tenant, ERRORS, key, &stored::encode(frame)?)?);
        }
        if let Some(position) = last {
            journal.durable(position).await.map_err(|e| unavailable().with_source(e))?;
        }
        Ok(rejections)
    }
}
