//! The rules of requirements.

use chrono::{DateTime, Utc};
use loam_http::surface::present;
use loam_kernel::{
    Error, ExpectedVersion, Order, Page, PageQuery, ProjectId, RequirementId, Result, Scope, bounded,
};
use loam_platform::changes::Audited;
use sea_orm::{ColumnTrait, Condition, QueryFilter, Value as DbValue};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};

use super::analysis::AiAnalysis;
use super::entity::{Column, Entity, Model};
use crate::Delivery;
use crate::document_versions::compare::{FieldChange, field_changes};
use crate::document_versions::{analysis_by_model, entity as versions};
use crate::documents::{
    Content, Current, Document, DocumentStatus, Head, Save, check_title, first_line, merged,
};

/// Maximum length of a text, in characters.
const MAX_TEXT: usize = 200_000;
/// The confidence of a requirement that has none.
const NO_CONFIDENCE: f64 = -1.0;

/// What is versioned of a requirement.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RequirementContent {
    pub(crate) title: Option<String>,
    pub(crate) raw_text: String,
    pub(crate) ai_analysis: Option<AiAnalysis>,
    pub(crate) confidence_score: Option<f64>,
    pub(crate) manual_edits: Option<ManualEdits>,
}

/// What people changed in the analysis since a model last wrote it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ManualEdits {
    /// Time of the last change.
    pub edited_at: DateTime<Utc>,
    /// The changed fields of `ai_analysis`.
    pub changes: Vec<FieldChange>,
}

/// A new requirement.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequirementCreate {
    /// The project.
    pub project_id: ProjectId,
    /// Title; defaults to the first line of the text.
    pub title: Option<String>,
    /// What is wanted, in the words of who wants it; at most 200,000 characters.
    pub raw_text: String,
    /// The analysis of it.
    pub ai_analysis: Option<AiAnalysis>,
    /// Confidence in the analysis, 0 to 1.
    pub confidence_score: Option<f64>,
    /// The model that wrote the analysis.
    pub model: Option<String>,
    /// Why it is saved.
    pub message: Option<String>,
}

/// A change of a requirement, saved as a new version: omitted fields stay as they are.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequirementUpdate {
    /// The version that the change is based on, which must be the current one: 409 otherwise.
    pub base_version: i64,
    /// Title; null removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub title: Option<Option<String>>,
    /// What is wanted.
    pub raw_text: Option<String>,
    /// Fields of the analysis to change; null resets a field, or removes the analysis.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<AiAnalysis>)]
    pub ai_analysis: Option<Option<Map<String, Value>>>,
    /// Confidence in the analysis, 0 to 1; null removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<f64>)]
    pub confidence_score: Option<Option<f64>>,
    /// The model that wrote the new version.
    pub model: Option<String>,
    /// Why it is saved.
    pub message: Option<String>,
}

/// How requirements are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RequirementSort {
    /// Newest first.
    #[default]
    Created,
    /// Highest confidence first, those without one last.
    Confidence,
}

/// Filters for requirements.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RequirementFilter {
    /// Only requirements of this project.
    pub project_id: Option<ProjectId>,
    /// Only requirements with this status.
    pub status: Option<DocumentStatus>,
    /// Only requirements with at least this confidence, 0 to 1.
    pub min_confidence: Option<f64>,
    /// Sort order: `created` (default), newest first; `confidence`, highest first.
    pub sort: Option<RequirementSort>,
}

impl Delivery {
    /// Requirements without their content.
    pub(super) async fn list_requirements(
        &self,
        scope: &Scope,
        filter: &RequirementFilter,
        page: &PageQuery,
    ) -> Result<Page<Model>> {
        let conditions = Condition::all()
            .add_option(filter.project_id.map(|id| Column::ProjectId.eq(id)))
            .add_option(filter.status.map(|status| Column::Status.eq(status)))
            .add_option(filter.min_confidence.map(|least| Column::ConfidenceScore.gte(least)));
        let tx = self.db.read(scope).await?;
        let find = tx.find::<Entity>().filter(conditions);
        match filter.sort.unwrap_or_default() {
            RequirementSort::Created => find.page(page, |row| row.id.0).await,
            RequirementSort::Confidence => {
                let at = |row: &Model| (row.confidence_score, row.id.0);
                find.page_by(page, Order::Desc, Column::ConfidenceScore, at).await
            }
        }
    }

