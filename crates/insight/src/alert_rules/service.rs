//! Creating, changing and deleting alert rules.

use loam_db::{Tenant, Tx};
use loam_http::surface::present;
use loam_kernel::{
    AlertRuleId, Error, ExpectedVersion, Kind, Page, PageQuery, ProjectId, Result, Scope, TenantId, bounded,
    merge_object, merge_typed,
};
use loam_platform::changes::{Audited, lock_version};
use loam_platform::mail::check_address;
use loam_platform::origin;
use loam_platform::seal::{SealedRows, Visit, visit_json};
use loam_platform::webhook_deliveries::signature;
use sea_orm::{ColumnTrait, Condition, IntoActiveModel, QueryFilter, Set};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};
use zeroize::Zeroizing;

use super::definition::{Definition, Selector};
use super::entity::{ActiveModel, AlertMetric, Column, Comparison, Entity, Model, RuleState, Severity};
use super::targets::{AlertEmail, AlertTarget, AlertTargets, secret_context};
use crate::alerts::Alerts;
use crate::alerts::recipients;

const MAX_NAME: usize = 100;
const MAX_URL: usize = 2000;

/// Who is notified, as requested.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertDelivery {
    /// Receives signed HTTP POST requests.
    pub webhook: Option<AlertWebhook>,
    /// Receives e-mails.
    pub email: Option<AlertEmail>,
}

/// A webhook target.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertWebhook {
    /// The URL.
    pub url: String,
    /// Signing secret: 32 to 256 letters, digits, `_` or `-`. If omitted, the current secret stays as long as `url` has the
    /// same origin (scheme, host and port); if there is none, one is generated.
    #[schema(value_type = Option<String>)]
    pub secret: Option<Zeroizing<String>>,
}

/// A new alert rule.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertRuleCreate {
    /// The application.
    pub project_id: ProjectId,
    /// Name, unique in the project.
    pub name: String,
    /// The metric to measure.
    pub metric: AlertMetric,
    /// Restricts what is measured; defaults to the whole project.
    #[serde(default)]
    pub selector: Selector,
    /// Which side of the threshold is a breach; defaults to `above`.
    pub comparison: Option<Comparison>,
    /// The threshold, in the unit of the metric.
    pub threshold: f64,
    /// Value at which an incident ends; defaults to `threshold`. A gap between both prevents flapping.
    pub recover_threshold: Option<f64>,
    /// Length of the measured window, 60 to 604,800 seconds; defaults to 300. Above 3,600, whole hours are measured.
    pub window_seconds: Option<i32>,
    /// Minimum duration of a breach before an incident opens, and of a recovery before it ends, in seconds; defaults to 0.
    pub for_seconds: Option<i32>,
    /// Minimum number of requests, calls or values in the window; with fewer, there is no value. Defaults to 10.
    pub min_samples: Option<i32>,
    /// Severity; defaults to `high`.
    pub severity: Option<Severity>,
    /// Who is notified; defaults to nobody.
    #[serde(default)]
    pub delivery: AlertDelivery,
    /// Whether the rule is evaluated; defaults to true.
    pub is_active: Option<bool>,
    /// Your metadata; never interpreted.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

/// Changes to a rule; omitted fields stay unchanged. The metric cannot be changed.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertRuleUpdate {
    /// Name, unique in the project.
    pub name: Option<String>,
    /// Fields to change of what is measured; null removes a restriction.
    #[schema(value_type = Option<Selector>)]
    pub selector: Option<Map<String, Value>>,
    /// Which side of the threshold is a breach.
    pub comparison: Option<Comparison>,
    /// The threshold.
    pub threshold: Option<f64>,
    /// Value at which an incident ends; null: same as `threshold`.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<f64>)]
    pub recover_threshold: Option<Option<f64>>,
    /// Length of the measured window, in seconds.
    pub window_seconds: Option<i32>,
    /// Minimum duration of a breach or a recovery, in seconds.
    pub for_seconds: Option<i32>,
    /// Minimum number of requests, calls or values in the window.
    pub min_samples: Option<i32>,
    /// Severity.
    pub severity: Option<Severity>,
    /// Targets to change of who is notified; null removes one.
    #[schema(value_type = Option<AlertDelivery>)]
    pub delivery: Option<Map<String, Value>>,
    /// Whether the rule is evaluated. Deactivating it resolves its open incident.
    pub is_active: Option<bool>,
    /// False ends the management of a managed rule: its threshold can be changed, and no longer follows the project's
    /// `config.alert_threshold`.
    pub is_managed: Option<bool>,
    /// Fields of your metadata to change; null removes a field. Never interpreted.
    pub metadata: Option<Map<String, Value>>,
}

/// Filter for listing alert rules.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AlertRuleFilter {
    /// Only rules of this project.
    pub project_id: Option<ProjectId>,
    /// Only the rule of this name.
    pub name: Option<String>,
    /// Only rules in this state.
    pub state: Option<RuleState>,
    /// Only active, or only inactive, rules.
    pub is_active: Option<bool>,
}

