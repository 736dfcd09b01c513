//! What is known of a request: what the model is told, and what its claims are held against.

use std::collections::{HashMap, HashSet};

use chrono::TimeDelta;
use loam_db::{Tenant, Tx};
use loam_kernel::{Result, first_id_at};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::{Value, json};

use crate::call_trees;
use crate::performance_records::entity::Model as Record;
use crate::rules::{Finding, Limits, diagnose};
use crate::trace::{self, Call, Tree};

/// Parts of a trace that are read.
const MAX_PARTS: u64 = 1_000;
/// How far the parts of a trace may lie from the request.
const APART: TimeDelta = TimeDelta::days(1);
/// The most of a name or a statement that a model is told, in bytes.
const MAX_TEXT: usize = 240;
/// The most of each list that a model is told.
const MAX_LISTED: usize = 15;

/// What is known of a request.
pub(super) struct Evidence {
    /// What the model is told: performance_summary, slow_functions, context_info.
    pub(super) input: Value,
    pub(super) findings: Vec<Finding>,
    pub(super) score: i32,
    /// What functions are called: their keys, and their bare names.
    pub(super) functions: HashSet<String>,
    pub(super) calls: HashSet<String>,
}

impl Evidence {
    /// Whether there is such a function.
    pub(super) fn has_function(&self, name: &str) -> bool {
        let bare = name.trim().trim_matches('`').trim_end_matches("()");
        self.functions.contains(bare)
    }

    /// What a model is told, in at most so many bytes: the least telling goes first.
    pub(super) fn bounded(&mut self, max: usize) -> Result<String> {
        let mut text = serde_json::to_string(&self.input).map_err(loam_kernel::Error::internal)?;
        let (calls, functions, findings) =
            ("/context_info/slowest_calls", "/slow_functions", "/context_info/findings");
        // of each list the first are the last to go, and of what was found they are the very last
        let steps = [(calls, 5), (functions, 5), (findings, 3), (calls, 0), (functions, 0), (findings, 0)];
        for (list, least) in steps {
            while text.len() > max {
                let list = self.input.pointer_mut(list).and_then(Value::as_array_mut);
                let Some(list) = list.filter(|list| list.len() > least) else { break };
                list.pop();
                text = serde_json::to_string(&self.input).map_err(loam_kernel::Error::internal)?;
            }
        }
        Ok(text)
    }
}

/// What is known of a record.
pub(super) async fn gather(tx: &Tx<Tenant>, record: &Record, limits: &Limits) -> Result<Evidence> {
    let tree = Tree::new(calls(tx, record).await?);
    Ok(weigh(record, &tree, limits))
}

/// The calls of a record's trace.
async fn calls(tx: &Tx<Tenant>, record: &Record) -> Result<Vec<Call>> {
    use call_trees::entity::{Column, Entity};
    let (from, to) = (first_id_at(record.created_at - APART), first_id_at(record.created_at + APART));
    let parts = tx.find::<Entity>().filter(Column::TraceId.eq(&record.trace_id)).within_ids(from, to);
    let parts =
        parts.filter(Column::ProjectId.eq(record.project_id)).order_by_asc(Column::Id).limit(MAX_PARTS);
    let mut calls = Vec::new();
    for part in parts.all().await? {
        calls.extend(trace::open(&part.calls)?.calls);
    }
    Ok(calls)
}

