//! Into the journal.

use std::collections::HashSet;

use loam_kernel::{Error, Result};

use super::point::{Point, Points};
use super::sink::POINTS;
use crate::otlp::Owner;
use crate::records::{append, unavailable};
use crate::service::Insight;

/// Bytes of a frame, about.
const FRAME: usize = 1 << 20;
/// Why a value is refused that is of one series too many.
pub(crate) const TOO_MANY: &str =
    "its series is one more than the project may have in a day; use fewer tags whose values differ";

impl Insight {
    /// Keeps values, and answers when they are durable: with the numbers of those that were refused, as their series are
    /// too many.
    pub(crate) async fn accept_points(&self, owner: Owner, points: Vec<Point>) -> Result<HashSet<usize>> {
        let most = self.0.metrics.with(owner.tenant, |settings| settings.max_series);
        let wanted: Vec<u128> = points.iter().map(Point::series).collect();
        let all = wanted.iter().copied().collect();
        let refused = self.0.series.refuse(owner, &all, most, self.0.clock.now()).await;
        let numbers: HashSet<usize> = wanted
            .iter()
            .enumerate()
            .filter(|(_, series)| refused.contains(series))
            .map(|(n, _)| n)
            .collect();
        let mut taken = points
            .into_iter()
            .enumerate()
            .filter(|(n, _)| !numbers.contains(n))
            .map(|(_, point)| point)
            .peekable();
        let journal = self.0.journal.as_ref().ok_or_else(unavailable)?;
        let mut last = None;
        while taken.peek().is_some() {
            let mut frame = Points { tenant: owner.tenant, project: owner.project, points: Vec::new() };
            let mut weight = 0;
            while weight < FRAME
                && let Some(point) = taken.next()
            {
                weight += point.weight();
                frame.points.push(point);
            }
            let payload = postcard::to_allocvec(&frame).map_err(Error::internal)?;
            let key = self.0.clock.id::<uuid::Uuid>().into_bytes();
            last = Some(append(journal, owner.tenant, POINTS, key, &payload)?);
        }
        if let Some(position) = last {
            journal.durable(position).await.map_err(|e| unavailable().with_source(e))?;
        }
        Ok(numbers)
    }
}
