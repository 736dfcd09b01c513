//! Runs an analysis.

use chrono::{DateTime, NaiveTime, Utc};
use loam_db::{Tenant, Tx};
use loam_kernel::{AiAnalysisResultId, Error, Kind, ProjectId, Result, Scope, first_id_at};
use sea_orm::{ColumnTrait, DerivePartialModel, IntoActiveModel, QueryFilter, Set};
use serde_json::json;

use super::entity::{AnalysisStatus, Column, Entity, Model};
use super::evidence::{self, Evidence};
use super::model_call::ModelUsage;
use super::prompt;
use super::response::{self, RULES_ONLY_CONFIDENCE, Results};
use super::settings::AnalysisSettings;
use crate::analyses::Analyses;
use crate::performance_records;
use crate::rules::Limits;
use crate::suggestions::{self, NewSuggestion, entity::SuggestionSource};

/// The outcome of an analysis.
enum Outcome {
    /// The model's response is valid; whether it had to be repaired.
    Valid(Results, bool),
    /// The model's response is invalid, also after a repair.
    Invalid(String),
    /// The model call failed.
    Failed(String),
}

#[derive(DerivePartialModel)]
#[sea_orm(entity = "Entity")]
struct Cost {
    cost_nano_usd: Option<i64>,
}

impl Analyses {
    /// Runs a pending analysis. A transient error is returned for another attempt; on the last attempt the analysis fails.
    pub(super) async fn run_analysis(&self, scope: &Scope, id: AiAnalysisResultId, last: bool) -> Result<()> {
        let tx = self.0.db.read(scope).await?;
        let Some(row) = tx.get::<Entity>(id).await? else { return Ok(()) };
        if row.status != AnalysisStatus::Pending {
            return Ok(());
        }
        let record = match row.record_id {
            Some(id) => tx.get::<performance_records::entity::Entity>(id).await?,
            None => None,
        };
        let Some(record) = record else {
            return self.fail(scope, id, "the request is no longer stored").await;
        };
        let project = self.0.identity.get_project(scope, row.project_id).await?;
        let limits = Limits::of(&self.0.rules.of(scope.tenant()), &project.config);
        let mut evidence = evidence::gather(&tx, &record, &limits).await?;
        let spent = self.spent_today(&tx, row.project_id).await?;
        // release the connection: a model call takes long
        tx.rollback().await?;
        let mut scope = scope.clone();
        scope.project = Some(row.project_id);
        let settings = self.0.analysis.of(scope.tenant());
        let (mut usage, started_at) = (ModelUsage::default(), self.0.clock.now());
        let mut version = None;
        let outcome = if spent >= settings.nano_usd_per_day(row.project_id) {
            Outcome::Failed(format!(
                "the analyses of this project have cost {:.4} USD today, which reaches the limit in `insight.analysis`",
                usd(spent)
            ))
        } else {
            match self
                .call_with_repair(&scope, &settings, &row, &mut evidence, &mut usage, &mut version)
                .await
            {
                Ok(outcome) => outcome,
                Err(e) if is_transient(&e) && !last => return Err(e),
                Err(e) => Outcome::Failed(e.message().to_owned()),
            }
        };
        self.finish(&scope, id, &evidence, outcome, usage, version, started_at).await
    }

    /// Calls the model, and a second time if its response is invalid.
    async fn call_with_repair(
        &self,
        scope: &Scope,
        settings: &AnalysisSettings,
        row: &Model,
        evidence: &mut Evidence,
        usage: &mut ModelUsage,
        version: &mut Option<String>,
    ) -> Result<Outcome> {
        let Some(model) = row.model.as_deref() else {
            return Ok(Outcome::Failed("no model is configured".to_owned()));
        };
        let document = evidence.bounded(settings.max_prompt_bytes)?;
        let mut messages = prompt::messages(&document);
        let mut reason = String::new();
        for repaired in [false, true] {
            let output = self.call_model(scope, settings, model, &messages, usage).await?;
            *version = output.version;
            match response::parse(&output.text)? {
                Ok(valid) => {
                    return Ok(Outcome::Valid(
                        response::validate_claims(valid, evidence, repaired),
                        repaired,
                    ));
                }
                Err(violations) => {
                    messages.extend(prompt::repair(&output.text, &violations, settings.max_prompt_bytes));
                    reason = violations;
                }
            }
        }
        Ok(Outcome::Invalid(format!("the model's response was invalid twice: {reason}")))
    }

