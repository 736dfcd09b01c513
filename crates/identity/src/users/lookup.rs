//! Look-ups of users and projects for other crates, within their own transactions.

use std::collections::HashMap;

use loam_db::Tx;
use loam_kernel::{ProjectId, Result, UserId};
use sea_orm::{ColumnTrait, QueryFilter};

use super::entity::{Column, Entity, Model};
use super::names::named;
use crate::{Identity, projects};

impl Identity {
    /// Whether the tenant has this user.
    pub async fn has_user<R>(&self, tx: &Tx<R>, id: UserId) -> Result<bool> {
        Ok(tx.get::<Entity>(id).await?.is_some())
    }

    /// Whether the tenant has this project.
    pub async fn has_project<R>(&self, tx: &Tx<R>, id: ProjectId) -> Result<bool> {
        Ok(tx.get::<projects::entity::Entity>(id).await?.is_some())
    }

    /// Whether the tenant has an active user with this e-mail address.
    pub async fn has_active_address<R>(&self, tx: &Tx<R>, address: &str) -> Result<bool> {
        let find = tx.find::<Entity>().filter(named(Column::Email, address));
        Ok(find.filter(Column::IsActive.eq(true)).one().await?.is_some())
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
