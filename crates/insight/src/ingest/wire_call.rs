//! A call in the record format, in its flat and its nested form, with its function and its details.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::text::{Seconds, Text, Timestamp, or_default};
use crate::trace::OperationKind;

/// A function, which calls refer to by its index in the list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FunctionInfo<'a> {
    #[serde(borrow)]
    pub(super) name: Text<'a>,
    #[serde(borrow, default)]
    pub(super) module: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) class_name: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) file_path: Option<Text<'a>>,
    pub(super) line_number: Option<u32>,
}

/// Details of an operation outside of the application's code.
#[derive(Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct DetailInfo<'a> {
    #[serde(borrow)]
    pub(super) system: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) operation: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) statement: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) target: Option<Text<'a>>,
    pub(super) hit: Option<bool>,
    pub(super) status_code: Option<u16>,
    pub(super) first_byte: Option<Seconds>,
    pub(super) rows: Option<u64>,
    #[serde(borrow, deserialize_with = "or_default")]
    pub(super) attributes: BTreeMap<Text<'a>, Text<'a>>,
}

/// A function call.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CallInfo<'a> {
    #[serde(borrow)]
    pub(super) call_id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) parent_call_id: Option<Text<'a>>,
    pub(super) function: Option<usize>,
    #[serde(borrow, default)]
    pub(super) function_name: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) module: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) class_name: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) file_path: Option<Text<'a>>,
    pub(super) line_number: Option<u32>,
    pub(super) kind: Option<OperationKind>,
    pub(super) start_offset: Option<Seconds>,
    pub(super) start_time: Option<Timestamp>,
    pub(super) duration: Option<Seconds>,
    pub(super) end_time: Option<Timestamp>,
    pub(super) cpu_time: Option<Seconds>,
    pub(super) memory_delta: Option<i64>,
    #[serde(borrow, default)]
    pub(super) exception_info: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) performance_tags: Option<Vec<Text<'a>>>,
    #[serde(borrow, default)]
    pub(super) detail: Option<DetailInfo<'a>>,
    /// The order among the calls of the same parent, for calls without start.
    pub(super) call_order: Option<f64>,
    /// The trace of a call that is sent outside of its record.
    #[serde(borrow, default)]
    pub(super) trace_id: Option<Text<'a>>,
    /// The nested form of the fields above, which take precedence.
    #[serde(borrow, default)]
    function_info: Option<Box<FunctionInfo<'a>>>,
    execution_info: Option<Box<ExecutionInfo>>,
    #[serde(borrow, default)]
    call_context: Option<Box<CallContext<'a>>>,
    /// Accepted but ignored, like those below: computed from the parents, or assigned by Loam.
    #[serde(rename = "depth", default)]
    _depth: Option<IgnoredAny>,
    #[serde(rename = "is_recursive", default)]
    _is_recursive: Option<IgnoredAny>,
    #[serde(rename = "_id", default)]
    _object_id: Option<IgnoredAny>,
    #[serde(rename = "created_at", default)]
    _created_at: Option<IgnoredAny>,
}

/// Times and memory of a call, in the nested form.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ExecutionInfo {
    start_time: Option<Timestamp>,
    end_time: Option<Timestamp>,
    duration: Option<Seconds>,
    cpu_time: Option<Seconds>,
    memory_delta: Option<i64>,
}

/// The position of a call in its tree, in the nested form.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct CallContext<'a> {
    call_order: Option<f64>,
    #[serde(borrow)]
    exception_info: Option<Text<'a>>,
    #[serde(rename = "depth")]
    _depth: Option<IgnoredAny>,
    #[serde(rename = "is_recursive")]
    _is_recursive: Option<IgnoredAny>,
}

impl CallInfo<'_> {
    /// Moves the fields of the nested form to those that it stands for. Empty texts are absent.
    pub(super) fn flatten(&mut self) {
        if let Some(nested) = self.function_info.take() {
            if self.function.is_none() {
                self.function_name.get_or_insert(nested.name);
            }
            fill(&mut self.module, nested.module);
            fill(&mut self.class_name, nested.class_name);
            fill(&mut self.file_path, nested.file_path);
            fill(&mut self.line_number, nested.line_number);
        }
        if let Some(nested) = self.execution_info.take() {
            fill(&mut self.start_time, nested.start_time);
            fill(&mut self.end_time, nested.end_time);
            fill(&mut self.duration, nested.duration);
            fill(&mut self.cpu_time, nested.cpu_time);
            fill(&mut self.memory_delta, nested.memory_delta);
        }
        if let Some(nested) = self.call_context.take() {
            fill(&mut self.call_order, nested.call_order);
            fill(&mut self.exception_info, nested.exception_info);
        }
        for text in [&mut self.exception_info, &mut self.module, &mut self.class_name, &mut self.file_path] {
            _ = text.take_if(|text| text.0.is_empty());
        }
    }
}

fn fill<T>(field: &mut Option<T>, nested: Option<T>) {
    if field.is_none() {
        *field = nested;
    }
}
