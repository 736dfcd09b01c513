//! The rules of alert rules.

use loam_db::{Tenant, Tx};
use loam_http::surface::{IfMatch, etag, next_version, present};
use loam_kernel::{AlertRuleId, Error, Kind, Page, PageQuery, ProjectId, Result, Scope, TenantId, bounded};
use loam_platform::mail::check_address;
use loam_platform::origin;
use loam_platform::seal::{SealedRows, Visit, visit_json};
use loam_platform::webhook_deliveries::signature;
use sea_orm::{ColumnTrait, Condition, IntoActiveModel, QueryFilter, Set};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};
use zeroize::Zeroizing;

use super::definition::{Definition, Selector};
use super::entity::{ActiveModel, AlertMetric, Column, Comparison, Entity, Model, RuleState, Severity};
use crate::Insight;
use crate::alerts::recipients;

const MAX_NAME: usize = 100;
const MAX_URL: usize = 2000;

/// Who is told, as it is given.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertDelivery {
    /// A server that is posted to, signed.
    pub webhook: Option<AlertWebhook>,
    /// People who are written to.
    pub email: Option<AlertEmail>,
}

/// A server that is posted to.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertWebhook {
    /// Where to.
    pub url: String,
    /// What it is signed with: 32 to 256 letters, digits, `_` or `-`. Left out, the one before stays while `url` leads to the
    /// same server (scheme, host and port); without one before, one is made.
    #[schema(value_type = Option<String>)]
    pub secret: Option<Zeroizing<String>>,
}

/// People who are written to.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertEmail {
    /// Their addresses.
    pub to: Vec<String>,
}

/// Who is told, as it is kept and shown.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct AlertTargets {
    /// A server that is posted to, signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<AlertTarget>,
    /// People who are written to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<AlertEmail>,
}

impl AlertTargets {
    /// Of a rule.
    pub(crate) fn of(rule: &Model) -> Result<Self> {
        serde_json::from_value(rule.delivery.clone()).map_err(Error::internal)
    }
}

/// A server that is posted to.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AlertTarget {
    /// Where to.
    pub url: String,
}

/// A rule to be made.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertRuleCreate {
    /// The application.
    pub project_id: ProjectId,
    /// Unique in the project.
    pub name: String,
    /// What is measured.
    pub metric: AlertMetric,
    /// Of what; all of the project unless given.
    #[serde(default)]
    pub selector: Selector,
    /// Which side of the threshold is bad; above unless given.
    pub comparison: Option<Comparison>,
    /// From where it is bad, in the unit of the metric.
    pub threshold: f64,
    /// From where it is well again; the threshold unless given. With some room in between, an alert doesn't come and go.
    pub recover_threshold: Option<f64>,
    /// Seconds that are measured together, 60 to 604,800; 300 unless given. Above an hour, whole hours are.
    pub window_seconds: Option<i32>,
    /// Seconds that it has to stay bad before an incident is opened, and well before it is over; 0 unless given.
    pub for_seconds: Option<i32>,
    /// Requests, calls or values in the window, below which nothing is known; 10 unless given.
    pub min_samples: Option<i32>,
    /// How bad it is; `high` unless given.
    pub severity: Option<Severity>,
    /// Who is told; nobody unless given.
    #[serde(default)]
    pub delivery: AlertDelivery,
    /// Whether it is looked at; true unless given.
    pub is_active: Option<bool>,
    /// Your own; never interpreted.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

/// A change of a rule: what is left out stays. What it measures stays what it is.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertRuleUpdate {
    /// Unique in the project.
    pub name: Option<String>,
    /// Of what, as a whole.
    pub selector: Option<Selector>,
    /// Which side of the threshold is bad.
    pub comparison: Option<Comparison>,
    /// From where it is bad.
    pub threshold: Option<f64>,
    /// From where it is well again; null for the threshold.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<f64>)]
    pub recover_threshold: Option<Option<f64>>,
    /// Seconds that are measured together.
    pub window_seconds: Option<i32>,
    /// Seconds that it has to stay bad, or well.
    pub for_seconds: Option<i32>,
    /// What there has to be in the window.
    pub min_samples: Option<i32>,
    /// How bad it is.
    pub severity: Option<Severity>,
    /// Who is told, as a whole.
    pub delivery: Option<AlertDelivery>,
    /// Whether it is looked at. An incident that is open is over when it isn't any more.
    pub is_active: Option<bool>,
    /// Your own; never interpreted.
    pub metadata: Option<Map<String, Value>>,
}

