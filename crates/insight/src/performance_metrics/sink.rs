//! Drains metric values from the journal into `performance_metrics` and the statistics.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use loam_db::{System, Tx};
use loam_journal::Frame;
use loam_kernel::{Clock, NodeId, Result, TenantId};
use loam_platform::drain::Sink;
use loam_platform::personal::{Guard, Named, RecordSubjects};
use uuid::Uuid;

use super::bulk::values;
use super::entity::Entity;
use super::point::{Point, Points};
use super::sums::Rollup;
use crate::otlp::ProjectRef;

/// The kind of journal frames that hold metric values.
pub(super) const POINTS: u8 = 51;

/// Drains metric values, except those with tags that name somebody who was erased meanwhile.
pub(crate) struct MetricSink {
    clock: Clock,
    node: NodeId,
    guard: Guard,
}

impl MetricSink {
    pub(crate) fn new(clock: Clock, node: NodeId, guard: Guard) -> Self {
        Self { clock, node, guard }
    }

    async fn of_nobody_erased(
        &self,
        tx: &Tx<System>,
        mut points: Vec<(ProjectRef, Point)>,
    ) -> Result<Vec<(ProjectRef, Point)>> {
        let named: Vec<Named> = points.iter().map(|(_, point)| point.named()).collect();
        let subjects = points.iter().zip(&named).map(|((project_ref, point), named)| RecordSubjects {
            tenant: project_ref.tenant,
            subjects: named.subjects(),
            at: point.at(),
        });
        let subjects: Vec<RecordSubjects<'_>> = subjects.collect();
        let mut erased = self.guard.erased(tx, self.clock.now(), &subjects).await?.into_iter();
        points.retain(|_| !erased.next().unwrap_or_default());
        Ok(points)
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
        new = self.of_nobody_erased(tx, new).await?;
        new.sort_by_key(|(project_ref, point)| (project_ref.tenant, point.id));
        let now = self.clock.now();
        let mut sums = Rollup::default();
        new.iter().for_each(|(project_ref, point)| sums.add(*project_ref, point));
        tx.bulk(values(&new, now)?).await?;
        sums.write(tx, self.node, now).await
    }
}
