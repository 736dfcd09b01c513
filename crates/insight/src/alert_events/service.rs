//! Reading incidents, taking them up and calling them over.

use loam_db::{Tenant, Tx};
use loam_kernel::{AlertEventId, AlertRuleId, Error, Kind, Page, PageQuery, ProjectId, Result, Scope};
use sea_orm::{ColumnTrait, Condition, IntoActiveModel, QueryFilter, Set};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use super::entity::{Column, Entity, EventState, Model};
use crate::Insight;
use crate::alert_rules::entity::{Entity as Rules, Model as Rule, RuleState, Severity};

/// Which incidents to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AlertEventFilter {
    /// Only those of this project.
    pub project_id: Option<ProjectId>,
    /// Only those of this rule.
    pub rule_id: Option<AlertRuleId>,
    /// Only those that stand here.
    pub state: Option<EventState>,
    /// Only those this bad.
    pub severity: Option<Severity>,
}

impl Insight {
    /// The tenant's incidents, newest first.
    pub async fn list_alert_events(
        &self,
        scope: &Scope,
        filter: AlertEventFilter,
        page: &PageQuery,
    ) -> Result<Page<Model>> {
        let filter = Condition::all()
            .add_option(filter.project_id.map(|id| Column::ProjectId.eq(id)))
            .add_option(filter.rule_id.map(|id| Column::RuleId.eq(id)))
            .add_option(filter.state.map(|state| Column::State.eq(state)))
            .add_option(filter.severity.map(|severity| Column::Severity.eq(severity)));
        self.0.db.read(scope).await?.find::<Entity>().filter(filter).page(page, |row| row.id.0).await
    }

    /// One incident.
    pub async fn get_alert_event(&self, scope: &Scope, id: AlertEventId) -> Result<Model> {
        self.0.db.read(scope).await?.get::<Entity>(id).await?.ok_or_else(missing)
    }

    /// Takes an incident up. One that is taken up already stays with whoever was first.
    pub async fn acknowledge_alert_event(&self, scope: &Scope, id: AlertEventId) -> Result<Model> {
        let tx = self.0.db.write(scope).await?;
        let old = tx.get_locked::<Entity>(id).await?.ok_or_else(missing)?;
        match old.state {
            EventState::Open => {}
            EventState::Acknowledged => return Ok(old),
            EventState::Resolved => {
                let message = "the incident is over: there is nothing to take up any more";
                return Err(Error::new(Kind::Conflict, "already_resolved", message));
            }
        }
        let now = self.0.clock.now();
        let mut row = old.into_active_model();
        row.state = Set(EventState::Acknowledged);
        row.acknowledged_at = Set(Some(now));
        row.acknowledged_by = Set(Some(scope.actor().label()));
        row.updated_at = Set(now);
        let row = tx.update(row).await?;
        let changes = json!({ "rule_id": row.rule_id, "state": row.state });
        let notice = self.0.changes.record(&tx, "acknowledge", "alert_events", id, changes).await?;
        self.0.changes.commit(tx, notice).await?;
        Ok(row)
    }

    /// Calls an incident over, and tells so. Its rule raises nothing before the value has been well once.
    pub async fn resolve_alert_event(&self, scope: &Scope, id: AlertEventId) -> Result<Model> {
        let seen = self.get_alert_event(scope, id).await?;
        let project = self.project_of_rule(scope, seen.rule_id).await?;
        let tx = self.0.db.write(scope).await?;
        // the rule first, as a look at it does
        let rule = tx.get_locked::<Rules>(seen.rule_id).await?.ok_or_else(missing)?;
        if rule.open_event_id != Some(id) {
            tx.rollback().await?;
            return self.get_alert_event(scope, id).await;
        }
        let mut change = rule.into_active_model();
        change.state = Set(RuleState::Resolved);
        change.clear_since = Set(None);
        change.open_event_id = Set(None);
        let rule = tx.update(change).await?;
        let row = self.end_incident(&tx, &rule, id, &project).await?;
        let changes = json!({ "rule_id": row.rule_id, "state": row.state });
        let notice = self.0.changes.record(&tx, "resolve", "alert_events", id, changes).await?;
        self.0.changes.commit(tx, notice).await?;
        self.0.deliveries.wake();
        Ok(row)
    }

    /// Ends an incident of a rule that is locked and no longer knows it, and tells so.
    pub(crate) async fn end_incident(
        &self,
        tx: &Tx<Tenant>,
        rule: &Rule,
        id: AlertEventId,
        project: &str,
    ) -> Result<Model> {
        let old = tx.get_locked::<Entity>(id).await?.ok_or_else(missing)?;
        let now = self.0.clock.now();
        let mut row = old.into_active_model();
        row.state = Set(EventState::Resolved);
        row.resolved_at = Set(Some(now));
        row.resolved_by = Set(Some(tx.scope().actor().label()));
        row.updated_at = Set(now);
        let row = tx.update(row).await?;
        self.tell(tx, rule, row, project).await
    }
}

fn missing() -> Error {
    Error::not_found("alert event")
}