    /// Creates a requirement.
    pub(super) async fn create_requirement(
        &self,
        scope: &Scope,
        new: RequirementCreate,
    ) -> Result<Current<Entity>> {
        self.check_project(scope, new.project_id).await?;
        let content = RequirementContent {
            title: new.title.or_else(|| first_line(&new.raw_text)),
            raw_text: new.raw_text,
            ai_analysis: new.ai_analysis,
            confidence_score: new.confidence_score,
            manual_edits: None,
        };
        let save = Save { message: new.message, model: new.model };
        let tx = self.db.write(scope).await?;
        self.create_document(tx, new.project_id, content, Vec::new(), save).await
    }

    /// Saves a changed requirement as a new version.
    pub(super) async fn update_requirement(
        &self,
        scope: &Scope,
        id: RequirementId,
        expected: &ExpectedVersion,
        new: RequirementUpdate,
    ) -> Result<Current<Entity>> {
        let tx = self.db.write(scope).await?;
        let current = self.document_to_change::<Entity>(&tx, id.0, expected, new.base_version).await?;
        let mut content = current.content.clone();
        new.title.map(|title| content.title = title);
        new.raw_text.map(|text| content.raw_text = text);
        new.confidence_score.map(|score| content.confidence_score = score);
        let before = json!(content.ai_analysis);
        match new.ai_analysis {
            None => {}
            Some(None) => content.ai_analysis = None,
            Some(Some(change)) => {
                content.ai_analysis = Some(merged("ai_analysis", &before, change)?);
            }
        }
        let after = json!(content.ai_analysis);
        if new.model.is_some() {
            content.manual_edits = None;
        } else if before != after {
            let of_model = analysis_by_model::<Entity>(&tx, id.0).await?;
            content.manual_edits = of_model.map(|of_model| ManualEdits {
                edited_at: self.clock.now(),
                changes: field_changes(&of_model, &after),
            });
        }
        let save = Save { message: new.message, model: new.model };
        self.save_document(tx, current, content, Vec::new(), save).await
    }

    /// Deletes a requirement with its versions, and with the documents that were made from it.
    pub(super) async fn delete_requirement(&self, scope: &Scope, id: RequirementId) -> Result<()> {
        self.changes.delete::<Entity>(self.db.write(scope).await?, id).await
    }
}

impl Model {
    /// The confidence; none if the requirement has none.
    pub(super) fn confidence(&self) -> Option<f64> {
        Some(self.confidence_score).filter(|score| *score >= 0.0)
    }
}

impl Content for RequirementContent {
    fn validate(&self) -> Result<()> {
        check_title(self.title.as_deref())?;
        bounded("raw_text", &self.raw_text, MAX_TEXT)?;
        if self.confidence_score.is_some_and(|score| !(0.0..=1.0).contains(&score)) {
            return Err(Error::invalid("confidence_score", "must be between 0 and 1"));
        }
        self.ai_analysis.as_ref().map_or(Ok(()), AiAnalysis::validate)
    }
}

impl Document for Entity {
    type Content = RequirementContent;
    const PROJECT: Column = Column::ProjectId;
    const STATUS: Column = Column::Status;
    const VERSION: Column = Column::Version;
    const APPROVED_VERSION: Column = Column::ApprovedVersion;
    const CREATED_AT: Column = Column::CreatedAt;
    const OWNER: versions::Column = versions::Column::RequirementId;

    fn head(row: &Model) -> Head {
        Head { id: row.id.0, status: row.status, version: row.version }
    }

    fn columns(content: &RequirementContent) -> Vec<(Column, DbValue)> {
        vec![
            (Column::Title, content.title.clone().into()),
            (Column::ConfidenceScore, content.confidence_score.unwrap_or(NO_CONFIDENCE).into()),
        ]
    }
}

impl Audited for Entity {
    const NAME: &'static str = "requirement";
    const UPDATED_AT: Column = Column::UpdatedAt;

    fn view(row: &Model) -> Value {
        json!({
            "project_id": row.project_id, "status": row.status, "version": row.version,
            "approved_version": row.approved_version, "confidence_score": row.confidence(),
        })
    }
}
