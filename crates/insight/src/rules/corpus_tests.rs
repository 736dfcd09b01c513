//! The rules on traces of real programs: `corpus/shop.py`, and `corpus/portal.py`, which has a different design and was
//! not used when the rules were written. Both contain planted problems and a fixed version of each.

use std::sync::Arc;

use serde::Deserialize;

use super::*;
use crate::trace::{Detail, Function, OperationKind, Span};

const SHOP: &str = include_str!("../../corpus/shop.jsonl");
const PORTAL: &str = include_str!("../../corpus/portal.jsonl");

/// Name, module, class and line.
type FunctionFixture = (String, Option<String>, Option<String>, Option<u32>);

#[derive(Deserialize)]
struct TraceFixture {
    name: String,
    planted: Vec<(Rule, String)>,
    functions: Vec<FunctionFixture>,
    calls: Vec<CallFixture>,
}

#[derive(Deserialize)]
struct CallFixture {
    id: String,
    parent: Option<String>,
    function: usize,
    work: OperationKind,
    start: i64,
    duration: u64,
    cpu: u64,
    memory: Option<i64>,
    exception: Option<String>,
    #[serde(default)]
    detail: DetailFixture,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct DetailFixture {
    system: Option<String>,
    operation: Option<String>,
    statement: Option<String>,
    target: Option<String>,
    hit: Option<bool>,
    status_code: Option<u16>,
    first_byte_ns: Option<u64>,
    attributes: std::collections::BTreeMap<String, String>,
}

impl TraceFixture {
    fn tree(&mut self) -> Tree {
        let functions: Vec<Arc<Function>> = std::mem::take(&mut self.functions)
            .into_iter()
            .map(|(name, module, file_path, line_number)| {
                Arc::new(Function { name, module, class_name: None, file_path, line_number })
            })
            .collect();
        Tree::new(std::mem::take(&mut self.calls).into_iter().map(|call| call.into_call(&functions)))
    }
}

impl CallFixture {
    fn into_call(self, functions: &[Arc<Function>]) -> Span {
        let detail = self.detail;
        Span {
            id: self.id,
            parent: self.parent,
            function: functions[self.function].clone(),
            kind: self.work,
            start_ns: self.start,
            duration_ns: self.duration,
            cpu_ns: Some(self.cpu),
            memory_delta: self.memory,
            exception: self.exception,
            detail: Some(Arc::new(Detail {
                system: detail.system,
                operation: detail.operation,
                statement: detail.statement,
                target: detail.target,
                hit: detail.hit,
                status_code: detail.status_code,
                first_byte_ns: detail.first_byte_ns,
                rows: None,
                attributes: detail.attributes,
            })),
        }
    }
}

/// The findings in a corpus against the planted problems.
#[derive(Debug, Default)]
struct Evaluation {
    /// Planted and found.
    true_positives: usize,
    /// Planted and not found.
    missed: Vec<String>,
    /// Collector and not planted.
    false_positives: Vec<String>,
}

impl Evaluation {
    fn of(corpus: &str) -> Self {
        let mut evaluation = Self::default();
        for line in corpus.lines() {
            let mut trace: TraceFixture = serde_json::from_str(line).expect("one trace per line");
            let tree = trace.tree();
            let found = diagnose(&tree, tree.roots()[0], &Limits::default()).findings;
            for planted in &trace.planted {
                match found.iter().any(|one| (one.rule, &one.function) == (planted.0, &planted.1)) {
                    true => evaluation.true_positives += 1,
                    false => evaluation.missed.push(format!("{}: {planted:?}", trace.name)),
                }
            }
            let false_positives = found.iter().filter(|one| {
                !trace.planted.iter().any(|planted| (one.rule, &one.function) == (planted.0, &planted.1))
            });
            evaluation
                .false_positives
                .extend(false_positives.map(|one| format!("{}: {}", trace.name, one.description)));
        }
        evaluation
    }

    #[expect(clippy::cast_precision_loss, reason = "a handful of traces")]
    fn print(&self, name: &str) -> (f64, f64) {
        let true_positives = self.true_positives as f64;
        let precision = true_positives / (true_positives + self.false_positives.len() as f64);
        let recall = true_positives / (true_positives + self.missed.len() as f64);
        println!("{name}: precision {precision:.3}, recall {recall:.3}");
        println!("  missed: {:#?}\n  false positives: {:#?}", self.missed, self.false_positives);
        (precision, recall)
    }
}

#[test]
fn every_planted_problem_is_found_in_its_function_and_none_in_the_fixed_version() {
    let evaluation = Evaluation::of(SHOP);
    assert_eq!(evaluation.print("shop"), (1.0, 1.0));
    assert_eq!(evaluation.true_positives, 13);
}

#[test]
fn problems_of_an_unknown_program_are_found_too() {
    let (precision, recall) = Evaluation::of(PORTAL).print("portal");
    assert!(precision >= 0.9 && recall >= 0.9, "precision {precision}, recall {recall}");
}
