//! Sums metric values up, in the transaction that writes them.
//!
//! Each node writes its own rows, and only from its drainer, so the sums are read, added to and written back without a
//! lock.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use loam_db::{Bulk, Column, OnConflict, System, Tx};
use loam_kernel::{NodeId, ProjectId, Result, TenantId};
use loam_platform::sketch::Sketch;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::bulk::json;
use super::kind::MetricKind;
use super::point::{Point, Tags, series_text};
use crate::otlp::ProjectRef;
use crate::stats::Granularity;
use crate::stats::metrics::{Entity, Model};

/// The dimensions of a row.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    tenant: TenantId,
    project: ProjectId,
    granularity: Granularity,
    bucket: DateTime<Utc>,
    series: u128,
}

/// The sums of some values.
#[derive(Clone, Debug)]
pub(super) struct Sums {
    pub(super) samples: i64,
    pub(super) total: f64,
    pub(super) least: f64,
    pub(super) greatest: f64,
    pub(super) last: f64,
    pub(super) last_at: DateTime<Utc>,
    pub(super) sketch: Sketch,
}

/// The columns of a row that are not summed.
#[derive(Clone)]
struct SeriesInfo {
    name: String,
    kind: MetricKind,
    tags: Tags,
}

/// The sums of a batch.
#[derive(Default)]
pub(super) struct Rollup(HashMap<Key, (SeriesInfo, Sums)>);

impl Default for Sums {
    fn default() -> Self {
        Self {
            samples: 0,
            total: 0.0,
            least: f64::INFINITY,
            greatest: f64::NEG_INFINITY,
            last: 0.0,
            last_at: DateTime::<Utc>::MIN_UTC,
            sketch: Sketch::default(),
        }
    }
}

/// A value as counted by a sketch, which holds integers: in millionths; negative values as zero.
fn counted(value: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
    let counted = (value * 1e6).round() as u64;
    counted
}

impl Sums {
    pub(super) fn add(&mut self, value: f64, at: DateTime<Utc>) {
        self.samples += 1;
        self.total += value;
        self.least = self.least.min(value);
        self.greatest = self.greatest.max(value);
        if at >= self.last_at {
            (self.last, self.last_at) = (value, at);
        }
        self.sketch.add(counted(value));
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.samples += other.samples;
        self.total += other.total;
        self.least = self.least.min(other.least);
        self.greatest = self.greatest.max(other.greatest);
        if other.last_at > self.last_at {
            (self.last, self.last_at) = (other.last, other.last_at);
        }
        self.sketch.merge(&other.sketch, 1);
    }

    pub(super) fn of(row: &Model) -> Result<Self> {
        Ok(Self {
            samples: row.samples,
            total: row.total,
            least: row.least,
            greatest: row.greatest,
            last: row.last,
            last_at: row.last_at,
            sketch: Sketch::from_bytes(&row.sketch)?,
        })
    }

    /// The quantile, within one percent; none if there are negative values.
    pub(super) fn quantile(&self, share: f64) -> Option<f64> {
        if self.least < 0.0 {
            return None;
        }
        self.sketch.quantile(share).map(|value| (value / 1e6).max(self.least).min(self.greatest))
    }
}

impl Key {
    /// The id of the row, derived from its dimensions so that the row is found again.
    fn id(&self, node: NodeId) -> Uuid {
        let mut hash = Sha256::new();
        hash.update(node.0);
        hash.update(self.project.0);
        hash.update([self.granularity as u8]);
        hash.update(self.bucket.timestamp().to_be_bytes());
        hash.update(self.series.to_be_bytes());
        let digest: [u8; 32] = hash.finalize().into();
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        uuid::Builder::from_custom_bytes(id).into_uuid()
    }
}

