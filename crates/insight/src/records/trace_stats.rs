//! What a trace contributes: its records, the functions that took the most time, and its share of the sums. All of it
//! is a function of the set of its spans.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use loam_kernel::Result;

use super::figures::{Figures, micros};
use super::name_limit::{NameKind, NameLimiter, ProjectKey};
use super::settings::StorageSettings;
use super::sums::{Batch, Key};
use crate::performance_records::entity::Model;
use crate::record_functions::Share;
use crate::rules::{Limits, diagnose};
use crate::stats::Granularity;
use crate::stats::sums::{EndpointSum, FunctionSum};
use crate::trace::{OperationKind, ServerSpan, Source, SpanSet, Tree};

/// Maximum number of functions that a record is indexed by.
const MAX_SHARES: usize = 16;
/// Functions that took less than this fraction (one in so many) of the request's time are not indexed.
const MIN_SHARE: i64 = 200;

/// The sums that a batch changes.
#[derive(Default)]
pub(super) struct Sums {
    pub(super) endpoints: Batch<EndpointSum>,
    pub(super) functions: Batch<FunctionSum>,
}

/// A trace with the derived data for its records and sums.
pub(super) struct Trace<'a> {
    pub(super) project_key: ProjectKey,
    pub(super) id: &'a str,
    tree: Tree,
    server_spans: Vec<(Source, ServerSpan)>,
    /// Indexes of the server spans whose span is present, and of those spans.
    roots: Vec<(usize, usize)>,
    /// The distinct function keys, and the index of the key of each function of the tree.
    keys: Vec<String>,
    key_of: Vec<usize>,
    /// The distinct versions; the first one applies to spans outside of any request.
    versions: Vec<String>,
    /// The index of the version of each span: that of its nearest server span.
    version_of: Vec<usize>,
    /// Duration in nanoseconds from which a query counts as slow.
    slow_query_ns: u64,
}

/// A record with the functions that took the most time.
pub(super) struct ScoredRecord {
    pub(super) record: Model,
    pub(super) shares: Vec<(String, Share)>,
}

impl<'a> Trace<'a> {
    pub(super) fn new(project_key: ProjectKey, id: &'a str, span_set: SpanSet, limits: &Limits) -> Self {
        let slow_query_ns = limits.slow_query_ms.saturating_mul(1_000_000);
        let SpanSet { server_spans, spans } = span_set;
        let tree = Tree::new(spans);
        let (keys, key_of) = numbered(tree.functions().iter().map(|function| function.key()));
        let (versions, version_of_server_span) = numbered(
            std::iter::once(String::new())
                .chain(server_spans.iter().map(|(_, server_span)| server_span.version.key().to_owned())),
        );
        let mut by_span: HashMap<&str, usize> = HashMap::with_capacity(server_spans.len());
        for (number, (_, server_span)) in server_spans.iter().enumerate() {
            by_span.entry(&server_span.call_id).or_insert(number);
        }
        let (mut roots, mut version_of) = (Vec::new(), Vec::with_capacity(tree.spans().len()));
        for (index, span) in tree.spans().iter().enumerate() {
            let served = by_span.get(span.id.as_str());
            roots.extend(served.map(|server_span| (*server_span, index)));
            version_of.push(match (served, tree.nodes()[index].parent) {
                (Some(server_span), _) => version_of_server_span[server_span + 1],
                (None, Some(parent)) => version_of[parent],
                (None, None) => 0,
            });
        }
        Self { project_key, id, tree, server_spans, roots, keys, key_of, versions, version_of, slow_query_ns }
    }

