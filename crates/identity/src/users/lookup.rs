//! What floors above ask of users and projects, within their own transactions.

use std::collections::HashMap;

use async_trait::async_trait;
use loam_db::{Tenant, Tx};
use loam_kernel::{ProjectId, Result, UserId};
use sea_orm::{ColumnTrait, QueryFilter};

use super::entity::{Column, Entity, Model};
use crate::{Identity, projects};

/// What belongs to users and lives on a floor above, which implements this.
#[async_trait]
pub trait UserDependents: Send + Sync {
    /// Sees to it, in the transaction that deletes a user, that what belongs to the user goes too.
    async fn user_deleted(&self, tx: &Tx<Tenant>, user: UserId) -> Result<()>;
}

impl Identity {
    /// Says who is to be told when a user is deleted. The first to say so is.
    pub fn tell_of_deleted_users(&self, dependents: std::sync::Arc<dyn UserDependents>) {
        _ = self.dependents.set(dependents);
    }

    /// Whether the tenant has this user.
    pub async fn has_user<R>(&self, tx: &Tx<R>, id: UserId) -> Result<bool> {
        Ok(tx.get::<Entity>(id).await?.is_some())
    }

    /// Whether the tenant has this project.
    pub async fn has_project<R>(&self, tx: &Tx<R>, id: ProjectId) -> Result<bool> {
        Ok(tx.get::<projects::entity::Entity>(id).await?.is_some())
    }

    /// The user with this id of the application's.
    pub async fn user_of_external_id<R>(&self, tx: &Tx<R>, external_id: &str) -> Result<Option<UserId>> {
        let user = tx.find::<Entity>().filter(Column::ExternalId.eq(external_id)).one().await?;
        Ok(user.map(|user| user.id))
    }

    /// The application's own ids of these users, as far as they have one.
    pub async fn external_ids<R>(&self, tx: &Tx<R>, users: &[UserId]) -> Result<HashMap<UserId, String>> {
        let users: Vec<Model> =
            tx.find::<Entity>().filter(Column::Id.is_in(users.iter().copied())).all().await?;
        Ok(users.into_iter().filter_map(|user| Some((user.id, user.external_id?))).collect())
    }
}