pub(super) fn weigh(record: &Record, tree: &Tree, limits: &Limits) -> Evidence {
    let root = tree.find(&record.call_id);
    let below = root.map_or(0..0, |root| tree.below(root));
    let diagnosis = root.map(|root| diagnose(tree, root, limits));
    let findings = match (&record.findings, &diagnosis) {
        (None, Some(diagnosis)) => diagnosis.findings.clone(),
        (kept, _) => Finding::unpack(kept.as_deref()),
    };
    let score = record.score.or(diagnosis.map(|diagnosis| diagnosis.score)).unwrap_or(100);
    let (mut functions, mut calls) = (HashSet::new(), HashSet::new());
    let mut sums: HashMap<String, (u64, u64, u64)> = HashMap::new();
    for place in below.clone() {
        let call = &tree.calls()[place];
        let key = call.function.key();
        calls.insert(call.id.clone());
        functions.insert(call.function.name.clone());
        functions.insert(short(&key));
        let sum = sums.entry(key.clone()).or_default();
        sum.0 += 1;
        sum.1 = sum.1.saturating_add(tree.nodes()[place].self_ns);
        if !tree.nodes()[place].is_recursive {
            sum.2 = sum.2.saturating_add(call.duration_ns);
        }
        functions.insert(key);
    }
    functions.extend(findings.iter().map(|finding| finding.function.clone()));
    calls.extend(findings.iter().flat_map(|finding| finding.calls.clone()));
    let input = json!({
        "performance_summary": summary(record, score),
        "slow_functions": slow_functions(sums),
        "context_info": {
            "findings": findings.iter().take(MAX_LISTED).map(told).collect::<Vec<_>>(),
            "slowest_calls": slowest_calls(tree, below),
        },
    });
    Evidence { input, findings, score, functions, calls }
}

fn summary(record: &Record, score: i32) -> Value {
    json!({
        "endpoint": short(&record.endpoint),
        "version": short(&record.version),
        "status_code": record.status_code,
        "failed": record.is_error,
        "total_duration": seconds_of_us(record.duration_us),
        "cpu_time": record.cpu_us.map(seconds_of_us),
        "memory_delta_mb": record.memory_delta.map(|bytes| bytes >> 20),
        "function_calls": record.call_count,
        "database_metrics": {
            "query_count": record.query_count, "query_time": seconds_of_us(record.query_us),
            "slow_queries": record.slow_queries,
        },
        "cache_metrics": {
            "cache_hits": record.cache_hits, "cache_misses": record.cache_misses,
            "cache_time": seconds_of_us(record.cache_us),
        },
        "rules_score": score,
    })
}

fn slow_functions(sums: HashMap<String, (u64, u64, u64)>) -> Vec<Value> {
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by(|(a, (_, a_ns, _)), (b, (_, b_ns, _))| b_ns.cmp(a_ns).then(a.cmp(b)));
    sums.truncate(MAX_LISTED);
    let told = sums.into_iter().map(|(function, (calls, self_ns, total_ns))| {
        json!({
            "function": short(&function), "calls": calls, "self_time": seconds(self_ns), "total_time": seconds(total_ns),
        })
    });
    told.collect()
}

fn slowest_calls(tree: &Tree, below: std::ops::Range<usize>) -> Vec<Value> {
    let mut places: Vec<usize> = below.collect();
    places.sort_by_key(|&place| (std::cmp::Reverse(tree.calls()[place].duration_ns), place));
    places.truncate(MAX_LISTED);
    let told = places.into_iter().map(|place| {
        let call = &tree.calls()[place];
        let caller = tree.nodes()[place].parent.map(|parent| short(&tree.calls()[parent].function.key()));
        let statement = call.detail.as_ref().and_then(|detail| detail.statement.as_deref());
        json!({
            "call_id": short(&call.id), "function": short(&call.function.key()), "caller": caller, "work": call.work,
            "statement": statement.map(short), "duration": seconds(call.duration_ns),
            "raised": call.exception.is_some(),
        })
    });
    told.collect()
}

fn told(finding: &Finding) -> Value {
    json!({
        "rule": finding.rule, "type": finding.kind, "severity": finding.severity, "function": short(&finding.function),
        "description": finding.description, "impact": (finding.impact * 1000.0).round() / 1000.0,
        "calls": finding.calls.iter().take(5).map(|id| short(id)).collect::<Vec<_>>(),
    })
}

/// A text of the application's in one line, and not too long.
fn short(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_TEXT).collect();
    line[..line.floor_char_boundary(MAX_TEXT)].to_owned()
}

/// Seconds to the microsecond.
#[expect(clippy::cast_precision_loss, reason = "seconds need no more than 53 bits")]
fn seconds(ns: u64) -> f64 {
    (ns / 1000) as f64 / 1e6
}

#[expect(clippy::cast_precision_loss, reason = "seconds need no more than 53 bits")]
fn seconds_of_us(us: i64) -> f64 {
    us as f64 / 1e6
}
