//! From spans to parts of traces.

mod detail;
mod endpoint;
mod entry;
mod function;
mod group;
#[cfg(test)]
mod tests;

mod work;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::attributes::{Attributes, kept};
use super::document::document;
use super::refused::Refused;
use super::settings::OtlpSettings;
use super::wire::{Kind, Span, TracesRequest, Value};
use crate::ingest::Fault;
use crate::redact;
use crate::rejected_records::NewRejected;
use crate::trace::{Call, Part, STACK, Source};

use group::Groups;
pub(crate) use group::Owner;

/// How far ahead of this server's clock another's may be.
const AHEAD: TimeDelta = TimeDelta::hours(1);
/// The longest that a span may last: one that never ended has whatever end.
const LONGEST: TimeDelta = TimeDelta::days(7);
/// Bytes of what was raised that are kept.
const MAX_EXCEPTION: usize = 2048;
/// Bytes of a stack trace that are kept: of its end, where it was raised.
const MAX_STACK: usize = 4096;
/// Bytes of a name.
const MAX_NAME: usize = 256;

/// Refused spans of a request that are kept: they are mostly wrong in one way.
const MAX_KEPT: usize = 20;

/// What is made of a request.
pub(super) struct Taken {
    pub(super) parts: Vec<Part>,
    pub(super) refused: Refused,
    /// The first of those that were refused.
    pub(super) rejected: Vec<NewRejected>,
}

/// Why a span is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unfit {
    code: &'static str,
    param: &'static str,
    pub(super) message: &'static str,
}

impl From<Unfit> for Fault {
    fn from(unfit: Unfit) -> Self {
        Self::new(unfit.code, unfit.param, unfit.message)
    }
}

/// A span with what was told of it as a whole.
#[derive(Clone, Copy)]
pub(super) struct Told<'a> {
    pub(super) span: &'a Span,
    pub(super) attributes: Attributes<'a>,
    /// Of the service and where it runs.
    pub(super) resource: Attributes<'a>,
    /// The library that tells.
    pub(super) scope: &'a str,
}

/// The parts that spans make: one for each trace, or several of a large one.
pub(super) fn take(
    request: &TracesRequest,
    owner: Owner,
    settings: &OtlpSettings,
    now: DateTime<Utc>,
    keeps_said: bool,
) -> Taken {
    let (mut refused, mut rejected) = (Refused::default(), Vec::new());
    let mut groups = Groups::new(owner);
    for told in told(request) {
        match check(told.span, settings, now) {
            Ok(()) => groups.add(&told, settings),
            Err(unfit) => {
                refused.add(unfit.message);
                if rejected.len() < MAX_KEPT {
                    let document = document(&told, keeps_said);
                    rejected.push(NewRejected { source: Source::Otlp, fault: unfit.into(), document });
                }
            }
        }
    }
    Taken { parts: groups.done(), refused, rejected }
}

/// The spans of a request.
pub(super) fn told(request: &TracesRequest) -> impl Iterator<Item = Told<'_>> {
    request.resource_spans.iter().flat_map(|of| {
        let resource = Attributes(of.resource.as_ref().map_or(&[], |resource| &resource.attributes));
        of.scope_spans.iter().flat_map(move |scope| {
            let name = scope.scope.as_ref().map_or("", |scope| scope.name.as_str());
            scope.spans.iter().map(move |span| Told {
                span,
                attributes: Attributes(&span.attributes),
                resource,
                scope: name,
            })
        })
    })
}

/// Whether a span is taken.
pub(super) fn check(span: &Span, settings: &OtlpSettings, now: DateTime<Utc>) -> Result<(), Unfit> {
    let unfit = |code, param, message| Err(Unfit { code, param, message });
    let is_id = |bytes: &[u8], length| bytes.len() == length && bytes.iter().any(|byte| *byte != 0);
    if !is_id(&span.trace_id, 16) || !is_id(&span.span_id, 8) {
        let param = if is_id(&span.trace_id, 16) { "span_id" } else { "trace_id" };
        return unfit("invalid_id", param, "its trace id or span id is none: 16 and 8 bytes, not all zero");
    }
    let at = "start_time_unix_nano";
    let began = i64::try_from(span.start_time_unix_nano).ok().filter(|nanos| *nanos > 0);
    let Some(began) = began else { return unfit("no_time", at, "the time when it began is missing") };
    let began = DateTime::from_timestamp_nanos(began);
    if began < now - TimeDelta::days(settings.max_age_days.into()) {
        return unfit("too_old", at, "it began too long ago: see `max_age_days` of `insight.otlp`");
    }
    if began > now + AHEAD {
        return unfit("in_the_future", at, "it began in the future; set the application's clock");
    }
    let longest = u64::try_from(LONGEST.num_nanoseconds().unwrap_or(i64::MAX)).unwrap_or(u64::MAX);
    if span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano) > longest {
        return unfit("too_long", "end_time_unix_nano", "it ended more than 7 days after it began");
    }
    Ok(())
}

