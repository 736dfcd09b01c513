//! What a batch adds to the sums, and takes from them again.
//!
//! A trace counts in the sums by all that is known of it. When more of it comes, what it counted is taken out and what it
//! counts now is put in: so the sums are those of a recount, in whatever order and however often its parts come. Each node
//! writes rows of its own, and only its drainer does, so rows are read, added to and written back without a lock. What one
//! node put in another may take out: a node's own rows can be negative, their sum over all nodes is what counts.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use loam_db::{System, Tx};
use loam_kernel::{EndpointStatId, FunctionStatId, NodeId, Result, TenantId};
use uuid::{Builder, Uuid};

use super::figures::Figures;
use super::names::Owner;
use crate::stats::sums::{EndpointSum, FunctionSum, Sum};
use crate::stats::{Granularity, endpoints, functions};
use crate::trace;

/// What a row sums over, but for node and granularity.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) owner: Owner,
    pub(super) bucket: DateTime<Utc>,
    /// Endpoint or function.
    pub(super) name: String,
    pub(super) version: String,
}

impl EndpointSum {
    /// Adds a request, or takes it out again.
    pub(super) fn add(&mut self, figures: &Figures, is_error: bool, sign: i64) {
        self.requests += sign;
        self.errors += sign * i64::from(is_error);
        self.duration_us += sign * figures.duration_us;
        self.cpu_us += sign * figures.cpu_us.unwrap_or_default();
        self.query_count += sign * figures.query_count;
        self.query_us += sign * figures.query_us;
        self.slow_queries += sign * figures.slow_queries;
        self.cache_hits += sign * figures.cache_hits;
        self.cache_misses += sign * figures.cache_misses;
        self.cache_us += sign * figures.cache_us;
        self.memory_delta += sign * figures.memory_delta.unwrap_or_default();
        self.calls += sign * figures.call_count;
        // a request's peak is told once and does not change: what is taken out is put in again
        self.memory_peak = self.memory_peak.max(figures.memory_peak.unwrap_or_default());
        self.sketch.count(figures.duration_us.unsigned_abs(), sign);
    }
}

/// Sums of one kind, each known by its number while a trace is added.
pub(super) struct Batch<S> {
    numbers: HashMap<Key, usize>,
    sums: Vec<S>,
}

impl<S> Default for Batch<S> {
    fn default() -> Self {
        Self { numbers: HashMap::new(), sums: Vec::new() }
    }
}

impl<S: Sum> Batch<S> {
    pub(super) fn number(&mut self, key: Key) -> usize {
        *self.numbers.entry(key).or_insert_with(|| {
            self.sums.push(S::default());
            self.sums.len() - 1
        })
    }

    pub(super) fn sum(&mut self, number: usize) -> &mut S {
        &mut self.sums[number]
    }

    /// The sums by minute, hour and day, without those that change nothing.
    fn widened(self) -> Vec<(Granularity, Key, S)> {
        let mut all: HashMap<(Granularity, Key), S> = HashMap::new();
        for (key, number) in self.numbers {
            let sum = &self.sums[number];
            for wide in [Granularity::Hour, Granularity::Day] {
                let bucket = wide.bucket(key.bucket);
                all.entry((wide, Key { bucket, ..key.clone() })).or_default().merge(sum);
            }
            all.entry((Granularity::Minute, key)).or_default().merge(sum);
        }
        all.into_iter()
            .filter(|(_, sum)| !sum.is_zero())
            .map(|((granularity, key), sum)| (granularity, key, sum))
            .collect()
    }
}

/// The id of a row: the same for the same dimensions, so that the row is found again.
fn id(node: NodeId, granularity: Granularity, key: &Key) -> Uuid {
    let bucket = key.bucket.timestamp().to_be_bytes();
    let parts: [&[u8]; 6] = [
        node.0.as_bytes(),
        granularity.name().as_bytes(),
        &bucket,
        key.owner.1.0.as_bytes(),
        key.name.as_bytes(),
        key.version.as_bytes(),
    ];
    Builder::from_custom_bytes(trace::hash(&parts)).into_uuid()
}

