//! Making an analysis.

use chrono::{DateTime, NaiveTime, Utc};
use loam_db::{Tenant, Tx};
use loam_kernel::{AiAnalysisResultId, Error, Kind, ProjectId, Result, Scope, first_id_at};
use sea_orm::{ColumnTrait, FromQueryResult, IntoActiveModel, QueryFilter, QuerySelect, Set};
use serde_json::json;

use super::answer::{self, RULES_ALONE, Results};
use super::ask::Account;
use super::entity::{AnalysisStatus, Column, Entity, Model};
use super::evidence::{self, Evidence};
use super::prompt;
use super::settings::AnalysisSettings;
use crate::Insight;
use crate::performance_records;
use crate::rules::Limits;
use crate::suggestions::{self, NewSuggestion, entity::SuggestionSource};

/// Why an analysis ends as it does.
enum Outcome {
    /// A model has told.
    Told(Results, bool),
    /// A model was asked, and what it said was of no use.
    Useless(String),
    /// No model could be asked.
    Failed(String),
}

#[derive(FromQueryResult)]
struct Cost {
    cost_nano_usd: Option<i64>,
}

impl Insight {
    /// Makes an analysis that is pending. An error is worth another attempt; on the last there is none, and it has failed.
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
            return self.give_up(scope, id, "the request is no longer kept").await;
        };
        let project = self.0.identity.get_project(scope, row.project_id).await?;
        let limits = Limits::of(&self.0.rules.of(scope.tenant()), &project.config);
        let mut evidence = evidence::gather(&tx, &record, &limits).await?;
        let spent = self.spent_today(&tx, row.project_id).await?;
        // the model may take its time, and nobody shall wait for a connection meanwhile
        tx.rollback().await?;
        let mut scope = scope.clone();
        scope.project = Some(row.project_id);
        let settings = self.0.analysis.of(scope.tenant());
        let (mut account, began) = (Account::default(), self.0.clock.now());
        let mut version = None;
        let outcome = if spent >= settings.nano_usd_per_day(row.project_id) {
            Outcome::Failed(format!(
                "the analyses of this project have cost {:.4} USD today, as much as `insight.analysis` allows",
                usd(spent)
            ))
        } else {
            match self.consult(&scope, &settings, &row, &mut evidence, &mut account, &mut version).await {
                Ok(outcome) => outcome,
                Err(e) if is_transient(&e) && !last => return Err(e),
                Err(e) => Outcome::Failed(e.message().to_owned()),
            }
        };
        self.finish(&scope, id, &evidence, outcome, account, version, began).await
    }

    /// Asks the model, and a second time should its answer not be valid.
    async fn consult(
        &self,
        scope: &Scope,
        settings: &AnalysisSettings,
        row: &Model,
        evidence: &mut Evidence,
        account: &mut Account,
        version: &mut Option<String>,
    ) -> Result<Outcome> {
        let Some(model) = row.model.as_deref() else {
            return Ok(Outcome::Failed("no model is set".to_owned()));
        };
        let document = evidence.bounded(settings.max_prompt_bytes)?;
        let mut messages = prompt::messages(&document);
        let mut why = String::new();
        for repaired in [false, true] {
            let said = self.ask_model(scope, settings, model, &messages, account).await?;
            *version = said.version;
            match answer::read(&said.text)? {
                Ok(answer) => return Ok(Outcome::Told(answer::weigh(answer, evidence, repaired), repaired)),
                Err(faults) => {
                    messages.extend(prompt::repair(&said.text, &faults, settings.max_prompt_bytes));
                    why = faults;
                }
            }
        }
        Ok(Outcome::Useless(format!("the model's answer was not valid, nor when it was asked again: {why}")))
    }

    #[expect(clippy::too_many_arguments, reason = "all that is known of an analysis when it ends")]
    async fn finish(
        &self,
        scope: &Scope,
        id: AiAnalysisResultId,
        evidence: &Evidence,
        outcome: Outcome,
        account: Account,
        version: Option<String>,
        began: DateTime<Utc>,
    ) -> Result<()> {
        let tx = self.0.db.write(scope).await?;
        // it may have been deleted, or ended by another run
        let Some(old) = tx.get_locked::<Entity>(id).await? else { return Ok(()) };
        if old.status != AnalysisStatus::Pending {
            return Ok(());
        }
        let now = self.0.clock.now();
        let mut row = old.clone().into_active_model();
        row.analysis_input = Set(evidence.input.clone());
        row.duration_ms = Set(Some((now - began).num_milliseconds()));
        row.provider = Set(account.provider);
        row.model = Set(account.model.or_else(|| old.model.clone()));
        row.model_version = Set(version);
        row.tokens_used = Set(account.tokens);
        row.cost_nano_usd = Set(account.cost_nano_usd);
        row.llm_call_id = Set(account.call);
        row.updated_at = Set(now);
        row.completed_at = Set(Some(now));
        row.status = Set(AnalysisStatus::Completed);
        match outcome {
            Outcome::Told(results, repaired) => {
                self.keep_advice(&tx, &old, &results).await?;
                row.metadata = Set(
                    json!({ "source": "model", "repaired": repaired, "dropped_claims": results.dropped }),
                );
                row.confidence_score = Set(Some(results.confidence));
                row.analysis_results = Set(Some(results.results));
            }
            Outcome::Useless(why) => {
                row.metadata = Set(json!({ "source": "rules", "repaired": true, "reason": why }));
                row.confidence_score = Set(Some(RULES_ALONE));
                row.analysis_results = Set(Some(answer::of_rules(evidence)));
            }
            Outcome::Failed(why) => {
                row.status = Set(AnalysisStatus::Failed);
                row.metadata = Set(json!({ "source": "rules" }));
                row.confidence_score = Set(Some(RULES_ALONE));
                row.analysis_results = Set(Some(answer::of_rules(evidence)));
                row.error_message = Set(Some(why));
            }
        }
        tx.update(row).await?;
        tx.commit().await
    }

    async fn keep_advice(&self, tx: &Tx<Tenant>, row: &Model, results: &Results) -> Result<()> {
        let impact = |function: &str| {
            let claims = results.results["bottleneck_analysis"].as_array().into_iter().flatten();
            let of_it = claims.filter(|claim| claim["function"] == *function);
            of_it.filter_map(|claim| claim["impact"].as_f64()).reduce(f64::max)
        };
        let new = results.suggestions.iter().map(|(advice, function)| NewSuggestion {
            endpoint: row.endpoint.clone(),
            version: row.version.clone(),
            function: function.clone(),
            finding: None,
            source: SuggestionSource::Model,
            advice: advice.clone(),
            record: row.record_id,
            analysis: Some(row.id),
            predicted_gain: function.as_deref().and_then(impact),
        });
        suggestions::keep(tx, &self.0.clock, row.project_id, new.collect()).await
    }

    async fn give_up(&self, scope: &Scope, id: AiAnalysisResultId, why: &str) -> Result<()> {
        let tx = self.0.db.write(scope).await?;
        let now = self.0.clock.now();
        tx.update_many::<Entity>()
            .set(Column::Status, AnalysisStatus::Failed)
            .set(Column::ErrorMessage, why)
            .set(Column::UpdatedAt, now)
            .set(Column::CompletedAt, now)
            .filter(Column::Id.eq(id))
            .filter(Column::Status.eq(AnalysisStatus::Pending))
            .exec()
            .await?;
        tx.commit().await
    }

    /// Billionths of a US dollar that a project's analyses have cost since midnight, UTC.
    async fn spent_today(&self, tx: &Tx<Tenant>, project: ProjectId) -> Result<i64> {
        let midnight = self.0.clock.now().date_naive().and_time(NaiveTime::MIN).and_utc();
        let today = tx.find::<Entity>().select_only().column(Column::CostNanoUsd);
        let today = today.filter(Column::ProjectId.eq(project)).filter(Column::Id.gte(first_id_at(midnight)));
        let costs: Vec<Cost> = today.filter(Column::CostNanoUsd.is_not_null()).into().await?;
        Ok(costs.into_iter().filter_map(|cost| cost.cost_nano_usd).sum())
    }
}

/// Whether the same may go well later.
fn is_transient(error: &Error) -> bool {
    matches!(error.kind(), Kind::Unavailable | Kind::TooMany | Kind::Timeout | Kind::Internal)
        || matches!(error.status(), 429 | 500 | 502 | 503 | 504)
}

#[expect(clippy::cast_precision_loss, reason = "money to be read")]
fn usd(nano: i64) -> f64 {
    nano as f64 / 1e9
}
