//! Rotation of a project's ingest key.

use chrono::{DateTime, TimeDelta, Utc};
use loam_kernel::{Error, ExpectedVersion, ProjectId, Result, Scope, TenantId};
use loam_platform::changes::lock_version;
use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, Set};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::entity::Entity;
use super::retired::{self, ActiveModel};
use super::service::{NewProject, sealed_key};
use crate::{Identity, secret};

/// The permission of an ingest key.
pub(crate) const SEND: &str = "telemetry:send";
/// Default grace period: a day.
const GRACE: u32 = 86_400;
/// Maximum grace period: 30 days.
const MAX_GRACE: u32 = 30 * GRACE;
/// How long an expired key is still recognised, so that the error can say that it was replaced.
const RETIRED_KEY_RETENTION: TimeDelta = TimeDelta::days(30);

/// Rotation of a project's ingest key.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RotateKey {
    /// Seconds for which the old key stays valid, 0 to 2,592,000 (30 days); defaults to 86,400 (a day).
    pub grace_seconds: Option<u32>,
}

impl Identity {
    /// Replaces a project's ingest key; returns until when the old one is valid.
    pub async fn rotate_project_key(
        &self,
        scope: &Scope,
        id: ProjectId,
        version: &ExpectedVersion,
        how: &RotateKey,
    ) -> Result<(NewProject, DateTime<Utc>)> {
        scope.require(SEND)?;
        let grace = how.grace_seconds.unwrap_or(GRACE);
        if grace > MAX_GRACE {
            return Err(Error::invalid("grace_seconds", format!("must be at most {MAX_GRACE}")));
        }
        let project_key = secret::generate_project(&self.clock);
        let tx = self.db.write(scope).await?;
        let old = lock_version::<Entity>(&tx, id, version).await?;
        let now = self.clock.now();
        let until = now + TimeDelta::seconds(grace.into());
        let forgotten = tx.delete::<retired::Entity>().filter(retired::Column::ProjectId.eq(id));
        forgotten.filter(retired::Column::ExpiresAt.lt(now - RETIRED_KEY_RETENTION)).exec().await?;
        tx.insert(ActiveModel {
            tenant_id: Set(TenantId::NIL),
            id: Set(self.clock.id()),
            project_id: Set(id),
            key_hash: Set(old.key_hash.clone()),
            expires_at: Set(until),
            created_at: Set(now),
        })
        .await?;
        let mut row = old.into_active_model();
        row.project_key = Set(sealed_key(self, id, &project_key)?);
        row.key_hash = Set(secret::digest(&project_key).to_vec());
        let row = self.changes.save(&tx, row).await?;
        let changes = json!({ "old_key_valid_until": until });
        let notice = self.changes.record(&tx, "rotate_key", "projects", id, changes).await?;
        self.changes.commit(tx, notice).await?;
        Ok((NewProject { row, project_key }, until))
    }
}