/// Which rules to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AlertRuleFilter {
    /// Only rules of this project.
    pub project_id: Option<ProjectId>,
    /// Only the rule of this name.
    pub name: Option<String>,
    /// Only rules that stand here.
    pub state: Option<RuleState>,
    /// Only rules that are looked at, or only those that aren't.
    pub is_active: Option<bool>,
}

/// A rule, with its secret if that is new: the only time that it is shown.
pub struct MadeRule {
    /// What is kept.
    pub row: Model,
    /// What its webhook is signed with.
    pub secret: Option<Zeroizing<String>>,
}

/// Where a rule's secret is kept, to which its sealing is bound.
pub(crate) fn secret_place(id: AlertRuleId) -> String {
    format!("alert_rules/{id}/secret")
}

impl SealedRows for Entity {
    const SEALED: &'static [Column] = &[Column::Secret];

    fn each(row: &mut Model, visit: Visit<'_>) -> Result<()> {
        row.secret.as_mut().map_or(Ok(()), |secret| visit_json(&secret_place(row.id), secret, visit))
    }
}

impl Insight {
    /// The tenant's rules, newest first.
    pub async fn list_alert_rules(
        &self,
        scope: &Scope,
        filter: AlertRuleFilter,
        page: &PageQuery,
    ) -> Result<Page<Model>> {
        let filter = Condition::all()
            .add_option(filter.project_id.map(|id| Column::ProjectId.eq(id)))
            .add_option(filter.name.map(|name| Column::Name.eq(name)))
            .add_option(filter.state.map(|state| Column::State.eq(state)))
            .add_option(filter.is_active.map(|is_active| Column::IsActive.eq(is_active)));
        self.0.db.read(scope).await?.find::<Entity>().filter(filter).page(page, |row| row.id.0).await
    }

    /// One rule.
    pub async fn get_alert_rule(&self, scope: &Scope, id: AlertRuleId) -> Result<Model> {
        self.0.db.read(scope).await?.get::<Entity>(id).await?.ok_or_else(missing)
    }

    /// Makes a rule. It is looked at within half a minute.
    pub async fn create_alert_rule(&self, scope: &Scope, new: AlertRuleCreate) -> Result<MadeRule> {
        self.check_watched(scope, new.project_id).await?;
        let id: AlertRuleId = self.0.clock.id();
        let (row, secret) = self.new_rule(scope, id, new).await?;
        let tx = self.0.db.write(scope).await?;
        let row = self.insert_rule(&tx, row).await?;
        let notice = self.0.changes.record(&tx, "create", "alert_rules", id, changes(&row)).await?;
        self.0.changes.commit(tx, notice).await?;
        Ok(MadeRule { row, secret })
    }

    /// A row for a new rule, checked.
    pub(super) async fn new_rule(
        &self,
        scope: &Scope,
        id: AlertRuleId,
        new: AlertRuleCreate,
    ) -> Result<(ActiveModel, Option<Zeroizing<String>>)> {
        bounded("name", &new.name, MAX_NAME)?;
        let definition = Definition {
            metric: new.metric,
            selector: new.selector,
            comparison: new.comparison.unwrap_or(Comparison::Above),
            threshold: new.threshold,
            recover_threshold: new.recover_threshold,
            window_seconds: new.window_seconds.unwrap_or(300),
            for_seconds: new.for_seconds.unwrap_or(0),
            min_samples: new.min_samples.unwrap_or(10),
        };
        definition.check()?;
        let (targets, given) = self.targets(scope, new.delivery).await?;
        let secret = match targets.webhook {
            Some(_) => Some(signature::secret(&self.0.clock, given)?),
            None => None,
        };
        let now = self.0.clock.now();
        let row = ActiveModel {
            tenant_id: Set(TenantId::NIL),
            id: Set(id),
            project_id: Set(new.project_id),
            name: Set(new.name),
            metric: Set(definition.metric),
            selector: Set(serde_json::to_value(&definition.selector).map_err(Error::internal)?),
            comparison: Set(definition.comparison),
            threshold: Set(definition.threshold),
            recover_threshold: Set(definition.recover_threshold),
            window_seconds: Set(definition.window_seconds),
            for_seconds: Set(definition.for_seconds),
            min_samples: Set(definition.min_samples),
            severity: Set(new.severity.unwrap_or(Severity::High)),
            delivery: Set(serde_json::to_value(targets).map_err(Error::internal)?),
            secret: Set(secret.as_ref().map(|secret| self.seal_rule_secret(id, secret)).transpose()?),
            is_active: Set(new.is_active.unwrap_or(true)),
            state: Set(RuleState::Ok),
            pending_since: Set(None),
            clear_since: Set(None),
            evaluated_at: Set(None),
            last_value: Set(None),
            open_event_id: Set(None),
            metadata: Set(new.metadata.into()),
            created_at: Set(now),
            updated_at: Set(now),
        };
        Ok((row, secret))
    }

