//! The result of the rules for a request.

use loam_kernel::{Error, Result};
use loam_platform::pack::{pack, unpack};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::parameters::{FindingCode, FindingParameters};

/// The result of the rules for a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Diagnosis {
    /// 0 to 100, by the formula of [`score`](super::score).
    pub score: i32,
    /// The findings, most severe first; at most 20.
    pub findings: Vec<Finding>,
}

/// Maximum size of the stored findings of a record, in bytes.
const MAX_STORED: usize = 256 << 10;

impl Diagnosis {
    /// The encoding of an empty list of findings, to overwrite stored ones.
    pub(crate) fn none() -> Vec<u8> {
        pack(&["[]"], false, MAX_STORED)
    }

    /// The stored encoding of the findings; `None` without findings.
    pub fn packed(&self) -> Option<Vec<u8>> {
        if self.findings.is_empty() {
            return None;
        }
        let mut findings = self.findings.as_slice();
        // truncated JSON would be unreadable: store fewer findings instead
        loop {
            let json = serde_json::to_vec(findings).ok()?;
            if json.len() <= MAX_STORED {
                return Some(pack(&[json], false, MAX_STORED));
            }
            findings = &findings[..findings.len() / 2];
        }
    }
}

impl Finding {
    /// Decodes the stored findings of a record.
    ///
    /// # Errors
    /// When they can't be read.
    pub fn unpack(packed: Option<&[u8]>) -> Result<Vec<Self>> {
        let Some(stored) = packed.map(unpack).transpose()?.flatten() else { return Ok(Vec::new()) };
        serde_json::from_slice(&stored.body).map_err(Error::internal)
    }
}

/// A reason why a request is slow, or will be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// The rule that found it.
    pub rule: Rule,
    /// Identifies the texts. Omitted, like `parameters`, in findings that an earlier version stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub code: Option<FindingCode>,
    /// What the texts were made from, besides the other fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub parameters: Option<FindingParameters>,
    /// What uses the time or the memory.
    #[serde(rename = "type")]
    pub kind: Bottleneck,
    /// Severity.
    pub severity: Severity,
    /// The function to change: `module.Class.name`.
    pub function: String,
    /// Description with measured values.
    pub description: String,
    /// Share of the request's duration, 0 to 1.
    pub impact: f64,
    /// Number of calls that it comprises.
    pub count: u64,
    /// IDs of the first calls that show it; at most 20.
    pub calls: Vec<String>,
    /// Expected saving, in nanoseconds.
    pub saving_ns: u64,
    /// What to change.
    pub suggestion: Advice,
}

/// A rule of diagnosis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// One query per row of another query's result.
    NPlusOne,
    /// A repeated query.
    RepeatedQuery,
    /// A slow query.
    SlowQuery,
    /// Most of the time is spent waiting for external work.
    ExternalTime,
    /// A function whose self time is most of the request.
    HotFunction,
    /// A repeated call with the same arguments.
    RepeatedCall,
    /// Waits in sequence that could be concurrent.
    SequentialAwaits,
    /// A cache with many misses.
    CacheMisses,
    /// Memory that is not released.
    MemoryGrowth,
    /// A very deep, or very frequent, recursion.
    DeepRecursion,
    /// Exceptions that are repeatedly raised and swallowed.
    SwallowedExceptions,
    /// An external server that is slow to send the first byte.
    SlowFirstByte,
}

impl Rule {
    /// The serialized name.
    pub fn name(self) -> &'static str {
        match self {
            Self::NPlusOne => "n_plus_one",
            Self::RepeatedQuery => "repeated_query",
            Self::SlowQuery => "slow_query",
            Self::ExternalTime => "external_time",
            Self::HotFunction => "hot_function",
            Self::RepeatedCall => "repeated_call",
            Self::SequentialAwaits => "sequential_awaits",
            Self::CacheMisses => "cache_misses",
            Self::MemoryGrowth => "memory_growth",
            Self::DeepRecursion => "deep_recursion",
            Self::SwallowedExceptions => "swallowed_exceptions",
            Self::SlowFirstByte => "slow_first_byte",
        }
    }
}

/// What uses a request's time or memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Bottleneck {
    /// A database.
    Database,
    /// Computation in the application.
    Computation,
    /// Waiting for external work.
    Io,
    /// Memory.
    Memory,
}

/// Severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[schema(as = FindingSeverity)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// For information.
    Low,
    /// Should be fixed.
    Medium,
    /// Should be fixed soon.
    High,
    /// Should be fixed first.
    Critical,
}

impl Severity {
    /// The severity of a problem with this share of the request and this total time.
    pub(super) fn of(impact: f64, time_ns: u64) -> Self {
        const MILLI: u64 = 1_000_000;
        match () {
            () if impact >= 0.5 && time_ns >= 1_000 * MILLI => Self::Critical,
            () if impact >= 0.3 && time_ns >= 200 * MILLI => Self::High,
            () if impact >= 0.1 && time_ns >= 20 * MILLI => Self::Medium,
            () => Self::Low,
        }
    }
}

/// How to fix a finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Advice {
    /// Category of the change.
    pub category: Category,
    /// Priority.
    pub priority: Priority,
    /// Identifies what is proposed in the function. Empty in advice of a model, and in findings that were stored before
    /// topics existed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schema(ignore)]
    pub topic: String,
    /// Title.
    pub title: String,
    /// Description.
    pub description: String,
    /// Code example.
    pub code_example: Option<String>,
    /// Expected improvement.
    pub expected_improvement: String,
}

/// Category of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Queries, indexes, schemas.
    Database,
    /// Reuse of results.
    Caching,
    /// The computation itself.
    Algorithm,
    /// The interaction of components.
    Architecture,
}

/// Priority of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// If time permits.
    Low,
    /// Soon.
    Medium,
    /// First.
    High,
}

impl From<Severity> for Priority {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Critical | Severity::High => Self::High,
            Severity::Medium => Self::Medium,
            Severity::Low => Self::Low,
        }
    }
}

impl Category {
    /// The serialized name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Caching => "caching",
            Self::Algorithm => "algorithm",
            Self::Architecture => "architecture",
        }
    }
}

impl Priority {
    /// The serialized name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}