/// An id as it is kept.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        _ = write!(text, "{byte:02x}");
        text
    })
}

impl Told<'_> {
    /// Whether it is something that the application served rather than something that it did meanwhile.
    fn is_entry(&self) -> bool {
        let is_root = self.span.parent_span_id.iter().all(|byte| *byte == 0);
        match self.span.part() {
            Kind::Server => true,
            Kind::Consumer => is_root || self.span.has_remote_parent(),
            Kind::Internal => is_root,
            Kind::Client | Kind::Producer => false,
        }
    }

    pub(super) fn parent(&self) -> Option<String> {
        let parent = &self.span.parent_span_id;
        (parent.len() == 8 && parent.iter().any(|byte| *byte != 0)).then(|| hex(parent))
    }

    pub(super) fn start_ns(&self) -> i64 {
        i64::try_from(self.span.start_time_unix_nano).unwrap_or(i64::MAX)
    }

    /// Nanoseconds until the answer began, where something tells.
    pub(super) fn first_byte(&self) -> Option<u64> {
        detail::first_byte(self)
    }

    pub(super) fn duration_ns(&self) -> u64 {
        self.span.end_time_unix_nano.saturating_sub(self.span.start_time_unix_nano)
    }

    /// What is told of the last exception.
    fn raised(&self) -> Option<Attributes<'_>> {
        let raised = self.span.events.iter().rev().find(|event| event.name == "exception");
        raised.map(|event| Attributes(&event.attributes))
    }

    /// The end of its stack trace.
    fn stack(&self) -> Option<String> {
        let stack = self.raised()?.text(&[STACK])?;
        let end = match stack.len().checked_sub(MAX_STACK) {
            // whole lines: half of a secret doesn't look like one
            Some(from) if from > 0 => stack[stack.ceil_char_boundary(from)..].split_once('\n')?.1,
            _ => stack,
        };
        Some(kept(&redact::text(end), MAX_STACK))
    }

    /// What was raised, else what its status says, of a span that failed.
    pub(super) fn exception(&self) -> Option<String> {
        let text = match self.raised() {
            Some(event) => {
                let kind = event.text(&["exception.type"]).unwrap_or("Exception");
                match event.text(&["exception.message"]) {
                    Some(message) => format!("{kind}: {message}"),
                    None => kind.to_owned(),
                }
            }
            None if self.span.failed() => {
                let said = self.span.status.as_ref().map_or("", |status| &status.message);
                let kind = self.attributes.text(&["error.type"]).unwrap_or("Error");
                if said.is_empty() { kind.to_owned() } else { format!("{kind}: {said}") }
            }
            None => return None,
        };
        Some(kept(&redact::text(super::attributes::cut(&text, 2 * MAX_EXCEPTION)), MAX_EXCEPTION))
    }

    fn call(&self, functions: &mut function::Functions, settings: &OtlpSettings) -> Call {
        let work = work::work(self);
        let mut detail = detail::detail(self, work, settings);
        if let Some(stack) = self.stack() {
            detail.get_or_insert_default().attributes.insert(STACK.to_owned(), stack);
        }
        Call {
            id: hex(&self.span.span_id),
            parent: self.parent(),
            function: functions.of(self),
            work,
            start_ns: self.start_ns(),
            duration_ns: self.duration_ns(),
            cpu_ns: None,
            memory_delta: None,
            exception: self.exception(),
            detail: detail.map(Arc::new),
        }
    }
}

/// Whether an attribute is worth keeping as text.
fn is_plain(value: &Value) -> bool {
    matches!(value, Value::String(_) | Value::Int(_) | Value::Double(_) | Value::Bool(_))
}
