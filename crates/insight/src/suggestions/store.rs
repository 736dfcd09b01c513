//! Stores suggestions, unique by project, endpoint, source, version and fingerprint: what is proposed, and where. So a
//! reworded title does not store again what was dismissed.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use loam_db::{Tenant, Tx};
use loam_kernel::{
    AiAnalysisResultId, Clock, PerformanceRecordId, ProjectId, Result, TenantId, digest_of, hex, next_version,
};
use sea_orm::{ActiveModelTrait, ColumnTrait, IntoActiveModel, QueryFilter, Set};
use serde_json::{Value, json};

use super::entity::{ActiveModel, Column, Entity, Model, SuggestionSource, SuggestionStatus};
use crate::rules::{Advice, FindingCode, FindingParameters};

/// Minimum change of a predicted gain that updates a stored suggestion.
const MIN_GAIN_CHANGE: f64 = 0.02;

/// A suggestion to store.
pub(crate) struct NewSuggestion {
    pub(crate) endpoint: String,
    pub(crate) version: String,
    pub(crate) function: Option<String>,
    /// The rule; `None` if a model made the suggestion.
    pub(crate) finding: Option<&'static str>,
    /// The code of the rule's texts, and what its title was made from.
    pub(crate) texts: Option<(FindingCode, FindingParameters)>,
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
    let existing = Existing::read(tx, project, &new).await?;
    let now = clock.now();
    for one in new {
        match existing.find(&one) {
            None => {
                tx.insert_if_new(row(clock, now, project, one)).await?;
            }
            Some(old) => {
                let mut row = old.clone().into_active_model();
                let old_gain = old.predicted_gain.unwrap_or(f64::INFINITY);
                let differs =
                    one.predicted_gain.is_some_and(|gain| (gain - old_gain).abs() > MIN_GAIN_CHANGE);
                if old.status == SuggestionStatus::Open && differs {
                    row.predicted_gain = Set(one.predicted_gain);
                    row.priority = Set(one.advice.priority.name().to_owned());
                    row.record_id = Set(one.record.or(old.record_id));
                    row.updated_at = Set(next_version(old.updated_at, now));
                }
                if old.fingerprint.is_none() {
                    row.fingerprint = Set(Some(one.fingerprint()));
                }
                if old.code.is_none() && one.texts.is_some() {
                    (row.code, row.parameters) = (Set(one.code()), Set(one.parameters()));
                }
                if row.is_changed() {
                    tx.update(row).await?;
                }
            }
        }
    }
    Ok(())
}

impl NewSuggestion {
    fn code(&self) -> Option<String> {
        self.texts.as_ref().map(|(code, _)| code.name().to_owned())
    }

    fn parameters(&self) -> Option<Value> {
        self.texts.as_ref().map(|(_, parameters)| json!(parameters))
    }

    /// Identifies what is proposed, and where. Stored: see the test.
    fn fingerprint(&self) -> String {
        // a model's advice has no topic: the same title is the same advice
        let topic = if self.advice.topic.is_empty() { &self.advice.title } else { &self.advice.topic };
        let parts = [self.finding.unwrap_or_default(), topic, self.function.as_deref().unwrap_or_default()];
        hex(&digest_of(parts.map(str::as_bytes))[..16])
    }
}

/// The stored suggestions that new ones may repeat.
struct Existing(Vec<Model>);

impl Existing {
    async fn read(tx: &Tx<Tenant>, project: ProjectId, new: &[NewSuggestion]) -> Result<Self> {
        let endpoints: HashSet<&str> = new.iter().map(|one| one.endpoint.as_str()).collect();
        let versions: HashSet<&str> = new.iter().map(|one| one.version.as_str()).collect();
        let find = tx.find::<Entity>().filter(Column::ProjectId.eq(project));
        let find = find.filter(Column::Endpoint.is_in(endpoints)).filter(Column::Version.is_in(versions));
        Ok(Self(find.all().await?))
    }

    /// The suggestion that `new` repeats. Rows from before fingerprints are known by the title, or by being the only one
    /// of the rule in the function.
    fn find(&self, new: &NewSuggestion) -> Option<&Model> {
        let fingerprint = new.fingerprint();
        let same_place = |row: &&Model| {
            row.endpoint == new.endpoint && row.source == new.source && row.version == new.version
        };
        let rows = || self.0.iter().filter(same_place);
        if let Some(row) = rows().find(|row| row.fingerprint.as_ref() == Some(&fingerprint)) {
            return Some(row);
        }
        let early = || rows().filter(|row| row.fingerprint.is_none());
        if let Some(row) = early().find(|row| row.title == new.advice.title) {
            return Some(row);
        }
        let mut of_rule = early().filter(|row| {
            new.finding.is_some() && row.finding.as_deref() == new.finding && row.function == new.function
        });
        of_rule.next().filter(|_| of_rule.next().is_none())
    }
}

fn row(clock: &Clock, now: DateTime<Utc>, project: ProjectId, one: NewSuggestion) -> ActiveModel {
    let (fingerprint, code, parameters) = (one.fingerprint(), one.code(), one.parameters());
    ActiveModel {
        tenant_id: Set(TenantId::NIL),
        id: Set(clock.id()),
        project_id: Set(project),
        fingerprint: Set(Some(fingerprint)),
        endpoint: Set(one.endpoint),
        function: Set(one.function),
        finding: Set(one.finding.map(str::to_owned)),
        code: Set(code),
        parameters: Set(parameters),
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

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
