//! Trees, opened again.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use loam_db::{Tenant, Tx};
use loam_kernel::{Error, Kind, PerformanceRecordId, ProjectId, Result, Scope, first_id_at};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::Insight;
use crate::call_trees::entity::{Column, Entity};
use crate::performance_records::entity::{Entity as Records, Model as Record};
use crate::trace::{Tree, open};

/// How far from a request's begin parts of its trace are looked for.
const NEAR: TimeDelta = TimeDelta::days(1);
/// Parts of a trace that are opened.
const MAX_PARTS: u64 = 5_000;
/// Calls that are opened at once.
const MAX_CALLS: i64 = 500_000;

/// A trace as it is kept.
pub(crate) struct Kept {
    pub(crate) tree: Tree,
    /// When its first part was written.
    pub(crate) created_at: DateTime<Utc>,
}

impl Insight {
    /// The calls that are kept of a trace; none where there are none.
    pub(crate) async fn trace(
        &self,
        tx: &Tx<Tenant>,
        trace_id: &str,
        project: Option<ProjectId>,
        near: Option<DateTime<Utc>>,
    ) -> Result<Option<Kept>> {
        let mut find = tx.find::<Entity>().filter(Column::TraceId.eq(trace_id));
        if let Some(project) = project {
            find = find.filter(Column::ProjectId.eq(project));
        }
        if let Some(at) = near {
            find = find.within_ids(first_id_at(at - NEAR), first_id_at(at + NEAR));
        }
        let parts = find.order_by_asc(Column::Id).limit(MAX_PARTS).all().await?;
        if parts.iter().map(|part| part.call_count).sum::<i64>() > MAX_CALLS {
            let message =
                format!("the trace has more than {MAX_CALLS} calls: name a `project_id` or a `record_id`");
            return Err(Error::new(Kind::TooLarge, "trace_too_large", message));
        }
        let Some(created_at) = parts.iter().map(|part| part.created_at).min() else { return Ok(None) };
        let (mut ids, mut calls) = (HashSet::new(), Vec::new());
        for part in parts {
            let opened = open(&part.calls)?.calls;
            calls.extend(opened.into_iter().filter(|call| ids.insert(call.id.clone())));
        }
        Ok(Some(Kept { tree: Tree::new(calls), created_at }))
    }

    /// A record with the tree that it is part of, and the place in it of the call that serves it.
    pub(crate) async fn record_with_calls(
        &self,
        scope: &Scope,
        id: PerformanceRecordId,
    ) -> Result<(Record, Option<(Kept, usize)>)> {
        let tx = self.0.db.read(scope).await?;
        let record = tx.get::<Records>(id).await?.ok_or_else(|| Error::not_found("performance record"))?;
        let near = Some(record.created_at);
        let kept = self.trace(&tx, &record.trace_id, Some(record.project_id), near).await?;
        let kept = kept.and_then(|kept| {
            let root = kept.tree.find(&record.call_id)?;
            Some((kept, root))
        });
        Ok((record, kept))
    }
}
