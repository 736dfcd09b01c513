//! The providers of a new tenant: inactive, until somebody configures them.

use async_trait::async_trait;
use loam_db::{Tenant, Tx};
use loam_identity::tenants::new_tenant::PREPARE_PROVIDERS;
use loam_jobs::{Handler, JobContext};
use loam_kernel::{AiProviderId, Error, Result, TenantId};
use loam_platform::changes::Changes;
use loam_platform::notices::Notice;
use loam_providers::{KindInfo, kind};
use sea_orm::{ColumnTrait, QueryFilter, Set};
use serde_json::{Value, json};

use super::entity::{ActiveModel, Column, Entity, Model};
use crate::Gateway;

/// Kinds of which a new tenant has a provider.
const PREPARED: [&str; 3] = ["openai", "qwen", "dify"];

/// The job that creates the providers of a new tenant.
pub(crate) struct PrepareProviders(pub(crate) Gateway);

#[async_trait]
impl Handler for PrepareProviders {
    fn kind(&self) -> &'static str {
        PREPARE_PROVIDERS
    }

    async fn run(&self, job: &JobContext, _: Value) -> Result<()> {
        let inner = &self.0.0;
        let tx = inner.db.write(&job.scope()).await?;
        let mut notices = Vec::new();
        for name in PREPARED {
            let kind = kind(name).ok_or_else(|| Error::internal("a prepared provider of an unknown kind"))?;
            let (id, now): (AiProviderId, _) = (inner.clock.id(), inner.clock.now());
            let row = ActiveModel {
                tenant_id: Set(TenantId::NIL),
                id: Set(id),
                name: Set(name.to_owned()),
                kind: Set(name.to_owned()),
                display_name: Set(kind.display_name.to_owned()),
                config: Set(initial_config(kind)),
                is_active: Set(false),
                metadata: Set(json!({})),
                created_at: Set(now),
                updated_at: Set(now),
            };
            if tx.insert_if_new(row).await?
                && let Some(row) = tx.get::<Entity>(id).await?
            {
                notices.push(inner.changes.record_row::<Entity>(&tx, "create", &row).await?);
            }
        }
        tx.commit().await?;
        inner.changes.publish(&notices);
        Ok(())
    }
}

/// The configuration of a prepared provider: the address of the kind's public service.
fn initial_config(kind: &KindInfo) -> Value {
    json!({ "base_url": kind.config_schema["properties"]["base_url"]["examples"][0] })
}

/// Deletes a prepared provider that nobody has changed, so that another can have its name. The notice is to be published
/// after the commit.
pub(super) async fn make_room(changes: &Changes, tx: &Tx<Tenant>, name: &str) -> Result<Option<Notice>> {
    let row = tx.find::<Entity>().filter(Column::Name.eq(name)).locked().one().await?;
    let Some(row) = row.filter(is_unchanged) else { return Ok(None) };
    tx.delete::<Entity>().filter(Column::Id.eq(row.id)).exec().await?;
    changes.record_row::<Entity>(tx, "delete", &row).await.map(Some)
}

fn is_unchanged(row: &Model) -> bool {
    PREPARED.contains(&row.name.as_str())
        && row.kind == row.name
        && !row.is_active
        && row.created_at == row.updated_at
        && kind(&row.kind).is_some_and(|kind| row.config == initial_config(kind))
}
