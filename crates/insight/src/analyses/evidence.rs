//! The evidence about a request: the input of the model, and the facts that its claims are checked against.

use std::collections::{HashMap, HashSet};

use chrono::TimeDelta;
use loam_db::{Tenant, Tx};
use loam_kernel::{Result, first_id_at, truncate_bytes};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::{Value, json};

use crate::call_trees;
use crate::performance_records::entity::Model as Record;
use crate::rules::{Finding, Limits, diagnose};
use crate::trace::{self, Span, Tree};

/// Maximum number of trace chunks that are read.
const MAX_CHUNKS: u64 = 1_000;
/// Maximum time between a request and the chunks of its trace.
const MAX_CHUNK_DISTANCE: TimeDelta = TimeDelta::days(1);
/// Maximum length of a name or a statement in the input of the model, in bytes.
const MAX_TEXT: usize = 240;
/// Maximum length of each list in the input of the model.
const MAX_LISTED: usize = 15;

/// The evidence about a request.
pub(super) struct Evidence {
    /// Input of the model: performance_summary, slow_functions, context_info.
    pub(super) input: Value,
    pub(super) findings: Vec<Finding>,
    pub(super) score: i32,
    /// Names of the functions: qualified and unqualified.
    pub(super) functions: HashSet<String>,
    pub(super) calls: HashSet<String>,
}

impl Evidence {
    /// Whether the request calls a function of this name.
    pub(super) fn has_function(&self, name: &str) -> bool {
        let bare = name.trim().trim_matches('`').trim_end_matches("()");
        self.functions.contains(bare)
    }

    /// The input of the model in at most `max` bytes; the least informative entries are dropped first.
    pub(super) fn bounded(&mut self, max: usize) -> Result<String> {
        let mut text = serde_json::to_string(&self.input).map_err(loam_kernel::Error::internal)?;
        let (calls, functions, findings) =
            ("/context_info/slowest_calls", "/slow_functions", "/context_info/findings");
        // shorten each list from its end; the findings last
        let cuts = [(calls, 5), (functions, 5), (findings, 3), (calls, 0), (functions, 0), (findings, 0)];
        for (list, min_len) in cuts {
            while text.len() > max {
                let list = self.input.pointer_mut(list).and_then(Value::as_array_mut);
                let Some(list) = list.filter(|list| list.len() > min_len) else { break };
                list.pop();
                text = serde_json::to_string(&self.input).map_err(loam_kernel::Error::internal)?;
            }
        }
        Ok(text)
    }
}

/// Collects the evidence about a record.
pub(super) async fn gather(tx: &Tx<Tenant>, record: &Record, limits: &Limits) -> Result<Evidence> {
    let tree = Tree::new(calls(tx, record).await?);
    build(record, &tree, limits)
}

/// The calls of a record's trace.
async fn calls(tx: &Tx<Tenant>, record: &Record) -> Result<Vec<Span>> {
    use call_trees::entity::{Column, Entity};
    let (from, to) = (
        first_id_at(record.created_at - MAX_CHUNK_DISTANCE),
        first_id_at(record.created_at + MAX_CHUNK_DISTANCE),
    );
    let chunks = tx.find::<Entity>().filter(Column::TraceId.eq(&record.trace_id)).within_ids(from, to);
    let chunks =
        chunks.filter(Column::ProjectId.eq(record.project_id)).order_by_asc(Column::Id).limit(MAX_CHUNKS);
    let mut calls = Vec::new();
    for chunk in chunks.all().await? {
        calls.extend(trace::unpack(&chunk.calls)?.spans);
    }
    Ok(calls)
}

pub(super) fn build(record: &Record, tree: &Tree, limits: &Limits) -> Result<Evidence> {
    let root = tree.find(&record.call_id);
    let below = root.map_or(0..0, |root| tree.subtree(root));
    let diagnosis = root.map(|root| diagnose(tree, root, limits));
    let findings = match (&record.findings, &diagnosis) {
        (None, Some(diagnosis)) => diagnosis.findings.clone(),
        (stored, _) => Finding::unpack(stored.as_deref())?,
    };
    let score = record.score.or(diagnosis.map(|diagnosis| diagnosis.score)).unwrap_or(100);
    let (mut functions, mut calls) = (HashSet::new(), HashSet::new());
    let mut sums: HashMap<String, (u64, u64, u64)> = HashMap::new();
    for index in below.clone() {
        let call = &tree.spans()[index];
        let key = call.function.key();
        calls.insert(call.id.clone());
        functions.insert(call.function.name.clone());
        functions.insert(short(&key));
        let sum = sums.entry(key.clone()).or_default();
        sum.0 += 1;
        sum.1 = sum.1.saturating_add(tree.nodes()[index].self_ns);
        if !tree.nodes()[index].is_recursive {
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
            "findings": findings.iter().take(MAX_LISTED).map(finding_json).collect::<Vec<_>>(),
            "slowest_calls": slowest_calls(tree, below),
        },
    });
    Ok(Evidence { input, findings, score, functions, calls })
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
    let rows = sums.into_iter().map(|(function, (calls, self_ns, total_ns))| {
        json!({
            "function": short(&function), "calls": calls, "self_time": seconds(self_ns), "total_time": seconds(total_ns),
        })
    });
    rows.collect()
}

fn slowest_calls(tree: &Tree, below: std::ops::Range<usize>) -> Vec<Value> {
    let mut indices: Vec<usize> = below.collect();
    indices.sort_by_key(|&index| (std::cmp::Reverse(tree.spans()[index].duration_ns), index));
    indices.truncate(MAX_LISTED);
    let rows = indices.into_iter().map(|index| {
        let call = &tree.spans()[index];
        let caller = tree.nodes()[index].parent.map(|parent| short(&tree.spans()[parent].function.key()));
        let statement = call.detail.as_ref().and_then(|detail| detail.statement.as_deref());
        json!({
            "call_id": short(&call.id), "function": short(&call.function.key()), "caller": caller, "work": call.kind,
            "statement": statement.map(short), "duration": seconds(call.duration_ns),
            "raised": call.exception.is_some(),
        })
    });
    rows.collect()
}

fn finding_json(finding: &Finding) -> Value {
    json!({
        "rule": finding.rule, "type": finding.kind, "severity": finding.severity, "function": short(&finding.function),
        "description": finding.description, "impact": (finding.impact * 1000.0).round() / 1000.0,
        "calls": finding.calls.iter().take(5).map(|id| short(id)).collect::<Vec<_>>(),
    })
}

/// A text from the application as a single line of at most [`MAX_TEXT`] bytes.
fn short(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_TEXT).collect();
    truncate_bytes(&line, MAX_TEXT).to_owned()
}

/// Seconds, truncated to microseconds.
#[expect(clippy::cast_precision_loss, reason = "seconds need no more than 53 bits")]
fn seconds(ns: u64) -> f64 {
    (ns / 1000) as f64 / 1e6
}

#[expect(clippy::cast_precision_loss, reason = "seconds need no more than 53 bits")]
fn seconds_of_us(us: i64) -> f64 {
    us as f64 / 1e6
}
