//! Default rules from the `alert_threshold` of a project.

use loam_identity::projects::service::MonitoringConfig;
use loam_kernel::{Error, Kind, ProjectId, Result, Scope};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder};
use serde::Deserialize;
use serde_json::Map;
use utoipa::ToSchema;

use super::definition::Selector;
use super::entity::{AlertMetric, Column, Entity, Model};
use super::service::{AlertDelivery, AlertRuleCreate};
use crate::alerts::Alerts;

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
    /// Creates rules from a project's `alert_threshold`, except those whose names exist already. Returns all of them.
    pub async fn default_alert_rules(&self, scope: &Scope, new: AlertRuleDefaults) -> Result<Vec<Model>> {
        let project = match self.0.identity.get_project(scope, new.project_id).await {
            Err(e) if e.kind() == Kind::NotFound => {
                return Err(Error::invalid("project_id", "no project with this ID"));
            }
            found => found?,
        };
        let config: MonitoringConfig = serde_json::from_value(project.config).map_err(Error::internal)?;
        let limit = config.alert_threshold;
        #[expect(clippy::cast_precision_loss, reason = "megabytes")]
        let defaults = [
            (AlertMetric::ResponseTimeP95, "response_time", limit.response_time),
            (AlertMetric::ErrorRate, "error_rate", limit.error_rate),
            (AlertMetric::MemoryUsage, "memory_usage", limit.memory_usage as f64),
        ];
        let mut rows = Vec::new();
        for (metric, name, threshold) in defaults {
            let rule = AlertRuleCreate {
                project_id: new.project_id,
                name: name.to_owned(),
                metric,
                selector: Selector::default(),
                comparison: None,
                threshold,
                // hysteresis: a value near the threshold would open and end incidents repeatedly
                recover_threshold: Some(threshold * 0.9),
                window_seconds: None,
                for_seconds: Some(60),
                min_samples: None,
                severity: None,
                delivery: AlertDelivery { webhook: None, email: new.email.clone() },
                is_active: None,
                metadata: Map::new(),
            };
            rows.push((name, self.new_rule(scope, self.0.clock.id(), rule).await?.0));
        }
        let tx = self.0.db.write(scope).await?;
        let default_names = rows.iter().map(|(name, _)| *name).collect::<Vec<_>>();
        let existing = || {
            let find = tx.find::<Entity>().filter(Column::ProjectId.eq(new.project_id));
            find.filter(Column::Name.is_in(default_names.clone())).order_by_asc(Column::Id)
        };
        let names: Vec<String> = existing().all().await?.into_iter().map(|row| row.name).collect();
        let mut notices = Vec::new();
        for (_, row) in rows.into_iter().filter(|(name, _)| !names.iter().any(|existing| existing == name)) {
            let row = self.insert_rule(&tx, row).await?;
            notices.push(self.0.changes.record_row::<Entity>(&tx, "create", &row).await?);
        }
        let all = existing().all().await?;
        tx.commit().await?;
        notices.iter().for_each(|notice| self.0.notices.publish(notice));
        Ok(all)
    }
}
