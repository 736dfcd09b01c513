//! The rules of projects.

use chrono::{DateTime, Utc};
use loam_db::Tx;
use loam_http::surface::present;
use loam_kernel::{
    Error, ExpectedVersion, Page, PageQuery, ProjectId, Result, Scope, TenantId, UserId, bounded,
    field_filter, merge_object, merge_typed,
};
use loam_platform::changes::{Audited, changed_fields, lock_version};
use loam_platform::seal::{SealedRows, Visit, last4, visit_json};
use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, Set};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};
use zeroize::Zeroizing;

use super::alert_thresholds::apply_alert_thresholds;
use super::deleted::enqueue_jobs;
use super::delivery::{ProjectTimeline, check_timeline};
use super::entity::{ActiveModel, Column, DeliveryStatus, Entity, Model, MonitoringStatus};
use crate::{Identity, secret, users, web_origins};

/// Monitoring configuration of an application.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MonitoringConfig {
    /// The fraction of requests that are recorded, 0 to 1.
    pub sampling_rate: f64,
    /// Whether anything is recorded.
    pub enabled: bool,
    /// Whether slow requests are analysed automatically, by the model of `insight.analysis`.
    pub auto_analysis: bool,
    /// Thresholds of the project's managed alert rules.
    pub alert_threshold: AlertThreshold,
    /// Web origins whose pages can send telemetry with the project's key; defaults to those of the instance
    /// (`security.cors`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub allowed_origins: Option<Vec<String>>,
}

/// Thresholds of the managed alert rules of a project, which are created with it and follow these values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AlertThreshold {
    /// Response time in seconds.
    pub response_time: f64,
    /// The fraction of failed requests, 0 to 1.
    pub error_rate: f64,
    /// Memory usage in megabytes.
    pub memory_usage: u64,
}

impl Default for MonitoringConfig {
    fn default() -> Self {
        Self {
            sampling_rate: 1.0,
            enabled: true,
            auto_analysis: false,
            alert_threshold: AlertThreshold::default(),
            allowed_origins: None,
        }
    }
}

impl Default for AlertThreshold {
    fn default() -> Self {
        Self { response_time: 1.0, error_rate: 0.05, memory_usage: 512 }
    }
}

/// A new project.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProjectCreate {
    /// Name, unique in the tenant.
    pub name: String,
    /// Description.
    pub description: Option<String>,
    /// Framework: flask, django, fastapi, ….
    pub framework: Option<String>,
    /// The responsible user.
    pub owner_id: Option<UserId>,
    /// Monitoring configuration.
    #[serde(default)]
    pub config: MonitoringConfig,
    /// Technology stack.
    #[serde(default)]
    pub tech_stack: Map<String, Value>,
    /// Milestones, each with `name`, `date` and `completed`.
    #[serde(default)]
    #[schema(value_type = ProjectTimeline)]
    pub timeline: Map<String, Value>,
    /// Deadline.
    pub deadline: Option<DateTime<Utc>>,
    /// Your own data, which Loam does not interpret.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

/// A change of a project: omitted fields stay as they are.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProjectUpdate {
    /// Name, unique in the tenant.
    pub name: Option<String>,
    /// Description; null removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub description: Option<Option<String>>,
    /// Framework; null removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub framework: Option<Option<String>>,
    /// The responsible user; null removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<UserId>)]
    pub owner_id: Option<Option<UserId>>,
    /// Monitoring status.
    pub monitoring_status: Option<MonitoringStatus>,
    /// Fields of the monitoring configuration to change; null resets a field to its default.
    #[schema(value_type = Option<MonitoringConfig>)]
    pub config: Option<Map<String, Value>>,
    /// Delivery status: `draft` to `active`, `completed` and `archived`; what is completed or archived can become active
    /// again.
    pub delivery_status: Option<DeliveryStatus>,
    /// Fields of the technology stack to change; null removes a field.
    pub tech_stack: Option<Map<String, Value>>,
    /// Fields of the timeline to change, such as `milestones` as a whole; null removes a field.
    #[schema(value_type = Option<ProjectTimeline>)]
    pub timeline: Option<Map<String, Value>>,
    /// Deadline; null removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub deadline: Option<Option<DateTime<Utc>>>,
    /// Fields of your own data to change, which Loam does not interpret; null removes a field.
    pub metadata: Option<Map<String, Value>>,
}

/// Filters for projects.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ProjectFilter {
    /// Only projects with this monitoring status.
    pub monitoring_status: Option<MonitoringStatus>,
    /// Only projects with this delivery status.
    pub delivery_status: Option<DeliveryStatus>,
    /// Only projects of this framework.
    pub framework: Option<String>,
    /// Only projects of this owner.
    pub owner_id: Option<UserId>,
    /// Only projects whose name contains this text, in upper or lower case.
    pub search: Option<String>,
    /// Only projects whose `metadata.custom_fields` have these fields with these values: a JSON object of strings, numbers,
    /// booleans and nulls, such as `{"enterprise_grade":true}`.
    pub custom_fields: Option<String>,
}

