//! A setting of a session.

use loam_db::OrderedJson;
use loam_kernel::{ChatSessionId, SessionConfigId, TenantId};
use sea_orm::entity::prelude::*;

/// A setting.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "session_configs", comment = "a setting of one conversation")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The setting.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SessionConfigId,
    /// Session ID.
    #[sea_orm(comment = "session ID")]
    pub session_id: ChatSessionId,
    /// Key.
    #[sea_orm(column_type = "Text", comment = "unique in the session")]
    pub key: String,
    /// Value.
    #[sea_orm(comment = "value, JSON with its keys as they were sent")]
    pub value: OrderedJson,
    /// When it was first set.
    pub created_at: DateTimeUtc,
    /// When it was changed; its version.
    pub updated_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
