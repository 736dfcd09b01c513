//! An erasure.

use loam_kernel::{ErasureId, TenantId};
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[schema(as = ErasureSubjectType)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum SubjectType {
    /// A user, with all that they are known by.
    User,
    /// An end user of the application, by the application's own name of them.
    EndUser,
    /// A conversation.
    Session,
    /// A tenant, with everything.
    Tenant,
}

/// How far an erasure has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum ErasureState {
    /// Under way. It goes on after a restart.
    Running,
    /// Everything is removed; the receipt is there.
    Completed,
}

/// An erasure.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(
    table_name = "erasures",
    comment = "a person, conversation or tenant that is or was erased, and what came of it"
)]
pub struct Model {
    /// The tenant; of a tenant's erasure the operators'.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The erasure.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ErasureId,
    /// What is erased.
    #[sea_orm(comment = "user, end_user, session, tenant")]
    pub subject_type: SubjectType,
    /// Which one.
    #[sea_orm(
        column_type = "Text",
        nullable,
        comment = "its id; of an end user the application's name, until the erasure is completed"
    )]
    pub subject_id: Option<String>,
    /// By which it is known for good.
    #[sea_orm(column_type = "Text", comment = "SHA-256 over the erasure's id and the subject's")]
    pub subject_digest: String,
    /// What it is known by.
    #[sea_orm(
        column_type = "JsonBinary",
        nullable,
        comment = "all that is searched for; until the erasure is completed"
    )]
    pub searched: Option<Json>,
    /// How far it has come.
    #[sea_orm(comment = "running, completed")]
    pub state: ErasureState,
    /// Who wanted it.
    #[sea_orm(
        column_type = "Text",
        comment = "who asked for it: `api_key:<id>`, `user:<id>`, `command_line`, `end_user`"
    )]
    pub actor: String,
    /// What was removed.
    #[sea_orm(column_type = "JsonBinary", comment = "rows removed, by place")]
    pub removed: Json,
    /// The receipt.
    #[sea_orm(
        column_type = "JsonBinary",
        nullable,
        comment = "what the receipt says; signed when it is asked for"
    )]
    pub receipt: Option<Json>,
    /// How long late records are looked for.
    #[sea_orm(comment = "until when records that come late are compared with the erased")]
    pub guarded_until: DateTimeUtc,
    /// When it was done.
    #[sea_orm(comment = "null until everything is erased")]
    pub completed_at: Option<DateTimeUtc>,
    /// When it was asked for.
    pub created_at: DateTimeUtc,
    /// When it was changed.
    pub updated_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
