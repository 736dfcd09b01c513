//! The managed rules of a project: their thresholds are those of the project's `alert_threshold`.

use async_trait::async_trait;
use loam_db::{Tenant, Tx};
use loam_identity::projects::alert_thresholds::{APPLY_ALERT_THRESHOLDS, ApplyAlertThresholds};
use loam_identity::projects::service::{AlertThreshold, MonitoringConfig};
use loam_jobs::{Handler, JobContext, read_payload};
use loam_kernel::{AlertRuleId, Error, Kind, ProjectId, Result, Scope};
use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, QueryOrder, Set};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::definition::Selector;
use super::entity::{AlertMetric, Column, Entity, Model};
use super::service::{AlertDelivery, AlertRuleCreate};
use crate::alerts::Alerts;

/// Metrics and names of the managed rules.
const MANAGED: [(AlertMetric, &str); 3] = [
    (AlertMetric::ResponseTimeP95, "response_time"),
    (AlertMetric::ErrorRate, "error_rate"),
    (AlertMetric::MemoryUsage, "memory_usage"),
];

/// Request for default rules.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertRuleDefaults {
    /// The application.
    pub project_id: ProjectId,
    /// Recipients of e-mails. A webhook has a secret per rule and is set on the rule.
    #[serde(default)]
    pub email: Option<super::targets::AlertEmail>,
}

impl Alerts {
    /// Creates the managed rules of a project, except those whose names exist already. Returns all of them.
    pub async fn default_alert_rules(&self, scope: &Scope, new: AlertRuleDefaults) -> Result<Vec<Model>> {
        let thresholds = match self.alert_threshold(scope, new.project_id).await {
            Err(e) if e.kind() == Kind::NotFound => {
                return Err(Error::invalid("project_id", "no project with this ID"));
            }
            found => found?,
        };
        let mut rows = Vec::new();
        for (metric, name) in MANAGED {
            let threshold = threshold_of(metric, &thresholds);
            let rule = AlertRuleCreate {
                project_id: new.project_id,
                name: name.to_owned(),
                metric,
                selector: Selector::default(),
                comparison: None,
                threshold,
                recover_threshold: Some(recovery(threshold)),
                window_seconds: None,
                for_seconds: Some(60),
                min_samples: None,
                severity: None,
                delivery: AlertDelivery { webhook: None, email: new.email.clone() },
                is_active: None,
                metadata: Map::new(),
            };
            let id: AlertRuleId = self.0.clock.id();
            let mut row = self.new_rule(scope, id, rule).await?.0;
            row.is_managed = Set(Some(true));
            rows.push((name, id, row));
        }
        let tx = self.0.db.write(scope).await?;
        let existing = named(&tx, new.project_id).await?;
        let mut notices = Vec::new();
        for (_, id, row) in
            rows.into_iter().filter(|(name, ..)| existing.iter().all(|rule| rule.name != *name))
        {
            self.check_rule_count(&tx, new.project_id).await?;
            // the job of a new project and a request may create them at the same time
            if tx.insert_if_new(row).await?
                && let Some(row) = tx.get::<Entity>(id).await?
            {
                notices.push(self.0.changes.record_row::<Entity>(&tx, "create", &row).await?);
            }
        }
        let all = named(&tx, new.project_id).await?;
        tx.commit().await?;
        notices.iter().for_each(|notice| self.0.notices.publish(notice));
        Ok(all)
    }

    /// Sets the thresholds of a project's managed rules to those of the project.
    async fn update_managed_rules(&self, scope: &Scope, project: ProjectId) -> Result<()> {
        let thresholds = self.alert_threshold(scope, project).await?;
        let tx = self.0.db.write(scope).await?;
        let find = tx.find::<Entity>().filter(Column::ProjectId.eq(project));
        let find = find.filter(Column::IsManaged.eq(true)).order_by_asc(Column::Id);
        let rules = find.locked().all().await?;
        let mut notices = Vec::new();
        for rule in rules {
            let threshold = threshold_of(rule.metric, &thresholds);
            if rule.threshold == threshold {
                continue;
            }
            let id = rule.id;
            let mut row = rule.into_active_model();
            row.threshold = Set(threshold);
            row.recover_threshold = Set(Some(recovery(threshold)));
            self.0.changes.save(&tx, row).await?;
            let changes = json!({ "threshold": threshold, "recover_threshold": recovery(threshold) });
            notices.push(self.0.changes.record(&tx, "update", "alert_rules", id, changes).await?);
        }
        tx.commit().await?;
        notices.iter().for_each(|notice| self.0.notices.publish(notice));
        Ok(())
    }

    async fn alert_threshold(&self, scope: &Scope, project: ProjectId) -> Result<AlertThreshold> {
        let config = self.0.identity.get_project(scope, project).await?.config;
        let config: MonitoringConfig = serde_json::from_value(config).map_err(Error::internal)?;
        Ok(config.alert_threshold)
    }
}

/// The rules of a project that have the names of managed ones.
async fn named(tx: &Tx<Tenant>, project: ProjectId) -> Result<Vec<Model>> {
    let names = MANAGED.map(|(_, name)| name);
    let find = tx.find::<Entity>().filter(Column::ProjectId.eq(project));
    find.filter(Column::Name.is_in(names)).order_by_asc(Column::Id).all().await
}

/// The threshold of a managed rule, which measures one of three metrics.
fn threshold_of(metric: AlertMetric, thresholds: &AlertThreshold) -> f64 {
    match metric {
        AlertMetric::ErrorRate => thresholds.error_rate,
        #[expect(clippy::cast_precision_loss, reason = "megabytes")]
        AlertMetric::MemoryUsage => thresholds.memory_usage as f64,
        _ => thresholds.response_time,
    }
}

/// Hysteresis: a value near the threshold would open and end incidents repeatedly.
fn recovery(threshold: f64) -> f64 {
    threshold * 0.9
}

/// The job that creates or updates the managed rules of a project.
pub(crate) struct ManageRules(pub(crate) Alerts);

#[async_trait]
impl Handler for ManageRules {
    fn kind(&self) -> &'static str {
        APPLY_ALERT_THRESHOLDS
    }

    async fn run(&self, job: &JobContext, payload: Value) -> Result<()> {
        let ApplyAlertThresholds { project_id, is_new } = read_payload(payload)?;
        let applied = if is_new {
            let new = AlertRuleDefaults { project_id, email: None };
            self.0.default_alert_rules(&job.scope(), new).await.map(drop)
        } else {
            self.0.update_managed_rules(&job.scope(), project_id).await
        };
        match applied {
            // the project was deleted meanwhile
            Err(e) if e.kind() == Kind::NotFound || e.param() == Some("project_id") => Ok(()),
            applied => applied,
        }
    }
}
