//! The rules of product requirements documents.

use loam_http::surface::present;
use loam_kernel::{
    Error, ExpectedVersion, Page, PageQuery, PrdDocId, ProjectId, RequirementId, Result, Scope, no_nul,
};
use loam_platform::changes::Audited;
use sea_orm::{ColumnTrait, Condition, QueryFilter, Value as DbValue};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::entity::{Column, Entity, Model};
use crate::Delivery;
use crate::document_versions::entity as versions;
use crate::documents::{Content, Current, Document, DocumentStatus, Head, Save, check_title, first_line};
use crate::requirements::entity as requirements;

/// Maximum size, in bytes.
const MAX_BYTES: usize = 2 << 20;

/// What is versioned of a PRD.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PrdContent {
    pub(crate) title: Option<String>,
    pub(crate) markdown_content: String,
}

/// A new product requirements document.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PrdDocCreate {
    /// The requirement that it is made from.
    pub requirement_id: RequirementId,
    /// Title; defaults to the first line of the text.
    pub title: Option<String>,
    /// The document in Markdown, at most 2 MB.
    #[serde(default)]
    pub markdown_content: String,
    /// The model that wrote it.
    pub model: Option<String>,
    /// Why it is saved.
    pub message: Option<String>,
}

/// A change of a PRD, saved as a new version: omitted fields stay as they are.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PrdDocUpdate {
    /// The version that the change is based on, which must be the current one: 409 otherwise.
    pub base_version: i64,
    /// Title; null removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub title: Option<Option<String>>,
    /// The document in Markdown.
    pub markdown_content: Option<String>,
    /// The model that wrote the new version.
    pub model: Option<String>,
    /// Why it is saved.
    pub message: Option<String>,
}

/// Filters for PRDs.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PrdDocFilter {
    /// Only PRDs of this project.
    pub project_id: Option<ProjectId>,
    /// Only PRDs of this requirement.
    pub requirement_id: Option<RequirementId>,
    /// Only PRDs with this status.
    pub status: Option<DocumentStatus>,
}

impl Delivery {
    /// PRDs without their content, newest first.
    pub(super) async fn list_prd_docs(
        &self,
        scope: &Scope,
        filter: &PrdDocFilter,
        page: &PageQuery,
    ) -> Result<Page<Model>> {
        let conditions = Condition::all()
            .add_option(filter.project_id.map(|id| Column::ProjectId.eq(id)))
            .add_option(filter.requirement_id.map(|id| Column::RequirementId.eq(id)))
            .add_option(filter.status.map(|status| Column::Status.eq(status)));
        let tx = self.db.read(scope).await?;
        tx.find::<Entity>().filter(conditions).page(page, |row| row.id.0).await
    }

    /// Creates a PRD.
    pub(super) async fn create_prd_doc(&self, scope: &Scope, new: PrdDocCreate) -> Result<Current<Entity>> {
        let tx = self.db.write(scope).await?;
        let requirement = tx.get::<requirements::Entity>(new.requirement_id).await?;
        let requirement =
            requirement.ok_or_else(|| Error::invalid("requirement_id", "no requirement with this ID"))?;
        let content = PrdContent {
            title: new.title.or_else(|| first_line(&new.markdown_content)),
            markdown_content: new.markdown_content,
        };
        let columns = vec![(Column::RequirementId, requirement.id.into())];
        let save = Save { message: new.message, model: new.model };
        self.create_document(tx, requirement.project_id, content, columns, save).await
    }

    /// Saves a changed PRD as a new version.
    pub(super) async fn update_prd_doc(
        &self,
        scope: &Scope,
        id: PrdDocId,
        expected: &ExpectedVersion,
        new: PrdDocUpdate,
    ) -> Result<Current<Entity>> {
        let tx = self.db.write(scope).await?;
        let current = self.document_to_change::<Entity>(&tx, id.0, expected, new.base_version).await?;
        let mut content = current.content.clone();
        new.title.map(|title| content.title = title);
        new.markdown_content.map(|text| content.markdown_content = text);
        let save = Save { message: new.message, model: new.model };
        self.save_document(tx, current, content, Vec::new(), save).await
    }

    /// Deletes a PRD with its versions, and with the designs and specifications that were made from it.
    pub(super) async fn delete_prd_doc(&self, scope: &Scope, id: PrdDocId) -> Result<()> {
        self.changes.delete::<Entity>(self.db.write(scope).await?, id).await
    }
}

impl Content for PrdContent {
    fn validate(&self) -> Result<()> {
        check_title(self.title.as_deref())?;
        no_nul("markdown_content", &self.markdown_content)?;
        match self.markdown_content.len() {
            0..=MAX_BYTES => Ok(()),
            size => Err(Error::invalid(
                "markdown_content",
                format!("has {size} bytes; at most {MAX_BYTES} are allowed"),
            )),
        }
    }
}

impl Document for Entity {
    type Content = PrdContent;
    const PROJECT: Column = Column::ProjectId;
    const STATUS: Column = Column::Status;
    const VERSION: Column = Column::Version;
    const APPROVED_VERSION: Column = Column::ApprovedVersion;
    const CREATED_AT: Column = Column::CreatedAt;
    const OWNER: versions::Column = versions::Column::PrdDocId;

    fn head(row: &Model) -> Head {
        Head { id: row.id.0, status: row.status, version: row.version }
    }

    fn columns(content: &PrdContent) -> Vec<(Column, DbValue)> {
        vec![(Column::Title, content.title.clone().into())]
    }
}

impl Audited for Entity {
    const NAME: &'static str = "PRD";
    const UPDATED_AT: Column = Column::UpdatedAt;

    fn view(row: &Model) -> Value {
        json!({
            "project_id": row.project_id, "requirement_id": row.requirement_id, "status": row.status, "version": row.version,
            "approved_version": row.approved_version,
        })
    }
}
