//! Evaluates alert rules.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use loam_jobs::{Handler, JobContext};
use loam_kernel::{AlertEventId, AlertRuleId, Result, Scope, TenantId};
use sea_orm::{ColumnTrait, Condition, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Set};
use serde_json::{Value, json};

use super::measure::Observation;
use super::state_machine::RuleStatus;
use crate::alert_events::entity::{ActiveModel as NewEvent, EventState};
use crate::alert_rules::definition::Definition;
use crate::alert_rules::entity::{Column, Entity, Model, RuleState};
use crate::alerts::Alerts;

/// Number of rules read per query.
const BATCH: u64 = 500;
/// Tolerance for jobs that start slightly before their scheduled time.
const SCHEDULE_TOLERANCE: TimeDelta = TimeDelta::seconds(7);

/// Evaluates the rules that are due.
pub(crate) struct Evaluate(pub(crate) Alerts);

impl Evaluate {
    pub(crate) const KIND: &'static str = "alert_rules.evaluate";
    pub(crate) const EVERY: Duration = Duration::from_secs(15);
}

#[async_trait]
impl Handler for Evaluate {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    async fn run(&self, job: &JobContext, _: Value) -> Result<()> {
        let mut last = None;
        while !job.is_cancelled() {
            let rules = self.0.active_rules(&job.scope(), last).await?;
            let Some(row) = rules.last() else { break };
            last = Some((row.tenant_id, row.id));
            self.0.evaluate_due(rules).await?;
        }
        Ok(())
    }
}

impl Alerts {
    /// The next batch of active rules of all tenants, after `last`.
    pub(super) async fn active_rules(
        &self,
        scope: &Scope,
        last: Option<(TenantId, AlertRuleId)>,
    ) -> Result<Vec<Model>> {
        let tx = self.0.db.system_read(scope).await?;
        let mut find = tx.find_any::<Entity>().filter(Column::IsActive.eq(true));
        if let Some((tenant, id)) = last {
            let same_tenant = Condition::all().add(Column::TenantId.eq(tenant)).add(Column::Id.gt(id));
            let after_last = Condition::any().add(Column::TenantId.gt(tenant)).add(same_tenant);
            find = find.filter(after_last);
        }
        find.order_by_asc(Column::TenantId).order_by_asc(Column::Id).limit(BATCH).all().await
    }

    /// Evaluates those of the rules that are due. A rule that fails is logged and retried on the next run; the others
    /// are still evaluated.
    pub(super) async fn evaluate_due(&self, rules: Vec<Model>) -> Result<()> {
        let now = self.0.clock.now();
        let mut unchanged: HashMap<TenantId, Vec<(Model, Observation)>> = HashMap::new();
        for rule in rules.into_iter().filter(|rule| self.is_due(rule, now)) {
            let tenant = rule.tenant_id;
            let scope = Scope::system(tenant, "alerts");
            match self.evaluate_rule(&scope, &rule).await {
                Ok(Some(observation)) => unchanged.entry(tenant).or_default().push((rule, observation)),
                Ok(None) => {}
                Err(e) => {
                    tracing::warn!(rule.id = %rule.id, error = ?e, "cannot evaluate an alert rule")
                }
            }
        }
        for (tenant, rules) in unchanged {
            self.store_observations(&Scope::system(tenant, "alerts"), &rules).await?;
        }
        Ok(())
    }

    fn is_due(&self, rule: &Model, now: DateTime<Utc>) -> bool {
        self.0.settings.with(rule.tenant_id, |settings| {
            let interval = TimeDelta::seconds(settings.interval_seconds.into());
            settings.enabled && rule.evaluated_at.is_none_or(|at| at + interval <= now + SCHEDULE_TOLERANCE)
        })
    }

