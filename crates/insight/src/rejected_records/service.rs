//! Reading, mending and replaying what was refused.

use loam_http::surface::{IfMatch, etag, next_version};
use loam_kernel::{Error, Kind, Page, PageQuery, ProjectId, RejectedRecordId, Result, Scope};
use sea_orm::{ColumnTrait, Condition, IntoActiveModel, QueryFilter, Set};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};

use super::entity::{Column, Entity, Model, RejectedState};
use super::keep::{clean, document, packed};
use crate::ingest::{Fault, Sender};
use crate::otlp::MendedSpan;
use crate::service::Insight;
use crate::trace::{Part, Source};

/// Which refused records to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RejectedRecordFilter {
    /// Only those of this project.
    pub(crate) project_id: Option<ProjectId>,
    /// Only those that stand here.
    pub(crate) state: Option<RejectedState>,
    /// Only those refused for this reason.
    pub(crate) code: Option<String>,
    /// Only those sent this way: `records`, `otlp`.
    pub(crate) source: Option<String>,
}

/// A change of a refused record.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RejectedRecordUpdate {
    /// The whole record, or span, as it should have been sent.
    pub(crate) payload: Map<String, Value>,
}

/// Something refused that can be taken now.
enum Mended {
    Record(Part),
    Span(MendedSpan),
}

impl Insight {
    fn read_rejected(
        &self,
        sender: &Sender,
        source: &str,
        document: &Value,
    ) -> Result<Result<Mended, Fault>> {
        if source == Source::Otlp.name() {
            return Ok(self.read_span(sender, document).map(Mended::Span));
        }
        Ok(self.read_document(sender, document)?.map(Mended::Record))
    }

    /// Refused records, the newest first.
    pub(super) async fn list_rejected(
        &self,
        scope: &Scope,
        filter: RejectedRecordFilter,
        page: &PageQuery,
    ) -> Result<Page<Model>> {
        let filter = Condition::all()
            .add_option(filter.project_id.map(|id| Column::ProjectId.eq(id)))
            .add_option(filter.state.map(|state| Column::State.eq(state)))
            .add_option(filter.code.map(|code| Column::Code.eq(code)))
            .add_option(filter.source.map(|source| Column::Source.eq(source)));
        self.0.db.read(scope).await?.find::<Entity>().filter(filter).page(page, |row| row.id.0).await
    }

    /// One refused record.
    pub(super) async fn get_rejected(&self, scope: &Scope, id: RejectedRecordId) -> Result<Model> {
        self.0.db.read(scope).await?.get::<Entity>(id).await?.ok_or_else(missing)
    }

    /// Puts another record in the place of a refused one, and says whether it could be taken.
    pub(super) async fn mend_rejected(
        &self,
        scope: &Scope,
        id: RejectedRecordId,
        version: &IfMatch,
        new: RejectedRecordUpdate,
    ) -> Result<Model> {
        let Model { project_id, source, .. } = self.get_rejected(scope, id).await?;
        let sender = self.any_sender(&scope.in_tenant(scope.tenant()), Some(project_id)).await?;
        let payload = Value::Object(new.payload);
        let found = self.read_rejected(&sender, &source, &payload)?;
        let payload = packed(payload)?;
        if payload.is_empty() {
            let message = "must be at most 1 MiB of JSON; send a larger record through ingest itself";
            return Err(Error::new(Kind::TooLarge, "record_too_large", message).with_param("payload"));
        }
        let tx = self.0.db.write(scope).await?;
        let old = tx.get_locked::<Entity>(id).await?.ok_or_else(missing)?;
        version.check(&etag(old.updated_at))?;
        refuse_unless_open(&old)?;
        let updated_at = next_version(old.updated_at, self.0.clock.now());
        let mut row = old.into_active_model();
        row.payload = Set(payload);
        row.updated_at = Set(updated_at);
        row.state = Set(if found.is_ok() { RejectedState::Mended } else { RejectedState::Rejected });
        if let Err(fault) = found {
            row.code = Set(fault.code.to_owned());
            row.message = Set(clean(&fault.message));
            row.param = Set(fault.param.as_deref().map(clean));
        }
        let row = tx.update(row).await?;
        let changes = json!({ "state": row.state });
        let notice = self.0.changes.record(&tx, "update", "rejected_records", id, changes).await?;
        self.0.changes.commit(tx, notice).await?;
        Ok(row)
    }

    /// Takes a record that was refused, as if it were sent now.
    pub(super) async fn replay_rejected(&self, scope: &Scope, id: RejectedRecordId) -> Result<Model> {
        let old = self.get_rejected(scope, id).await?;
        refuse_unless_open(&old)?;
        let Some(record) = document(&old.payload) else {
            let message =
                "it was too large to be kept, and can't be replayed; send it again, or put it here by PATCH";
            return Err(Error::new(Kind::Conflict, "payload_not_kept", message));
        };
        // the key of the one who replays may be of no project
        let sender = self.sender(&scope.in_tenant(scope.tenant()), Some(old.project_id)).await?;
        let mended = self.read_rejected(&sender, &old.source, &record)?.map_err(|fault| {
            let place = fault.param.map_or_else(|| "payload".to_owned(), |param| format!("payload.{param}"));
            Error::new(Kind::Invalid, fault.code, fault.message).with_param(place)
        })?;
        // replayed twice it counts once, so a crash between this and the row's change does no harm
        match mended {
            Mended::Record(part) => self.accept(vec![part]).await?,
            Mended::Span(span) => self.take_span(&sender, span).await?,
        }
        let tx = self.0.db.write(scope).await?;
        let old = tx.get_locked::<Entity>(id).await?.ok_or_else(missing)?;
        let updated_at = next_version(old.updated_at, self.0.clock.now());
        let mut row = old.into_active_model();
        row.state = Set(RejectedState::Replayed);
        row.updated_at = Set(updated_at);
        let row = tx.update(row).await?;
        let changes = json!({ "state": row.state });
        let notice = self.0.changes.record(&tx, "replay", "rejected_records", id, changes).await?;
        self.0.changes.commit(tx, notice).await?;
        Ok(row)
    }

    /// Forgets a refused record.
    pub(super) async fn delete_rejected(&self, scope: &Scope, id: RejectedRecordId) -> Result<()> {
        let tx = self.0.db.write(scope).await?;
        if tx.delete::<Entity>().filter(Column::Id.eq(id)).exec().await? == 0 {
            return Err(missing());
        }
        let notice = self.0.changes.record(&tx, "delete", "rejected_records", id, json!({})).await?;
        self.0.changes.commit(tx, notice).await
    }
}

fn refuse_unless_open(row: &Model) -> Result<()> {
    if row.state == RejectedState::Replayed {
        return Err(Error::new(Kind::Conflict, "already_replayed", "this record was replayed already"));
    }
    Ok(())
}

fn missing() -> Error {
    Error::not_found("refused record")
}
