//! The functions of a record: calls of one share it.

use std::collections::HashMap;
use std::sync::Arc;

use super::fault::Fault;
use super::text::Text;
use super::wire::{CallInfo, FunctionInfo};
use crate::trace::Function;

/// Longest of names and modules.
const MAX_NAME: usize = 300;
/// Longest of files.
const MAX_FILE: usize = 500;

/// What a function is told apart by.
type Key<'a> = (&'a str, Option<&'a str>, Option<&'a str>, Option<&'a str>, Option<u32>);

pub(super) struct Functions<'r> {
    listed: Vec<Arc<Function>>,
    told: HashMap<Key<'r>, Arc<Function>>,
}

impl<'r> Functions<'r> {
    /// Those that the record lists.
    pub(super) fn of(listed: &'r [FunctionInfo<'_>]) -> Result<Self, Fault> {
        let mut functions = Vec::with_capacity(listed.len());
        for (place, told) in listed.iter().enumerate() {
            if told.name.0.is_empty() {
                return Err(Fault::invalid(format!("functions[{place}].name"), "must not be empty"));
            }
            let key = key(&told.name, &told.module, &told.class_name, &told.file_path, told.line_number);
            functions.push(function(key));
        }
        Ok(Self { listed: functions, told: HashMap::new() })
    }

    /// The function of a call.
    pub(super) fn of_call(&mut self, place: usize, call: &'r CallInfo<'_>) -> Result<Arc<Function>, Fault> {
        let at = |field: &str| format!("function_calls[{place}].{field}");
        match (&call.function_name, call.function) {
            (Some(name), _) if !name.0.is_empty() => {
                let key = key(name, &call.module, &call.class_name, &call.file_path, call.line_number);
                Ok(self.told.entry(key).or_insert_with(|| function(key)).clone())
            }
            (Some(_), _) => Err(Fault::invalid(at("function_name"), "must not be empty")),
            (None, Some(listed)) => self.listed.get(listed).cloned().ok_or_else(|| {
                let message =
                    format!("must be the place of one of the record's {} functions", self.listed.len());
                Fault::invalid(at("function"), message)
            }),
            (None, None) => {
                Err(Fault::invalid(at("function_name"), "must say what was called, or `function` must"))
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
    let short = |text: &'r Option<Text<'_>>, max| text.as_ref().map(|text| text.cut(max));
    (
        name.cut(MAX_NAME),
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
