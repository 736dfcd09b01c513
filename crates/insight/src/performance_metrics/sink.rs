//! Drains metric values from the journal into `performance_metrics` and the statistics.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use loam_db::{System, Tx};
use loam_journal::Frame;
use loam_kernel::{Clock, NodeId, Result, TenantId};
use loam_platform::drain::Sink;
use uuid::Uuid;

use super::bulk::values;
use super::entity::Entity;
use super::point::Points;
use super::sums::Rollup;
use crate::otlp::ProjectRef;

/// The kind of journal frames that hold metric values.
pub(super) const POINTS: u8 = 51;

/// Drains metric values.
pub(crate) struct MetricSink {
    clock: Clock,
    node: NodeId,
}

impl MetricSink {
    pub(crate) fn new(clock: Clock, node: NodeId) -> Self {
        Self { clock, node }
    }
}

#[async_trait]
impl Sink for MetricSink {
    fn takes(&self, kind: u8) -> bool {
        kind == POINTS
    }

    fn tenant(&self, frame: &Frame) -> TenantId {
        Points::decode(&frame.payload).map_or(TenantId::NIL, |points| points.tenant)
    }

    async fn write(&self, tx: &Tx<System>, frames: &[Frame]) -> Result<()> {
        let mut new = HashMap::new();
        for frame in frames {
            let Points { tenant, project, points } = Points::decode(&frame.payload)?;
            let project_ref = ProjectRef { tenant, project };
            new.extend(points.into_iter().map(|point| ((tenant, point.id.0), (project_ref, point))));
        }
        let keys: Vec<(TenantId, Uuid)> = new.keys().copied().collect();
        // duplicates are counted once
        let old: HashSet<(TenantId, Uuid)> =
            tx.get_many::<Entity>(&keys).await?.into_iter().map(|row| (row.tenant_id, row.id.0)).collect();
        let mut new: Vec<_> =
            new.into_iter().filter(|(key, _)| !old.contains(key)).map(|(_, value)| value).collect();
        new.sort_by_key(|(project_ref, point)| (project_ref.tenant, point.id));
        let now = self.clock.now();
        let mut sums = Rollup::default();
        new.iter().for_each(|(project_ref, point)| sums.add(*project_ref, point));
        tx.bulk(values(&new, now)?).await?;
        sums.write(tx, self.node, now).await
    }
}
