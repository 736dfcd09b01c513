//! Looking at rules.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use loam_jobs::{Handler, JobContext};
use loam_kernel::{AlertEventId, AlertRuleId, Result, Scope, TenantId};
use sea_orm::{ColumnTrait, Condition, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Set};
use serde_json::{Value, json};

use super::measure::Observation;
use super::step::Standing;
use crate::Insight;
use crate::alert_events::entity::{ActiveModel as NewEvent, EventState};
use crate::alert_rules::definition::Definition;
use crate::alert_rules::entity::{Column, Entity, Model, RuleState};

/// Rules that are read at once.
const BATCH: u64 = 500;
/// Jobs come a little earlier or later than their time.
const EARLY: TimeDelta = TimeDelta::seconds(7);

/// Looks at the rules that are due.
pub(crate) struct Evaluate(pub(crate) Insight);

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
            let rules = self.0.watched(&job.scope(), last).await?;
            let Some(row) = rules.last() else { break };
            last = Some((row.tenant_id, row.id));
            self.0.look(rules).await?;
        }
        Ok(())
    }
}

impl Insight {
    /// Rules that are to be looked at, behind one of them.
    pub(super) async fn watched(
        &self,
        scope: &Scope,
        last: Option<(TenantId, AlertRuleId)>,
    ) -> Result<Vec<Model>> {
        let tx = self.0.db.system_read(scope).await?;
        let mut find = tx.find_any::<Entity>().filter(Column::IsActive.eq(true));
        if let Some((tenant, id)) = last {
            let within = Condition::all().add(Column::TenantId.eq(tenant)).add(Column::Id.gt(id));
            let behind = Condition::any().add(Column::TenantId.gt(tenant)).add(within);
            find = find.filter(behind);
        }
        find.order_by_asc(Column::TenantId).order_by_asc(Column::Id).limit(BATCH).all().await
    }

    /// Looks at those of the rules that are due. What can't be measured now is looked at again next time, and keeps
    /// nothing else from being looked at.
    pub(super) async fn look(&self, rules: Vec<Model>) -> Result<()> {
        let now = self.0.clock.now();
        let mut quiet: HashMap<TenantId, Vec<(Model, Observation)>> = HashMap::new();
        for rule in rules.into_iter().filter(|rule| self.is_due(rule, now)) {
            let tenant = rule.tenant_id;
            let scope = Scope::system(tenant, "alerts");
            match self.look_at(&scope, &rule).await {
                Ok(Some(seen)) => quiet.entry(tenant).or_default().push((rule, seen)),
                Ok(None) => {}
                Err(e) => {
                    tracing::warn!(rule.id = %rule.id, error = ?e, "an alert rule could not be looked at")
                }
            }
        }
        for (tenant, rules) in quiet {
            self.write_down(&Scope::system(tenant, "alerts"), &rules).await?;
        }
        Ok(())
    }

    fn is_due(&self, rule: &Model, now: DateTime<Utc>) -> bool {
        self.0.alerts.with(rule.tenant_id, |settings| {
            let interval = TimeDelta::seconds(settings.interval_seconds.into());
            settings.enabled && rule.evaluated_at.is_none_or(|at| at + interval <= now + EARLY)
        })
    }

    /// Looks at a rule. What was seen, where that changes nothing but what was seen last.
    async fn look_at(&self, scope: &Scope, rule: &Model) -> Result<Option<Observation>> {
        let definition = Definition::of(rule)?;
        let seen = self.measure(scope, rule.project_id, &definition).await?;
        let before = standing(rule);
        if before.after(&definition, seen.value, seen.to) == before {
            return Ok(Some(seen));
        }
        let project = self.project_of_rule(scope, rule.id).await?;
        let tx = self.0.db.write(scope).await?;
        let Some(locked) = tx.get_locked::<Entity>(rule.id).await? else { return Ok(None) };
        // somebody else looked, or changed what is watched: then it is judged anew next time
        if !is_same(&locked, rule) {
            return Ok(None);
        }
        let after = before.after(&definition, seen.value, seen.to);
        let opens = after.state == RuleState::Firing && before.state != RuleState::Firing;
        let ends = locked.open_event_id.filter(|_| after.state != RuleState::Firing);
        let opened: Option<AlertEventId> = opens.then(|| self.0.clock.id());
        let kept = locked.open_event_id.filter(|_| ends.is_none());
        let mut row = locked.into_active_model();
        row.state = Set(after.state);
        row.pending_since = Set(after.pending_since);
        row.clear_since = Set(after.clear_since);
        row.evaluated_at = Set(Some(seen.to));
        row.last_value = Set(seen.value);
        row.open_event_id = Set(opened.or(kept));
        let row = tx.update(row).await?;
        if let (Some(id), Some(value)) = (opened, seen.value) {
            let event = tx.insert(incident(&row, id, value, &seen)).await?;
            self.tell(&tx, &row, event, &project).await?;
        }
        if let Some(id) = ends {
            self.end_incident(&tx, &row, id, &project).await?;
        }
        tx.commit().await?;
        if opens || ends.is_some() {
            let told = if opens { "opened" } else { "resolved" };
            metrics::counter!("loam_alert_events_total", "what" => told).increment(1);
            self.0.deliveries.wake();
        }
        Ok(None)
    }

    /// Writes down what was seen where nothing came of it, all of a tenant at once.
    async fn write_down(&self, scope: &Scope, rules: &[(Model, Observation)]) -> Result<()> {
        let tx = self.0.db.write(scope).await?;
        for (rule, seen) in rules {
            tx.update_many::<Entity>()
                .set(Column::EvaluatedAt, seen.to)
                .set(Column::LastValue, seen.value)
                .filter(Column::Id.eq(rule.id))
                .filter(Column::State.eq(rule.state))
                .exec()
                .await?;
        }
        tx.commit().await
    }
}

fn standing(rule: &Model) -> Standing {
    Standing { state: rule.state, pending_since: rule.pending_since, clear_since: rule.clear_since }
}

fn is_same(one: &Model, other: &Model) -> bool {
    one.is_active
        && one.updated_at == other.updated_at
        && one.evaluated_at == other.evaluated_at
        && standing(one) == standing(other)
}

/// The row of an incident that opens.
fn incident(rule: &Model, id: AlertEventId, value: f64, seen: &Observation) -> NewEvent {
    let context = json!({
        "rule": {
            "name": rule.name, "metric": rule.metric, "selector": rule.selector, "comparison": rule.comparison,
            "threshold": rule.threshold, "recover_threshold": rule.recover_threshold,
        },
        "samples": seen.samples, "from": seen.from, "to": seen.to,
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
        opened_at: Set(seen.to),
        acknowledged_at: Set(None),
        acknowledged_by: Set(None),
        resolved_at: Set(None),
        resolved_by: Set(None),
        notified_at: Set(None),
        created_at: Set(seen.to),
        updated_at: Set(seen.to),
    }
}
