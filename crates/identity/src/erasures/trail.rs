//! What is on record of the requests in which something of a person's was changed: the trail knows them.

use loam_kernel::{Result, Scope};
use loam_platform::audit_logs;
use loam_platform::personal::{Removed, Who, forget_requests};
use sea_orm::{ColumnTrait, QueryFilter, QuerySelect};

use super::run::Tally;
use crate::Identity;

/// Things whose rows of the trail are looked for at once.
const THINGS: usize = 200;
/// What kinds of things they are.
const KINDS: [&str; 5] = ["users", "user_preferences", "api_keys", "chat_sessions", "session_configs"];

#[derive(sea_orm::FromQueryResult)]
struct Request {
    request_id: Option<String>,
}

impl Identity {
    /// Forgets the requests in which something of a person's was changed.
    pub(super) async fn forget_changes(&self, scope: &Scope, who: &Who, tally: &mut Tally) -> Result<()> {
        use audit_logs::entity::{Column, Entity};
        let ids = who.users.iter().map(ToString::to_string).chain(who.keys.iter().map(ToString::to_string));
        let things: Vec<String> = ids.chain(who.sessions.iter().map(ToString::to_string)).collect();
        for chunk in things.chunks(THINGS) {
            let tx = self.db.write(scope).await?;
            let find = tx.find::<Entity>().filter(Column::ResourceType.is_in(KINDS));
            let find = find.filter(Column::ResourceId.is_in(chunk.iter().cloned())).select_only();
            let requests: Vec<Request> = find.column(Column::RequestId).distinct().into().await?;
            let requests: Vec<String> = requests.into_iter().filter_map(|row| row.request_id).collect();
            let forgotten = forget_requests(&tx, &requests).await?;
            tally.add("api_logs", Removed { deleted: forgotten.api_logs, emptied: 0 });
            tally.add("error_logs", Removed { deleted: forgotten.error_logs, emptied: 0 });
            tally.write_here(&tx).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}
