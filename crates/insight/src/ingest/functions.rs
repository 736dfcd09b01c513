//! The functions of a record. Calls of the same function share it.

use std::collections::HashMap;
use std::sync::Arc;

use super::record_error::RecordError;
use super::text::Text;
use super::wire_call::CallInfo;
use super::wire_call::FunctionInfo;
use crate::trace::Function;

/// Maximum length of names and modules, in bytes.
const MAX_NAME: usize = 300;
/// Maximum length of file paths, in bytes.
const MAX_FILE: usize = 500;

/// The identity of a function: name, module, class, file, line.
type Key<'a> = (&'a str, Option<&'a str>, Option<&'a str>, Option<&'a str>, Option<u32>);

pub(super) struct Functions<'r> {
    listed: Vec<Arc<Function>>,
    by_key: HashMap<Key<'r>, Arc<Function>>,
}

impl<'r> Functions<'r> {
    /// The functions in the record's `functions` list.
    pub(super) fn of(listed: &'r [FunctionInfo<'_>]) -> Result<Self, RecordError> {
        let mut functions = Vec::with_capacity(listed.len());
        for (index, input) in listed.iter().enumerate() {
            if input.name.0.is_empty() {
                return Err(RecordError::invalid(format!("functions[{index}].name"), "must not be empty"));
            }
            let key = key(&input.name, &input.module, &input.class_name, &input.file_path, input.line_number);
            functions.push(function(key));
        }
        Ok(Self { listed: functions, by_key: HashMap::new() })
    }

    /// The function of a call, from its own fields or by index in the list.
    pub(super) fn of_call(
        &mut self,
        index: usize,
        call: &'r CallInfo<'_>,
        path: impl Fn(usize, &str) -> String,
    ) -> Result<Arc<Function>, RecordError> {
        let at = |field: &str| path(index, field);
        match (&call.function_name, call.function) {
            (Some(name), _) if !name.0.is_empty() => {
                let key = key(name, &call.module, &call.class_name, &call.file_path, call.line_number);
                Ok(self.by_key.entry(key).or_insert_with(|| function(key)).clone())
            }
            (Some(_), _) => Err(RecordError::invalid(at("function_name"), "must not be empty")),
            (None, Some(listed)) => self.listed.get(listed).cloned().ok_or_else(|| {
                let message =
                    format!("must be the index of one of the record's {} functions", self.listed.len());
                RecordError::invalid(at("function"), message)
            }),
            (None, None) => {
                Err(RecordError::invalid(at("function_name"), "is required unless `function` is given"))
            }
        }
    }
}

fn key<'r>(
    name: &'r Text<'_>,
    module: &'r Option<Text<'_>>,
    class_name: &'r Option<Text<'_>>,
    file_path: &'r Option<Text<'_>>,
    line_number: Option<u32>,
) -> Key<'r> {
    let short = |text: &'r Option<Text<'_>>, max| text.as_ref().map(|text| text.truncated(max));
    (
        name.truncated(MAX_NAME),
        short(module, MAX_NAME),
        short(class_name, MAX_NAME),
        short(file_path, MAX_FILE),
        line_number,
    )
}

fn function((name, module, class_name, file_path, line_number): Key<'_>) -> Arc<Function> {
    let own = |text: Option<&str>| text.map(str::to_owned);
    Arc::new(Function {
        name: name.to_owned(),
        module: own(module),
        class_name: own(class_name),
        file_path: own(file_path),
        line_number,
    })
}
