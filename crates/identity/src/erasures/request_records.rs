//! Request records of changes to a person's data, which are found through the audit trail.

use loam_kernel::{Result, Scope};
use loam_platform::audit_logs;
use loam_platform::personal::{PersonQuery, Removed, delete_requests};
use sea_orm::{ColumnTrait, DerivePartialModel, QueryFilter, QuerySelect};

use super::run::RemovalCounts;
use crate::Identity;

/// Resources per query of the audit trail.
const CHUNK: usize = 200;
/// The types of these resources.
const RESOURCE_TYPES: [&str; 5] =
    ["users", "user_preferences", "api_keys", "chat_sessions", "session_configs"];

#[derive(DerivePartialModel)]
#[sea_orm(entity = "audit_logs::entity::Entity")]
struct Request {
    request_id: Option<String>,
}

impl Identity {
    /// Deletes the records of requests that changed a person's data.
    pub(super) async fn delete_request_records(
        &self,
        scope: &Scope,
        who: &PersonQuery,
        counts: &mut RemovalCounts,
    ) -> Result<()> {
        use audit_logs::entity::{Column, Entity};
        let ids = who.users.iter().map(ToString::to_string).chain(who.keys.iter().map(ToString::to_string));
        let things: Vec<String> = ids.chain(who.sessions.iter().map(ToString::to_string)).collect();
        for chunk in things.chunks(CHUNK) {
            let tx = self.db.write(scope).await?;
            let find = tx.find::<Entity>().filter(Column::ResourceType.is_in(RESOURCE_TYPES));
            let find = find.filter(Column::ResourceId.is_in(chunk.iter().cloned()));
            let requests: Vec<Request> = find.distinct().partial().await?;
            let requests: Vec<String> = requests.into_iter().filter_map(|row| row.request_id).collect();
            let deleted = delete_requests(&tx, &requests).await?;
            counts.add("api_logs", Removed { deleted: deleted.api_logs, emptied: 0 });
            counts.add("error_logs", Removed { deleted: deleted.error_logs, emptied: 0 });
            counts.write_here(&tx).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}
