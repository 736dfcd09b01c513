//! Every version that a value ever had.

use loam_kernel::{SystemConfigVersionId, TenantId};
use sea_orm::entity::prelude::*;

/// One change of a value.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(
    table_name = "system_config_versions",
    comment = "one change of a value of the live configuration; never changed, never deleted"
)]
pub struct Model {
    /// The tenant; nil for the instance.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The row.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SystemConfigVersionId,
    /// Which key.
    #[sea_orm(column_type = "Text", comment = "key, as declared in code")]
    pub config_key: String,
    /// Its number.
    #[sea_orm(comment = "number within the key, from 1, without a gap")]
    pub version: i64,
    /// What was done.
    #[sea_orm(column_type = "Text", comment = "set, update, unset, rollback")]
    pub action: String,
    /// What held before.
    #[sea_orm(column_type = "JsonBinary", nullable, comment = "what was set before; null: nothing")]
    pub old_value: Option<Json>,
    /// What held from then on.
    #[sea_orm(column_type = "JsonBinary", nullable, comment = "what was set from then on; null: nothing")]
    pub new_value: Option<Json>,
    /// By whom.
    #[sea_orm(column_type = "Text", comment = "who did it, as on the audit trail")]
    pub actor: String,
    /// The request it came with.
    #[sea_orm(column_type = "Text", nullable, comment = "request it came with")]
    pub request_id: Option<String>,
    /// When.
    pub created_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
