//! What a batch adds to the statistics, and subtracts from them.
//!
//! A trace is counted with all its known spans. When more arrive, its previous contribution is subtracted and the new
//! one added: so the sums equal a recount, in whatever order and however often its chunks arrive. Each node writes its
//! own rows, and only from its drainer, so rows are read, changed and written back without a lock. One node may
//! subtract what another has added: the rows of a node can be negative; only the sum over all nodes is meaningful.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use loam_db::{Bulk, OnConflict, System, Tx};
use loam_kernel::{EndpointStatId, FunctionStatId, NodeId, Result, TenantId};
use uuid::{Builder, Uuid};

use super::figures::Figures;
use super::name_limit::ProjectKey;
use crate::stats::sums::{EndpointSum, FunctionSum, Sum};
use crate::stats::{Granularity, endpoints, functions};
use crate::trace;

/// The dimensions of a row, except node and granularity.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) project_key: ProjectKey,
    pub(super) bucket: DateTime<Utc>,
    /// The endpoint or function.
    pub(super) name: String,
    pub(super) version: String,
}

impl EndpointSum {
    /// Adds a request (`sign` 1), or subtracts it (-1).
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
        // the peak of a request does not change: a request that is subtracted is added again
        self.memory_peak = self.memory_peak.max(figures.memory_peak.unwrap_or_default());
        self.sketch.count(figures.duration_us.unsigned_abs(), sign);
    }
}

/// Sums of one kind, addressed by index while a trace is added.
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

    /// The sums by minute, hour and day, without those that are zero.
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

/// The id of a row, derived from its dimensions so that the row is found again.
fn id(node: NodeId, granularity: Granularity, key: &Key) -> Uuid {
    let bucket = key.bucket.timestamp().to_be_bytes();
    let parts: [&[u8]; 6] = [
        node.0.as_bytes(),
        granularity.name().as_bytes(),
        &bucket,
        key.project_key.1.0.as_bytes(),
        key.name.as_bytes(),
        key.version.as_bytes(),
    ];
    Builder::from_custom_bytes(trace::hash(&parts)).into_uuid()
}

type Numbered<S> = HashMap<(TenantId, Uuid), (Granularity, Key, S)>;

fn numbered<S: Sum>(node: NodeId, batch: Batch<S>) -> (Numbered<S>, Vec<(TenantId, Uuid)>) {
    let sums: Numbered<S> = batch
        .widened()
        .into_iter()
        .map(|sum| ((sum.1.project_key.0, id(node, sum.0, &sum.1)), sum))
        .collect();
    // in order, so that adjacent rows are written together
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
                sum.merge(&EndpointSum::try_from(&row)?);
            }
        }
        let rows = keys.iter().filter_map(|key| {
            let (granularity, dimensions, sum) = sums.remove(key)?;
            Some(endpoints::Model {
                tenant_id: key.0,
                id: EndpointStatId(key.1),
                node_id: node,
                project_id: dimensions.project_key.1,
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
        tx.bulk(Bulk::models::<endpoints::Entity>(rows.collect(), OnConflict::Merge)).await
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
                sum.merge(&FunctionSum::try_from(&row)?);
            }
        }
        let rows = keys.iter().filter_map(|key| {
            let (granularity, dimensions, sum) = sums.remove(key)?;
            Some(functions::Model {
                tenant_id: key.0,
                id: FunctionStatId(key.1),
                node_id: node,
                project_id: dimensions.project_key.1,
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
        tx.bulk(Bulk::models::<functions::Entity>(rows.collect(), OnConflict::Merge)).await
    }
}
