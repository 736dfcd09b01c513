//! Keeping what was refused: the newest of each project, without secrets.

use loam_kernel::{Error, RejectedRecordId, Result, Scope, TenantId};
use loam_platform::pack::{pack, unpack};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect, Set};
use serde_json::Value;

use super::entity::{ActiveModel, Column, Entity, RejectedState};
use crate::ingest::{Fault, Sender};
use crate::redact;
use crate::service::Insight;
use crate::trace::Source;

/// Bytes of a refused record beyond which it is not kept, only why it was refused.
const MAX_PAYLOAD: usize = 1 << 20;
/// Refused records of one batch that are kept: a batch is mostly wrong in one way.
const MAX_OF_BATCH: usize = 100;

/// Something that was refused.
pub(crate) struct NewRejected {
    pub(crate) source: Source,
    pub(crate) fault: Fault,
    /// What was sent, if it could be read at all.
    pub(crate) document: Option<Value>,
}

impl Insight {
    /// Keeps what was refused, as far as there is room for it; under which ids, in the same order. That it can't be kept
    /// is no reason to refuse the rest.
    pub(crate) async fn keep_rejected(
        &self,
        sender: &Sender,
        new: Vec<NewRejected>,
    ) -> Vec<Option<RejectedRecordId>> {
        match self.insert_rejected(sender, new).await {
            Ok(ids) => ids,
            Err(e) => {
                tracing::warn!(tenant.id = %sender.tenant, error = %e, "cannot keep records that were refused");
                Vec::new()
            }
        }
    }

    async fn insert_rejected(
        &self,
        sender: &Sender,
        new: Vec<NewRejected>,
    ) -> Result<Vec<Option<RejectedRecordId>>> {
        let room = self.0.ingest.of(sender.tenant).max_rejected;
        if room == 0 {
            return Ok(Vec::new());
        }
        let project = sender.project.id;
        let tx = self.0.db.write(&Scope::system(sender.tenant, "telemetry")).await?;
        let mut ids = Vec::with_capacity(new.len());
        for new in new.into_iter().take(MAX_OF_BATCH) {
            let id: RejectedRecordId = self.0.clock.id();
            let now = self.0.clock.now();
            let payload = match new.document {
                Some(document) => packed(document)?,
                None => Vec::new(),
            };
            tx.insert(ActiveModel {
                tenant_id: Set(TenantId::NIL),
                id: Set(id),
                project_id: Set(project),
                source: Set(new.source.name().to_owned()),
                code: Set(new.fault.code.to_owned()),
                message: Set(clean(&new.fault.message)),
                param: Set(new.fault.param.as_deref().map(clean)),
                payload: Set(payload),
                state: Set(RejectedState::Rejected),
                created_at: Set(now),
                updated_at: Set(now),
            })
            .await?;
            ids.push(Some(id));
        }
        let of_project = tx.find::<Entity>().filter(Column::ProjectId.eq(project));
        let beyond = of_project.order_by_desc(Column::Id).offset(room).limit(1).one().await?;
        if let Some(beyond) = beyond {
            let old = tx.delete::<Entity>().filter(Column::ProjectId.eq(project));
            old.filter(Column::Id.lte(beyond.id)).exec().await?;
        }
        tx.commit().await?;
        Ok(ids)
    }
}

/// A refused record as it is kept; nothing when it is too large.
pub(super) fn packed(mut document: Value) -> Result<Vec<u8>> {
    redact::document(&mut document);
    let bytes = serde_json::to_vec(&document).map_err(Error::internal)?;
    Ok(if bytes.len() > MAX_PAYLOAD { Vec::new() } else { pack(&[bytes], false, MAX_PAYLOAD) })
}

/// A refused record as it was kept.
pub(super) fn document(payload: &[u8]) -> Option<Value> {
    serde_json::from_slice(&unpack(payload)?.body).ok()
}

/// A text that may have come from outside, such as the name of a field.
pub(super) fn clean(text: &str) -> String {
    let text = &text[..text.floor_char_boundary(1_000)];
    text.replace('\0', "")
}