impl Rollup {
    /// Adds a value.
    pub(super) fn add(&mut self, project_ref: ProjectRef, point: &Point) {
        for granularity in [Granularity::Minute, Granularity::Hour] {
            let key = Key {
                tenant: project_ref.tenant,
                project: project_ref.project,
                granularity,
                bucket: granularity.bucket(point.at()),
                series: point.series(),
            };
            let info = || SeriesInfo { name: point.name.clone(), kind: point.kind, tags: point.tags.clone() };
            let (info, sums) = self.0.entry(key).or_insert_with(|| (info(), Sums::default()));
            info.kind = point.kind;
            sums.add(point.value, point.at());
        }
    }

    /// Adds the sums to what the database has.
    pub(super) async fn write(self, tx: &Tx<System>, node: NodeId, now: DateTime<Utc>) -> Result<()> {
        let mut rows: Vec<(Uuid, Key, SeriesInfo, Sums)> =
            self.0.into_iter().map(|(key, (info, sums))| (key.id(node), key, info, sums)).collect();
        let keys: Vec<(TenantId, Uuid)> = rows.iter().map(|(id, key, ..)| (key.tenant, *id)).collect();
        let old: HashMap<(TenantId, Uuid), Model> = tx
            .get_many::<Entity>(&keys)
            .await?
            .into_iter()
            .map(|row| ((row.tenant_id, row.id.0), row))
            .collect();
        let mut since = Vec::with_capacity(rows.len());
        for (id, key, _, sums) in &mut rows {
            let old = old.get(&(key.tenant, *id));
            if let Some(old) = old {
                sums.merge(&Sums::of(old)?);
            }
            since.push(Some(old.map_or(now, |old| old.created_at)));
        }
        tx.bulk(bulk(&rows, since, node, now)?).await
    }
}

fn bulk(
    rows: &[(Uuid, Key, SeriesInfo, Sums)],
    since: Vec<Option<DateTime<Utc>>>,
    node: NodeId,
    now: DateTime<Utc>,
) -> Result<Bulk> {
    let double =
        |field: fn(&Sums) -> f64| Column::Double(rows.iter().map(|(.., sums)| Some(field(sums))).collect());
    let granularity = |key: &Key| key.granularity.name();
    let tags = rows.iter().map(|(_, _, info, _)| json(&info.tags).map(Some)).collect::<Result<_>>()?;
    let columns = vec![
        ("tenant_id", Column::Uuid(rows.iter().map(|(_, key, ..)| Some(key.tenant.0)).collect())),
        ("id", Column::Uuid(rows.iter().map(|(id, ..)| Some(*id)).collect())),
        ("node_id", Column::Uuid(vec![Some(node.0); rows.len()])),
        ("project_id", Column::Uuid(rows.iter().map(|(_, key, ..)| Some(key.project.0)).collect())),
        (
            "granularity",
            Column::Text(rows.iter().map(|(_, key, ..)| Some(granularity(key).to_owned())).collect()),
        ),
        ("bucket", Column::Time(rows.iter().map(|(_, key, ..)| Some(key.bucket)).collect())),
        ("metric_name", Column::Text(rows.iter().map(|(_, _, info, _)| Some(info.name.clone())).collect())),
        (
            "kind",
            Column::Text(rows.iter().map(|(_, _, info, _)| Some(info.kind.name().to_owned())).collect()),
        ),
        ("series", Column::Text(rows.iter().map(|(_, key, ..)| Some(series_text(key.series))).collect())),
        ("tags", Column::Json(tags)),
        ("samples", Column::BigInt(rows.iter().map(|(.., sums)| Some(sums.samples)).collect())),
        ("total", double(|sums| sums.total)),
        ("least", double(|sums| sums.least)),
        ("greatest", double(|sums| sums.greatest)),
        ("last", double(|sums| sums.last)),
        ("last_at", Column::Time(rows.iter().map(|(.., sums)| Some(sums.last_at)).collect())),
        ("sketch", Column::Bytes(rows.iter().map(|(.., sums)| Some(sums.sketch.to_bytes())).collect())),
        ("created_at", Column::Time(since)),
        ("updated_at", Column::Time(vec![Some(now); rows.len()])),
    ];
    Ok(Bulk::of::<crate::stats::metrics::Entity>(columns, OnConflict::Merge))
}
