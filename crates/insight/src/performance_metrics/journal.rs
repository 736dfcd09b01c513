//! Writes metric values to the journal.

use std::collections::HashSet;

use loam_kernel::Result;

use super::point::{Point, Points};
use super::sink::POINTS;
use crate::ingest::Ingest;
use crate::otlp::ProjectRef;
use crate::records::{append, unavailable};

/// Approximate maximum size of a frame, in bytes.
const MAX_FRAME_BYTES: usize = 1 << 20;
/// The reason for rejecting a value above the series limit.
pub(crate) const TOO_MANY_SERIES: &str =
    "the project has reached its limit of series per day; use fewer tags with many values";

impl Ingest {
    /// Writes values to the journal and returns when they are durable, with the indexes of the values that were
    /// rejected because of the series limit.
    pub(crate) async fn journal_points(
        &self,
        project_ref: ProjectRef,
        points: Vec<Point>,
    ) -> Result<HashSet<usize>> {
        let max = self.0.metrics.with(project_ref.tenant, |settings| settings.max_series);
        let requested: Vec<u128> = points.iter().map(Point::series).collect();
        let all = requested.iter().copied().collect();
        let refused = self.0.series.refuse(project_ref, &all, max, self.0.clock.now()).await;
        let rejected_indexes: HashSet<usize> = requested
            .iter()
            .enumerate()
            .filter(|(_, series)| refused.contains(series))
            .map(|(n, _)| n)
            .collect();
        let mut accepted_points = points
            .into_iter()
            .enumerate()
            .filter(|(n, _)| !rejected_indexes.contains(n))
            .map(|(_, point)| point)
            .peekable();
        let journal = self.0.journal.as_ref().ok_or_else(unavailable)?;
        let mut last = None;
        while accepted_points.peek().is_some() {
            let mut frame =
                Points { tenant: project_ref.tenant, project: project_ref.project, points: Vec::new() };
            let mut size = 0;
            while size < MAX_FRAME_BYTES
                && let Some(point) = accepted_points.next()
            {
                size += point.size();
                frame.points.push(point);
            }
            let payload = frame.encode()?;
            let key = self.0.clock.id::<uuid::Uuid>().into_bytes();
            last = Some(append(journal, project_ref.tenant, POINTS, key, &payload)?);
        }
        if let Some(position) = last {
            journal.durable(position).await.map_err(|e| unavailable().with_source(e))?;
        }
        Ok(rejected_indexes)
    }
}
