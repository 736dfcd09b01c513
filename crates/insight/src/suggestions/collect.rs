//! Every minute: turns the rules' findings in the newest requests into suggestions, and starts automatic analyses.
//!
//! Ingest only stores findings with each record, so that it needs no additional query. This job reads the newest requests
//! of each project, at most [`MAX_RECORDS`]: a repeated problem is among them sooner or later, whatever the traffic.

use std::collections::HashMap;

use async_trait::async_trait;
use chrono::TimeDelta;
use loam_identity::projects::MonitoredProject;
use loam_jobs::{Handler, JobContext};
use loam_kernel::{PerformanceRecordId, ProjectId, Result, Scope, first_id_at};
use sea_orm::{ColumnTrait, DerivePartialModel, QueryFilter, QueryOrder, QuerySelect};
use serde_json::Value;

use super::entity::SuggestionSource;
use super::store::{NewSuggestion, store};
use crate::analyses::Analyses;
use crate::analyses::AnalysisTarget;
use crate::performance_records::entity::{Column, Entity};
use crate::rules::{Finding, FindingParameters, Rule};

/// The job.
pub(crate) const COLLECT: &str = "suggestions.collect";

/// Maximum age of a request. It covers several runs, as a request may be stored late.
const LOOKBACK: TimeDelta = TimeDelta::minutes(15);
/// Maximum number of requests read per project.
const MAX_RECORDS: u64 = 1_000;

/// Creates suggestions.
pub(crate) struct Collect(pub(crate) Analyses);

#[async_trait]
impl Handler for Collect {
    fn kind(&self) -> &'static str {
        COLLECT
    }

    async fn run(&self, job: &JobContext, _: Value) -> Result<()> {
        for project in self.0.0.identity.monitored_projects().await? {
            if job.is_cancelled() {
                break;
            }
            self.0.collect(&project).await?;
        }
        Ok(())
    }
}

#[derive(DerivePartialModel)]
#[sea_orm(entity = "Entity")]
struct RecentRequest {
    id: PerformanceRecordId,
    project_id: ProjectId,
    trace_id: String,
    endpoint: String,
    version: String,
    duration_us: i64,
    score: Option<i32>,
    findings: Option<Vec<u8>>,
}

/// A finding of an endpoint in a version, aggregated over the requests that show it.
struct AggregatedFinding {
    finding: Finding,
    record: PerformanceRecordId,
    saving_ns: u64,
    duration_ns: u64,
}

impl Analyses {
    /// Collects suggestions from the newest requests of a project.
    pub(crate) async fn collect(&self, project: &MonitoredProject) -> Result<()> {
        let scope = Scope::system(project.tenant, "insight");
        let tx = self.0.db.read(&scope).await?;
        let from = first_id_at(self.0.clock.now() - LOOKBACK);
        let newest = tx.find::<Entity>().filter(Column::ProjectId.eq(project.id));
        let newest = newest.filter(Column::Id.gte(from)).filter(Column::Score.lt(100));
        let recent: Vec<RecentRequest> =
            newest.order_by_desc(Column::Id).limit(MAX_RECORDS).partial().await?;
        tx.rollback().await?;
        if recent.is_empty() {
            return Ok(());
        }
        let targets = self.slowest(project, &recent);
        let tx = self.0.db.write(&scope).await?;
        store(&tx, &self.0.clock, project.id, suggestions(recent)?).await?;
        let settings = self.0.analysis.of(project.tenant);
        if let Some(model) = settings.model(project.id) {
            for target in targets {
                self.enqueue_auto_analysis(&tx, target, model).await?;
            }
        }
        tx.commit().await
    }

    /// The slowest request of each endpoint and version to analyse automatically.
    fn slowest(&self, project: &MonitoredProject, recent: &[RecentRequest]) -> Vec<AnalysisTarget> {
        if !project.config.auto_analysis {
            return Vec::new();
        }
        let below = self.0.analysis.with(project.tenant, |settings| settings.score_below);
        let threshold = project.config.alert_threshold.response_time;
        let mut slowest: HashMap<(&str, &str), &RecentRequest> = HashMap::new();
        for one in recent {
            let is_slow =
                seconds(one.duration_us) > threshold || one.score.is_some_and(|score| score < below);
            let current = slowest.get(&(one.endpoint.as_str(), one.version.as_str()));
            if is_slow && current.is_none_or(|other| other.duration_us < one.duration_us) {
                slowest.insert((&one.endpoint, &one.version), one);
            }
        }
        let targets = slowest.into_values().map(|one| AnalysisTarget {
            id: one.id,
            project_id: one.project_id,
            trace_id: one.trace_id.clone(),
            endpoint: one.endpoint.clone(),
            version: one.version.clone(),
            duration_us: one.duration_us,
        });
        targets.collect()
    }
}

fn suggestions(recent: Vec<RecentRequest>) -> Result<Vec<NewSuggestion>> {
    let mut aggregated: HashMap<(String, String, Rule, String, String), AggregatedFinding> = HashMap::new();
    for one in recent {
        let duration_ns = u64::try_from(one.duration_us).unwrap_or_default().saturating_mul(1000);
        for finding in Finding::unpack(one.findings.as_deref())? {
            let topic = finding.suggestion.topic.clone();
            // stored before topics existed: newer requests show the same
            if topic.is_empty() {
                continue;
            }
            let key =
                (one.endpoint.clone(), one.version.clone(), finding.rule, finding.function.clone(), topic);
            let saving_ns = finding.saving_ns.min(duration_ns);
            let entry = aggregated.entry(key).or_insert(AggregatedFinding {
                finding,
                record: one.id,
                saving_ns: 0,
                duration_ns: 0,
            });
            entry.saving_ns = entry.saving_ns.saturating_add(saving_ns);
            entry.duration_ns = entry.duration_ns.saturating_add(duration_ns);
        }
    }
    let new = aggregated.into_iter().map(|((endpoint, version, rule, ..), entry)| NewSuggestion {
        endpoint,
        version,
        function: Some(entry.finding.function),
        finding: Some(rule.name()),
        texts: entry.finding.code.zip(entry.finding.parameters.map(FindingParameters::of_title)),
        source: SuggestionSource::Rules,
        advice: entry.finding.suggestion,
        record: Some(entry.record),
        analysis: None,
        predicted_gain: (entry.saving_ns > 0).then(|| share(entry.saving_ns, entry.duration_ns)),
    });
    Ok(new.collect())
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no more than 53 bits")]
fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

#[expect(clippy::cast_precision_loss, reason = "seconds need no more than 53 bits")]
fn seconds(us: i64) -> f64 {
    us as f64 / 1e6
}
