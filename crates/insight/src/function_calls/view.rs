//! API views of function calls.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::trace::{self, Detail, OperationKind, Span, TAGS_ATTRIBUTE, Tree};

/// A function call or another span. Times are in seconds, memory in bytes.
#[derive(Serialize, ToSchema)]
pub struct FunctionCallView {
    /// Deterministic: repeated reads return the same id.
    pub(super) id: Uuid,
    trace_id: String,
    pub(super) call_id: String,
    parent_call_id: Option<String>,
    function_info: FunctionInfo,
    execution_info: ExecutionInfo,
    call_context: CallContext,
    /// `slow` (by `slow_call_ms` of `insight.rules`), `database`, `cache`, `external_api`, `model`, `tool`, `queue`, and
    /// the tags that the application gave it.
    performance_tags: Vec<String>,
    /// The kind of operation.
    work: OperationKind,
    /// Details of an operation outside of the application's code.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    detail: Option<DetailView>,
    created_at: DateTime<Utc>,
}

/// The function that was called.
#[derive(Serialize, ToSchema)]
struct FunctionInfo {
    name: String,
    module: Option<String>,
    file_path: Option<String>,
    line_number: Option<u32>,
    class_name: Option<String>,
}

/// Times and memory of a call.
#[derive(Serialize, ToSchema)]
struct ExecutionInfo {
    start_time: DateTime<Utc>,
    end_time: DateTime<Utc>,
    duration: f64,
    /// Time in which no child call was active.
    self_time: f64,
    cpu_time: Option<f64>,
    memory_delta: Option<i64>,
}

/// The position of a call in its tree.
#[derive(Serialize, ToSchema)]
struct CallContext {
    /// Number of ancestors.
    depth: u32,
    /// Index in depth-first order, from 0.
    pub(super) call_order: usize,
    /// Whether an ancestor calls the same function.
    is_recursive: bool,
    /// The exception that was raised, as `Type: message`.
    exception_info: Option<String>,
}

/// An operation outside of the application's code.
#[derive(Serialize, ToSchema)]
struct DetailView {
    system: Option<String>,
    operation: Option<String>,
    /// The statement without its values, the pattern of the cache key, or the URL without its query.
    statement: Option<String>,
    target: Option<String>,
    hit: Option<bool>,
    status_code: Option<u16>,
    /// Seconds until the first byte of the response.
    first_byte: Option<f64>,
    rows: Option<u64>,
    attributes: std::collections::BTreeMap<String, String>,
}

/// A call in the list of a record.
#[derive(Serialize, ToSchema)]
pub(crate) struct CallReference {
    call_id: String,
    function_name: String,
    file_path: Option<String>,
    line_number: Option<u32>,
    /// In seconds.
    duration: f64,
    parent_call_id: Option<String>,
    depth: u32,
    call_order: usize,
}

/// Converts nanoseconds to seconds.
pub(crate) fn seconds(nanos: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "exact to the nanosecond for 104 days")]
    let seconds = nanos as f64 / 1e9;
    seconds
}

/// The tags of a call. From `slow_ns` nanoseconds of self time it is slow.
pub(super) fn tags(span: &Span, self_ns: u64, slow_ns: u64) -> Vec<String> {
    let slow = (self_ns >= slow_ns).then_some("slow");
    let kind = match span.kind {
        OperationKind::Function | OperationKind::Request => None,
        OperationKind::Database => Some("database"),
        OperationKind::Cache => Some("cache"),
        OperationKind::ExternalApi => Some("external_api"),
        OperationKind::Model => Some("model"),
        OperationKind::Tool => Some("tool"),
        OperationKind::Queue => Some("queue"),
    };
    let own = span.detail.as_ref().and_then(|detail| detail.attributes.get(TAGS_ATTRIBUTE));
    let mut tags: Vec<String> = slow.into_iter().chain(kind).map(str::to_owned).collect();
    for tag in own.into_iter().flat_map(|own| own.lines()) {
        if !tags.iter().any(|known| known == tag) {
            tags.push(tag.to_owned());
        }
    }
    tags
}

impl FunctionCallView {
    /// The view of a span in a tree. With `root`, depth and order are relative to that span.
    pub(crate) fn of(
        (tree, created_at): (&Tree, DateTime<Utc>),
        trace_id: &str,
        root: Option<usize>,
        index: usize,
        slow_ns: u64,
    ) -> Self {
        let (span, node) = (&tree.spans()[index], &tree.nodes()[index]);
        let start_time = DateTime::from_timestamp_nanos(span.start_ns);
        let end_ns = span.start_ns.saturating_add_unsigned(span.duration_ns);
        let function = &span.function;
        Self {
            id: trace::id(start_time, &[trace_id.as_bytes(), span.id.as_bytes()]),
            trace_id: trace_id.to_owned(),
            call_id: span.id.clone(),
            parent_call_id: span.parent.clone(),
            function_info: FunctionInfo {
                name: function.name.clone(),
                module: function.module.clone(),
                file_path: function.file_path.clone(),
                line_number: function.line_number,
                class_name: function.class_name.clone(),
            },
            execution_info: ExecutionInfo {
                start_time,
                end_time: DateTime::from_timestamp_nanos(end_ns),
                duration: seconds(span.duration_ns),
                self_time: seconds(node.self_ns),
                cpu_time: span.cpu_ns.map(seconds),
                memory_delta: span.memory_delta,
            },
            call_context: CallContext {
                depth: node.depth - root.map_or(0, |root| tree.nodes()[root].depth),
                call_order: index - root.unwrap_or_default(),
                is_recursive: node.is_recursive,
                exception_info: span.exception.clone(),
            },
            performance_tags: tags(span, node.self_ns, slow_ns),
            work: span.kind,
            detail: span.detail.as_deref().and_then(DetailView::of),
            created_at,
        }
    }

    /// The index in depth-first order.
    pub(crate) fn order(&self) -> usize {
        self.call_context.call_order
    }
}

impl CallReference {
    pub(crate) fn of(tree: &Tree, root: usize, index: usize) -> Self {
        let (span, node) = (&tree.spans()[index], &tree.nodes()[index]);
        Self {
            call_id: span.id.clone(),
            function_name: span.function.name.clone(),
            file_path: span.function.file_path.clone(),
            line_number: span.function.line_number,
            duration: seconds(span.duration_ns),
            parent_call_id: span.parent.clone(),
            depth: node.depth - tree.nodes()[root].depth,
            call_order: index - root,
        }
    }
}

impl DetailView {
    /// None if there are only tags, which are shown as such.
    fn of(detail: &Detail) -> Option<Self> {
        let mut detail = detail.clone();
        let is_tagged = detail.attributes.remove(TAGS_ATTRIBUTE).is_some();
        if is_tagged && detail == Detail::default() {
            return None;
        }
        let Detail { system, operation, statement, target, hit, status_code, rows, attributes, .. } = detail;
        let first_byte = detail.first_byte_ns.map(seconds);
        Some(Self { system, operation, statement, target, hit, status_code, first_byte, rows, attributes })
    }
}
