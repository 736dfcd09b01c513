//! The monitoring of the sample's applications: requests with their statistics, incidents, analyses and API logs.

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use loam_insight::alert_events::entity::{ActiveModel as NewIncident, EventState};
use loam_insight::alert_rules::defaults::AlertRuleDefaults;
use loam_insight::alert_rules::entity::Model as AlertRule;
use loam_insight::analyses::entity::{ActiveModel as NewAnalysis, AnalysisStatus, AnalysisType};
use loam_kernel::{ProjectId, Result, Scope, TenantId};
use loam_platform::api_logs::entity::ActiveModel as NewApiLog;
use sea_orm::Set;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::fill::{Created, Parts};
use crate::ids::{Ids, NODE};
use crate::telemetry::{DAYS, record};

/// The tables of this data that are partitioned by the month of their IDs.
pub(crate) const MONTHLY: [&str; 6] = [
    "performance_records",
    "call_trees",
    "record_functions",
    "error_logs",
    "ai_analysis_results",
    "api_logs",
];
/// Requests per session of the sample, and their maximum.
const REQUESTS: (u64, u64) = (3, 20_000);
/// API logs per session of the sample, and their maximum.
const API_LOGS: (u64, u64) = (2, 5_000);
/// Requests or logs per transaction.
const BATCH: usize = 500;

/// Management requests: method, path, status and share in percent.
const API_REQUESTS: [(&str, &str, i32, u8); 6] = [
    ("GET", "/api/v1/chat_sessions", 200, 40),
    ("GET", "/api/v1/llm_calls", 200, 25),
    ("POST", "/api/v1/messages", 201, 15),
    ("GET", "/api/v1/usage", 200, 12),
    ("PATCH", "/api/v1/users/me", 404, 5),
    ("POST", "/api/v1/ai_providers", 400, 3),
];

/// Creates the monitoring data of projects, for a sample with this number of sessions until a time.
pub(crate) async fn create(
    parts: &Parts,
    scope: &Scope,
    projects: &[ProjectId],
    (sessions, until): (u64, DateTime<Utc>),
    rng: &mut Rng,
    created: &mut Created,
) -> Result<()> {
    let mut ids = Ids::default();
    let requests = (sessions * REQUESTS.0).min(REQUESTS.1);
    let from = until - TimeDelta::days(DAYS);
    for table in MONTHLY {
        parts.db.ensure_months(scope, table, from, until).await?;
    }
    for (number, project) in projects.iter().enumerate() {
        // the first applications have most of the traffic
        let share = requests / (2 << number);
        created.performance_records += write_requests(parts, scope, *project, share, until, rng).await?;
        let rules = parts
            .insight
            .alerts
            .default_alert_rules(scope, AlertRuleDefaults { project_id: *project, email: None })
            .await?;
        let tx = parts.db.write(scope).await?;
        for rule in rules.iter().take(2) {
            tx.insert(incident(rule, until, &mut ids, rng)).await?;
            created.alert_events += 1;
        }
        if number < 3 {
            tx.insert(analysis(*project, until, &mut ids, rng)).await?;
            created.ai_analysis_results += 1;
        }
        tx.commit().await?;
    }
    created.api_logs = write_api_logs(parts, scope, sessions, (from, until), &mut ids, rng).await?;
    Ok(())
}

async fn write_requests(
    parts: &Parts,
    scope: &Scope,
    project: ProjectId,
    count: u64,
    until: DateTime<Utc>,
    rng: &mut Rng,
) -> Result<u64> {
    let mut documents: Vec<Value> = (0..count).map(|_| record(time(until, DAYS, rng), until, rng)).collect();
    while !documents.is_empty() {
        let batch: Vec<Value> = documents.drain(..BATCH.min(documents.len())).collect();
        let tx = parts.db.system_write(scope).await?;
        let to = (scope.tenant(), project);
        parts.insight.insert_imported_records(&tx, to, NODE, until, &batch).await?;
        tx.commit().await?;
    }
    Ok(count)
}

/// A random time within the last days.
fn time(until: DateTime<Utc>, days: i64, rng: &mut Rng) -> DateTime<Utc> {
    until - TimeDelta::milliseconds(rng.i64(60_000..days * 86_400_000))
}

/// An incident that was acknowledged and is over.
fn incident(rule: &AlertRule, until: DateTime<Utc>, ids: &mut Ids, rng: &mut Rng) -> NewIncident {
    let opened_at = time(until - TimeDelta::hours(2), DAYS - 1, rng);
    let acknowledged_at = opened_at + TimeDelta::minutes(rng.i64(1..20));
    let resolved_at = acknowledged_at + TimeDelta::minutes(rng.i64(5..90));
    let context = json!({
        "rule": {
            "name": rule.name, "metric": rule.metric, "selector": rule.selector, "comparison": rule.comparison,
            "threshold": rule.threshold, "recover_threshold": rule.recover_threshold,
        },
        "samples": rng.u32(20..400), "from": opened_at - TimeDelta::minutes(5), "to": opened_at,
    });
    NewIncident {
        tenant_id: Set(TenantId::NIL),
        id: Set(ids.at(opened_at)),
        rule_id: Set(rule.id),
        project_id: Set(rule.project_id),
        state: Set(EventState::Resolved),
        severity: Set(rule.severity),
        value: Set(rule.threshold * (1.2 + rng.f64())),
        context: Set(context),
        opened_at: Set(opened_at),
        acknowledged_at: Set(Some(acknowledged_at)),
        acknowledged_by: Set(Some("sample".to_owned())),
        resolved_at: Set(Some(resolved_at)),
        resolved_by: Set(Some("system:alerts".to_owned())),
        notified_at: Set(None),
        created_at: Set(opened_at),
        updated_at: Set(resolved_at),
    }
}

