//! What a trace counts: its records, the functions that made them slow, and what it adds to the sums. All of it follows
//! from the set of its calls and requests alone.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use loam_kernel::Result;

use super::figures::{Figures, micros};
use super::names::{Kind, Names, Owner};
use super::settings::StorageSettings;
use super::sums::{Batch, Key};
use crate::performance_records::entity::Model;
use crate::record_functions::Share;
use crate::rules::{Limits, diagnose};
use crate::stats::Granularity;
use crate::stats::sums::{EndpointSum, FunctionSum};
use crate::trace::{Entry, Opened, Source, Tree, Work};

/// Functions that a record is found by.
const MAX_SHARES: usize = 16;
/// A function that took less of the request's time, one in so many, is none of them.
const LEAST_SHARE: i64 = 200;

/// The sums that traces are added to.
#[derive(Default)]
pub(super) struct Sums {
    pub(super) endpoints: Batch<EndpointSum>,
    pub(super) functions: Batch<FunctionSum>,
}

/// A trace of which something is known.
pub(super) struct Trace<'a> {
    pub(super) owner: Owner,
    pub(super) id: &'a str,
    tree: Tree,
    entries: Vec<(Source, Entry)>,
    /// The requests that are served by a call that is there, with that call.
    roots: Vec<(usize, usize)>,
    /// The functions' keys, each once, and the key of each function of the tree.
    keys: Vec<String>,
    key_of: Vec<usize>,
    /// The versions, each once; the first is that of calls of no request.
    versions: Vec<String>,
    /// The version of each call: that of the request that led to it.
    version_of: Vec<usize>,
}

/// A record with the functions that took the most of it.
pub(super) struct Told {
    pub(super) record: Model,
    pub(super) shares: Vec<(String, Share)>,
}

impl<'a> Trace<'a> {
    pub(super) fn new(owner: Owner, id: &'a str, opened: Opened) -> Self {
        let Opened { entries, calls } = opened;
        let tree = Tree::new(calls);
        let (keys, key_of) = numbered(tree.functions().iter().map(|function| function.key()));
        let (versions, version_of_entry) = numbered(
            std::iter::once(String::new())
                .chain(entries.iter().map(|(_, entry)| entry.version.key().to_owned())),
        );
        let mut by_call: HashMap<&str, usize> = HashMap::with_capacity(entries.len());
        for (number, (_, entry)) in entries.iter().enumerate() {
            by_call.entry(&entry.call_id).or_insert(number);
        }
        let (mut roots, mut version_of) = (Vec::new(), Vec::with_capacity(tree.calls().len()));
        for (place, call) in tree.calls().iter().enumerate() {
            let served = by_call.get(call.id.as_str());
            roots.extend(served.map(|entry| (*entry, place)));
            version_of.push(match (served, tree.nodes()[place].parent) {
                (Some(entry), _) => version_of_entry[entry + 1],
                (None, Some(parent)) => version_of[parent],
                (None, None) => 0,
            });
        }
        Self { owner, id, tree, entries, roots, keys, key_of, versions, version_of }
    }

