//! Diagnosis by rules: why a request is slow, from its calls alone. No model is called, and nothing is read or written.
//!
//! Each rule has its own file. Rules share which calls they have explained, so that one problem is reported once.
//! `docs/DIAGNOSIS.md` describes each rule.

mod cache_misses;
mod collector;
#[cfg(test)]
mod corpus_tests;
mod exceptions;
mod external_time;
mod finding;
mod first_byte;
mod hot_functions;
pub(crate) mod limits;
mod loops;
mod memory_growth;
mod number;
mod parameters;
mod recursion;
mod repeated_calls;
mod repeated_queries;
mod sequential_awaits;
mod slow_queries;
#[cfg(test)]
mod tests;
mod trace_index;

pub use finding::{Advice, Bottleneck, Category, Diagnosis, Finding, Priority, Rule, Severity};
pub use limits::{Limits, RULES};
pub use parameters::{FindingCode, FindingParameters};

use crate::trace::Tree;
use collector::Collector;
use number::{float, whole};
use trace_index::TraceIndex;

/// Maximum number of findings of a request.
const MAX_FINDINGS: usize = 20;

/// Diagnoses the request that the call at `root` serves.
pub fn diagnose(tree: &Tree, root: usize, limits: &Limits) -> Diagnosis {
    let trace = TraceIndex::new(tree, root, limits);
    let mut collector = Collector::default();
    // rules that explain other calls run before rules that would report those calls
    cache_misses::find(&trace, &mut collector);
    exceptions::find(&trace, &mut collector);
    repeated_queries::find(&trace, &mut collector);
    repeated_calls::find(&trace, &mut collector);
    slow_queries::find(&trace, &mut collector);
    first_byte::find(&trace, &mut collector);
    sequential_awaits::find(&trace, &mut collector);
    recursion::find(&trace, &mut collector);
    hot_functions::find(&trace, &mut collector);
    memory_growth::find(&trace, &mut collector);
    external_time::find(&trace, &mut collector);
    let mut findings = collector.findings;
    findings.sort_by(|a, b| {
        b.severity.cmp(&a.severity).then(b.impact.total_cmp(&a.impact)).then(b.saving_ns.cmp(&a.saving_ns))
    });
    let score = score(trace.total_ns, limits, &findings);
    findings.truncate(MAX_FINDINGS);
    Diagnosis { score, findings }
}

/// The performance score of a request, 0 to 100: `100 · T · Π(1 − p)`.
///
/// - `T` is 1 up to the slow-request threshold; beyond it, the square root of the threshold divided by the duration, at
///   least 0.3.
/// - `p` of each finding is 0.40 if critical, 0.25 if high, 0.12 if medium and 0.04 if low.
pub fn score(total_ns: u64, limits: &Limits, findings: &[Finding]) -> i32 {
    let ratio = float(limits.slow_request_ms.saturating_mul(1_000_000)) / float(total_ns.max(1));
    let time = ratio.sqrt().clamp(0.3, 1.0);
    let factors = findings.iter().map(|finding| match finding.severity {
        Severity::Critical => 0.60,
        Severity::High => 0.75,
        Severity::Medium => 0.88,
        Severity::Low => 0.96,
    });
    let score = (100.0 * time * factors.product::<f64>()).round();
    i32::try_from(whole(score)).unwrap_or(100).min(100)
}
