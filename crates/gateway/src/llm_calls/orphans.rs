//! Calls that were in progress when this node died.

use loam_kernel::{NodeId, Result, Scope, TenantId};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::entity::{CallState, Column, Entity, Model};
use super::record::Record;

/// The error message of such a call.
const ORPHANED_MESSAGE: &str = "the server died while this call was in progress";

impl crate::Gateway {
    /// Settles the calls that were in progress when this node last died, as orphaned; returns their number. Call it
    /// once the recovered journal has been drained, with an id created before the first call of this run.
    ///
    /// The settlements go through the journal like any other, so that the drainer counts them too.
    pub(crate) async fn mark_orphans(&self, node: NodeId, start: Uuid) -> Result<u64> {
        let rows = {
            let tx = self.0.db.system_read(&Scope::system(TenantId::NIL, "orphans")).await?;
            let open = tx
                .find_any::<Entity>()
                .filter(Column::NodeId.eq(node))
                .filter(Column::State.eq(CallState::Open))
                .filter(Column::Id.lt(start));
            open.order_by_asc(Column::Id).all().await?
        };
        let mut marked = 0;
        let mut last = None;
        for row in rows {
            let mut record = Record::from(row);
            record.state = CallState::Orphaned;
            record.error = Some(ORPHANED_MESSAGE.to_owned());
            record.updated_us = self.0.clock.now().timestamp_micros().max(record.created_us);
            last = Some(self.0.ledger.settle_orphan(record).await?);
            marked += 1;
        }
        if let Some(last) = last {
            self.0.ledger.durable(last).await?;
            tracing::warn!(
                calls = marked,
                "found calls that were in progress when this node died; they are marked orphaned"
            );
        }
        Ok(marked)
    }
}

fn texts(metadata: Value) -> Vec<(String, String)> {
    let fields: Map<String, Value> = serde_json::from_value(metadata).unwrap_or_default();
    fields.into_iter().filter_map(|(name, value)| Some((name, value.as_str()?.to_owned()))).collect()
}

impl From<Model> for Record {
    /// The fields of a call that its intent holds.
    fn from(row: Model) -> Self {
        Self {
            tenant: row.tenant_id,
            id: row.id,
            node: row.node_id,
            state: row.state,
            provider: row.provider,
            model: row.model,
            endpoint: row.endpoint,
            route: row.route,
            api_key: row.api_key_id,
            user: row.user_id,
            project: row.project_id,
            session: row.session_id,
            end_user: row.end_user,
            tags: row.tags.and_then(|tags| serde_json::from_value(tags).ok()).unwrap_or_default(),
            metadata: row.metadata.map(texts).unwrap_or_default(),
            request_id: row.request_id,
            trace_id: row.trace_id,
            span_id: row.span_id,
            response_id: row.response_id,
            streamed: row.streamed,
            reserved_nano_usd: row.reserved_nano_usd,
            cache: row.cache,
            created_us: row.created_at.timestamp_micros(),
            ..Self::default()
        }
    }
}
