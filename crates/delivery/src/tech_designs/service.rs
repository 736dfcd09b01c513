//! The rules of technical designs.

use loam_db::{Tenant, Tx};
use loam_http::surface::present;
use loam_kernel::{
    ApiSpecId, Error, ExpectedVersion, Page, PageQuery, PrdDocId, ProjectId, Result, Scope, TechDesignId,
};
use loam_platform::changes::Audited;
use sea_orm::{ColumnTrait, Condition, QueryFilter, Value as DbValue};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};

use super::content::{Architecture, Decision, DesignContent, RiskAssessment};
use super::entity::{ArchitectureType, Column, Entity, Model};
use crate::Delivery;
use crate::api_specs::entity as api_specs;
use crate::document_versions::entity as versions;
use crate::documents::{Current, Document, DocumentStatus, Head, Save, merged};
use crate::prd_docs::entity as prd_docs;

/// A new technical design.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TechDesignCreate {
    /// The PRD that it is made from.
    pub prd_id: PrdDocId,
    /// Title.
    pub title: Option<String>,
    /// The architecture.
    pub architecture: Option<Architecture>,
    /// Diagrams in PlantUML.
    pub plantuml_code: Option<String>,
    /// Decisions, in their order.
    #[serde(default)]
    pub decision_log: Vec<Decision>,
    /// Risks, each 0 to 10, with the reasons.
    pub risk_assessment: Option<RiskAssessment>,
    /// The model that wrote it.
    pub model: Option<String>,
    /// Why it is saved.
    pub message: Option<String>,
}

/// A change of a technical design, saved as a new version: omitted fields stay as they are.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TechDesignUpdate {
    /// The version that the change is based on, which must be the current one: 409 otherwise.
    pub base_version: i64,
    /// Title; null removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub title: Option<Option<String>>,
    /// Fields of the architecture to change; null removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Architecture>)]
    pub architecture: Option<Option<Map<String, Value>>>,
    /// Diagrams in PlantUML; null removes them.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub plantuml_code: Option<Option<String>>,
    /// All decisions.
    pub decision_log: Option<Vec<Decision>>,
    /// Risks to change; null removes a risk, or all.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<RiskAssessment>)]
    pub risk_assessment: Option<Option<Map<String, Value>>>,
    /// The API specification of the application, one that was made from this design or from none; null removes it. It is not
    /// versioned.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<ApiSpecId>)]
    pub api_spec_id: Option<Option<ApiSpecId>>,
    /// The model that wrote the new version.
    pub model: Option<String>,
    /// Why it is saved.
    pub message: Option<String>,
}

/// Filters for technical designs.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct TechDesignFilter {
    /// Only designs of this project.
    pub project_id: Option<ProjectId>,
    /// Only designs of this PRD.
    pub prd_id: Option<PrdDocId>,
    /// Only designs with this architecture.
    pub architecture_type: Option<ArchitectureType>,
    /// Only designs with this status.
    pub status: Option<DocumentStatus>,
}

impl Delivery {
    /// Designs without their content, newest first.
    pub(super) async fn list_tech_designs(
        &self,
        scope: &Scope,
        filter: &TechDesignFilter,
        page: &PageQuery,
    ) -> Result<Page<Model>> {
        let conditions = Condition::all()
            .add_option(filter.project_id.map(|id| Column::ProjectId.eq(id)))
            .add_option(filter.prd_id.map(|id| Column::PrdId.eq(id)))
            .add_option(filter.architecture_type.map(|kind| Column::ArchitectureType.eq(kind)))
            .add_option(filter.status.map(|status| Column::Status.eq(status)));
        let tx = self.db.read(scope).await?;
        tx.find::<Entity>().filter(conditions).page(page, |row| row.id.0).await
    }

    /// Creates a design.
    pub(super) async fn create_tech_design(
        &self,
        scope: &Scope,
        new: TechDesignCreate,
    ) -> Result<Current<Entity>> {
        let tx = self.db.write(scope).await?;
        let prd = tx.get::<prd_docs::Entity>(new.prd_id).await?;
        let prd = prd.ok_or_else(|| Error::invalid("prd_id", "no PRD with this ID"))?;
        let content = DesignContent {
            title: new.title,
            architecture: new.architecture,
            plantuml_code: new.plantuml_code,
            decision_log: new.decision_log,
            risk_assessment: new.risk_assessment,
        };
        let columns = vec![(Column::PrdId, prd.id.into())];
        let save = Save { message: new.message, model: new.model };
        self.create_document(tx, prd.project_id, content, columns, save).await
    }

