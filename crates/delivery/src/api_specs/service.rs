//! The rules of API specifications.

use loam_http::surface::present;
use loam_kernel::{
    ApiSpecId, Error, ExpectedVersion, JsonObject, Page, PageQuery, ProjectId, Result, Scope, TechDesignId,
    bounded, truncate_chars,
};
use loam_platform::changes::Audited;
use sea_orm::{ColumnTrait, Condition, QueryFilter, Value as DbValue};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};

use super::entity::{Column, Entity, Model};
use super::validate::faults;
use crate::Delivery;
use crate::document_versions::entity as versions;
use crate::documents::{Content, Current, Document, DocumentStatus, Head, Save, check_title};
use crate::tech_designs::entity as tech_designs;

/// Maximum length of an address, in characters.
const MAX_URL: usize = 2_000;
/// Maximum length of the version of OpenAPI, in characters.
const MAX_VERSION: usize = 20;

/// What is versioned of a specification.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SpecContent {
    pub(crate) title: Option<String>,
    pub(crate) openapi_spec: Value,
}

/// A new API specification, of a design or of a project alone.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiSpecCreate {
    /// The technical design that it is made from.
    pub design_id: Option<TechDesignId>,
    /// The project; needed without a design.
    pub project_id: Option<ProjectId>,
    /// Title; defaults to `info.title` of the document.
    pub title: Option<String>,
    /// The OpenAPI document. One with faults is stored too: they are in `validation_errors`.
    #[schema(value_type = JsonObject)]
    pub openapi_spec: Map<String, Value>,
    /// Its address on GitHub.
    pub github_url: Option<String>,
    /// The model that wrote it.
    pub model: Option<String>,
    /// Why it is saved.
    pub message: Option<String>,
}

/// A change of an API specification, saved as a new version: omitted fields stay as they are.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiSpecUpdate {
    /// The version that the change is based on, which must be the current one: 409 otherwise.
    pub base_version: i64,
    /// Title; null removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub title: Option<Option<String>>,
    /// The whole OpenAPI document.
    #[schema(value_type = Option<JsonObject>)]
    pub openapi_spec: Option<Map<String, Value>>,
    /// Its address on GitHub, which is not versioned; null removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub github_url: Option<Option<String>>,
    /// The model that wrote the new version.
    pub model: Option<String>,
    /// Why it is saved.
    pub message: Option<String>,
}

/// Filters for API specifications.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ApiSpecFilter {
    /// Only specifications of this project.
    pub project_id: Option<ProjectId>,
    /// Only specifications of this design.
    pub design_id: Option<TechDesignId>,
    /// Only specifications in this version of OpenAPI, such as `3.1.0`.
    pub openapi_version: Option<String>,
    /// Only specifications with this address on GitHub.
    pub github_url: Option<String>,
    /// Only specifications with this status.
    pub status: Option<DocumentStatus>,
}

impl Delivery {
    /// Specifications without their content, newest first.
    pub(super) async fn list_api_specs(
        &self,
        scope: &Scope,
        filter: &ApiSpecFilter,
        page: &PageQuery,
    ) -> Result<Page<Model>> {
        let conditions = Condition::all()
            .add_option(filter.project_id.map(|id| Column::ProjectId.eq(id)))
            .add_option(filter.design_id.map(|id| Column::DesignId.eq(id)))
            .add_option(filter.openapi_version.as_ref().map(|version| Column::OpenapiVersion.eq(version)))
            .add_option(filter.github_url.as_ref().map(|url| Column::GithubUrl.eq(url)))
            .add_option(filter.status.map(|status| Column::Status.eq(status)));
        let tx = self.db.read(scope).await?;
        tx.find::<Entity>().filter(conditions).page(page, |row| row.id.0).await
    }

