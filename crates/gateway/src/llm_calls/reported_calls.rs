//! Inserts calls that applications made themselves and report into the ledger: each once, and none that went through
//! the gateway.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use loam_db::{System, Tx};
use loam_kernel::{NodeId, Result, TenantId, first_id_at};
use loam_platform::personal::{RecordSubjects, Subject};
use sea_orm::{ColumnTrait, FromQueryResult, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::entity::{Column, Entity};
use super::imported_calls::{ImportedCall, insert_imported};
use super::source::Source;

/// The maximum clock skew between an application and Loam.
const MAX_CLOCK_SKEW: TimeDelta = TimeDelta::seconds(2);
/// The longest duration of a reported call.
const MAX_DURATION: TimeDelta = TimeDelta::hours(1);

/// A call that an application reports.
#[derive(Clone, Debug)]
pub struct ReportedCall {
    /// The call. Its id is derived from its trace and span, so that duplicates are counted once.
    pub call: ImportedCall,
    /// The requested model, if another one responded.
    pub requested_model: Option<String>,
    /// Known child spans.
    pub child_span_ids: Vec<String>,
}

impl ReportedCall {
    /// The people whose data it holds, to check whether they have been erased.
    pub fn named(&self, tenant: TenantId) -> RecordSubjects<'_> {
        let end_user = self.call.end_user.as_deref().map(Subject::EndUser);
        let session = self.call.session.as_deref().map(Subject::Session);
        RecordSubjects { tenant, subjects: end_user.into_iter().chain(session).collect(), at: self.call.at }
    }

    /// Removes personal data and content; keeps what the ledger needs.
    pub fn strip(&mut self) {
        let call = &mut self.call;
        (call.request, call.response, call.end_user, call.session) = (None, None, None, None);
        (call.trace_id, call.span_id, call.error) = (None, None, None);
    }
}

/// A call of the gateway.
#[derive(FromQueryResult)]
struct Own {
    trace_id: Option<String>,
    span_id: Option<String>,
    provider: String,
    model: String,
    route: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// Inserts reported calls and adds them to the sums, in the caller's transaction. Skips calls that exist already, and
/// those that the gateway made for the application: it propagated its trace, and the gateway's record is more
/// complete. `node` must be one that nobody else writes for at the same time.
///
/// # Errors
/// When a month has no partition, or on a database error.
pub async fn insert_reported(
    tx: &Tx<System>,
    node: NodeId,
    now: DateTime<Utc>,
    calls: Vec<(TenantId, ReportedCall)>,
) -> Result<()> {
    let keys: Vec<(TenantId, Uuid)> =
        calls.iter().map(|(tenant, reported)| (*tenant, reported.call.id.0)).collect();
    let mut existing: HashSet<(TenantId, Uuid)> =
        tx.get_many::<Entity>(&keys).await?.into_iter().map(|row| (row.tenant_id, row.id.0)).collect();
    let mut by_tenant: HashMap<TenantId, Vec<ReportedCall>> = HashMap::new();
    for (tenant, reported) in calls {
        if existing.insert((tenant, reported.call.id.0)) {
            by_tenant.entry(tenant).or_default().push(reported);
        }
    }
    for (tenant, calls) in by_tenant {
        let own = own(tx, tenant, &calls).await?;
        let calls = external(calls, own);
        if !calls.is_empty() {
            insert_imported(tx, tenant, node, now, calls).await?;
        }
    }
    Ok(())
}

/// The gateway's calls in the traces of these calls.
async fn own(tx: &Tx<System>, tenant: TenantId, calls: &[ReportedCall]) -> Result<Vec<Own>> {
    let traces: HashSet<&str> =
        calls.iter().filter_map(|reported| reported.call.trace_id.as_deref()).collect();
    let times = || calls.iter().map(|reported| reported.call.at);
    let (Some(first), Some(last)) = (times().min(), times().max()) else { return Ok(Vec::new()) };
    tx.find_any::<Entity>()
        .select_only()
        .columns([
            Column::TraceId,
            Column::SpanId,
            Column::Provider,
            Column::Model,
            Column::Route,
            Column::CreatedAt,
            Column::UpdatedAt,
        ])
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::TraceId.is_in(traces))
        .filter(Column::Source.eq(Source::Gateway.name()))
        .filter(Column::Id.gte(first_id_at(first - MAX_DURATION)))
        .filter(Column::Id.lt(first_id_at(last + MAX_DURATION)))
        .into::<Own>()
        .await
}

/// The calls that didn't go through the gateway. A gateway call matches the reported span that it names as its
/// parent, or the reported span that contains that parent; if that parent was not reported, the first call of the
/// same trace and model whose time range contains it.
fn external(calls: Vec<ReportedCall>, own: Vec<Own>) -> Vec<ImportedCall> {
    let mut ours = HashSet::new();
    let mut open = Vec::new();
    for own in own {
        let by_span = calls.iter().position(|reported| own.within_span(reported));
        match by_span {
            Some(index) => _ = ours.insert(index),
            None => open.push(own),
        }
    }
    for own in open {
        let by_time = (0..calls.len()).find(|index| !ours.contains(index) && own.within_time(&calls[*index]));
        ours.extend(by_time);
    }
    let all = calls.into_iter().enumerate();
    all.filter(|(index, _)| !ours.contains(index)).map(|(_, reported)| reported.call).collect()
}

impl Own {
    fn same_trace(&self, reported: &ReportedCall) -> bool {
        self.trace_id.is_some() && self.trace_id == reported.call.trace_id
    }

    fn within_span(&self, reported: &ReportedCall) -> bool {
        let Some(span) = &self.span_id else { return false };
        self.same_trace(reported)
            && (reported.call.span_id.as_ref() == Some(span) || reported.child_span_ids.contains(span))
    }

    fn within_time(&self, reported: &ReportedCall) -> bool {
        let ended = reported.call.at + TimeDelta::microseconds(reported.call.latency_us.unwrap_or_default());
        self.same_trace(reported)
            && self.created_at >= reported.call.at - MAX_CLOCK_SKEW
            && self.updated_at <= ended + MAX_CLOCK_SKEW
            && [reported.requested_model.as_deref(), Some(&reported.call.model)]
                .into_iter()
                .flatten()
                .any(|name| self.has_name(name))
    }

    fn has_name(&self, name: &str) -> bool {
        name == self.model
            || Some(name) == self.route.as_deref()
            || name.strip_prefix(&self.provider).and_then(|rest| rest.strip_prefix('/')) == Some(&self.model)
    }
}
