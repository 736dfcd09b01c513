//! Calls that applications made themselves and tell of: into the ledger, each once, and none that went through Loam.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use loam_db::{System, Tx};
use loam_kernel::{NodeId, Result, TenantId, first_id_at};
use loam_platform::personal::{Named, Subject};
use sea_orm::{ColumnTrait, FromQueryResult, QueryFilter, QuerySelect};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::entity::{Column, Entity};
use super::past::{PastCall, write_past};
use super::source::Source;

/// How much the clocks of an application and of Loam may differ.
const CLOCKS: TimeDelta = TimeDelta::seconds(2);
/// The longest a call can have begun before it is told of as part of a trace.
const LONGEST: TimeDelta = TimeDelta::hours(1);

/// A call that an application tells of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ToldCall {
    /// The call. Its id is made from its trace and span, so that what is told twice counts once.
    pub call: PastCall,
    /// The model that was asked for, where another name answered.
    pub asked_model: Option<String>,
    /// Spans within it, as far as they are known.
    pub inner: Vec<String>,
}

impl ToldCall {
    /// Whose it is, for whether they have been erased.
    pub fn named(&self, tenant: TenantId) -> Named<'_> {
        let end_user = self.call.end_user.as_deref().map(Subject::EndUser);
        let session = self.call.session.as_deref().map(Subject::Session);
        Named { tenant, subjects: end_user.into_iter().chain(session).collect(), at: self.call.at }
    }

    /// Leaves of it what the ledger needs.
    pub fn strip(&mut self) {
        let call = &mut self.call;
        (call.request, call.response, call.end_user, call.session) = (None, None, None, None);
        (call.trace_id, call.span_id, call.error) = (None, None, None);
    }
}

/// A call that Loam made.
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

/// Writes calls that applications tell of, with their sums, in one transaction of the caller's. Left out are those that are
/// there already, and those that Loam itself made for the application: it sent their trace along, and they are on record
/// with more than the application knows. `node` must be one that nobody else writes for at the same time.
///
/// # Errors
/// When a month of theirs has no partition, or what the database says.
pub async fn write_told(
    tx: &Tx<System>,
    node: NodeId,
    now: DateTime<Utc>,
    calls: Vec<(TenantId, ToldCall)>,
) -> Result<()> {
    let keys: Vec<(TenantId, Uuid)> = calls.iter().map(|(tenant, told)| (*tenant, told.call.id.0)).collect();
    let mut there: HashSet<(TenantId, Uuid)> =
        tx.get_many::<Entity>(&keys).await?.into_iter().map(|row| (row.tenant_id, row.id.0)).collect();
    let mut by_tenant: HashMap<TenantId, Vec<ToldCall>> = HashMap::new();
    for (tenant, told) in calls {
        if there.insert((tenant, told.call.id.0)) {
            by_tenant.entry(tenant).or_default().push(told);
        }
    }
    for (tenant, calls) in by_tenant {
        let own = own(tx, tenant, &calls).await?;
        let calls = foreign(calls, own);
        if !calls.is_empty() {
            write_past(tx, tenant, node, now, calls).await?;
        }
    }
    Ok(())
}

/// Loam's own calls in the traces of these.
async fn own(tx: &Tx<System>, tenant: TenantId, calls: &[ToldCall]) -> Result<Vec<Own>> {
    let traces: HashSet<&str> = calls.iter().filter_map(|told| told.call.trace_id.as_deref()).collect();
    let times = || calls.iter().map(|told| told.call.at);
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
        .filter(Column::Id.gte(first_id_at(first - LONGEST)))
        .filter(Column::Id.lt(first_id_at(last + LONGEST)))
        .into::<Own>()
        .await
}

/// Those that went elsewhere. A call of Loam's own belongs to the span that is named in it, or in which the span named in
/// it lies; where that span was never told of, to the one of the same trace and model that it lies in by time.
fn foreign(calls: Vec<ToldCall>, own: Vec<Own>) -> Vec<PastCall> {
    let mut ours = HashSet::new();
    let mut open = Vec::new();
    for own in own {
        let by_span = calls.iter().position(|told| own.is_in_span(told));
        match by_span {
            Some(place) => _ = ours.insert(place),
            None => open.push(own),
        }
    }
    for own in open {
        let by_time = (0..calls.len()).find(|place| !ours.contains(place) && own.is_in_time(&calls[*place]));
        ours.extend(by_time);
    }
    let all = calls.into_iter().enumerate();
    all.filter(|(place, _)| !ours.contains(place)).map(|(_, told)| told.call).collect()
}

impl Own {
    fn is_in_trace(&self, told: &ToldCall) -> bool {
        self.trace_id.is_some() && self.trace_id == told.call.trace_id
    }

    fn is_in_span(&self, told: &ToldCall) -> bool {
        let Some(span) = &self.span_id else { return false };
        self.is_in_trace(told) && (told.call.span_id.as_ref() == Some(span) || told.inner.contains(span))
    }

    fn is_in_time(&self, told: &ToldCall) -> bool {
        let ended = told.call.at + TimeDelta::microseconds(told.call.latency_us.unwrap_or_default());
        self.is_in_trace(told)
            && self.created_at >= told.call.at - CLOCKS
            && self.updated_at <= ended + CLOCKS
            && [told.asked_model.as_deref(), Some(&told.call.model)]
                .into_iter()
                .flatten()
                .any(|name| self.is_called(name))
    }

    fn is_called(&self, name: &str) -> bool {
        name == self.model
            || Some(name) == self.route.as_deref()
            || name.strip_prefix(&self.provider).and_then(|rest| rest.strip_prefix('/')) == Some(&self.model)
    }
}