    /// Creates a specification.
    pub(super) async fn create_api_spec(&self, scope: &Scope, new: ApiSpecCreate) -> Result<Current<Entity>> {
        check_url(new.github_url.as_deref())?;
        if let Some(project) = new.project_id {
            self.check_project(scope, project).await?;
        }
        let tx = self.db.write(scope).await?;
        let design = match new.design_id {
            Some(id) => {
                let design = tx.get::<tech_designs::Entity>(id).await?;
                Some(design.ok_or_else(|| Error::invalid("design_id", "no technical design with this ID"))?)
            }
            None => None,
        };
        let project = match (&design, new.project_id) {
            (Some(design), Some(project)) if design.project_id != project => {
                return Err(Error::invalid("project_id", "must be the project of the design"));
            }
            (Some(design), _) => design.project_id,
            (None, Some(project)) => project,
            (None, None) => return Err(Error::invalid("project_id", "is needed without `design_id`")),
        };
        let title = new.openapi_spec.get("info").and_then(|info| info["title"].as_str());
        let title = title.map(|title| truncate_chars(title.trim(), 80)).filter(|title| !title.is_empty());
        let content = SpecContent {
            title: new.title.or_else(|| title.map(str::to_owned)),
            openapi_spec: new.openapi_spec.into(),
        };
        let columns = vec![
            (Column::DesignId, design.map(|design| design.id).into()),
            (Column::GithubUrl, new.github_url.into()),
        ];
        let save = Save { message: new.message, model: new.model };
        self.create_document(tx, project, content, columns, save).await
    }

    /// Saves a changed specification, as a new version if its content is another one.
    pub(super) async fn update_api_spec(
        &self,
        scope: &Scope,
        id: ApiSpecId,
        expected: &ExpectedVersion,
        new: ApiSpecUpdate,
    ) -> Result<Current<Entity>> {
        check_url(new.github_url.as_ref().and_then(Option::as_deref))?;
        let tx = self.db.write(scope).await?;
        let current = self.document_to_change::<Entity>(&tx, id.0, expected, new.base_version).await?;
        let mut content = current.content.clone();
        new.title.map(|title| content.title = title);
        new.openapi_spec.map(|document| content.openapi_spec = document.into());
        let columns = new.github_url.map(|url| (Column::GithubUrl, url.into())).into_iter().collect();
        let save = Save { message: new.message, model: new.model };
        self.save_document(tx, current, content, columns, save).await
    }

    /// Deletes a specification with its versions.
    pub(super) async fn delete_api_spec(&self, scope: &Scope, id: ApiSpecId) -> Result<()> {
        let tx = self.db.write(scope).await?;
        self.clear_api_spec(&tx, id).await?;
        self.changes.delete::<Entity>(tx, id).await
    }
}

fn check_url(url: Option<&str>) -> Result<()> {
    let Some(url) = url else { return Ok(()) };
    bounded("github_url", url, MAX_URL)?;
    if url.starts_with("https://") {
        Ok(())
    } else {
        Err(Error::invalid("github_url", "must begin with `https://`"))
    }
}

fn openapi_version(document: &Value) -> Option<&str> {
    document["openapi"].as_str()
}

impl Content for SpecContent {
    fn validate(&self) -> Result<()> {
        check_title(self.title.as_deref())?;
        match openapi_version(&self.openapi_spec) {
            Some(version) => bounded("openapi_spec.openapi", version, MAX_VERSION),
            None => {
                Err(Error::invalid("openapi_spec.openapi", "must be the version of OpenAPI, such as 3.1.0"))
            }
        }
    }
}

impl Document for Entity {
    type Content = SpecContent;
    const PROJECT: Column = Column::ProjectId;
    const STATUS: Column = Column::Status;
    const VERSION: Column = Column::Version;
    const APPROVED_VERSION: Column = Column::ApprovedVersion;
    const CREATED_AT: Column = Column::CreatedAt;
    const OWNER: versions::Column = versions::Column::ApiSpecId;

    fn head(row: &Model) -> Head {
        Head { id: row.id.0, status: row.status, version: row.version }
    }

    fn columns(content: &SpecContent) -> Vec<(Column, DbValue)> {
        let version = openapi_version(&content.openapi_spec).unwrap_or_default();
        vec![
            (Column::Title, content.title.clone().into()),
            (Column::OpenapiVersion, version.into()),
            (Column::ValidationErrors, json!(faults(&content.openapi_spec)).into()),
        ]
    }
}

impl Audited for Entity {
    const NAME: &'static str = "API specification";
    const UPDATED_AT: Column = Column::UpdatedAt;

    fn view(row: &Model) -> Value {
        json!({
            "project_id": row.project_id, "design_id": row.design_id, "status": row.status, "version": row.version,
            "approved_version": row.approved_version,
            "openapi_version": row.openapi_version, "github_url": row.github_url,
        })
    }
}