    /// Adds the trace to the sums, or takes it out of them.
    pub(super) fn count(&self, sums: &mut Sums, names: &mut Names, settings: &StorageSettings, sign: i64) {
        let owner = self.owner;
        let versions: Vec<&str> =
            self.versions.iter().map(|name| names.admit(owner, Kind::Version, name, settings)).collect();
        for (number, root) in &self.roots {
            let (_, entry) = &self.entries[*number];
            let figures = Figures::of(owner, self.id, entry, &self.tree, *root);
            let key = Key {
                owner,
                bucket: Granularity::Minute.bucket(figures.at),
                name: names.admit(owner, Kind::Endpoint, &entry.endpoint, settings).to_owned(),
                version: versions[self.version_of[*root]].to_owned(),
            };
            let number = sums.endpoints.number(key);
            sums.endpoints.sum(number).add(&figures, entry.is_error, sign);
        }
        let functions: Vec<&str> =
            self.keys.iter().map(|name| names.admit(owner, Kind::Function, name, settings)).collect();
        let mut numbers: HashMap<(usize, usize, i64), usize> = HashMap::new();
        // the sum of each call, and the nearest call of the application's own above it
        let mut of_call: Vec<usize> = Vec::with_capacity(self.version_of.len());
        let mut own_above: Vec<Option<usize>> = Vec::with_capacity(self.version_of.len());
        for (place, (call, node)) in self.tree.calls().iter().zip(self.tree.nodes()).enumerate() {
            let (function, version) = (self.key_of[node.function], self.version_of[place]);
            let minute = call.start_ns.div_euclid(60_000_000_000);
            let number = *numbers.entry((function, version, minute)).or_insert_with(|| {
                sums.functions.number(Key {
                    owner,
                    bucket: Granularity::Minute.bucket(DateTime::from_timestamp_nanos(call.start_ns)),
                    name: functions[function].to_owned(),
                    version: versions[version].to_owned(),
                })
            });
            of_call.push(number);
            let above = node.parent.and_then(|parent| match self.tree.calls()[parent].work {
                Work::Function | Work::Request => Some(parent),
                _ => own_above[parent],
            });
            own_above.push(above);
            let (own, total) = (micros(node.self_ns), micros(call.duration_ns));
            let sum = sums.functions.sum(number);
            sum.calls += sign;
            sum.errors += sign * i64::from(call.exception.is_some());
            sum.self_us += sign * own;
            sum.sketch.count(own.unsigned_abs(), sign);
            if !node.is_recursive {
                sum.total_us += sign * total;
                sum.memory_delta += sign * call.memory_delta.unwrap_or_default();
            }
            if self.tree.is_query(place)
                && let Some(above) = above
            {
                let sum = sums.functions.sum(of_call[above]);
                sum.query_count += sign;
                sum.query_us += sign * total;
            }
        }
    }

    /// The trace's records, with what the rules say of them.
    pub(super) fn records(&self, is_cut: bool, limits: &Limits, now: DateTime<Utc>) -> Result<Vec<Told>> {
        let mut shares = vec![(0_u64, 0_u64, 0_u64); self.keys.len()];
        let told = self.roots.iter().map(|(number, root)| {
            let told = &self.entries[*number];
            let figures = Figures::of(self.owner, self.id, &told.1, &self.tree, *root);
            let shares = self.shares(&figures, *root, &mut shares);
            let diagnosis = diagnose(&self.tree, *root, limits);
            let record = Model {
                score: Some(diagnosis.score),
                findings: diagnosis.packed(),
                ..figures.row(self.owner, self.id, told, is_cut, now)?
            };
            Ok(Told { record, shares })
        });
        told.collect()
    }

    /// The functions that took the most of a request, themselves first.
    fn shares(&self, figures: &Figures, root: usize, all: &mut [(u64, u64, u64)]) -> Vec<(String, Share)> {
        let mut met = Vec::new();
        for place in self.tree.below(root) {
            let (call, node) = (&self.tree.calls()[place], &self.tree.nodes()[place]);
            let number = self.key_of[node.function];
            let (calls, own, total) = &mut all[number];
            if *calls == 0 {
                met.push(number);
            }
            *calls += 1;
            *own += micros(node.self_ns).unsigned_abs();
            if !node.is_recursive {
                *total += micros(call.duration_ns).unsigned_abs();
            }
        }
        let least = (figures.duration_us / LEAST_SHARE).unsigned_abs();
        let mut shares: Vec<(usize, Share)> = met
            .into_iter()
            .map(|number| {
                let (calls, self_us, total_us) = std::mem::take(&mut all[number]);
                (number, Share { record: figures.id, calls, self_us, total_us })
            })
            .filter(|(_, share)| share.total_us.max(share.self_us) >= least)
            .collect();
        shares.sort_by_key(|(number, share)| (std::cmp::Reverse((share.self_us, share.total_us)), *number));
        shares.truncate(MAX_SHARES);
        shares.into_iter().map(|(number, share)| (self.keys[number].clone(), share)).collect()
    }
}

/// Texts, each once, and the number of each that there was.
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