/// A rule, with its signing secret if it is new. The secret is shown only once.
pub struct AlertRuleWithSecret {
    /// The stored rule.
    pub row: Model,
    /// Signing secret of the webhook.
    pub secret: Option<Zeroizing<String>>,
}

impl SealedRows for Entity {
    const SEALED: &'static [Column] = &[Column::Secret];

    fn each(row: &mut Model, visit: Visit<'_>) -> Result<()> {
        row.secret.as_mut().map_or(Ok(()), |secret| visit_json(&secret_context(row.id), secret, visit))
    }
}

impl Alerts {
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

    /// Gets a rule.
    pub async fn get_alert_rule(&self, scope: &Scope, id: AlertRuleId) -> Result<Model> {
        self.0.db.read(scope).await?.get::<Entity>(id).await?.ok_or_else(Entity::missing)
    }

    /// Creates a rule. It is first evaluated within 30 seconds.
    pub async fn create_alert_rule(
        &self,
        scope: &Scope,
        new: AlertRuleCreate,
    ) -> Result<AlertRuleWithSecret> {
        self.check_project_exists(scope, new.project_id).await?;
        let id: AlertRuleId = self.0.clock.id();
        let (row, secret) = self.new_rule(scope, id, new).await?;
        let tx = self.0.db.write(scope).await?;
        let row = self.insert_rule(&tx, row).await?;
        let notice = self.0.changes.record_row::<Entity>(&tx, "create", &row).await?;
        self.0.changes.commit(tx, notice).await?;
        Ok(AlertRuleWithSecret { row, secret })
    }

