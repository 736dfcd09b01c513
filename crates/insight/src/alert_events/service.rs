//! Reading, acknowledging and resolving incidents.

use loam_db::{Tenant, Tx};
use loam_kernel::{AlertEventId, AlertRuleId, Error, Kind, Page, PageQuery, ProjectId, Result, Scope};
use loam_platform::changes::Audited;
use sea_orm::{ColumnTrait, Condition, IntoActiveModel, QueryFilter, Set};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use super::entity::{Column, Entity, EventState, Model};
use crate::alert_rules::entity::{Entity as Rules, Model as Rule, RuleState, Severity};
use crate::alerts::Alerts;

/// Filter for listing incidents.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AlertEventFilter {
    /// Only incidents of this project.
    pub project_id: Option<ProjectId>,
    /// Only incidents of this rule.
    pub rule_id: Option<AlertRuleId>,
    /// Only incidents in this state.
    pub state: Option<EventState>,
    /// Only incidents of this severity.
    pub severity: Option<Severity>,
}

impl Alerts {
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

    /// Gets an incident.
    pub async fn get_alert_event(&self, scope: &Scope, id: AlertEventId) -> Result<Model> {
        self.0.db.read(scope).await?.get::<Entity>(id).await?.ok_or_else(Entity::missing)
    }

    /// Acknowledges an incident. The first acknowledgement stays.
    pub async fn acknowledge_alert_event(&self, scope: &Scope, id: AlertEventId) -> Result<Model> {
        let tx = self.0.db.write(scope).await?;
        let old = tx.get_locked::<Entity>(id).await?.ok_or_else(Entity::missing)?;
        match old.state {
            EventState::Open => {}
            EventState::Acknowledged => return Ok(old),
            EventState::Resolved => {
                let message = "the incident is already resolved and cannot be acknowledged";
                return Err(Error::new(Kind::Conflict, "already_resolved", message));
            }
        }
        let now = self.0.clock.now();
        let mut row = old.into_active_model();
        row.state = Set(EventState::Acknowledged);
        row.acknowledged_at = Set(Some(now));
        row.acknowledged_by = Set(Some(scope.actor().label()));
        let row = self.0.changes.save(&tx, row).await?;
        let notice = self.0.changes.record_row::<Entity>(&tx, "acknowledge", &row).await?;
        self.0.changes.commit(tx, notice).await?;
        Ok(row)
    }

    /// Resolves the incident and notifies once. Its rule opens no new incident before the value has recovered once.
    pub async fn resolve_alert_event(&self, scope: &Scope, id: AlertEventId) -> Result<Model> {
        let found = self.get_alert_event(scope, id).await?;
        let project = self.project_of_rule(scope, found.rule_id).await?;
        let tx = self.0.db.write(scope).await?;
        // lock the rule first, in the same order as an evaluation
        let rule = tx.get_locked::<Rules>(found.rule_id).await?.ok_or_else(Entity::missing)?;
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
        let notice = self.0.changes.record_row::<Entity>(&tx, "resolve", &row).await?;
        self.0.changes.commit(tx, notice).await?;
        self.0.deliveries.wake();
        Ok(row)
    }

    /// Resolves an incident and notifies. The rule is locked and its `open_event_id` already cleared.
    pub(crate) async fn end_incident(
        &self,
        tx: &Tx<Tenant>,
        rule: &Rule,
        id: AlertEventId,
        project: &str,
    ) -> Result<Model> {
        let old = tx.get_locked::<Entity>(id).await?.ok_or_else(Entity::missing)?;
        let now = self.0.clock.now();
        let mut row = old.into_active_model();
        row.state = Set(EventState::Resolved);
        row.resolved_at = Set(Some(now));
        row.resolved_by = Set(Some(tx.scope().actor().label()));
        let row = self.0.changes.save(tx, row).await?;
        self.notify(tx, rule, row, project).await
    }
}

impl Audited for Entity {
    const NAME: &'static str = "alert event";
    const UPDATED_AT: Column = Column::UpdatedAt;

    fn view(row: &Model) -> Value {
        json!({ "rule_id": row.rule_id, "state": row.state })
    }
}