    /// Saves a changed design, as a new version if its content is another one.
    pub(super) async fn update_tech_design(
        &self,
        scope: &Scope,
        id: TechDesignId,
        expected: &ExpectedVersion,
        new: TechDesignUpdate,
    ) -> Result<Current<Entity>> {
        let tx = self.db.write(scope).await?;
        let current = self.document_to_change::<Entity>(&tx, id.0, expected, new.base_version).await?;
        let mut content = current.content.clone();
        new.title.map(|title| content.title = title);
        if let Some(change) = new.architecture {
            let changed = change.map(|change| merged("architecture", &content.architecture, change));
            content.architecture = changed.transpose()?;
        }
        new.plantuml_code.map(|code| content.plantuml_code = code);
        new.decision_log.map(|decisions| content.decision_log = decisions);
        if let Some(change) = new.risk_assessment {
            let changed = change.map(|change| merged("risk_assessment", &content.risk_assessment, change));
            content.risk_assessment = changed.transpose()?;
        }
        let mut columns = Vec::new();
        if let Some(spec) = new.api_spec_id {
            if let Some(spec) = spec {
                check_spec(&tx, &current.row, spec).await?;
            }
            columns.push((Column::ApiSpecId, spec.into()));
        }
        let save = Save { message: new.message, model: new.model };
        self.save_document(tx, current, content, columns, save).await
    }

    /// Deletes a design with its versions, and with the specifications that were made from it.
    pub(super) async fn delete_tech_design(&self, scope: &Scope, id: TechDesignId) -> Result<()> {
        self.changes.delete::<Entity>(self.db.write(scope).await?, id).await
    }

    /// Clears a specification that is deleted in designs that it describes.
    pub(crate) async fn clear_api_spec(&self, tx: &Tx<Tenant>, spec: ApiSpecId) -> Result<()> {
        let described = tx.update_many::<Entity>().filter(Column::ApiSpecId.eq(spec));
        described.set(Column::ApiSpecId, DbValue::from(None::<ApiSpecId>)).exec().await.map(drop)
    }
}

/// A specification of another design would disappear with that one.
async fn check_spec(tx: &Tx<Tenant>, design: &Model, spec: ApiSpecId) -> Result<()> {
    let of_design = |found: &api_specs::Model| {
        found.project_id == design.project_id && found.design_id.is_none_or(|id| id == design.id)
    };
    match tx.get::<api_specs::Entity>(spec).await?.filter(of_design) {
        Some(_) => Ok(()),
        None => {
            let message = "must be an API specification of the same project that was made from this design or from none";
            Err(Error::invalid("api_spec_id", message))
        }
    }
}

impl Document for Entity {
    type Content = DesignContent;
    const PROJECT: Column = Column::ProjectId;
    const STATUS: Column = Column::Status;
    const VERSION: Column = Column::Version;
    const APPROVED_VERSION: Column = Column::ApprovedVersion;
    const CREATED_AT: Column = Column::CreatedAt;
    const OWNER: versions::Column = versions::Column::TechDesignId;

    fn head(row: &Model) -> Head {
        Head { id: row.id.0, status: row.status, version: row.version }
    }

    fn columns(content: &DesignContent) -> Vec<(Column, DbValue)> {
        let kind = content.architecture.as_ref().map(|architecture| architecture.kind);
        vec![(Column::Title, content.title.clone().into()), (Column::ArchitectureType, kind.into())]
    }
}

impl Audited for Entity {
    const NAME: &'static str = "technical design";
    const UPDATED_AT: Column = Column::UpdatedAt;

    fn view(row: &Model) -> Value {
        json!({
            "project_id": row.project_id, "prd_id": row.prd_id, "status": row.status, "version": row.version,
            "approved_version": row.approved_version,
            "architecture_type": row.architecture_type, "api_spec_id": row.api_spec_id,
        })
    }
}
