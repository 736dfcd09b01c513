//! From the journal into `error_logs`, counted into `error_groups` in the same transaction.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use loam_db::{Bulk, Column, Fold, OnConflict, System, Tx};
use loam_journal::Frame;
use loam_kernel::{Clock, Result, TenantId};
use uuid::Uuid;

use super::fingerprint::group_id;
use super::record::Record;
use crate::drain::Sink;
use crate::personal::{Guard, Named, RecordSubjects};
use crate::records::ERROR_LOG;

/// Drains errors, except those that name somebody who was erased meanwhile.
pub struct ErrorLogSink(pub Guard, pub Clock);

#[async_trait]
impl Sink for ErrorLogSink {
    fn takes(&self, kind: u8) -> bool {
        kind == ERROR_LOG
    }

    fn tenant(&self, frame: &Frame) -> TenantId {
        Record::read(frame).map_or(TenantId::NIL, |record| record.tenant)
    }

    async fn write(&self, tx: &Tx<System>, frames: &[Frame]) -> Result<()> {
        let records: Vec<Record> = frames.iter().map(Record::read).collect::<Result<_>>()?;
        let named: Vec<Named> = records.iter().map(Record::named).collect();
        let subjects = records.iter().zip(&named).map(|(record, named)| RecordSubjects {
            tenant: record.tenant,
            subjects: named.subjects(),
            at: record.created_at(),
        });
        let mut erased = self.0.erased(tx, self.1.now(), &subjects.collect::<Vec<_>>()).await?.into_iter();
        let mut records = records;
        records.retain(|_| !erased.next().unwrap_or_default());
        if records.is_empty() {
            return Ok(());
        }
        tx.bulk(rows(&records, &vec![Link::default(); records.len()])).await?;
        tx.bulk(groups(&records)).await
    }
}

/// The source of an error that an application reported.
#[derive(Clone, Debug, Default)]
pub(super) struct Link {
    pub(super) source: Option<&'static str>,
    pub(super) project: Option<Uuid>,
    pub(super) trace_id: Option<String>,
    pub(super) record: Option<Uuid>,
    pub(super) endpoint: Option<String>,
}

/// Rows of errors, each with its source.
pub(super) fn rows(all: &[Record], links: &[Link]) -> Bulk {
    let uuid =
        |field: fn(&Record) -> Uuid| Column::Uuid(all.iter().map(|record| Some(field(record))).collect());
    let text = |field: fn(&Record) -> Option<String>| Column::Text(all.iter().map(field).collect());
    let columns = vec![
        ("tenant_id", uuid(|record| record.tenant.0)),
        ("id", uuid(|record| record.id.0)),
        ("node_id", uuid(|record| record.node.0)),
        ("error_type", text(|record| Some(record.kind.clone()))),
        ("error_message", text(|record| Some(record.message.clone()))),
        ("stack_trace", text(|record| record.trace.clone())),
        ("request_id", text(|record| record.request_id.clone())),
        ("context", Column::Json(all.iter().map(|record| Some(record.context.clone())).collect())),
        ("fingerprint", text(|record| Some(record.fingerprint()))),
        ("created_at", Column::Time(all.iter().map(|record| Some(record.created_at())).collect())),
        (
            "source",
            Column::Text(
                links.iter().map(|link| Some(link.source.unwrap_or("instance").to_owned())).collect(),
            ),
        ),
        ("project_id", Column::Uuid(links.iter().map(|link| link.project).collect())),
        ("trace_id", Column::Text(links.iter().map(|link| link.trace_id.clone()).collect())),
        ("record_id", Column::Uuid(links.iter().map(|link| link.record).collect())),
        ("endpoint", Column::Text(links.iter().map(|link| link.endpoint.clone()).collect())),
    ];
    Bulk::of::<super::entity::Entity>(columns, OnConflict::Merge)
}

/// How a group is merged with more errors: other columns take the value of the last error.
const COUNTED: &[(&str, Fold)] = &[
    ("fingerprint", Fold::Keep),
    ("error_type", Fold::Keep),
    ("count", Fold::Sum),
    ("first_seen", Fold::Least),
    ("last_seen", Fold::Greatest),
];

pub(super) fn groups(all: &[Record]) -> Bulk {
    // in the same order on every node, so that two nodes that update the same groups don't deadlock
    let mut groups: BTreeMap<(TenantId, Uuid), Vec<&Record>> = BTreeMap::new();
    for record in all {
        groups.entry((record.tenant, group_id(record.fingerprint))).or_default().push(record);
    }
    let groups: Vec<((TenantId, Uuid), Vec<&Record>)> = groups.into_iter().collect();
    let last = |records: &[&Record]| records.iter().max_by_key(|record| record.created_us).copied().cloned();
    let lasts: Vec<Record> = groups.iter().filter_map(|(_, records)| last(records)).collect();
    let first_seen = |records: &[&Record]| -> Option<DateTime<Utc>> {
        records.iter().map(|record| record.created_at()).min()
    };
    let text =
        |field: fn(&Record) -> String| Column::Text(lasts.iter().map(|last| Some(field(last))).collect());
    let columns = vec![
        ("tenant_id", Column::Uuid(groups.iter().map(|((tenant, _), _)| Some(tenant.0)).collect())),
        ("id", Column::Uuid(groups.iter().map(|((_, id), _)| Some(*id)).collect())),
        ("fingerprint", text(Record::fingerprint)),
        ("error_type", text(|last| last.kind.clone())),
        ("error_message", text(|last| last.message.clone())),
        (
            "count",
            Column::BigInt(groups.iter().map(|(_, records)| i64::try_from(records.len()).ok()).collect()),
        ),
        ("last_error_id", Column::Uuid(lasts.iter().map(|last| Some(last.id.0)).collect())),
        ("first_seen", Column::Time(groups.iter().map(|(_, records)| first_seen(records)).collect())),
        ("last_seen", Column::Time(lasts.iter().map(|last| Some(last.created_at())).collect())),
    ];
    Bulk::of::<super::group::Entity>(columns, OnConflict::Fold(COUNTED))
}