/// A new project: its ingest key is available only here.
pub struct NewProject {
    /// The stored row.
    pub row: Model,
    /// The ingest key.
    pub project_key: Zeroizing<String>,
}

impl Identity {
    /// Lists the tenant's projects, newest first.
    pub async fn list_projects(
        &self,
        scope: &Scope,
        filter: &ProjectFilter,
        page: &PageQuery,
    ) -> Result<Page<Model>> {
        let tx = self.db.read(scope).await?;
        let conditions = [
            filter.monitoring_status.map(|status| Column::MonitoringStatus.eq(status)),
            filter.delivery_status.map(|status| Column::DeliveryStatus.eq(status)),
            filter.framework.as_deref().map(|framework| Column::Framework.eq(framework)),
            filter.owner_id.map(|owner| Column::OwnerId.eq(owner)),
        ];
        let mut find = conditions.into_iter().flatten().fold(tx.find::<Entity>(), QueryFilter::filter);
        if let Some(text) = &filter.custom_fields {
            let fields = field_filter("custom_fields", text)?;
            find = find.containing_in(Column::Metadata, "custom_fields", &fields);
        }
        find.search(&[Column::Name], filter.search.as_deref())?.page(page, |row| row.id.0).await
    }

    /// Returns a project.
    pub async fn get_project(&self, scope: &Scope, id: ProjectId) -> Result<Model> {
        self.db.read(scope).await?.get::<Entity>(id).await?.ok_or_else(Entity::missing)
    }

    /// Creates a project.
    pub async fn create_project(&self, scope: &Scope, mut new: ProjectCreate) -> Result<NewProject> {
        check(Some(&new.name), new.description.as_deref(), new.framework.as_deref(), Some(&mut new.config))?;
        let timeline = Value::from(new.timeline);
        check_timeline(&timeline)?;
        let project_key = secret::generate_project(&self.clock);
        let id: ProjectId = self.clock.id();
        let now = self.clock.now();
        if new.config.auto_analysis {
            self.check_auto_analysis(scope.tenant(), id)?;
        }
        let quotas = self.quotas(scope.tenant()).await?;
        let tx = self.db.write(scope).await?;
        quotas.check_projects(&tx).await?;
        check_owner(&tx, new.owner_id).await?;
        let row = ActiveModel {
            tenant_id: Set(TenantId::NIL),
            id: Set(id),
            name: Set(new.name),
            description: Set(new.description),
            framework: Set(new.framework),
            owner_id: Set(new.owner_id),
            project_key: Set(sealed_key(self, id, &project_key)?),
            key_hash: Set(secret::digest(&project_key).to_vec()),
            monitoring_status: Set(MonitoringStatus::Active),
            config: Set(serde_json::to_value(new.config).map_err(Error::internal)?),
            delivery_status: Set(DeliveryStatus::Draft),
            tech_stack: Set(new.tech_stack.into()),
            timeline: Set(timeline),
            deadline: Set(new.deadline),
            last_activity: Set(None),
            metadata: Set(new.metadata.into()),
            created_at: Set(now),
            updated_at: Set(now),
        };
        let row = tx.insert(row).await.map_err(duplicate)?;
        apply_alert_thresholds(&tx, &self.clock, id, true).await?;
        let notice = self.changes.record(&tx, "create", "projects", id, json!({ "name": row.name })).await?;
        self.changes.commit(tx, notice).await?;
        Ok(NewProject { row, project_key })
    }