    #[expect(clippy::too_many_arguments, reason = "the complete result of an analysis")]
    async fn finish(
        &self,
        scope: &Scope,
        id: AiAnalysisResultId,
        evidence: &Evidence,
        outcome: Outcome,
        usage: ModelUsage,
        version: Option<String>,
        started_at: DateTime<Utc>,
    ) -> Result<()> {
        let tx = self.0.db.write(scope).await?;
        // it may have been deleted or finished by another run
        let Some(old) = tx.get_locked::<Entity>(id).await? else { return Ok(()) };
        if old.status != AnalysisStatus::Pending {
            return Ok(());
        }
        let now = self.0.clock.now();
        let mut row = old.clone().into_active_model();
        row.analysis_input = Set(evidence.input.clone());
        row.duration_ms = Set(Some((now - started_at).num_milliseconds()));
        row.provider = Set(usage.provider);
        row.model = Set(usage.model.or_else(|| old.model.clone()));
        row.model_version = Set(version);
        row.tokens_used = Set(usage.tokens);
        row.cost_nano_usd = Set(usage.cost_nano_usd);
        row.llm_call_id = Set(usage.call);
        row.updated_at = Set(now);
        row.completed_at = Set(Some(now));
        row.status = Set(AnalysisStatus::Completed);
        match outcome {
            Outcome::Valid(results, repaired) => {
                self.store_suggestions(&tx, &old, &results).await?;
                row.metadata = Set(
                    json!({ "source": "model", "repaired": repaired, "dropped_claims": results.dropped }),
                );
                row.confidence_score = Set(Some(results.confidence));
                row.analysis_results = Set(Some(results.results));
            }
            Outcome::Invalid(reason) => {
                row.metadata = Set(json!({ "source": "rules", "repaired": true, "reason": reason }));
                row.confidence_score = Set(Some(RULES_ONLY_CONFIDENCE));
                row.analysis_results = Set(Some(response::from_rules(evidence)));
            }
            Outcome::Failed(reason) => {
                row.status = Set(AnalysisStatus::Failed);
                row.metadata = Set(json!({ "source": "rules" }));
                row.confidence_score = Set(Some(RULES_ONLY_CONFIDENCE));
                row.analysis_results = Set(Some(response::from_rules(evidence)));
                row.error_message = Set(Some(reason));
            }
        }
        tx.update(row).await?;
        tx.commit().await
    }

    async fn store_suggestions(&self, tx: &Tx<Tenant>, row: &Model, results: &Results) -> Result<()> {
        let impact = |function: &str| {
            let claims = results.results["bottleneck_analysis"].as_array().into_iter().flatten();
            let matching = claims.filter(|claim| claim["function"] == *function);
            matching.filter_map(|claim| claim["impact"].as_f64()).reduce(f64::max)
        };
        let new = results.suggestions.iter().map(|(advice, function)| NewSuggestion {
            endpoint: row.endpoint.clone(),
            version: row.version.clone(),
            function: function.clone(),
            finding: None,
            texts: None,
            source: SuggestionSource::Model,
            advice: advice.clone(),
            record: row.record_id,
            analysis: Some(row.id),
            predicted_gain: function.as_deref().and_then(impact),
        });
        suggestions::store(tx, &self.0.clock, row.project_id, new.collect()).await
    }

    async fn fail(&self, scope: &Scope, id: AiAnalysisResultId, reason: &str) -> Result<()> {
        let tx = self.0.db.write(scope).await?;
        let now = self.0.clock.now();
        tx.update_many::<Entity>()
            .set(Column::Status, AnalysisStatus::Failed)
            .set(Column::ErrorMessage, reason)
            .set(Column::UpdatedAt, now)
            .set(Column::CompletedAt, now)
            .filter(Column::Id.eq(id))
            .filter(Column::Status.eq(AnalysisStatus::Pending))
            .exec()
            .await?;
        tx.commit().await
    }

    /// Cost of a project's analyses since midnight UTC, in billionths of a US dollar.
    async fn spent_today(&self, tx: &Tx<Tenant>, project: ProjectId) -> Result<i64> {
        let midnight = self.0.clock.now().date_naive().and_time(NaiveTime::MIN).and_utc();
        let today = tx
            .find::<Entity>()
            .filter(Column::ProjectId.eq(project))
            .filter(Column::Id.gte(first_id_at(midnight)));
        let costs: Vec<Cost> = today.filter(Column::CostNanoUsd.is_not_null()).partial().await?;
        Ok(costs.into_iter().filter_map(|cost| cost.cost_nano_usd).sum())
    }
}

/// Whether a retry may succeed.
fn is_transient(error: &Error) -> bool {
    // a provider that refuses its key has status 502
    error.kind() != Kind::Forbidden
        && (matches!(error.kind(), Kind::Unavailable | Kind::TooMany | Kind::Timeout | Kind::Internal)
            || matches!(error.status(), 429 | 500 | 502 | 503 | 504))
}

#[expect(clippy::cast_precision_loss, reason = "cost for display")]
fn usd(nano: i64) -> f64 {
    nano as f64 / 1e9
}
