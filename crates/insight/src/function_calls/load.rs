//! Loading stored traces.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use loam_db::{Tenant, Tx};
use loam_kernel::{Error, Kind, PerformanceRecordId, ProjectId, Result, Scope, first_id_at};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::call_trees::entity::{Column, Entity};
use crate::performance_records::entity::{Entity as Records, Model as Record};
use crate::stats::Stats;
use crate::trace::{Tree, unpack};

/// Chunks of a trace are searched within this distance of the request's start.
const SEARCH_WINDOW: TimeDelta = TimeDelta::days(1);
/// Maximum number of chunks that are loaded.
const MAX_CHUNKS: u64 = 5_000;
/// Maximum number of spans that are loaded.
const MAX_SPANS: i64 = 500_000;

/// A trace loaded from the database.
pub(crate) struct StoredTrace {
    pub(crate) tree: Tree,
    /// When its first chunk was written.
    pub(crate) created_at: DateTime<Utc>,
}

impl Stats {
    /// The stored spans of a trace, if there are any.
    pub(crate) async fn trace(
        &self,
        tx: &Tx<Tenant>,
        trace_id: &str,
        project: Option<ProjectId>,
        near: Option<DateTime<Utc>>,
    ) -> Result<Option<StoredTrace>> {
        let mut query = tx.find::<Entity>().filter(Column::TraceId.eq(trace_id));
        if let Some(project) = project {
            query = query.filter(Column::ProjectId.eq(project));
        }
        if let Some(at) = near {
            query = query.within_ids(first_id_at(at - SEARCH_WINDOW), first_id_at(at + SEARCH_WINDOW));
        }
        let chunks = query.order_by_asc(Column::Id).limit(MAX_CHUNKS).all().await?;
        if chunks.iter().map(|chunk| chunk.call_count).sum::<i64>() > MAX_SPANS {
            let message =
                format!("the trace has more than {MAX_SPANS} calls: filter by `project_id` or `record_id`");
            return Err(Error::new(Kind::TooLarge, "trace_too_large", message));
        }
        let Some(created_at) = chunks.iter().map(|chunk| chunk.created_at).min() else { return Ok(None) };
        let (mut ids, mut spans) = (HashSet::new(), Vec::new());
        for chunk in chunks {
            let unpacked = unpack(&chunk.calls)?.spans;
            spans.extend(unpacked.into_iter().filter(|span| ids.insert(span.id.clone())));
        }
        Ok(Some(StoredTrace { tree: Tree::new(spans), created_at }))
    }

    /// A record with its call tree, and the index in it of the span that serves the request.
    pub(crate) async fn record_with_calls(
        &self,
        scope: &Scope,
        id: PerformanceRecordId,
    ) -> Result<(Record, Option<(StoredTrace, usize)>)> {
        let tx = self.0.db.read(scope).await?;
        let record = tx.get::<Records>(id).await?.ok_or_else(|| Error::not_found("performance record"))?;
        let near = Some(record.created_at);
        let stored = self.trace(&tx, &record.trace_id, Some(record.project_id), near).await?;
        let stored = stored.and_then(|stored| {
            let root = stored.tree.find(&record.call_id)?;
            Some((stored, root))
        });
        Ok((record, stored))
    }
}
