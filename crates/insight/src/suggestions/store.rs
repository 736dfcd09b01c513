//! Stores suggestions, unique by project, endpoint, source, title and version.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use loam_db::{Tenant, Tx};
use loam_kernel::{
    AiAnalysisResultId, Clock, PerformanceRecordId, ProjectId, Result, TenantId, next_version,
};
use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, Set};

use super::entity::{ActiveModel, Column, Entity, Model, SuggestionSource, SuggestionStatus};
use crate::rules::Advice;

/// Minimum change of a predicted gain that updates a stored suggestion.
const MIN_GAIN_CHANGE: f64 = 0.02;

/// A suggestion to store.
pub(crate) struct NewSuggestion {
    pub(crate) endpoint: String,
    pub(crate) version: String,
    pub(crate) function: Option<String>,
    /// The rule; `None` if a model made the suggestion.
    pub(crate) finding: Option<&'static str>,
    pub(crate) source: SuggestionSource,
    pub(crate) advice: Advice,
    pub(crate) record: Option<PerformanceRecordId>,
    pub(crate) analysis: Option<AiAnalysisResultId>,
    /// Predicted saving as a share of the request duration.
    pub(crate) predicted_gain: Option<f64>,
}

/// Stores suggestions of a project. Existing suggestions keep their status; while it is open, their predicted gain is
/// updated.
pub(crate) async fn store(
    tx: &Tx<Tenant>,
    clock: &Clock,
    project: ProjectId,
    new: Vec<NewSuggestion>,
) -> Result<()> {
    if new.is_empty() {
        return Ok(());
    }
    let titles: Vec<&str> = new.iter().map(|one| one.advice.title.as_str()).collect();
    let existing =
        tx.find::<Entity>().filter(Column::ProjectId.eq(project)).filter(Column::Title.is_in(titles));
    let existing: HashMap<_, Model> = existing
        .all()
        .await?
        .into_iter()
        .map(|row| ((row.endpoint.clone(), row.source, row.title.clone(), row.version.clone()), row))
        .collect();
    let now = clock.now();
    for one in new {
        let key = (one.endpoint.clone(), one.source, one.advice.title.clone(), one.version.clone());
        match existing.get(&key) {
            None => {
                tx.insert_if_new(row(clock, now, project, one)).await?;
            }
            Some(old) => {
                let old_gain = old.predicted_gain.unwrap_or(f64::INFINITY);
                let differs =
                    one.predicted_gain.is_some_and(|gain| (gain - old_gain).abs() > MIN_GAIN_CHANGE);
                if old.status == SuggestionStatus::Open && differs {
                    let mut row = old.clone().into_active_model();
                    row.predicted_gain = Set(one.predicted_gain);
                    row.priority = Set(one.advice.priority.name().to_owned());
                    row.record_id = Set(one.record.or(old.record_id));
                    row.updated_at = Set(next_version(old.updated_at, now));
                    tx.update(row).await?;
                }
            }
        }
    }
    Ok(())
}

fn row(clock: &Clock, now: DateTime<Utc>, project: ProjectId, one: NewSuggestion) -> ActiveModel {
    ActiveModel {
        tenant_id: Set(TenantId::NIL),
        id: Set(clock.id()),
        project_id: Set(project),
        endpoint: Set(one.endpoint),
        function: Set(one.function),
        finding: Set(one.finding.map(str::to_owned)),
        source: Set(one.source),
        category: Set(one.advice.category.name().to_owned()),
        priority: Set(one.advice.priority.name().to_owned()),
        title: Set(one.advice.title),
        description: Set(one.advice.description),
        code_example: Set(one.advice.code_example),
        version: Set(one.version),
        record_id: Set(one.record),
        analysis_id: Set(one.analysis),
        status: Set(SuggestionStatus::Open),
        predicted_gain: Set(one.predicted_gain),
        measured_gain: Set(None),
        measured: Set(None),
        measured_version: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
    }
}
