//! Writing down what rules find.

use std::collections::HashSet;

use super::finding::{Advice, Bottleneck, Category, Finding, Rule, Severity};
use super::ground::{Ground, float};

/// The most that is found in one request before its gravest are chosen.
const MAX_FOUND: usize = 100;
/// The most calls that a finding names.
const MAX_CALLS: usize = 20;
/// The most of a name or a statement in a text, in bytes.
const MAX_QUOTED: usize = 160;
/// The most of a title, in bytes.
const MAX_TITLE: usize = 240;

/// What has been found so far.
#[derive(Default)]
pub(super) struct Found {
    pub(super) findings: Vec<Finding>,
    /// The calls that have been explained, some perhaps more than once.
    explained: HashSet<usize>,
}

/// What a rule found.
pub(super) struct Fault<'a> {
    pub(super) rule: Rule,
    pub(super) kind: Bottleneck,
    pub(super) severity: Severity,
    /// The call of the function where it is to be mended.
    pub(super) at: usize,
    /// The calls that prove it.
    pub(super) places: &'a [usize],
    /// Nanoseconds that it takes.
    pub(super) cost_ns: u64,
    /// Nanoseconds that mending it is likely to save.
    pub(super) saving_ns: u64,
    pub(super) description: String,
    pub(super) advice: Remedy<'a>,
}

/// What to do about a fault.
pub(super) struct Remedy<'a> {
    pub(super) category: Category,
    pub(super) title: String,
    pub(super) description: &'a str,
    pub(super) code_example: Option<&'a str>,
}

impl Found {
    pub(super) fn add(&mut self, ground: &Ground<'_>, fault: Fault<'_>) {
        let Fault { rule, kind, severity, at, places, cost_ns, saving_ns, description, advice } = fault;
        self.explained.extend(places);
        let calls = places.iter().take(MAX_CALLS).map(|&place| ground.call(place).id.clone()).collect();
        let expected_improvement = match saving_ns {
            0 => "the request takes as long as before, but no longer grows".to_owned(),
            saving => format!("about {} of this request ({})", percent(ground.share(saving)), time(saving)),
        };
        self.findings.push(Finding {
            rule,
            kind,
            severity,
            // PostgreSQL can't store a NUL
            function: ground.name(at).replace('\0', "\u{fffd}"),
            description,
            impact: ground.share(cost_ns),
            count: places.len() as u64,
            calls,
            saving_ns,
            suggestion: Advice {
                category: advice.category,
                priority: severity.into(),
                title: cut(&advice.title, MAX_TITLE),
                description: advice.description.to_owned(),
                code_example: advice.code_example.map(str::to_owned),
                expected_improvement,
            },
        });
    }

    /// Whether so much has been found that more would only cost time.
    pub(super) fn is_full(&self) -> bool {
        self.findings.len() >= MAX_FOUND
    }

    /// The calls are the consequence of something that is found.
    pub(super) fn explain(&mut self, places: &[usize]) {
        self.explained.extend(places);
    }

    /// Whether more than half of these calls' time has been explained.
    pub(super) fn explains(&self, ground: &Ground<'_>, places: &[usize]) -> bool {
        let known: Vec<usize> =
            places.iter().copied().filter(|place| self.explained.contains(place)).collect();
        !known.is_empty() && ground.busy(known) >= ground.busy(places.iter().copied()) / 2
    }
}

/// A time as people read it.
pub(super) fn time(ns: u64) -> String {
    let ms = float(ns) / 1e6;
    match ms {
        ms if ms >= 1000.0 => format!("{:.2} s", ms / 1000.0),
        ms if ms >= 10.0 => format!("{ms:.0} ms"),
        ms => format!("{ms:.2} ms"),
    }
}

/// A share as people read it.
pub(super) fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// A name or a statement in a text: in one line, and not too long.
pub(super) fn quoted(text: &str) -> String {
    let line: String =
        text.chars().take(MAX_QUOTED * 2).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("`{}`", cut(&line, MAX_QUOTED).replace('`', "'"))
}

fn cut(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(max)])
}
