//! The rules on traces of real programs: `corpus/shop.py`, and `corpus/portal.py`, which is of another make and was not
//! looked at when the rules were written. Both run their faults and the mended versions of them.

use std::sync::Arc;

use serde::Deserialize;

use super::*;
use crate::trace::{Call, Detail, Function, Work};

const SHOP: &str = include_str!("../../corpus/shop.jsonl");
const PORTAL: &str = include_str!("../../corpus/portal.jsonl");

/// Name, module, class and line.
type ToldFunction = (String, Option<String>, Option<String>, Option<u32>);

#[derive(Deserialize)]
struct Told {
    name: String,
    planted: Vec<(Rule, String)>,
    functions: Vec<ToldFunction>,
    calls: Vec<ToldCall>,
}

#[derive(Deserialize)]
struct ToldCall {
    id: String,
    parent: Option<String>,
    function: usize,
    work: Work,
    start: i64,
    duration: u64,
    cpu: u64,
    memory: Option<i64>,
    exception: Option<String>,
    #[serde(default)]
    detail: ToldDetail,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ToldDetail {
    system: Option<String>,
    operation: Option<String>,
    statement: Option<String>,
    target: Option<String>,
    hit: Option<bool>,
    status_code: Option<u16>,
    first_byte_ns: Option<u64>,
    attributes: std::collections::BTreeMap<String, String>,
}

impl Told {
    fn tree(&mut self) -> Tree {
        let functions: Vec<Arc<Function>> = std::mem::take(&mut self.functions)
            .into_iter()
            .map(|(name, module, file_path, line_number)| {
                Arc::new(Function { name, module, class_name: None, file_path, line_number })
            })
            .collect();
        Tree::new(std::mem::take(&mut self.calls).into_iter().map(|call| call.tell(&functions)))
    }
}

impl ToldCall {
    fn tell(self, functions: &[Arc<Function>]) -> Call {
        let detail = self.detail;
        Call {
            id: self.id,
            parent: self.parent,
            function: functions[self.function].clone(),
            work: self.work,
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

/// What came of a corpus: planted and found, planted and not found, found and not planted.
#[derive(Debug, Default)]
struct Account {
    right: usize,
    missed: Vec<String>,
    wrong: Vec<String>,
}

impl Account {
    fn of(corpus: &str) -> Self {
        let mut account = Self::default();
        for line in corpus.lines() {
            let mut told: Told = serde_json::from_str(line).expect("a trace a line");
            let tree = told.tree();
            let found = diagnose(&tree, tree.roots()[0], &Limits::default()).findings;
            for fault in &told.planted {
                match found.iter().any(|one| (one.rule, &one.function) == (fault.0, &fault.1)) {
                    true => account.right += 1,
                    false => account.missed.push(format!("{}: {fault:?}", told.name)),
                }
            }
            let wrong = found.iter().filter(|one| {
                !told.planted.iter().any(|fault| (one.rule, &one.function) == (fault.0, &fault.1))
            });
            account.wrong.extend(wrong.map(|one| format!("{}: {}", told.name, one.description)));
        }
        account
    }

    #[expect(clippy::cast_precision_loss, reason = "a handful of traces")]
    fn print(&self, name: &str) -> (f64, f64) {
        let right = self.right as f64;
        let precision = right / (right + self.wrong.len() as f64);
        let recall = right / (right + self.missed.len() as f64);
        println!("{name}: precision {precision:.3}, recall {recall:.3}");
        println!("  missed: {:#?}\n  wrong: {:#?}", self.missed, self.wrong);
        (precision, recall)
    }
}

#[test]
fn every_planted_fault_is_found_in_its_function_and_none_where_it_was_mended() {
    let account = Account::of(SHOP);
    assert_eq!(account.print("shop"), (1.0, 1.0));
    assert_eq!(account.right, 13);
}

#[test]
fn faults_of_a_program_that_the_rules_were_not_written_against_are_found_too() {
    let (precision, recall) = Account::of(PORTAL).print("portal");
    assert!(precision >= 0.9 && recall >= 0.9, "precision {precision}, recall {recall}");
}
