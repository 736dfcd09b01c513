//! What the rules say of a request.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the rules say of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Diagnosis {
    /// 0 to 100, by the formula of [`score`](super::score).
    pub score: i32,
    /// What was found, the gravest first; at most 20.
    pub findings: Vec<Finding>,
}

/// The most of a record's findings that is kept, in bytes.
const MAX_KEPT: usize = 256 << 10;

impl Diagnosis {
    /// That nothing was found, in place of what was kept.
    pub(crate) fn none() -> Vec<u8> {
        loam_platform::pack::pack(&["[]"], false, MAX_KEPT)
    }

    /// The findings as a record keeps them; none when there are none.
    pub fn packed(&self) -> Option<Vec<u8>> {
        if self.findings.is_empty() {
            return None;
        }
        let mut kept = self.findings.as_slice();
        // what is cut couldn't be read: rather fewer
        loop {
            let json = serde_json::to_vec(kept).ok()?;
            if json.len() <= MAX_KEPT {
                return Some(loam_platform::pack::pack(&[json], false, MAX_KEPT));
            }
            kept = &kept[..kept.len() / 2];
        }
    }
}

impl Finding {
    /// The findings that a record keeps.
    pub fn unpack(packed: Option<&[u8]>) -> Vec<Self> {
        let kept = packed.and_then(loam_platform::pack::unpack);
        kept.and_then(|kept| serde_json::from_slice(&kept.body).ok()).unwrap_or_default()
    }
}

/// A reason why a request is slow, or will be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// The rule that found it.
    pub rule: Rule,
    /// What the time, or the memory, goes to.
    #[serde(rename = "type")]
    pub kind: Bottleneck,
    /// How grave it is.
    pub severity: Severity,
    /// Where it has to be mended: `module.Class.name`.
    pub function: String,
    /// What it is, with its figures.
    pub description: String,
    /// The share of the request's time, 0 to 1.
    pub impact: f64,
    /// How many calls it is made of.
    pub count: u64,
    /// The first of the calls that prove it; at most 20.
    pub calls: Vec<String>,
    /// Nanoseconds that mending it is likely to save.
    pub saving_ns: u64,
    /// What to do.
    pub suggestion: Advice,
}

/// A rule of diagnosis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// A query for each row of another.
    NPlusOne,
    /// A query again and again.
    RepeatedQuery,
    /// A query that takes long.
    SlowQuery,
    /// Most of the time is spent waiting for others.
    ExternalTime,
    /// A function whose own code takes most of the time.
    HotFunction,
    /// The same is asked for again and again.
    RepeatedCall,
    /// What could be waited for at once is waited for one by one.
    SequentialAwaits,
    /// A cache that is asked much and has little.
    CacheMisses,
    /// Memory that is not given back.
    MemoryGrowth,
    /// A function that calls itself very deeply, or very often.
    DeepRecursion,
    /// Exceptions that are raised and swallowed over and over.
    SwallowedExceptions,
    /// Another server that takes long to begin its answer.
    SlowFirstByte,
}

impl Rule {
    /// As it is written.
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

/// What a request's time, or its memory, goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Bottleneck {
    /// A database.
    Database,
    /// Its own computing.
    Computation,
    /// Waiting for others.
    Io,
    /// Memory.
    Memory,
}

/// How grave something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Low,
    /// Worth mending.
    Medium,
    /// Worth mending soon.
    High,
    /// Worth mending first.
    Critical,
}

impl Severity {
    /// Of what takes this share of a request, and so much time in all.
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

/// What to do about a finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Advice {
    /// What is to be changed.
    pub category: Category,
    /// How soon.
    pub priority: Priority,
    /// In a few words; the same for the same fault in the same function.
    pub title: String,
    /// In full.
    pub description: String,
    /// How it could look.
    pub code_example: Option<String>,
    /// What it would bring.
    pub expected_improvement: String,
}

/// What is to be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Queries, indexes, schemas.
    Database,
    /// What is kept to be used again.
    Caching,
    /// How something is computed.
    Algorithm,
    /// How parts work together.
    Architecture,
}

/// How soon something is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// When there is time.
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
    /// As it is written.
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
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}
