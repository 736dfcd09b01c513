//! Reading, correcting and replaying rejected telemetry.

use loam_kernel::{
    Error, ExpectedVersion, Kind, Page, PageQuery, ProjectId, RejectedRecordId, Result, Scope,
};
use loam_platform::changes::{Audited, lock_version};
use sea_orm::{ColumnTrait, Condition, IntoActiveModel, QueryFilter, Set};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};

use super::entity::{Column, Entity, Model, RejectedState};
use super::store::{document, packed, sanitise};
use crate::ingest::Ingest;
use crate::ingest::{IngestSource, RecordError};
use crate::otlp::ReplayableSpan;
use crate::trace::{Source, TraceChunk};

/// Filters of rejected records.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RejectedRecordFilter {
    /// Project ID.
    pub(crate) project_id: Option<ProjectId>,
    /// State.
    pub(crate) state: Option<RejectedState>,
    /// Error code.
    pub(crate) code: Option<String>,
    /// Protocol: `records`, `otlp`.
    pub(crate) source: Option<String>,
}

/// Changes to a rejected record.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RejectedRecordUpdate {
    /// The complete corrected record or span.
    pub(crate) payload: Map<String, Value>,
}

/// Rejected telemetry that is valid now.
enum Replayable {
    Record(TraceChunk),
    Span(ReplayableSpan),
}

impl Ingest {
    fn read_rejected(
        &self,
        ingest_source: &IngestSource,
        source: &str,
        document: &Value,
    ) -> Result<Result<Replayable, RecordError>> {
        if source == Source::Otlp.name() {
            return Ok(self.read_span(ingest_source, document).map(Replayable::Span));
        }
        Ok(self.read_document(ingest_source, document)?.map(Replayable::Record))
    }

    /// Lists rejected records, newest first.
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

    /// Returns a rejected record.
    pub(super) async fn get_rejected(&self, scope: &Scope, id: RejectedRecordId) -> Result<Model> {
        self.0.db.read(scope).await?.get::<Entity>(id).await?.ok_or_else(Entity::missing)
    }

    /// Replaces the content of a rejected record, and validates it.
    pub(super) async fn update_rejected(
        &self,
        scope: &Scope,
        id: RejectedRecordId,
        version: &ExpectedVersion,
        new: RejectedRecordUpdate,
    ) -> Result<Model> {
        let Model { project_id, source, .. } = self.get_rejected(scope, id).await?;
        let ingest_source =
            self.ingest_source_in_any_state(&scope.in_tenant(scope.tenant()), Some(project_id)).await?;
        let payload = Value::Object(new.payload);
        let result = self.read_rejected(&ingest_source, &source, &payload)?;
        let payload = packed(payload)?;
        if payload.is_empty() {
            let message = "must be at most 1 MiB of JSON; send larger records to the ingest endpoint";
            return Err(Error::new(Kind::TooLarge, "record_too_large", message).with_param("payload"));
        }
        let tx = self.0.db.write(scope).await?;
        let old = lock_version::<Entity>(&tx, id, version).await?;
        check_not_replayed(&old)?;
        let mut row = old.into_active_model();
        row.payload = Set(payload);
        row.state = Set(if result.is_ok() { RejectedState::Mended } else { RejectedState::Rejected });
        if let Err(error) = result {
            row.code = Set(error.code.to_owned());
            row.message = Set(sanitise(&error.message));
            row.param = Set(error.param.as_deref().map(sanitise));
        }
        let row = self.0.changes.save(&tx, row).await?;
        let changes = json!({ "state": row.state });
        let notice = self.0.changes.record(&tx, "update", "rejected_records", id, changes).await?;
        self.0.changes.commit(tx, notice).await?;
        Ok(row)
    }

    /// Ingests a rejected record as if it were sent now.
    pub(super) async fn replay_rejected(&self, scope: &Scope, id: RejectedRecordId) -> Result<Model> {
        let old = self.get_rejected(scope, id).await?;
        check_not_replayed(&old)?;
        let Some(record) = document(&old.payload)? else {
            let message = "the content was too large to store, so it can't be replayed; resend it, or set `payload` with PATCH";
            return Err(Error::new(Kind::Conflict, "payload_not_kept", message));
        };
        // the API key of the caller may not be bound to a project
        let ingest_source =
            self.ingest_source(&scope.in_tenant(scope.tenant()), Some(old.project_id)).await?;
        let replayable = self.read_rejected(&ingest_source, &old.source, &record)?.map_err(|error| {
            let param = error.param.map_or_else(|| "payload".to_owned(), |param| format!("payload.{param}"));
            Error::new(Kind::Invalid, error.code, error.message).with_param(param)
        })?;
        // duplicates are counted once, so a crash between this and the update of the row does no harm
        match replayable {
            Replayable::Record(chunk) => self.journal_chunks(vec![chunk]).await?,
            Replayable::Span(span) => self.replay_span(&ingest_source, span).await?,
        }
        let tx = self.0.db.write(scope).await?;
        let old = tx.get_locked::<Entity>(id).await?.ok_or_else(Entity::missing)?;
        let mut row = old.into_active_model();
        row.state = Set(RejectedState::Replayed);
        let row = self.0.changes.save(&tx, row).await?;
        let changes = json!({ "state": row.state });
        let notice = self.0.changes.record(&tx, "replay", "rejected_records", id, changes).await?;
        self.0.changes.commit(tx, notice).await?;
        Ok(row)
    }

    /// Deletes a rejected record.
    pub(super) async fn delete_rejected(&self, scope: &Scope, id: RejectedRecordId) -> Result<()> {
        self.0.changes.delete::<Entity>(self.0.db.write(scope).await?, id).await
    }
}

fn check_not_replayed(row: &Model) -> Result<()> {
    if row.state == RejectedState::Replayed {
        return Err(Error::new(Kind::Conflict, "already_replayed", "this record has already been replayed"));
    }
    Ok(())
}

impl Audited for Entity {
    const NAME: &'static str = "rejected record";
    const UPDATED_AT: Column = Column::UpdatedAt;

    fn view(row: &Model) -> Value {
        json!({
            "project_id": row.project_id, "source": row.source, "code": row.code, "param": row.param,
            "state": row.state,
        })
    }
}