    /// Changes a project.
    pub async fn update_project(
        &self,
        scope: &Scope,
        id: ProjectId,
        version: &ExpectedVersion,
        new: ProjectUpdate,
    ) -> Result<Model> {
        let (description, framework) = (new.description.as_ref(), new.framework.as_ref());
        check(
            new.name.as_deref(),
            description.and_then(|text| text.as_deref()),
            framework.and_then(|text| text.as_deref()),
            None,
        )?;
        let tx = self.db.write(scope).await?;
        let old = lock_version::<Entity>(&tx, id, version).await?;
        check_owner(&tx, new.owner_id.flatten()).await?;
        let mut config: Option<MonitoringConfig> =
            new.config.map(|change| merge_typed("config", &old.config, change)).transpose()?;
        check(None, None, None, config.as_mut())?;
        if let Some(config) = &config {
            let before: MonitoringConfig =
                serde_json::from_value(old.config.clone()).map_err(Error::internal)?;
            if config.auto_analysis && !before.auto_analysis {
                self.check_auto_analysis(scope.tenant(), id)?;
            }
            if config.alert_threshold != before.alert_threshold {
                apply_alert_thresholds(&tx, &self.clock, id, false).await?;
            }
        }
        let before = old.clone();
        let mut row = old.into_active_model();
        new.name.map(|name| row.name = Set(name));
        new.description.map(|description| row.description = Set(description));
        new.framework.map(|framework| row.framework = Set(framework));
        new.owner_id.map(|owner| row.owner_id = Set(owner));
        new.monitoring_status.map(|status| row.monitoring_status = Set(status));
        if let Some(config) = config {
            row.config = Set(serde_json::to_value(config).map_err(Error::internal)?);
        }
        if let Some(status) = new.delivery_status {
            before.delivery_status.check_transition(status)?;
            row.delivery_status = Set(status);
        }
        if let Some(change) = new.tech_stack {
            row.tech_stack = Set(merge_object("tech_stack", row.tech_stack.as_ref(), change)?);
        }
        if let Some(change) = new.timeline {
            let timeline = merge_object("timeline", row.timeline.as_ref(), change)?;
            check_timeline(&timeline)?;
            row.timeline = Set(timeline);
        }
        new.deadline.map(|deadline| row.deadline = Set(deadline));
        if let Some(change) = new.metadata {
            row.metadata = Set(merge_object("metadata", row.metadata.as_ref(), change)?);
        }
        let row = self.changes.save(&tx, row).await.map_err(duplicate)?;
        let mut changes = Entity::view(&row);
        changes["fields"] = changed_fields(&[
            ("description", before.description != row.description),
            ("tech_stack", before.tech_stack != row.tech_stack),
            ("timeline", before.timeline != row.timeline),
            ("metadata", before.metadata != row.metadata),
        ]);
        let notice = self.changes.record(&tx, "update", "projects", id, changes).await?;
        self.changes.commit(tx, notice).await?;
        Ok(row)
    }

    /// Deletes a project, the API keys that are bound to it, and what is derived from its telemetry. Jobs delete the
    /// telemetry, and detach sessions and channels.
    pub async fn delete_project(&self, scope: &Scope, id: ProjectId) -> Result<()> {
        let tx = self.db.write(scope).await?;
        enqueue_jobs(&tx, &self.clock, id).await?;
        self.changes.delete::<Entity>(tx, id).await
    }
}

/// The seal context of a project's ingest key.
fn seal_context(id: ProjectId) -> String {
    format!("projects/{id}/project_key")
}

impl SealedRows for Entity {
    const SEALED: &'static [Column] = &[Column::ProjectKey];

    fn each(row: &mut Model, visit: Visit<'_>) -> Result<()> {
        // the JSON document is stored as text
        let mut kept: Value = serde_json::from_str(&row.project_key).map_err(Error::internal)?;
        visit_json(&seal_context(row.id), &mut kept, visit)?;
        row.project_key = kept.to_string();
        Ok(())
    }
}

/// A project's ingest key as stored: sealed.
pub(super) fn sealed_key(identity: &Identity, id: ProjectId, key: &str) -> Result<String> {
    let sealed = identity.keyring.seal(&identity.clock, &seal_context(id), key.as_bytes())?;
    Ok(json!({ "sealed": sealed, "last4": last4(key) }).to_string())
}

impl Audited for Entity {
    const NAME: &'static str = "project";
    const UPDATED_AT: Column = Column::UpdatedAt;

    fn view(row: &Model) -> Value {
        json!({
            "name": row.name, "framework": row.framework, "owner_id": row.owner_id,
            "monitoring_status": row.monitoring_status, "config": row.config,
            "delivery_status": row.delivery_status, "deadline": row.deadline,
        })
    }
}

fn duplicate(error: Error) -> Error {
    loam_db::already_exists("name", "a project with this name already exists")(error)
}

async fn check_owner<R>(tx: &Tx<R>, owner: Option<UserId>) -> Result<()> {
    match owner {
        Some(owner) if tx.get::<users::entity::Entity>(owner).await?.is_none() => {
            Err(Error::invalid("owner_id", "there is no such user"))
        }
        _ => Ok(()),
    }
}

fn check(
    name: Option<&str>,
    description: Option<&str>,
    framework: Option<&str>,
    config: Option<&mut MonitoringConfig>,
) -> Result<()> {
    name.map_or(Ok(()), |name| bounded("name", name, 200))?;
    description.map_or(Ok(()), |text| bounded("description", text, 10_000))?;
    framework.map_or(Ok(()), |text| bounded("framework", text, 50))?;
    let Some(config) = config else { return Ok(()) };
    let share = |param: &str, value: f64| match (0.0..=1.0).contains(&value) {
        true => Ok(()),
        false => Err(Error::invalid(param, "must be between 0 and 1")),
    };
    if let Some(origins) = config.allowed_origins.take() {
        config.allowed_origins = Some(web_origins::validate("config.allowed_origins", origins)?);
    }
    share("config.sampling_rate", config.sampling_rate)?;
    share("config.alert_threshold.error_rate", config.alert_threshold.error_rate)?;
    match config.alert_threshold.response_time {
        seconds if seconds > 0.0 && seconds.is_finite() => Ok(()),
        _ => Err(Error::invalid("config.alert_threshold.response_time", "must be more than 0 seconds")),
    }
}