/// The analysis of the endpoint that queries the items of each order by itself.
fn analysis(project: ProjectId, until: DateTime<Utc>, ids: &mut Ids, rng: &mut Rng) -> NewAnalysis {
    let created_at = until - TimeDelta::days(DAYS / 2) - TimeDelta::minutes(rng.i64(1..2_000));
    let completed_at = created_at + TimeDelta::milliseconds(rng.i64(1_500..6_000));
    let input = json!({
        "performance_summary": { "endpoint": "GET /customers/{id}/orders", "total_duration": 0.094, "call_count": 27 },
        "slow_functions": [{ "function": "app.orders.load_items", "kind": "database", "calls": 24, "total_time": 0.077 }],
        "context_info": { "app_version": "1.4.0" },
    });
    let results = json!({
        "performance_score": 41,
        "bottleneck_analysis": [{
            "type": "database", "severity": "high", "function": "app.orders.load_items", "impact": 0.82,
            "description": "`app.orders.load_items` queries the items of each order by itself: 24 queries of one statement.",
        }],
        "optimization_suggestions": [{
            "category": "database", "priority": "high", "title": "Load the items of all orders by one query",
            "description": "Select from `order_items` with `order_id = ANY(...)` and group the rows by order in memory.",
            "expected_improvement": "about 70 % less time of this endpoint", "function": "app.orders.load_items",
        }],
        "risk_assessment": {
            "current_risks": ["The time of a request grows with the number of orders of a customer."],
            "potential_issues": ["Many customers with long histories at once can use up the pool of connections."],
            "recommendations": ["Compare both versions under the same traffic before the release."],
        },
    });
    NewAnalysis {
        tenant_id: Set(TenantId::NIL),
        id: Set(ids.at(created_at)),
        project_id: Set(project),
        record_id: Set(None),
        trace_id: Set(None),
        endpoint: Set("GET /customers/{id}/orders".to_owned()),
        version: Set("1.4.0".to_owned()),
        analysis_type: Set(AnalysisType::Manual),
        status: Set(AnalysisStatus::Completed),
        provider: Set(Some("sample-openai".to_owned())),
        model: Set(Some("gpt-4o-mini".to_owned())),
        model_version: Set(Some("gpt-4o-mini-2024-07-18".to_owned())),
        analysis_input: Set(input),
        analysis_results: Set(Some(results)),
        metadata: Set(json!({ "source": "model" })),
        duration_ms: Set(Some((completed_at - created_at).num_milliseconds())),
        confidence_score: Set(Some(0.9)),
        tokens_used: Set(Some(rng.i64(1_200..2_600))),
        cost_nano_usd: Set(Some(rng.i64(250_000..700_000))),
        llm_call_id: Set(None),
        error_message: Set(None),
        created_at: Set(created_at),
        updated_at: Set(completed_at),
        completed_at: Set(Some(completed_at)),
    }
}

async fn write_api_logs(
    parts: &Parts,
    scope: &Scope,
    sessions: u64,
    (from, until): (DateTime<Utc>, DateTime<Utc>),
    ids: &mut Ids,
    rng: &mut Rng,
) -> Result<u64> {
    let count = (sessions * API_LOGS.0).min(API_LOGS.1);
    let days = (until - from).num_days();
    let mut left = count;
    while left > 0 {
        let batch = left.min(BATCH as u64);
        let tx = parts.db.write(scope).await?;
        for _ in 0..batch {
            tx.insert(api_log(time(until, days, rng), ids, rng)).await?;
        }
        tx.commit().await?;
        left -= batch;
    }
    Ok(count)
}

fn api_log(at: DateTime<Utc>, ids: &mut Ids, rng: &mut Rng) -> NewApiLog {
    let mut share = rng.u8(..100);
    let chosen = API_REQUESTS.iter().find(|(.., percent)| {
        let is_chosen = share < *percent;
        share = share.saturating_sub(*percent);
        is_chosen
    });
    let (method, path, status, _) = chosen.unwrap_or(&API_REQUESTS[0]);
    let id: Uuid = ids.at(at);
    NewApiLog {
        tenant_id: Set(TenantId::NIL),
        id: Set(id.into()),
        node_id: Set(NODE),
        request_id: Set(id.to_string()),
        method: Set((*method).to_owned()),
        path: Set((*path).to_owned()),
        query_params: Set(None),
        headers: Set(Some(json!({ "accept": "application/json" }))),
        body: Set(None),
        response_body: Set(None),
        status_code: Set(*status),
        response_bytes: Set(rng.i64(200..20_000)),
        latency_us: Set(rng.i64(900..30_000)),
        session_id: Set(None),
        user_id: Set(None),
        api_key_id: Set(None),
        project_id: Set(None),
        user_agent: Set(Some("sample/1.0".to_owned())),
        ip_address: Set(Some(format!("203.0.113.{}", rng.u8(1..255)))),
        created_at: Set(at),
    }
}
