//! Reading suggestions and changing their status.

use loam_kernel::{ExpectedVersion, Page, PageQuery, ProjectId, Result, Scope, SuggestionId};
use loam_platform::changes::{Audited, lock_version};
use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, Set};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::entity::{Column, Entity, Model, SuggestionSource, SuggestionStatus};
use crate::analyses::Analyses;

/// Filter for listing suggestions.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SuggestionFilter {
    /// Only suggestions for this project.
    pub project_id: Option<ProjectId>,
    /// Only suggestions for this endpoint.
    pub endpoint: Option<String>,
    /// Only suggestions for this version of the application.
    pub version: Option<String>,
    /// Only suggestions from this source.
    pub source: Option<SuggestionSource>,
    /// Only suggestions in this status.
    pub status: Option<SuggestionStatus>,
}

/// A change of a suggestion.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SuggestionUpdate {
    /// The new status.
    pub status: SuggestionStatus,
}

impl Analyses {
    /// The tenant's suggestions, newest first.
    pub async fn list_suggestions(
        &self,
        scope: &Scope,
        filter: SuggestionFilter,
        page: &PageQuery,
    ) -> Result<Page<Model>> {
        let tx = self.0.db.read(scope).await?;
        let mut find = tx.find::<Entity>();
        if let Some(project) = filter.project_id {
            find = find.filter(Column::ProjectId.eq(project));
        }
        if let Some(endpoint) = filter.endpoint {
            find = find.filter(Column::Endpoint.eq(endpoint));
        }
        if let Some(version) = filter.version {
            find = find.filter(Column::Version.eq(version));
        }
        if let Some(source) = filter.source {
            find = find.filter(Column::Source.eq(source));
        }
        if let Some(status) = filter.status {
            find = find.filter(Column::Status.eq(status));
        }
        find.page(page, |row| row.id.0).await
    }

    /// Gets a suggestion.
    pub async fn get_suggestion(&self, scope: &Scope, id: SuggestionId) -> Result<Model> {
        self.0.db.read(scope).await?.get::<Entity>(id).await?.ok_or_else(Entity::missing)
    }

    /// Updates the status of a suggestion.
    pub async fn update_suggestion(
        &self,
        scope: &Scope,
        id: SuggestionId,
        version: &ExpectedVersion,
        new: SuggestionUpdate,
    ) -> Result<Model> {
        let tx = self.0.db.write(scope).await?;
        let old = lock_version::<Entity>(&tx, id, version).await?;
        let mut row = old.into_active_model();
        row.status = Set(new.status);
        self.0.changes.update(tx, row).await
    }
}

impl Audited for Entity {
    const NAME: &'static str = "suggestion";
    const UPDATED_AT: Column = Column::UpdatedAt;

    fn view(row: &Model) -> Value {
        json!({ "status": row.status })
    }
}
