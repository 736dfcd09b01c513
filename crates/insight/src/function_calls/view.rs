//! A call as the API shows it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::trace::{self, Call, Detail, Tree, Work};

/// Nanoseconds of a call's own from which it is tagged as slow.
const SLOW_NS: u64 = 100_000_000;

/// A call of a function, or a span. Times are in seconds, memory in bytes.
#[derive(Serialize, ToSchema)]
pub struct FunctionCallView {
    /// The same for the same call.
    pub(super) id: Uuid,
    trace_id: String,
    pub(super) call_id: String,
    parent_call_id: Option<String>,
    function_info: FunctionInfo,
    execution_info: ExecutionInfo,
    call_context: CallContext,
    /// `slow` (100 ms and more of its own), `database`, `cache`, `external_api`, `model`, `tool`, `queue`.
    performance_tags: Vec<&'static str>,
    /// What kind of work it is.
    work: Work,
    /// What is known of work that leaves the application.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<DetailView>,
    created_at: DateTime<Utc>,
}

/// What was called.
#[derive(Serialize, ToSchema)]
struct FunctionInfo {
    name: String,
    module: Option<String>,
    file_path: Option<String>,
    line_number: Option<u32>,
    class_name: Option<String>,
}

/// When, and how long.
#[derive(Serialize, ToSchema)]
struct ExecutionInfo {
    start_time: DateTime<Utc>,
    end_time: DateTime<Utc>,
    duration: f64,
    /// Time in which nothing that it called was under way.
    self_time: f64,
    cpu_time: Option<f64>,
    memory_delta: Option<i64>,
}

/// Where it stands.
#[derive(Serialize, ToSchema)]
struct CallContext {
    /// From 0.
    depth: u32,
    /// Its place in the whole, from 0.
    pub(super) call_order: usize,
    /// Whether a call of the same function led to it.
    is_recursive: bool,
    /// What was raised.
    exception_info: Option<String>,
}

/// Work that leaves the application.
#[derive(Serialize, ToSchema)]
struct DetailView {
    system: Option<String>,
    operation: Option<String>,
    /// The statement without its values, the key's pattern, or the address without its query.
    statement: Option<String>,
    target: Option<String>,
    hit: Option<bool>,
    status_code: Option<u16>,
    /// Seconds until the other side began to answer.
    first_byte: Option<f64>,
    rows: Option<u64>,
    attributes: std::collections::BTreeMap<String, String>,
}

/// A call as a record names it.
#[derive(Serialize, ToSchema)]
pub(crate) struct CallReference {
    call_id: String,
    function_name: String,
    file_path: Option<String>,
    line_number: Option<u32>,
    /// Seconds.
    duration: f64,
    parent_call_id: Option<String>,
    depth: u32,
    call_order: usize,
}

/// Nanoseconds as seconds.
pub(crate) fn seconds(nanos: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "exact to the nanosecond for 104 days")]
    let seconds = nanos as f64 / 1e9;
    seconds
}

fn tags(call: &Call, self_ns: u64) -> Vec<&'static str> {
    let slow = (self_ns >= SLOW_NS).then_some("slow");
    let work = match call.work {
        Work::Function | Work::Request => None,
        Work::Database => Some("database"),
        Work::Cache => Some("cache"),
        Work::ExternalApi => Some("external_api"),
        Work::Model => Some("model"),
        Work::Tool => Some("tool"),
        Work::Queue => Some("queue"),
    };
    slow.into_iter().chain(work).collect()
}

impl FunctionCallView {
    /// A call of a tree; `root` is the call at which depth and order begin.
    pub(crate) fn of(
        (tree, created_at): (&Tree, DateTime<Utc>),
        trace_id: &str,
        root: Option<usize>,
        place: usize,
    ) -> Self {
        let (call, node) = (&tree.calls()[place], &tree.nodes()[place]);
        let start_time = DateTime::from_timestamp_nanos(call.start_ns);
        let end_ns = call.start_ns.saturating_add_unsigned(call.duration_ns);
        let function = &call.function;
        Self {
            id: trace::id(start_time, &[trace_id.as_bytes(), call.id.as_bytes()]),
            trace_id: trace_id.to_owned(),
            call_id: call.id.clone(),
            parent_call_id: call.parent.clone(),
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
                duration: seconds(call.duration_ns),
                self_time: seconds(node.self_ns),
                cpu_time: call.cpu_ns.map(seconds),
                memory_delta: call.memory_delta,
            },
            call_context: CallContext {
                depth: node.depth - root.map_or(0, |root| tree.nodes()[root].depth),
                call_order: place - root.unwrap_or_default(),
                is_recursive: node.is_recursive,
                exception_info: call.exception.clone(),
            },
            performance_tags: tags(call, node.self_ns),
            work: call.work,
            detail: call.detail.as_deref().map(DetailView::from),
            created_at,
        }
    }

    /// Its place in the whole.
    pub(crate) fn order(&self) -> usize {
        self.call_context.call_order
    }
}

impl CallReference {
    pub(crate) fn of(tree: &Tree, root: usize, place: usize) -> Self {
        let (call, node) = (&tree.calls()[place], &tree.nodes()[place]);
        Self {
            call_id: call.id.clone(),
            function_name: call.function.name.clone(),
            file_path: call.function.file_path.clone(),
            line_number: call.function.line_number,
            duration: seconds(call.duration_ns),
            parent_call_id: call.parent.clone(),
            depth: node.depth - tree.nodes()[root].depth,
            call_order: place - root,
        }
    }
}

impl From<&Detail> for DetailView {
    fn from(detail: &Detail) -> Self {
        let Detail { system, operation, statement, target, .. } = detail.clone();
        Self {
            system,
            operation,
            statement,
            target,
            hit: detail.hit,
            status_code: detail.status_code,
            first_byte: detail.first_byte_ns.map(seconds),
            rows: detail.rows,
            attributes: detail.attributes.clone(),
        }
    }
}
