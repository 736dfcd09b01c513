//! A tracing layer that forwards logged errors to the error records.

use std::fmt;
use std::sync::OnceLock;

use loam_platform::error_logs::{ErrorLogs, Report};
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// The recorder of errors, once the server runs; one per process, as is the log.
static ERRORS: OnceLock<ErrorLogs> = OnceLock::new();

/// Starts recording errors.
pub(crate) fn connect(errors: ErrorLogs) {
    // a second server in the same process, as in tests, uses the first one's recorder
    _ = ERRORS.set(errors);
}

/// Forwards events; the level is filtered before it.
pub(crate) struct ErrorTap;

impl<S: Subscriber> Layer<S> for ErrorTap {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let Some(errors) = ERRORS.get() else { return };
        let mut fields = Fields(Report { target: event.metadata().target().to_owned(), ..Report::default() });
        event.record(&mut fields);
        errors.report(fields.0);
    }
}

struct Fields(Report);

impl Fields {
    fn add(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.0.message = text,
            (name, value) => drop(self.0.fields.insert(name.to_owned(), value)),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.into());
    }
}