type Numbered<S> = HashMap<(TenantId, Uuid), (Granularity, Key, S)>;

fn numbered<S: Sum>(node: NodeId, batch: Batch<S>) -> (Numbered<S>, Vec<(TenantId, Uuid)>) {
    let sums: Numbered<S> =
        batch.widened().into_iter().map(|sum| ((sum.1.owner.0, id(node, sum.0, &sum.1)), sum)).collect();
    // in order, so that rows that lie together are written together
    let mut keys: Vec<(TenantId, Uuid)> = sums.keys().copied().collect();
    keys.sort_unstable();
    (sums, keys)
}

impl Batch<EndpointSum> {
    /// Adds the sums to what the database has.
    pub(super) async fn write(self, tx: &Tx<System>, node: NodeId, now: DateTime<Utc>) -> Result<()> {
        let (mut sums, keys) = numbered(node, self);
        let mut since = HashMap::new();
        for row in tx.get_many::<endpoints::Entity>(&keys).await? {
            let key = (row.tenant_id, row.id.0);
            since.insert(key, row.created_at);
            if let Some((_, _, sum)) = sums.get_mut(&key) {
                sum.merge(&EndpointSum::from(&row));
            }
        }
        let rows = keys.iter().filter_map(|key| {
            let (granularity, dimensions, sum) = sums.remove(key)?;
            Some(endpoints::Model {
                tenant_id: key.0,
                id: EndpointStatId(key.1),
                node_id: node,
                project_id: dimensions.owner.1,
                granularity,
                bucket: dimensions.bucket,
                endpoint: dimensions.name,
                version: dimensions.version,
                requests: sum.requests,
                errors: sum.errors,
                duration_us: sum.duration_us,
                cpu_us: sum.cpu_us,
                query_count: sum.query_count,
                query_us: sum.query_us,
                slow_queries: sum.slow_queries,
                cache_hits: sum.cache_hits,
                cache_misses: sum.cache_misses,
                cache_us: sum.cache_us,
                memory_delta: sum.memory_delta,
                memory_peak: sum.memory_peak,
                calls: sum.calls,
                sketch: sum.sketch.to_bytes(),
                created_at: since.get(key).copied().unwrap_or(now),
                updated_at: now,
            })
        });
        tx.bulk(endpoints::rows(&rows.collect::<Vec<_>>())).await
    }
}

impl Batch<FunctionSum> {
    /// Adds the sums to what the database has.
    pub(super) async fn write(self, tx: &Tx<System>, node: NodeId, now: DateTime<Utc>) -> Result<()> {
        let (mut sums, keys) = numbered(node, self);
        let mut since = HashMap::new();
        for row in tx.get_many::<functions::Entity>(&keys).await? {
            let key = (row.tenant_id, row.id.0);
            since.insert(key, row.created_at);
            if let Some((_, _, sum)) = sums.get_mut(&key) {
                sum.merge(&FunctionSum::from(&row));
            }
        }
        let rows = keys.iter().filter_map(|key| {
            let (granularity, dimensions, sum) = sums.remove(key)?;
            Some(functions::Model {
                tenant_id: key.0,
                id: FunctionStatId(key.1),
                node_id: node,
                project_id: dimensions.owner.1,
                granularity,
                bucket: dimensions.bucket,
                function: dimensions.name,
                version: dimensions.version,
                calls: sum.calls,
                errors: sum.errors,
                self_us: sum.self_us,
                total_us: sum.total_us,
                query_count: sum.query_count,
                query_us: sum.query_us,
                memory_delta: sum.memory_delta,
                sketch: sum.sketch.to_bytes(),
                created_at: since.get(key).copied().unwrap_or(now),
                updated_at: now,
            })
        });
        tx.bulk(functions::rows(&rows.collect::<Vec<_>>())).await
    }
}
