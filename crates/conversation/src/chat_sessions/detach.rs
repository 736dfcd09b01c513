//! Detaches sessions and channels from a deleted project.

use async_trait::async_trait;
use loam_identity::projects::deleted::{DETACH_SESSIONS, DeletedProject};
use loam_jobs::{Handler, JobContext, read_payload};
use loam_kernel::{ProjectId, Result, next_version};
use loam_platform::notices;
use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Set};
use serde_json::Value;

use super::Sessions;
use super::entity::{Column, Entity};
use crate::channels::entity as channels;

/// Sessions per transaction.
const BATCH: u64 = 100;

/// The job that detaches sessions and channels from a deleted project.
pub(crate) struct DetachSessions(pub(crate) Sessions);

impl DetachSessions {
    /// Detaches some sessions; returns whether there were any.
    async fn detach_sessions(&self, job: &JobContext, project: ProjectId) -> Result<bool> {
        let inner = &self.0.0;
        let tx = inner.db.write(&job.scope()).await?;
        let of_project = tx.find::<Entity>().filter(Column::ProjectId.eq(project));
        let sessions = of_project.order_by_asc(Column::Id).limit(BATCH).locked().all().await?;
        let mut announced = Vec::with_capacity(sessions.len());
        for session in sessions {
            let (id, owner) = (session.id, session.user_id);
            let updated_at = next_version(session.updated_at, inner.clock.now());
            let mut row = session.into_active_model();
            row.project_id = Set(None);
            row.updated_at = Set(updated_at);
            tx.update(row).await?;
            announced.push(notices::announce(&tx, &inner.clock, super::TOPIC, id.0, owner).await?);
        }
        tx.commit().await?;
        announced.iter().for_each(|notice| inner.notices.publish(notice));
        Ok(!announced.is_empty())
    }

    /// Detaches a channel; returns whether there was one.
    async fn detach_channel(&self, job: &JobContext, project: ProjectId) -> Result<bool> {
        let inner = &self.0.0;
        let tx = inner.db.write(&job.scope()).await?;
        let of_project = tx.find::<channels::Entity>().filter(channels::Column::ProjectId.eq(project));
        let Some(channel) = of_project.locked().one().await? else { return Ok(false) };
        let mut row = channel.into_active_model();
        row.project_id = Set(None);
        inner.changes.update(tx, row).await?;
        Ok(true)
    }
}

#[async_trait]
impl Handler for DetachSessions {
    fn kind(&self) -> &'static str {
        DETACH_SESSIONS
    }

    async fn run(&self, job: &JobContext, payload: Value) -> Result<()> {
        let DeletedProject { project_id } = read_payload(payload)?;
        while !job.is_cancelled() && self.detach_sessions(job, project_id).await? {}
        while !job.is_cancelled() && self.detach_channel(job, project_id).await? {}
        Ok(())
    }
}