    /// Adds the trace to the sums (`sign` 1), or subtracts it (-1).
    pub(super) fn count(
        &self,
        sums: &mut Sums,
        names: &mut NameLimiter,
        settings: &StorageSettings,
        sign: i64,
    ) {
        let project_key = self.project_key;
        let versions: Vec<&str> = self
            .versions
            .iter()
            .map(|name| names.admit(project_key, NameKind::Version, name, settings))
            .collect();
        for (number, root) in &self.roots {
            let (_, server_span) = &self.server_spans[*number];
            let figures =
                Figures::of(project_key, self.id, server_span, &self.tree, *root, self.slow_query_ns);
            let key = Key {
                project_key,
                bucket: Granularity::Minute.bucket(figures.at),
                name: names
                    .admit(project_key, NameKind::Endpoint, &server_span.endpoint, settings)
                    .to_owned(),
                version: versions[self.version_of[*root]].to_owned(),
            };
            let number = sums.endpoints.number(key);
            sums.endpoints.sum(number).add(&figures, server_span.is_error, sign);
        }
        let functions: Vec<&str> = self
            .keys
            .iter()
            .map(|name| names.admit(project_key, NameKind::Function, name, settings))
            .collect();
        let mut numbers: HashMap<(usize, usize, i64), usize> = HashMap::new();
        // the sum of each span, and its nearest ancestor in the application's own code
        let mut sum_of_span: Vec<usize> = Vec::with_capacity(self.version_of.len());
        let mut own_ancestors: Vec<Option<usize>> = Vec::with_capacity(self.version_of.len());
        for (index, (span, node)) in self.tree.spans().iter().zip(self.tree.nodes()).enumerate() {
            let (function, version) = (self.key_of[node.function], self.version_of[index]);
            let minute = span.start_ns.div_euclid(60_000_000_000);
            let number = *numbers.entry((function, version, minute)).or_insert_with(|| {
                sums.functions.number(Key {
                    project_key,
                    bucket: Granularity::Minute.bucket(DateTime::from_timestamp_nanos(span.start_ns)),
                    name: functions[function].to_owned(),
                    version: versions[version].to_owned(),
                })
            });
            sum_of_span.push(number);
            let own_ancestor = node.parent.and_then(|parent| match self.tree.spans()[parent].kind {
                OperationKind::Function | OperationKind::Request => Some(parent),
                _ => own_ancestors[parent],
            });
            own_ancestors.push(own_ancestor);
            let (own, total) = (micros(node.self_ns), micros(span.duration_ns));
            let sum = sums.functions.sum(number);
            sum.calls += sign;
            sum.errors += sign * i64::from(span.exception.is_some());
            sum.self_us += sign * own;
            sum.sketch.count(own.unsigned_abs(), sign);
            if !node.is_recursive {
                sum.total_us += sign * total;
                sum.memory_delta += sign * span.memory_delta.unwrap_or_default();
            }
            if self.tree.is_query(index)
                && let Some(own_ancestor) = own_ancestor
            {
                let sum = sums.functions.sum(sum_of_span[own_ancestor]);
                sum.query_count += sign;
                sum.query_us += sign * total;
            }
        }
    }

    /// The records of the trace, with their diagnoses.
    pub(super) fn records(
        &self,
        is_cut: bool,
        limits: &Limits,
        now: DateTime<Utc>,
    ) -> Result<Vec<ScoredRecord>> {
        let mut shares = vec![(0_u64, 0_u64, 0_u64); self.keys.len()];
        let records = self.roots.iter().map(|(number, root)| {
            let server_span = &self.server_spans[*number];
            let figures =
                Figures::of(self.project_key, self.id, &server_span.1, &self.tree, *root, self.slow_query_ns);
            let shares = self.shares(&figures, *root, &mut shares);
            let diagnosis = diagnose(&self.tree, *root, limits);
            let record = Model {
                score: Some(diagnosis.score),
                findings: diagnosis.packed(),
                ..figures.row(self.project_key, self.id, server_span, is_cut, now)?
            };
            Ok(ScoredRecord { record, shares })
        });
        records.collect()
    }

    /// The functions that took the most time of a request, ordered by self time.
    fn shares(&self, figures: &Figures, root: usize, all: &mut [(u64, u64, u64)]) -> Vec<(String, Share)> {
        let mut seen = Vec::new();
        for index in self.tree.subtree(root) {
            let (span, node) = (&self.tree.spans()[index], &self.tree.nodes()[index]);
            let number = self.key_of[node.function];
            let (calls, own, total) = &mut all[number];
            if *calls == 0 {
                seen.push(number);
            }
            *calls += 1;
            *own += micros(node.self_ns).unsigned_abs();
            if !node.is_recursive {
                *total += micros(span.duration_ns).unsigned_abs();
            }
        }
        let min_us = (figures.duration_us / MIN_SHARE).unsigned_abs();
        let mut shares: Vec<(usize, Share)> = seen
            .into_iter()
            .map(|number| {
                let (calls, self_us, total_us) = std::mem::take(&mut all[number]);
                (number, Share { record: figures.id, calls, self_us, total_us })
            })
            .filter(|(_, share)| share.total_us.max(share.self_us) >= min_us)
            .collect();
        shares.sort_by_key(|(number, share)| (std::cmp::Reverse((share.self_us, share.total_us)), *number));
        shares.truncate(MAX_SHARES);
        shares.into_iter().map(|(number, share)| (self.keys[number].clone(), share)).collect()
    }
}

/// The distinct strings, and the index of each input in them.
fn numbered(texts: impl Iterator<Item = String>) -> (Vec<String>, Vec<usize>) {
    let mut numbers: HashMap<String, usize> = HashMap::new();
    let mut all = Vec::new();
    let of = texts.map(|text| match numbers.get(&text) {
        Some(number) => *number,
        None => {
            numbers.insert(text.clone(), all.len());
            all.push(text);
            all.len() - 1
        }
    });
    let of: Vec<usize> = of.collect();
    (all, of)
}
