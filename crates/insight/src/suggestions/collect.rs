//! Every minute: from what the rules found in the newest requests to suggestions, and to automatic analyses.
//!
//! The drainer writes findings with each record and nothing else, so that ingest costs no query more. This job looks at
//! the newest requests of each project, at most [`MAX_RECORDS`] of them: a fault that comes again and again is among
//! them sooner or later, however many requests there are.

use std::collections::HashMap;

use async_trait::async_trait;
use chrono::TimeDelta;
use loam_identity::projects::entity::Model as Project;
use loam_jobs::{Handler, JobContext};
use loam_kernel::{PerformanceRecordId, ProjectId, Result, Scope, first_id_at};
use sea_orm::{ColumnTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect};
use serde_json::Value;

use super::entity::SuggestionSource;
use super::keep::{NewSuggestion, keep};
use crate::Insight;
use crate::analyses::Wanted;
use crate::performance_records::entity::{Column, Entity};
use crate::rules::{Finding, Rule};

/// The job.
pub(crate) const COLLECT: &str = "suggestions.collect";

/// How old a request may be: it is looked at several times, should it be written late.
const LOOK_BACK: TimeDelta = TimeDelta::minutes(15);
/// Requests of a project that are looked at.
const MAX_RECORDS: u64 = 1_000;

/// Makes suggestions.
pub(crate) struct Collect(pub(crate) Insight);

#[async_trait]
impl Handler for Collect {
    fn kind(&self) -> &'static str {
        COLLECT
    }

    async fn run(&self, job: &JobContext, _: Value) -> Result<()> {
        for project in self.0.watched_projects().await? {
            if job.is_cancelled() {
                break;
            }
            self.0.collect(&project).await?;
        }
        Ok(())
    }
}

#[derive(FromQueryResult)]
struct Seen {
    id: PerformanceRecordId,
    project_id: ProjectId,
    trace_id: String,
    endpoint: String,
    version: String,
    duration_us: i64,
    score: Option<i32>,
    findings: Option<Vec<u8>>,
}

const SEEN: [Column; 8] = [
    Column::Id,
    Column::ProjectId,
    Column::TraceId,
    Column::Endpoint,
    Column::Version,
    Column::DurationUs,
    Column::Score,
    Column::Findings,
];

/// One fault of an endpoint in a version, over the requests that show it.
struct Fault {
    finding: Finding,
    record: PerformanceRecordId,
    saving_ns: u64,
    duration_ns: u64,
}

impl Insight {
    /// Looks at the newest requests of a project.
    pub(crate) async fn collect(&self, project: &Project) -> Result<()> {
        let scope = Scope::system(project.tenant_id, "insight");
        let tx = self.0.db.read(&scope).await?;
        let from = first_id_at(self.0.clock.now() - LOOK_BACK);
        let newest = tx.find::<Entity>().select_only().columns(SEEN).filter(Column::ProjectId.eq(project.id));
        let newest = newest.filter(Column::Id.gte(from)).filter(Column::Score.lt(100));
        let seen: Vec<Seen> = newest.order_by_desc(Column::Id).limit(MAX_RECORDS).into().await?;
        tx.rollback().await?;
        if seen.is_empty() {
            return Ok(());
        }
        let slow = self.slowest(project, &seen);
        let tx = self.0.db.write(&scope).await?;
        keep(&tx, &self.0.clock, project.id, suggestions(seen)).await?;
        let settings = self.0.analysis.of(project.tenant_id);
        if let Some(model) = settings.model(project.id) {
            for wanted in slow {
                self.begin_auto(&tx, wanted, model).await?;
            }
        }
        tx.commit().await
    }

    /// The slowest request of each endpoint and version that is to be analysed by itself.
    fn slowest(&self, project: &Project, seen: &[Seen]) -> Vec<Wanted> {
        if project.config["auto_analysis"] != true {
            return Vec::new();
        }
        let below = self.0.analysis.with(project.tenant_id, |settings| settings.score_below);
        let threshold = project.config["alert_threshold"]["response_time"].as_f64().unwrap_or(f64::INFINITY);
        let mut slowest: HashMap<(&str, &str), &Seen> = HashMap::new();
        for one in seen {
            let is_slow =
                seconds(one.duration_us) > threshold || one.score.is_some_and(|score| score < below);
            let place = slowest.get(&(one.endpoint.as_str(), one.version.as_str()));
            if is_slow && place.is_none_or(|other| other.duration_us < one.duration_us) {
                slowest.insert((&one.endpoint, &one.version), one);
            }
        }
        let wanted = slowest.into_values().map(|one| Wanted {
            id: one.id,
            project_id: one.project_id,
            trace_id: one.trace_id.clone(),
            endpoint: one.endpoint.clone(),
            version: one.version.clone(),
            duration_us: one.duration_us,
        });
        wanted.collect()
    }
}

fn suggestions(seen: Vec<Seen>) -> Vec<NewSuggestion> {
    let mut faults: HashMap<(String, String, Rule, String), Fault> = HashMap::new();
    for one in seen {
        let duration_ns = u64::try_from(one.duration_us).unwrap_or_default().saturating_mul(1000);
        for finding in Finding::unpack(one.findings.as_deref()) {
            let title = finding.suggestion.title.clone();
            let key = (one.endpoint.clone(), one.version.clone(), finding.rule, title);
            let saving_ns = finding.saving_ns.min(duration_ns);
            let fault =
                faults.entry(key).or_insert(Fault { finding, record: one.id, saving_ns: 0, duration_ns: 0 });
            fault.saving_ns = fault.saving_ns.saturating_add(saving_ns);
            fault.duration_ns = fault.duration_ns.saturating_add(duration_ns);
        }
    }
    let new = faults.into_iter().map(|((endpoint, version, rule, _), fault)| NewSuggestion {
        endpoint,
        version,
        function: Some(fault.finding.function),
        finding: Some(rule.name()),
        source: SuggestionSource::Rules,
        advice: fault.finding.suggestion,
        record: Some(fault.record),
        analysis: None,
        predicted_gain: (fault.saving_ns > 0).then(|| share(fault.saving_ns, fault.duration_ns)),
    });
    new.collect()
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no more than 53 bits")]
fn share(some: u64, all: u64) -> f64 {
    some as f64 / all.max(1) as f64
}

#[expect(clippy::cast_precision_loss, reason = "seconds need no more than 53 bits")]
fn seconds(us: i64) -> f64 {
    us as f64 / 1e6
}
