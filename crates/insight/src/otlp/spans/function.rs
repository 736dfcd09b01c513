//! What a span is a call of.

use std::collections::HashSet;
use std::sync::Arc;

use super::{MAX_NAME, Told};
use crate::otlp::attributes::kept;
use crate::otlp::wire::Kind;
use crate::trace::Function;

/// How the names of libraries begin that tell of others' code: they are no module of the application's.
const LIBRARIES: [&str; 6] = [
    "opentelemetry.instrumentation.",
    "@opentelemetry/",
    "io.opentelemetry.",
    "openinference.instrumentation.",
    "go.opentelemetry.io/",
    "OpenTelemetry.Instrumentation.",
];

/// Functions, each of them once.
#[derive(Default)]
pub(super) struct Functions(HashSet<Arc<Function>>);

impl Functions {
    pub(super) fn of(&mut self, told: &Told<'_>) -> Arc<Function> {
        let function = function(told);
        if let Some(known) = self.0.get(&function) {
            return known.clone();
        }
        let function = Arc::new(function);
        self.0.insert(function.clone());
        function
    }
}

fn function(told: &Told<'_>) -> Function {
    let attributes = told.attributes;
    let file_path = attributes.text(&["code.file.path", "code.filepath"]);
    let line = attributes.whole(&["code.line.number", "code.lineno"]);
    let named = attributes.text(&["code.function.name", "code.function"]);
    let (name, module) = match (named, attributes.text(&["code.namespace"])) {
        (Some(name), Some(module)) => (name, Some(module)),
        // the newer conventions have the name whole
        (Some(name), None) => match name.rsplit_once(['.', '#']).or_else(|| name.rsplit_once("::")) {
            Some((module, name)) if !module.is_empty() && !name.is_empty() => (name, Some(module)),
            _ => (name, None),
        },
        (None, _) => (told.span.name.as_str(), own_module(told)),
    };
    Function {
        name: kept(name, MAX_NAME),
        module: module.map(|module| kept(module, MAX_NAME)),
        class_name: None,
        file_path: file_path.map(|path| kept(path, 2 * MAX_NAME)),
        line_number: line.and_then(|line| u32::try_from(line).ok()),
    }
}

/// Who makes spans by hand mostly names the tracer after the module.
fn own_module<'a>(told: &Told<'a>) -> Option<&'a str> {
    let is_own = told.span.part() == Kind::Internal
        && !told.scope.is_empty()
        && !LIBRARIES.iter().any(|prefix| told.scope.starts_with(prefix));
    is_own.then_some(told.scope)
}