    /// Inserts a rule, unless there are too many, or one of this name.
    pub(super) async fn insert_rule(&self, tx: &Tx<Tenant>, row: ActiveModel) -> Result<Model> {
        let project = *row.project_id.as_ref();
        let most = self.0.alerts.with(tx.scope().tenant(), |settings| settings.max_rules_per_project);
        if tx.find::<Entity>().filter(Column::ProjectId.eq(project)).count().await? >= most.into() {
            let message = format!("a project has at most {most} alert rules; delete one first");
            return Err(Error::new(Kind::Conflict, "too_many_alert_rules", message));
        }
        let taken = loam_db::already_exists("name", "there is a rule with this name in the project already");
        tx.insert(row).await.map_err(taken)
    }

    /// Changes a rule; where it stands is judged anew with the next look.
    pub async fn update_alert_rule(
        &self,
        scope: &Scope,
        id: AlertRuleId,
        version: &IfMatch,
        new: AlertRuleUpdate,
    ) -> Result<MadeRule> {
        if let Some(name) = &new.name {
            bounded("name", name, MAX_NAME)?;
        }
        let delivery = match new.delivery {
            Some(delivery) => Some(self.targets(scope, delivery).await?),
            None => None,
        };
        let project = self.project_of_rule(scope, id).await?;
        let tx = self.0.db.write(scope).await?;
        let old = tx.get_locked::<Entity>(id).await?.ok_or_else(missing)?;
        version.check(&etag(old.updated_at))?;
        let mut definition = Definition::of(&old)?;
        new.selector.map(|selector| definition.selector = selector);
        new.comparison.map(|comparison| definition.comparison = comparison);
        new.threshold.map(|threshold| definition.threshold = threshold);
        new.recover_threshold.map(|recover| definition.recover_threshold = recover);
        new.window_seconds.map(|seconds| definition.window_seconds = seconds);
        new.for_seconds.map(|seconds| definition.for_seconds = seconds);
        new.min_samples.map(|samples| definition.min_samples = samples);
        definition.check()?;
        let open = old.open_event_id.filter(|_| new.is_active == Some(false));
        let (had, updated_at) = (old.secret.clone(), next_version(old.updated_at, self.0.clock.now()));
        let was_at = AlertTargets::of(&old)?.webhook.map(|target| target.url);
        let mut row = old.into_active_model();
        let mut shown = None;
        if let Some((targets, given)) = delivery {
            let secret = match (&targets.webhook, given, had) {
                (None, ..) => None,
                (Some(target), None, Some(kept)) => {
                    let field = "delivery.webhook.secret";
                    origin::check_same_origin(field, was_at.as_deref(), Some(&target.url))?;
                    Some(kept)
                }
                (Some(_), given, _) => {
                    let secret = signature::secret(&self.0.clock, given)?;
                    Some(self.seal_rule_secret(id, shown.insert(secret))?)
                }
            };
            row.delivery = Set(serde_json::to_value(targets).map_err(Error::internal)?);
            row.secret = Set(secret);
        }
        row.selector = Set(serde_json::to_value(&definition.selector).map_err(Error::internal)?);
        row.comparison = Set(definition.comparison);
        row.threshold = Set(definition.threshold);
        row.recover_threshold = Set(definition.recover_threshold);
        row.window_seconds = Set(definition.window_seconds);
        row.for_seconds = Set(definition.for_seconds);
        row.min_samples = Set(definition.min_samples);
        new.name.map(|name| row.name = Set(name));
        new.severity.map(|severity| row.severity = Set(severity));
        new.is_active.map(|is_active| row.is_active = Set(is_active));
        new.metadata.map(|metadata| row.metadata = Set(metadata.into()));
        row.updated_at = Set(updated_at);
        if new.is_active == Some(false) {
            row.state = Set(RuleState::Ok);
            row.pending_since = Set(None);
            row.clear_since = Set(None);
            row.open_event_id = Set(None);
        }
        let taken = loam_db::already_exists("name", "there is a rule with this name in the project already");
        let row = tx.update(row).await.map_err(taken)?;
        if let Some(event) = open {
            self.end_incident(&tx, &row, event, &project).await?;
        }
        let notice = self.0.changes.record(&tx, "update", "alert_rules", id, changes(&row)).await?;
        self.0.changes.commit(tx, notice).await?;
        self.0.deliveries.wake();
        Ok(MadeRule { row, secret: shown })
    }

