//! Errors that applications report.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{DateTime, Utc};
use loam_db::{System, Tenant, Tx};
use loam_kernel::{ErrorLogId, NodeId, ProjectId, Result, TenantId, hex};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::Value;
use uuid::Uuid;

use super::entity::{Column, Entity, Model};
use super::fingerprint::fingerprint;
use super::record::{Record, clean};
use super::sink::{Link, groups, rows};
use crate::personal::{Guard, Named, RecordSubjects};
use crate::records;

const MAX_KIND: usize = 200;
const MAX_MESSAGE: usize = 4000;
const MAX_STACK: usize = 4096;
/// Maximum number of traces of a query.
const MAX_TRACES: usize = 500;
/// The field of the context that says how an error was reported, unless by a span.
const REPORTED_BY: &str = "reported_by";
const LOG: &str = "log";
/// Maximum number of errors that are read for a record.
const MAX_PER_RECORD: u64 = 100;

/// How an application reported an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorSource {
    /// As the exception of a span.
    Span,
    /// In a log record.
    Log,
}

/// An error of an application.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportedError {
    /// The tenant.
    pub tenant: TenantId,
    /// The id, equal for duplicates of the same report.
    pub id: ErrorLogId,
    /// The application.
    pub project: ProjectId,
    /// How it was reported.
    pub source: ErrorSource,
    /// The trace in which it happened, if known.
    pub trace_id: Option<String>,
    /// The performance record in which it happened, if known.
    pub record_id: Option<Uuid>,
    /// The endpoint in which it happened.
    pub endpoint: Option<String>,
    /// Its type.
    pub kind: String,
    /// Its message.
    pub message: String,
    /// The stack trace.
    pub stack: Option<String>,
    /// Context, a JSON object.
    pub context: Value,
    /// When it happened.
    pub at: DateTime<Utc>,
}

impl ReportedError {
    fn named(&self) -> Named {
        let mut named = Named::default();
        named.add_text(&self.message);
        self.stack.iter().for_each(|stack| named.add_text(stack));
        named.add_json(&self.context);
        named
    }
}

impl ErrorSource {
    fn of(row: &Model) -> Self {
        if row.context[REPORTED_BY] == LOG { Self::Log } else { Self::Span }
    }

    fn other(self) -> Self {
        match self {
            Self::Span => Self::Log,
            Self::Log => Self::Span,
        }
    }
}

/// The stored errors of the traces of these errors: tenant, trace, fingerprint, source.
async fn of_traces(
    tx: &Tx<System>,
    errors: &[ReportedError],
) -> Result<HashSet<(TenantId, String, String, ErrorSource)>> {
    let mut traces: BTreeMap<TenantId, BTreeSet<&str>> = BTreeMap::new();
    for one in errors {
        traces.entry(one.tenant).or_default().extend(one.trace_id.as_deref());
    }
    let mut stored = HashSet::new();
    for (tenant, ids) in traces {
        let ids: Vec<&str> = ids.into_iter().collect();
        for chunk in ids.chunks(MAX_TRACES) {
            let find = tx.find_any::<Entity>().filter(Column::TenantId.eq(tenant));
            for row in find.filter(Column::TraceId.is_in(chunk.iter().copied())).all().await? {
                let source = ErrorSource::of(&row);
                stored.extend(row.trace_id.map(|trace| (tenant, trace, row.fingerprint, source)));
            }
        }
    }
    Ok(stored)
}

/// The errors of a performance record, oldest first.
pub async fn of_record(tx: &Tx<Tenant>, trace_id: &str, record: Uuid) -> Result<Vec<Model>> {
    let of_trace = tx.find::<Entity>().filter(Column::TraceId.eq(trace_id));
    of_trace.filter(Column::RecordId.eq(record)).order_by_asc(Column::Id).limit(MAX_PER_RECORD).all().await
}

/// The errors that name nobody who was erased after they happened.
async fn of_nobody_erased(
    tx: &Tx<System>,
    guard: &Guard,
    now: DateTime<Utc>,
    mut errors: Vec<ReportedError>,
) -> Result<Vec<ReportedError>> {
    let named: Vec<Named> = errors.iter().map(ReportedError::named).collect();
    let subjects = errors.iter().zip(&named).map(|(one, named)| RecordSubjects {
        tenant: one.tenant,
        subjects: named.subjects(),
        at: one.at,
    });
    let mut erased = guard.erased(tx, now, &subjects.collect::<Vec<_>>()).await?.into_iter();
    errors.retain(|_| !erased.next().unwrap_or_default());
    Ok(errors)
}

/// Inserts errors in the drainer's transaction, except those that name somebody who was erased meanwhile. Duplicates are
/// counted once, also an error that a span and a log record of the same trace report.
pub async fn insert_reported(
    tx: &Tx<System>,
    guard: &Guard,
    now: DateTime<Utc>,
    node: NodeId,
    errors: Vec<ReportedError>,
) -> Result<()> {
    if errors.is_empty() {
        return Ok(());
    }
    let mut seen = HashSet::new();
    let errors = errors.into_iter().filter(|one| seen.insert((one.tenant, one.id))).collect();
    let errors = of_nobody_erased(tx, guard, now, errors).await?;
    if errors.is_empty() {
        return Ok(());
    }
    let keys: Vec<(TenantId, Uuid)> = errors.iter().map(|one| (one.tenant, one.id.0)).collect();
    let known: HashSet<(TenantId, ErrorLogId)> =
        tx.get_many::<Entity>(&keys).await?.into_iter().map(|row| (row.tenant_id, row.id)).collect();
    let stored = of_traces(tx, &errors).await?;
    let (mut records, mut links) = (Vec::new(), Vec::new());
    for mut one in errors.into_iter().filter(|one| !known.contains(&(one.tenant, one.id))) {
        let (kind, message) = (clean(&one.kind, MAX_KIND), clean(&one.message, MAX_MESSAGE));
        let fingerprint = fingerprint(&kind, &message);
        if let Some(trace_id) = &one.trace_id
            && stored.contains(&(one.tenant, trace_id.clone(), hex(fingerprint), one.source.other()))
        {
            continue;
        }
        if one.source == ErrorSource::Log {
            one.context[REPORTED_BY] = LOG.into();
        }
        records::json(&mut one.context);
        records.push(Record {
            tenant: one.tenant,
            id: one.id,
            node,
            fingerprint,
            kind,
            message,
            trace: one.stack.map(|stack| clean(&stack, MAX_STACK)),
            request_id: None,
            context: one.context.to_string().replace("\\u0000", "\u{fffd}"),
            created_us: one.at.timestamp_micros(),
        });
        links.push(Link {
            source: Some("application"),
            project: Some(one.project.0),
            trace_id: one.trace_id,
            record: one.record_id,
            endpoint: one.endpoint,
        });
    }
    tx.bulk(rows(&records, &links)).await?;
    tx.bulk(groups(&records)).await
}
