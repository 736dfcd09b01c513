//! Calls in the ledger that may be the same as reported ones.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use loam_db::{System, Tx};
use loam_kernel::{LlmCallId, Result, TenantId, first_id_at};
use sea_orm::sea_query::Condition;
use sea_orm::{ColumnTrait, DerivePartialModel, QueryFilter};
use serde_json::Value as Json;

use super::call_identity::{CallIdentity, SpanLinks};
use super::entity::{Column, Entity};
use super::reported_call::{MAX_CLOCK_SKEW, ReportedCall};
use super::source::Source;

/// The longest duration of a trace within which its calls are recognised.
const MAX_DURATION: TimeDelta = TimeDelta::hours(1);
/// Maximum number of separate periods in which calls are looked up by their response.
const MAX_PERIODS: usize = 64;

/// A call in the ledger.
#[derive(Clone, Debug, DerivePartialModel)]
#[sea_orm(entity = "Entity")]
pub(super) struct KnownCall {
    pub(super) tenant_id: TenantId,
    pub(super) id: LlmCallId,
    source: String,
    pub(super) trace_id: Option<String>,
    pub(super) span_id: Option<String>,
    pub(super) provider: String,
    pub(super) model: String,
    pub(super) route: Option<String>,
    pub(super) response_id: Option<String>,
    span_links: Option<Json>,
    prompt_tokens: Option<i64>,
    completion_tokens: Option<i64>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
}

impl KnownCall {
    /// Whether the gateway made it.
    pub(super) fn is_own(&self) -> bool {
        self.source == Source::Gateway.name()
    }

    pub(super) fn links(&self) -> SpanLinks {
        self.span_links.clone().and_then(|links| serde_json::from_value(links).ok()).unwrap_or_default()
    }

    /// What identifies a reported call.
    pub(super) fn identity(&self) -> CallIdentity {
        CallIdentity {
            span_id: self.span_id.clone(),
            links: self.links(),
            response_id: self.response_id.clone(),
            model: self.model.clone(),
            tokens: self.prompt_tokens.zip(self.completion_tokens),
            start: self.created_at,
            end: self.updated_at,
        }
    }
}

/// The calls in the traces of these calls.
pub(super) async fn in_traces(tx: &Tx<System>, calls: &[(TenantId, ReportedCall)]) -> Result<Vec<KnownCall>> {
    let traces: HashSet<(TenantId, &str)> = calls
        .iter()
        .filter_map(|(tenant, reported)| Some((*tenant, reported.call.trace_id.as_deref()?)))
        .collect();
    let times = || calls.iter().map(|(_, reported)| reported.call.at);
    let (Some(first), Some(last)) = (times().min(), times().max()) else { return Ok(Vec::new()) };
    let ids = first_id_at(first - MAX_DURATION)..first_id_at(last + MAX_DURATION);
    let traces: Vec<(TenantId, &str)> = traces.into_iter().collect();
    tx.find_many::<Entity, KnownCall>(Column::TraceId, &traces, ids).await
}

/// The gateway's calls with the responses of these calls, made while these were in progress.
pub(super) async fn with_responses(
    tx: &Tx<System>,
    tenant: TenantId,
    calls: &[ReportedCall],
) -> Result<Vec<KnownCall>> {
    let (mut responses, mut periods) = (HashSet::new(), Vec::new());
    for reported in calls {
        if let Some(response) = &reported.call.response_id {
            responses.insert(response.as_str());
            periods.push((reported.call.at - MAX_CLOCK_SKEW, reported.end() + MAX_CLOCK_SKEW));
        }
    }
    if responses.is_empty() {
        return Ok(Vec::new());
    }
    let within = merged(periods).into_iter().map(|(from, to)| {
        Condition::all().add(Column::Id.gte(first_id_at(from))).add(Column::Id.lt(first_id_at(to)))
    });
    tx.find_any::<Entity>()
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::Source.eq(Source::Gateway.name()))
        .filter(Column::ResponseId.is_in(responses))
        .filter(within.fold(Condition::any(), Condition::add))
        .partial()
        .await
}

/// The periods, those that overlap as one; of more than [`MAX_PERIODS`], the last ones as one.
fn merged(mut periods: Vec<(DateTime<Utc>, DateTime<Utc>)>) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
    periods.sort_unstable();
    let mut merged: Vec<(DateTime<Utc>, DateTime<Utc>)> = Vec::new();
    for (from, to) in periods {
        let is_full = merged.len() == MAX_PERIODS;
        match merged.last_mut() {
            Some((_, end)) if is_full || from <= *end => *end = (*end).max(to),
            _ => merged.push((from, to)),
        }
    }
    merged
}