    /// Deletes a rule with its incidents; what would still tell of them is given up.
    pub async fn delete_alert_rule(&self, scope: &Scope, id: AlertRuleId) -> Result<()> {
        let tx = self.0.db.write(scope).await?;
        if tx.delete::<Entity>().filter(Column::Id.eq(id)).exec().await? == 0 {
            return Err(missing());
        }
        let notice = self.0.changes.record(&tx, "delete", "alert_rules", id, json!({})).await?;
        self.0.changes.commit(tx, notice).await
    }

    /// The name of a rule's application, read before the rule is locked.
    pub(crate) async fn project_of_rule(&self, scope: &Scope, id: AlertRuleId) -> Result<String> {
        let rule = self.get_alert_rule(scope, id).await?;
        Ok(self.0.identity.get_project(scope, rule.project_id).await?.name)
    }

    /// A mistaken id would watch nothing, and nobody would notice.
    async fn check_watched(&self, scope: &Scope, project: ProjectId) -> Result<()> {
        match self.0.identity.get_project(scope, project).await {
            Err(e) if e.kind() == Kind::NotFound => {
                Err(Error::invalid("project_id", "there is no such project"))
            }
            found => found.map(drop),
        }
    }

    /// Who is told, checked, apart from the secret.
    async fn targets(
        &self,
        scope: &Scope,
        new: AlertDelivery,
    ) -> Result<(AlertTargets, Option<Zeroizing<String>>)> {
        let (webhook, secret) = match new.webhook {
            Some(AlertWebhook { url, secret }) => {
                bounded("delivery.webhook.url", &url, MAX_URL)?;
                self.0.client.check_url("delivery.webhook.url", &url)?;
                (Some(AlertTarget { url }), secret)
            }
            None => (None, None),
        };
        if let Some(AlertEmail { to }) = &new.email {
            let most = self.0.alerts.with(scope.tenant(), |settings| settings.max_recipients);
            if to.is_empty() || to.len() > most as usize {
                return Err(Error::invalid("delivery.email.to", format!("must be 1 to {most} addresses")));
            }
            to.iter().try_for_each(|address| check_address("delivery.email.to", address))?;
            let Some(mailer) = &self.0.mailer else {
                let message = "can't be used: this server sends no e-mail until its operator sets `[smtp]`";
                return Err(Error::invalid("delivery.email", message));
            };
            for address in to {
                let refused = recipients::refused(&self.0.db, &self.0.identity, mailer, scope, address);
                if let Some(why) = refused.await? {
                    return Err(Error::invalid("delivery.email.to", format!("`{address}` {why}")));
                }
            }
        }
        Ok((AlertTargets { webhook, email: new.email }, secret))
    }

    fn seal_rule_secret(&self, id: AlertRuleId, secret: &str) -> Result<Value> {
        self.0.keyring.seal_json(&self.0.clock, &secret_place(id), secret)
    }
}

pub(crate) fn missing() -> Error {
    Error::not_found("alert rule")
}

/// What the audit trail says of a rule: no secret.
pub(super) fn changes(row: &Model) -> Value {
    json!({
        "project_id": row.project_id, "name": row.name, "metric": row.metric, "selector": row.selector,
        "comparison": row.comparison, "threshold": row.threshold, "recover_threshold": row.recover_threshold,
        "window_seconds": row.window_seconds, "for_seconds": row.for_seconds, "min_samples": row.min_samples,
        "severity": row.severity, "delivery": row.delivery, "is_active": row.is_active,
    })
}
