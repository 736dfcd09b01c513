//! Storage of idempotency keys: a claim in the transaction of the request's effect, then the response.

use chrono::{DateTime, Utc};
use loam_kernel::{Error, Idempotency, Kind, Result, Scope};
use sea_orm::{ColumnTrait, NotSet, QueryFilter, QueryOrder, QuerySelect, Set};
use uuid::Uuid;

use crate::connect::Db;
use crate::tx::{Tenant, Tx};

mod entity {
    use sea_orm::entity::prelude::*;

    /// An `Idempotency-Key` of a client, with the response to replay.
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(
        table_name = "idempotency_keys",
        comment = "an Idempotency-Key of a client, with the response to replay"
    )]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub tenant_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        #[sea_orm(column_type = "Text", comment = "digest of what the client sent and who sent it")]
        pub key: String,
        #[sea_orm(column_type = "Blob", comment = "digest of method, path and body")]
        pub fingerprint: Vec<u8>,
        #[sea_orm(comment = "HTTP status of the response; null until it is known")]
        pub status: Option<i32>,
        #[sea_orm(column_type = "Text", nullable, comment = "the response, sealed")]
        pub answer: Option<String>,
        pub created_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}

    crate::tenant_entity!(Entity, Column::TenantId, Column::Id);
}

pub use entity::Entity as IdempotencyKeys;

/// The response to replay.
#[derive(Debug)]
pub struct SealedResponse {
    /// The HTTP status.
    pub status: u16,
    /// The sealed body.
    pub body: String,
}

/// The stored request of an idempotency key.
#[derive(Debug)]
pub struct StoredRequest {
    /// The row's id, to which the sealed response is bound.
    pub id: Uuid,
    /// The digest of the request that made the claim.
    pub fingerprint: Vec<u8>,
    /// Its response; `None` while the request runs, or if the server died between the effect and the response.
    pub answer: Option<SealedResponse>,
}

impl<R> Tx<R> {
    pub(crate) async fn claim(&self, claim: &Idempotency) -> Result<()> {
        let row = entity::ActiveModel {
            tenant_id: NotSet,
            id: Set(claim.id),
            key: Set(claim.key.clone()),
            fingerprint: Set(claim.fingerprint.clone()),
            status: Set(None),
            answer: Set(None),
            created_at: Set(claim.at),
        };
        self.insert(row).await.map(drop).map_err(|e| {
            if crate::is_unique_violation(&e) {
                let message = "a request with this Idempotency-Key is running; try again later";
                Error::new(Kind::Conflict, "request_in_progress", message).with_param("Idempotency-Key")
            } else {
                e
            }
        })
    }
}

impl Tx<Tenant> {
    /// At most `max` stored responses after an id, sealed, with the ids that they are bound to.
    pub async fn stored_responses(&self, after: Uuid, max: u64) -> Result<Vec<(Uuid, String)>> {
        let find = self.find::<entity::Entity>().filter(entity::Column::Answer.is_not_null());
        let find = find.filter(entity::Column::Id.gt(after)).order_by_asc(entity::Column::Id).limit(max);
        Ok(find.all().await?.into_iter().filter_map(|row| Some((row.id, row.answer?))).collect())
    }

    /// Deletes responses; their requests are still known, and repetitions are refused.
    pub async fn clear_stored_responses(&self, ids: Vec<Uuid>) -> Result<u64> {
        let update = self.update_many::<entity::Entity>().set(entity::Column::Answer, Option::<String>::None);
        update.filter(entity::Column::Id.is_in(ids)).exec().await
    }
}

impl Db {
    /// The stored request of a key of this tenant, under one of the stored forms of the key.
    pub async fn idempotent_request(&self, scope: &Scope, keys: &[&str]) -> Result<Option<StoredRequest>> {
        let tx = self.read(scope).await?;
        let row =
            tx.find::<entity::Entity>().filter(entity::Column::Key.is_in(keys.iter().copied())).one().await?;
        Ok(row.map(|row| {
            let answer = row.status.zip(row.answer);
            let answer = answer
                .map(|(status, body)| SealedResponse { status: u16::try_from(status).unwrap_or(500), body });
            StoredRequest { id: row.id, fingerprint: row.fingerprint, answer }
        }))
    }

    /// Stores the response under the claim, if the claim's transaction was committed.
    pub async fn store_response(&self, scope: &Scope, id: Uuid, answer: SealedResponse) -> Result<()> {
        // a scope without the claim, which the effect's transaction has already made
        let tx = self.write(&scope.in_tenant(scope.tenant())).await?;
        tx.update_many::<entity::Entity>()
            .set(entity::Column::Status, i32::from(answer.status))
            .set(entity::Column::Answer, answer.body)
            .filter(entity::Column::Id.eq(id))
            .exec()
            .await?;
        tx.commit().await
    }

    /// Deletes requests from before `before`; returns the number.
    pub async fn delete_old_responses(&self, scope: &Scope, before: DateTime<Utc>) -> Result<u64> {
        let tx = self.system_write(scope).await?;
        let deleted =
            tx.delete_any::<entity::Entity>().filter(entity::Column::CreatedAt.lt(before)).exec().await?;
        tx.commit().await?;
        Ok(deleted)
    }
}
