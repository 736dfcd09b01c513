//! Diagnosis by rules: why a request is slow, from its calls alone. No model is asked, nothing is read or written.
//!
//! Each rule has a file of its own; what they say to each other is which calls they have explained, so that one fault is
//! told once. `docs/DIAGNOSIS.md` says what each rule looks for.

mod cache_misses;
#[cfg(test)]
mod corpus_tests;
mod exceptions;
mod external_time;
mod finding;
mod first_byte;
mod found;
mod ground;
mod hot_functions;
mod limits;
mod loops;
mod memory_growth;
mod recursion;
mod repeated_calls;
mod repeated_queries;
mod sequential_awaits;
mod slow_queries;
#[cfg(test)]
mod tests;

pub use finding::{Advice, Bottleneck, Category, Diagnosis, Finding, Priority, Rule, Severity};
pub use limits::{Limits, RULES};

use crate::trace::Tree;
use found::Found;
use ground::{Ground, float};

/// The most findings that are kept.
const MAX_FINDINGS: usize = 20;

/// What the rules say of the request that the call at `root` serves.
pub fn diagnose(tree: &Tree, root: usize, limits: &Limits) -> Diagnosis {
    let ground = Ground::new(tree, root, limits);
    let mut found = Found::default();
    // what explains other calls comes before what would find those
    cache_misses::find(&ground, &mut found);
    exceptions::find(&ground, &mut found);
    repeated_queries::find(&ground, &mut found);
    repeated_calls::find(&ground, &mut found);
    slow_queries::find(&ground, &mut found);
    first_byte::find(&ground, &mut found);
    sequential_awaits::find(&ground, &mut found);
    recursion::find(&ground, &mut found);
    hot_functions::find(&ground, &mut found);
    memory_growth::find(&ground, &mut found);
    external_time::find(&ground, &mut found);
    let mut findings = found.findings;
    findings.sort_by(|a, b| {
        b.severity.cmp(&a.severity).then(b.impact.total_cmp(&a.impact)).then(b.saving_ns.cmp(&a.saving_ns))
    });
    let score = score(ground.total_ns, limits, &findings);
    findings.truncate(MAX_FINDINGS);
    Diagnosis { score, findings }
}

/// How good a request is, 0 to 100: `100 · T · Π(1 − p)`.
///
/// - `T` is 1 up to the time from which a request is slow, and from there on the root of the share that that time is of
///   the request's, but not less than 0.3.
/// - `p` of each finding is 0.40 for a critical one, 0.25 for a high, 0.12 for a medium and 0.04 for a low one.
pub fn score(total_ns: u64, limits: &Limits, findings: &[Finding]) -> i32 {
    let slow = float(limits.slow_request_ms.saturating_mul(1_000_000)) / float(total_ns.max(1));
    let time = slow.sqrt().clamp(0.3, 1.0);
    let good = findings.iter().map(|finding| match finding.severity {
        Severity::Critical => 0.60,
        Severity::High => 0.75,
        Severity::Medium => 0.88,
        Severity::Low => 0.96,
    });
    let score = (100.0 * time * good.product::<f64>()).round();
    i32::try_from(ground::whole(score)).unwrap_or(100).min(100)
}
