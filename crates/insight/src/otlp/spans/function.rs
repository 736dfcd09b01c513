//! The function that a span represents.

use std::collections::HashSet;
use std::sync::Arc;

use super::context::{MAX_NAME, SpanWithResource};
use crate::otlp::attributes::storable;
use crate::otlp::wire::SpanKind;
use crate::trace::Function;

/// Prefixes of scopes of instrumentation libraries, which are not modules of the application.
const LIBRARIES: [&str; 7] = [
    "logfire",
    "opentelemetry.instrumentation.",
    "@opentelemetry/",
    "io.opentelemetry.",
    "openinference.instrumentation.",
    "go.opentelemetry.io/",
    "OpenTelemetry.Instrumentation.",
];

/// Interned functions.
#[derive(Default)]
pub(super) struct Functions(HashSet<Arc<Function>>);

impl Functions {
    pub(super) fn of(&mut self, context: &SpanWithResource<'_>) -> Arc<Function> {
        let function = function(context);
        if let Some(known) = self.0.get(&function) {
            return known.clone();
        }
        let function = Arc::new(function);
        self.0.insert(function.clone());
        function
    }
}

fn function(context: &SpanWithResource<'_>) -> Function {
    let attributes = context.attributes;
    let file_path = attributes.text(&["code.file.path", "code.filepath"]);
    let line = attributes.unsigned(&["code.line.number", "code.lineno"]);
    let named = attributes
        .text(&["code.function.name", "code.function"])
        .filter(|name| !is_logfire(context) || context.span.name.contains(name));
    let (name, module) = match (named, attributes.text(&["code.namespace"])) {
        (Some(name), Some(module)) => (name, Some(module)),
        // the current convention has the fully qualified name
        (Some(name), None) => match name.rsplit_once(['.', '#']).or_else(|| name.rsplit_once("::")) {
            Some((module, name)) if !module.is_empty() && !name.is_empty() => (name, Some(module)),
            _ => (name, None),
        },
        (None, _) => (context.span.name.as_str(), own_module(context)),
    };
    Function {
        name: storable(name, MAX_NAME),
        module: module.map(|module| storable(module, MAX_NAME)),
        class_name: None,
        file_path: file_path.map(|path| storable(path, 2 * MAX_NAME)),
        line_number: line.and_then(|line| u32::try_from(line).ok()),
    }
}

/// Whether `code.*` describe the caller: logfire sets them to the line that opens the span, except for decorated
/// functions, whose spans are named after them.
fn is_logfire(context: &SpanWithResource<'_>) -> bool {
    context.scope == "logfire" || context.attributes.with_prefix("logfire.").next().is_some()
}

/// For manually created spans: their tracer is usually named after the module.
fn own_module<'a>(context: &SpanWithResource<'a>) -> Option<&'a str> {
    let is_own = context.span.span_kind() == SpanKind::Internal
        && !context.scope.is_empty()
        && !LIBRARIES.iter().any(|prefix| context.scope.starts_with(prefix));
    is_own.then_some(context.scope)
}