    /// Evaluates a rule. Returns the observation if the rule's state does not change; the caller then stores it.
    async fn evaluate_rule(&self, scope: &Scope, rule: &Model) -> Result<Option<Observation>> {
        let definition = Definition::of(rule)?;
        let observation = self.measure(scope, rule.project_id, &definition).await?;
        let before = status(rule);
        if before.next(&definition, observation.value, observation.to) == before {
            return Ok(Some(observation));
        }
        let project = self.project_of_rule(scope, rule.id).await?;
        let tx = self.0.db.write(scope).await?;
        let Some(locked) = tx.get_locked::<Entity>(rule.id).await? else { return Ok(None) };
        // another node evaluated the rule, or it was changed: it is evaluated again on the next run
        if !is_unchanged(&locked, rule) {
            return Ok(None);
        }
        let after = before.next(&definition, observation.value, observation.to);
        let opens = after.state == RuleState::Firing && before.state != RuleState::Firing;
        let ended = locked.open_event_id.filter(|_| after.state != RuleState::Firing);
        let opened: Option<AlertEventId> = opens.then(|| self.0.clock.id());
        let still_open = locked.open_event_id.filter(|_| ended.is_none());
        let mut row = locked.into_active_model();
        row.state = Set(after.state);
        row.pending_since = Set(after.pending_since);
        row.clear_since = Set(after.clear_since);
        row.evaluated_at = Set(Some(observation.to));
        row.last_value = Set(observation.value);
        row.open_event_id = Set(opened.or(still_open));
        let row = tx.update(row).await?;
        if let (Some(id), Some(value)) = (opened, observation.value) {
            let event = tx.insert(new_incident(&row, id, value, &observation)).await?;
            self.notify(&tx, &row, event, &project).await?;
        }
        if let Some(id) = ended {
            self.end_incident(&tx, &row, id, &project).await?;
        }
        tx.commit().await?;
        if opens || ended.is_some() {
            let transition = if opens { "opened" } else { "resolved" };
            metrics::counter!("loam_alert_events_total", "what" => transition).increment(1);
            self.0.deliveries.wake();
        }
        Ok(None)
    }

    /// Stores observations that changed no state, in one transaction per tenant.
    async fn store_observations(&self, scope: &Scope, rules: &[(Model, Observation)]) -> Result<()> {
        let tx = self.0.db.write(scope).await?;
        for (rule, observation) in rules {
            tx.update_many::<Entity>()
                .set(Column::EvaluatedAt, observation.to)
                .set(Column::LastValue, observation.value)
                .filter(Column::Id.eq(rule.id))
                .filter(Column::State.eq(rule.state))
                .exec()
                .await?;
        }
        tx.commit().await
    }
}

fn status(rule: &Model) -> RuleStatus {
    RuleStatus { state: rule.state, pending_since: rule.pending_since, clear_since: rule.clear_since }
}

fn is_unchanged(one: &Model, other: &Model) -> bool {
    one.is_active
        && one.updated_at == other.updated_at
        && one.evaluated_at == other.evaluated_at
        && status(one) == status(other)
}

/// The row of a new incident.
fn new_incident(rule: &Model, id: AlertEventId, value: f64, observation: &Observation) -> NewEvent {
    let context = json!({
        "rule": {
            "name": rule.name, "metric": rule.metric, "selector": rule.selector, "comparison": rule.comparison,
            "threshold": rule.threshold, "recover_threshold": rule.recover_threshold,
        },
        "samples": observation.samples, "from": observation.from, "to": observation.to,
    });
    NewEvent {
        tenant_id: Set(TenantId::NIL),
        id: Set(id),
        rule_id: Set(rule.id),
        project_id: Set(rule.project_id),
        state: Set(EventState::Open),
        severity: Set(rule.severity),
        value: Set(value),
        context: Set(context),
        opened_at: Set(observation.to),
        acknowledged_at: Set(None),
        acknowledged_by: Set(None),
        resolved_at: Set(None),
        resolved_by: Set(None),
        notified_at: Set(None),
        created_at: Set(observation.to),
        updated_at: Set(observation.to),
    }
}
