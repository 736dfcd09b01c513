//! What the texts of a finding are made from, so that a client can write them in another language.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::trace::OperationKind;

/// Identifies the texts of a finding: its description, and its suggestion's title and description. Part of the stored
/// fingerprint of suggestions, so no name changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FindingCode {
    /// `n_plus_one`: one query per row of another query's result.
    FetchRowsTogether,
    /// `repeated_query`: rows are written one by one.
    WriteRowsTogether,
    /// `repeated_query`: a statement that could run once.
    QueryOnce,
    /// `slow_query`.
    SpeedUpQuery,
    /// `repeated_call`.
    ReuseResult,
    /// `sequential_awaits`.
    WaitConcurrently,
    /// `cache_misses`.
    FillCache,
    /// `slow_first_byte`.
    ReduceFirstByte,
    /// `hot_function`: it waits, in code that is not traced.
    FindWait,
    /// `hot_function`: a request is busy outside of traced calls.
    TraceRequest,
    /// `hot_function`: it computes.
    ComputeLess,
    /// `deep_recursion`.
    UnrollRecursion,
    /// `swallowed_exceptions`.
    AvoidExceptions,
    /// `memory_growth`.
    ReleaseMemory,
    /// `external_time`.
    WaitLess,
}

impl FindingCode {
    /// The serialized name.
    pub fn name(self) -> &'static str {
        match self {
            Self::FetchRowsTogether => "fetch_rows_together",
            Self::WriteRowsTogether => "write_rows_together",
            Self::QueryOnce => "query_once",
            Self::SpeedUpQuery => "speed_up_query",
            Self::ReuseResult => "reuse_result",
            Self::WaitConcurrently => "wait_concurrently",
            Self::FillCache => "fill_cache",
            Self::ReduceFirstByte => "reduce_first_byte",
            Self::FindWait => "find_wait",
            Self::TraceRequest => "trace_request",
            Self::ComputeLess => "compute_less",
            Self::UnrollRecursion => "unroll_recursion",
            Self::AvoidExceptions => "avoid_exceptions",
            Self::ReleaseMemory => "release_memory",
            Self::WaitLess => "wait_less",
        }
    }
}

/// The values in the texts of a finding that its other fields don't have. Which ones a code has is in
/// `docs/DIAGNOSIS.md`; the others are omitted. Texts of the application are cut to 160 bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct FindingParameters {
    /// The statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub statement: Option<String>,
    /// The function, address, server or pattern of cache keys that is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub target: Option<String>,
    /// What is waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub operation: Option<OperationKind>,
    /// Time of all its calls together, in nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub total_ns: Option<u64>,
    /// The part of `total_ns` in the database.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub database_ns: Option<u64>,
    /// The longest of the times: of a call, or to the first byte.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub longest_ns: Option<u64>,
    /// Number of all calls of the function.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub function_calls: Option<u64>,
    /// Number of lookups in the cache, with hits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub lookups: Option<u64>,
    /// Depth of the recursion.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub depth: Option<u32>,
    /// Type of the exceptions.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub exception: Option<String>,
    /// The function that raises them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub raised_by: Option<String>,
    /// Growth of the memory in use over the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub growth_bytes: Option<i64>,
    /// The part of `growth_bytes` that the function retains.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub retained_bytes: Option<i64>,
}

impl FindingParameters {
    /// Those of the suggestion's title, which are the same in every request that shows the problem.
    pub(crate) fn of_title(self) -> Self {
        let Self { statement, target, operation, .. } = self;
        Self { statement, target, operation, ..Self::default() }
    }
}