    /// Validates a new rule and builds its row.
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
        definition.validate()?;
        let (targets, requested) = self.targets(scope, new.delivery).await?;
        let secret = match targets.webhook {
            Some(_) => Some(signature::secret(&self.0.clock, requested)?),
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
            is_managed: Set(None),
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

    /// Inserts a rule. Fails if the project has too many, or one with this name.
    async fn insert_rule(&self, tx: &Tx<Tenant>, row: ActiveModel) -> Result<Model> {
        self.check_rule_count(tx, *row.project_id.as_ref()).await?;
        let name_taken = loam_db::already_exists("name", "the project already has a rule with this name");
        tx.insert(row).await.map_err(name_taken)
    }

    /// Fails if the project has too many rules for another one.
    pub(super) async fn check_rule_count(&self, tx: &Tx<Tenant>, project: ProjectId) -> Result<()> {
        let max = self.0.settings.with(tx.scope().tenant(), |settings| settings.max_rules_per_project);
        if tx.find::<Entity>().filter(Column::ProjectId.eq(project)).count().await? >= max.into() {
            let message = format!("a project has at most {max} alert rules; delete one first");
            return Err(Error::new(Kind::Conflict, "too_many_alert_rules", message));
        }
        Ok(())
    }

    /// Updates a rule; its state is updated by the next evaluation.
    pub async fn update_alert_rule(
        &self,
        scope: &Scope,
        id: AlertRuleId,
        version: &ExpectedVersion,
        new: AlertRuleUpdate,
    ) -> Result<AlertRuleWithSecret> {
        if let Some(name) = &new.name {
            bounded("name", name, MAX_NAME)?;
        }
        let before = self.get_alert_rule(scope, id).await?;
        let delivery = match new.delivery {
            Some(change) => {
                Some(self.targets(scope, merge_typed("delivery", &before.delivery, change)?).await?)
            }
            None => None,
        };
        let project = self.project_of_rule(scope, id).await?;
        let tx = self.0.db.write(scope).await?;
        let old = lock_version::<Entity>(&tx, id, version).await?;
        // the targets are checked before the lock, as that takes long
        if delivery.is_some() && old.delivery != before.delivery {
            let message = "the targets of this rule have just been changed by somebody else; try again";
            return Err(Error::new(Kind::Conflict, "changed_meanwhile", message));
        }
        let changes_threshold =
            new.threshold.is_some() || new.recover_threshold.is_some() || new.comparison.is_some();
        check_management(&old, new.is_managed, changes_threshold)?;
        let mut definition = Definition::of(&old)?;
        if let Some(change) = new.selector {
            definition.selector = merge_typed("selector", &old.selector, change)?;
        }
        new.comparison.map(|comparison| definition.comparison = comparison);
        new.threshold.map(|threshold| definition.threshold = threshold);
        new.recover_threshold.map(|recover| definition.recover_threshold = recover);
        new.window_seconds.map(|seconds| definition.window_seconds = seconds);
        new.for_seconds.map(|seconds| definition.for_seconds = seconds);
        new.min_samples.map(|samples| definition.min_samples = samples);
        definition.validate()?;
        let open_event = old.open_event_id.filter(|_| new.is_active == Some(false));
        let old_secret = old.secret.clone();
        let old_url = AlertTargets::of(&old)?.webhook.map(|target| target.url);
        let mut row = old.into_active_model();
        let mut new_secret = None;
        if let Some((targets, requested)) = delivery {
            let secret = match (&targets.webhook, requested, old_secret) {
                (None, ..) => None,
                (Some(target), None, Some(current)) => {
                    let field = "delivery.webhook.secret";
                    origin::check_same_origin(field, old_url.as_deref(), Some(&target.url))?;
                    Some(current)
                }
                (Some(_), requested, _) => {
                    let secret = signature::secret(&self.0.clock, requested)?;
                    Some(self.seal_rule_secret(id, new_secret.insert(secret))?)
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
        new.is_managed.map(|is_managed| row.is_managed = Set(Some(is_managed)));
        if let Some(change) = new.metadata {
            row.metadata = Set(merge_object("metadata", row.metadata.as_ref(), change)?);
        }
        if new.is_active == Some(false) {
            row.state = Set(RuleState::Ok);
            row.pending_since = Set(None);
            row.clear_since = Set(None);
            row.open_event_id = Set(None);
        }
        let name_taken = loam_db::already_exists("name", "the project already has a rule with this name");
        let row = self.0.changes.save(&tx, row).await.map_err(name_taken)?;
        if let Some(event) = open_event {
            self.end_incident(&tx, &row, event, &project).await?;
        }
        let notice = self.0.changes.record_row::<Entity>(&tx, "update", &row).await?;
        self.0.changes.commit(tx, notice).await?;
        self.0.deliveries.wake();
        Ok(AlertRuleWithSecret { row, secret: new_secret })
    }

    /// Deletes a rule with its incidents. Pending notifications are discarded.
    pub async fn delete_alert_rule(&self, scope: &Scope, id: AlertRuleId) -> Result<()> {
        self.0.changes.delete::<Entity>(self.0.db.write(scope).await?, id).await
    }

    /// The name of a rule's project, read before the rule is locked.
    pub(crate) async fn project_of_rule(&self, scope: &Scope, id: AlertRuleId) -> Result<String> {
        let rule = self.get_alert_rule(scope, id).await?;
        Ok(self.0.identity.get_project(scope, rule.project_id).await?.name)
    }

    /// A rule with a wrong project ID would silently measure nothing.
    async fn check_project_exists(&self, scope: &Scope, project: ProjectId) -> Result<()> {
        match self.0.identity.get_project(scope, project).await {
            Err(e) if e.kind() == Kind::NotFound => {
                Err(Error::invalid("project_id", "no project with this ID"))
            }
            found => found.map(drop),
        }
    }

    /// Validates who is notified; returns the targets and the requested secret separately.
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
            let max = self.0.settings.with(scope.tenant(), |settings| settings.max_recipients);
            if to.is_empty() || to.len() > max as usize {
                return Err(Error::invalid("delivery.email.to", format!("must have 1 to {max} addresses")));
            }
            to.iter().try_for_each(|address| check_address("delivery.email.to", address))?;
            let Some(mailer) = &self.0.mailer else {
                let message = "can't be used: this server sends no e-mail until its operator sets `[smtp]`";
                return Err(Error::invalid("delivery.email", message));
            };
            for address in to {
                let rejection = recipients::rejection(&self.0.db, &self.0.identity, mailer, scope, address);
                if let Some(reason) = rejection.await? {
                    return Err(Error::invalid("delivery.email.to", format!("`{address}` {reason}")));
                }
            }
        }
        Ok((AlertTargets { webhook, email: new.email }, secret))
    }

    fn seal_rule_secret(&self, id: AlertRuleId, secret: &str) -> Result<Value> {
        self.0.keyring.seal_json(&self.0.clock, &secret_context(id), secret)
    }
}

/// Rejects a change of a threshold that follows the project's.
fn check_management(rule: &Model, is_managed: Option<bool>, changes_threshold: bool) -> Result<()> {
    if is_managed == Some(true) && !rule.is_managed() {
        let message = "can't be set again: delete the rule, and create the default rules of the project";
        return Err(Error::invalid("is_managed", message));
    }
    if changes_threshold && rule.is_managed() && is_managed != Some(false) {
        let message =
            "follows `config.alert_threshold` of the project: change it there, or set `is_managed` to false";
        return Err(Error::invalid("threshold", message));
    }
    Ok(())
}

impl Model {
    /// Whether the threshold follows the project's.
    pub(super) fn is_managed(&self) -> bool {
        self.is_managed == Some(true)
    }
}

impl Audited for Entity {
    const NAME: &'static str = "alert rule";
    const UPDATED_AT: Column = Column::UpdatedAt;

    fn view(row: &Model) -> Value {
        json!({
            "project_id": row.project_id, "name": row.name, "metric": row.metric, "selector": row.selector,
            "comparison": row.comparison, "threshold": row.threshold, "recover_threshold": row.recover_threshold,
            "window_seconds": row.window_seconds, "for_seconds": row.for_seconds, "min_samples": row.min_samples,
            "severity": row.severity, "delivery": row.delivery, "is_active": row.is_active,
            "is_managed": row.is_managed(),
        })
    }
}
