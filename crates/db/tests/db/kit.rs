//! Two tables seen through entities of the tests' own, and rows for them.

use chrono::{DateTime, Utc};
use loam_db::{Bulk, Column, Db, OnConflict};
use loam_kernel::{Clock, Scope, TenantId};
use uuid::Uuid;

pub const ACME: TenantId = TenantId(Uuid::from_u128(0xac));
pub const OTHER: TenantId = TenantId(Uuid::from_u128(0x07));

/// A plain tenant's table.
pub mod note {
    use loam_kernel::TenantId;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "change_notices")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub tenant_id: TenantId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        #[sea_orm(column_type = "Text")]
        pub topic: String,
        pub subject_id: Uuid,
        pub owner_id: Option<Uuid>,
        pub created_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}

    loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
}

/// A partitioned table, as far as the tests look at it: a column of every type.
pub mod call {
    use loam_kernel::TenantId;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "llm_calls")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub tenant_id: TenantId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub user_id: Option<Uuid>,
        #[sea_orm(column_type = "Text", nullable)]
        pub session_id: Option<String>,
        pub streamed: bool,
        pub status_code: Option<i32>,
        pub total_tokens: Option<i64>,
        #[sea_orm(column_type = "JsonBinary")]
        pub attempts: Json,
        #[sea_orm(column_type = "Blob", nullable)]
        pub request_data: Option<Vec<u8>>,
        pub created_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}

    loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
}

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub fn scope(tenant: TenantId) -> Scope {
    Scope::system(tenant, "test")
}

pub fn note(tenant: TenantId, topic: &str) -> note::Model {
    let clock = Clock::system();
    note::Model {
        tenant_id: tenant,
        id: clock.id(),
        topic: topic.to_owned(),
        subject_id: Uuid::nil(),
        owner_id: None,
        created_at: clock.now(),
    }
}

/// Calls as a batch for the drainer's way in; what the table wants besides is filled in.
pub fn calls(rows: &[call::Model], on_conflict: OnConflict) -> Bulk {
    fn each<T>(rows: &[call::Model], field: impl Fn(&call::Model) -> T) -> Vec<Option<T>> {
        rows.iter().map(|row| Some(field(row))).collect()
    }
    let text = |value: &str| Column::Text(vec![Some(value.to_owned()); rows.len()]);
    Bulk::partial(
        "llm_calls",
        vec![
            ("tenant_id", Column::Uuid(each(rows, |row| row.tenant_id.0))),
            ("id", Column::Uuid(each(rows, |row| row.id))),
            ("node_id", Column::Uuid(vec![Some(Uuid::nil()); rows.len()])),
            ("state", text("settled")),
            ("source", text("gateway")),
            ("provider", text("mock")),
            ("model", text("m")),
            ("endpoint", text("chat/completions")),
            ("request_id", text("r")),
            ("user_id", Column::Uuid(rows.iter().map(|row| row.user_id).collect())),
            ("session_id", Column::Text(rows.iter().map(|row| row.session_id.clone()).collect())),
            ("streamed", Column::Bool(each(rows, |row| row.streamed))),
            ("status_code", Column::Int(rows.iter().map(|row| row.status_code).collect())),
            ("total_tokens", Column::BigInt(rows.iter().map(|row| row.total_tokens).collect())),
            ("attempts", Column::Json(each(rows, |row| row.attempts.to_string()))),
            ("request_data", Column::Bytes(rows.iter().map(|row| row.request_data.clone()).collect())),
            ("created_at", Column::Time(each(rows, |row| row.created_at))),
            ("updated_at", Column::Time(each(rows, |row| row.created_at))),
        ],
        on_conflict,
    )
}

/// A call of a moment with as little in it as may be.
pub fn empty_call(tenant: TenantId, when: DateTime<Utc>) -> call::Model {
    call::Model {
        tenant_id: tenant,
        id: Clock::system().id_at(when),
        user_id: None,
        session_id: None,
        streamed: false,
        status_code: None,
        total_tokens: None,
        attempts: serde_json::json!([]),
        request_data: None,
        created_at: when,
    }
}

/// Writes calls as the drainer does.
pub async fn write_calls(db: &Db, rows: &[call::Model], on_conflict: OnConflict) -> loam_kernel::Result<()> {
    let tx = db.system_write(&scope(TenantId::NIL)).await?;
    tx.bulk(calls(rows, on_conflict)).await?;
    tx.commit().await
}

/// Every call of a tenant, oldest first.
pub async fn read_calls(db: &Db, tenant: TenantId) -> Vec<call::Model> {
    let mut rows = db.read(&scope(tenant)).await.unwrap().find::<call::Entity>().all().await.unwrap();
    rows.sort_by_key(|row| row.id);
    rows
}

/// Writes notes in a transaction of their own.
pub async fn write_notes(db: &Db, rows: &[note::Model]) {
    use sea_orm::{ActiveModelTrait, IntoActiveModel};
    let tx = db.system_write(&scope(TenantId::NIL)).await.unwrap();
    for row in rows {
        tx.insert_for_any_tenant(row.clone().into_active_model().reset_all()).await.unwrap();
    }
    tx.commit().await.unwrap();
}

/// The topics of every note, of all tenants, sorted.
pub async fn all_topics(db: &Db) -> Vec<String> {
    let rows =
        db.system_read(&scope(TenantId::NIL)).await.unwrap().find_any::<note::Entity>().all().await.unwrap();
    let mut topics: Vec<String> = rows.into_iter().map(|row| row.topic).collect();
    topics.sort();
    topics
}
