//! What a `POST` with an `Idempotency-Key` leaves behind: a claim in the transaction of its effect, then its answer.

use chrono::{DateTime, Utc};
use loam_kernel::{Error, Idempotency, Kind, Result, Scope};
use sea_orm::{ColumnTrait, NotSet, QueryFilter, QueryOrder, QuerySelect, Set};
use uuid::Uuid;

use crate::connect::Db;
use crate::tx::{Tenant, Tx};

mod entity {
    use sea_orm::entity::prelude::*;

    /// An `Idempotency-Key` of a client, with the answer to replay.
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(
        table_name = "idempotency_keys",
        comment = "an Idempotency-Key of a client, with the answer to replay"
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
        #[sea_orm(comment = "HTTP status of the answer; null until it is known")]
        pub status: Option<i32>,
        #[sea_orm(column_type = "Text", nullable, comment = "the answer, sealed")]
        pub answer: Option<String>,
        pub created_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}

    crate::tenant_entity!(Entity, Column::TenantId, Column::Id);
}

pub use entity::Entity as IdempotencyKeys;

/// The answer to replay.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The sealed body.
    pub body: String,
}

/// What is kept under a key.
#[derive(Debug)]
pub struct Kept {
    /// The row's id, to which the sealed answer is bound.
    pub id: Uuid,
    /// The digest of the request that made the claim.
    pub fingerprint: Vec<u8>,
    /// Its answer; `None` while it is being made, or when the server died between the effect and the answer.
    pub answer: Option<Answer>,
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
                let message = "a request with this Idempotency-Key is being answered; try again in a moment";
                Error::new(Kind::Conflict, "request_in_progress", message).with_param("Idempotency-Key")
            } else {
                e
            }
        })
    }
}

impl Tx<Tenant> {
    /// Answers that are kept, sealed, with the ids that they are sealed for: those behind an id, at most so many.
    pub async fn kept_answers(&self, after: Uuid, max: u64) -> Result<Vec<(Uuid, String)>> {
        let find = self.find::<entity::Entity>().filter(entity::Column::Answer.is_not_null());
        let find = find.filter(entity::Column::Id.gt(after)).order_by_asc(entity::Column::Id).limit(max);
        Ok(find.all().await?.into_iter().filter_map(|row| Some((row.id, row.answer?))).collect())
    }

    /// Forgets answers; their requests are still known, and refused rather than done twice.
    pub async fn forget_kept_answers(&self, ids: Vec<Uuid>) -> Result<u64> {
        let update = self.update_many::<entity::Entity>().set(entity::Column::Answer, Option::<String>::None);
        update.filter(entity::Column::Id.is_in(ids)).exec().await
    }
}

impl Db {
    /// What is kept under a key of this tenant, which has been stored under one of these.
    pub async fn kept_answer(&self, scope: &Scope, keys: &[&str]) -> Result<Option<Kept>> {
        let tx = self.read(scope).await?;
        let row =
            tx.find::<entity::Entity>().filter(entity::Column::Key.is_in(keys.iter().copied())).one().await?;
        Ok(row.map(|row| {
            let answer = row.status.zip(row.answer);
            let answer =
                answer.map(|(status, body)| Answer { status: u16::try_from(status).unwrap_or(500), body });
            Kept { id: row.id, fingerprint: row.fingerprint, answer }
        }))
    }

    /// Keeps the answer under the claim, if the claim's transaction was committed.
    pub async fn keep_answer(&self, scope: &Scope, id: Uuid, answer: Answer) -> Result<()> {
        // a scope without the claim, which the effect's transaction has used already
        let tx = self.write(&scope.in_tenant(scope.tenant())).await?;
        tx.update_many::<entity::Entity>()
            .set(entity::Column::Status, i32::from(answer.status))
            .set(entity::Column::Answer, answer.body)
            .filter(entity::Column::Id.eq(id))
            .exec()
            .await?;
        tx.commit().await
    }

    /// Forgets what is older than `before`; says how many.
    pub async fn forget_answers(&self, scope: &Scope, before: DateTime<Utc>) -> Result<u64> {
        let tx = self.system_write(scope).await?;
        let forgotten =
            tx.delete_any::<entity::Entity>().filter(entity::Column::CreatedAt.lt(before)).exec().await?;
        tx.commit().await?;
        Ok(forgotten)
    }
}
