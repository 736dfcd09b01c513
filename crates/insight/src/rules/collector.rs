//! Collects the findings of the rules.

use std::collections::HashSet;

use loam_kernel::{truncate_bytes, truncate_chars};

use super::finding::{Advice, Bottleneck, Category, Finding, Rule, Severity};
use super::number::float;
use super::parameters::{FindingCode, FindingParameters};
use super::trace_index::TraceIndex;

/// Maximum number of findings per request before the most severe are selected.
const MAX_COLLECTED: usize = 100;
/// Maximum number of call IDs in a finding.
const MAX_CALLS: usize = 20;
/// Maximum length of a name or a statement in a text, in bytes.
const MAX_QUOTED: usize = 160;
/// Maximum length of a title, in bytes.
const MAX_TITLE: usize = 240;

/// The findings so far.
#[derive(Default)]
pub(super) struct Collector {
    pub(super) findings: Vec<Finding>,
    /// Positions of the calls that findings explain.
    explained: HashSet<usize>,
}

/// A finding as a rule reports it.
pub(super) struct FindingDraft<'a> {
    pub(super) rule: Rule,
    pub(super) kind: Bottleneck,
    pub(super) severity: Severity,
    /// Position of a call of the function to change.
    pub(super) at: usize,
    /// Positions of the calls that show it.
    pub(super) positions: &'a [usize],
    /// Time that it takes, in nanoseconds.
    pub(super) cost_ns: u64,
    /// Expected saving, in nanoseconds.
    pub(super) saving_ns: u64,
    pub(super) description: String,
    /// What the texts are made from.
    pub(super) parameters: FindingParameters,
    pub(super) advice: AdviceDraft<'a>,
}

/// Advice as a rule gives it.
pub(super) struct AdviceDraft<'a> {
    pub(super) category: Category,
    pub(super) code: FindingCode,
    /// With the code, it identifies what is proposed in the function, for as long as suggestions are stored: it is never
    /// reworded.
    pub(super) subject: Option<String>,
    pub(super) title: String,
    pub(super) description: &'a str,
    pub(super) code_example: Option<&'a str>,
}

impl Collector {
    pub(super) fn add(&mut self, trace: &TraceIndex<'_>, draft: FindingDraft<'_>) {
        let FindingDraft { rule, kind, severity, at, positions, cost_ns, saving_ns, .. } = draft;
        let FindingDraft { description, parameters, advice, .. } = draft;
        let code = advice.code;
        self.explained.extend(positions);
        let calls =
            positions.iter().take(MAX_CALLS).map(|&position| trace.call(position).id.clone()).collect();
        let expected_improvement = match saving_ns {
            0 => "the duration stays the same, but memory no longer grows".to_owned(),
            saving => format!("about {} of this request ({})", percent(trace.share(saving)), time(saving)),
        };
        self.findings.push(Finding {
            rule,
            code: Some(code),
            parameters: Some(parameters),
            kind,
            severity,
            // PostgreSQL cannot store NUL characters
            function: trace.name(at).replace('\0', "\u{fffd}"),
            description,
            impact: trace.share(cost_ns),
            count: positions.len() as u64,
            calls,
            saving_ns,
            suggestion: Advice {
                category: advice.category,
                priority: severity.into(),
                topic: match advice.subject {
                    Some(subject) => format!("{}:{subject}", code.name()),
                    None => code.name().to_owned(),
                },
                title: cut(&advice.title, MAX_TITLE),
                description: advice.description.to_owned(),
                code_example: advice.code_example.map(str::to_owned),
                expected_improvement,
            },
        });
    }

    /// Whether the maximum number of findings is reached.
    pub(super) fn is_full(&self) -> bool {
        self.findings.len() >= MAX_COLLECTED
    }

    /// Marks calls as consequences of a finding.
    pub(super) fn mark_explained(&mut self, positions: &[usize]) {
        self.explained.extend(positions);
    }

    /// Whether findings explain at least half of these calls' time.
    pub(super) fn explains(&self, trace: &TraceIndex<'_>, positions: &[usize]) -> bool {
        let explained: Vec<usize> =
            positions.iter().copied().filter(|position| self.explained.contains(position)).collect();
        !explained.is_empty() && trace.busy(explained) >= trace.busy(positions.iter().copied()) / 2
    }
}

/// Formats a duration.
pub(super) fn time(ns: u64) -> String {
    let ms = float(ns) / 1e6;
    match ms {
        ms if ms >= 1000.0 => format!("{:.2} s", ms / 1000.0),
        ms if ms >= 10.0 => format!("{ms:.0} ms"),
        ms => format!("{ms:.2} ms"),
    }
}

/// Formats a share as a percentage.
pub(super) fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// A name or a statement in backticks, as a single line of at most [`MAX_QUOTED`] bytes.
pub(super) fn quoted(text: &str) -> String {
    format!("`{}`", one_line(text).replace('`', "'"))
}

/// A name or a statement as a single line of at most [`MAX_QUOTED`] bytes.
pub(super) fn one_line(text: &str) -> String {
    let line: String =
        truncate_chars(text, MAX_QUOTED * 2).chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    cut(&line.split_whitespace().collect::<Vec<_>>().join(" "), MAX_QUOTED)
}

fn cut(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    format!("{}…", truncate_bytes(text, max))
}
