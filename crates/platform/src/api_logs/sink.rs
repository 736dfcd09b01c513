//! From the journal into `api_logs`.

use async_trait::async_trait;
use chrono::DateTime;
use loam_db::{Bulk, Column, OnConflict, System, Tx};
use loam_journal::Frame;
use loam_kernel::{Clock, Result, TenantId};
use uuid::Uuid;

use super::record::Record;
use crate::drain::Sink;
use crate::personal::{Guard, RecordSubjects, Subject};
use crate::records::API_LOG;

/// Drains request records, except those of subjects that were erased meanwhile.
pub struct ApiLogSink(pub Guard, pub Clock);

#[async_trait]
impl Sink for ApiLogSink {
    fn takes(&self, kind: u8) -> bool {
        kind == API_LOG
    }

    fn tenant(&self, frame: &Frame) -> TenantId {
        Record::read(frame).map_or(TenantId::NIL, |record| record.tenant)
    }

    async fn write(&self, tx: &Tx<System>, frames: &[Frame]) -> Result<()> {
        let records: Vec<Record> = frames.iter().map(Record::read).collect::<Result<_>>()?;
        let named: Vec<RecordSubjects<'_>> = records.iter().map(named).collect();
        let mut erased = self.0.erased(tx, self.1.now(), &named).await?.into_iter();
        let mut records = records;
        records.retain(|_| !erased.next().unwrap_or_default());
        if records.is_empty() {
            return Ok(());
        }
        tx.bulk(rows(&records)).await
    }
}

fn named(record: &Record) -> RecordSubjects<'_> {
    let user = record.user.map(Subject::User);
    let session = record.session.as_deref().map(Subject::Session);
    let at = DateTime::from_timestamp_micros(record.created_us).unwrap_or_default();
    RecordSubjects { tenant: record.tenant, subjects: user.into_iter().chain(session).collect(), at }
}

fn rows(all: &[Record]) -> Bulk {
    let uuid = |field: fn(&Record) -> Option<Uuid>| Column::Uuid(all.iter().map(field).collect());
    let text = |field: fn(&Record) -> Option<String>| Column::Text(all.iter().map(field).collect());
    let json = |field: fn(&Record) -> Option<String>| Column::Json(all.iter().map(field).collect());
    let bytes = |field: fn(&Record) -> Option<Vec<u8>>| Column::Bytes(all.iter().map(field).collect());
    let int =
        |field: fn(&Record) -> i64| Column::BigInt(all.iter().map(|record| Some(field(record))).collect());
    let columns = vec![
        ("tenant_id", uuid(|record| Some(record.tenant.0))),
        ("id", uuid(|record| Some(record.id.0))),
        ("node_id", uuid(|record| Some(record.node.0))),
        ("request_id", text(|record| Some(record.request_id.clone()))),
        ("method", text(|record| Some(record.method.clone()))),
        ("path", text(|record| Some(record.path.clone()))),
        ("query_params", json(|record| record.query_params.clone())),
        ("headers", json(|record| record.headers.clone())),
        ("body", bytes(|record| record.body.clone())),
        ("response_body", bytes(|record| record.response_body.clone())),
        ("status_code", Column::Int(all.iter().map(|record| Some(i32::from(record.status))).collect())),
        ("response_bytes", int(|record| i64::try_from(record.response_bytes).unwrap_or(i64::MAX))),
        ("latency_us", int(|record| record.latency_us)),
        ("session_id", text(|record| record.session.clone())),
        ("user_id", uuid(|record| record.user.map(|id| id.0))),
        ("api_key_id", uuid(|record| record.api_key.map(|id| id.0))),
        ("project_id", uuid(|record| record.project.map(|id| id.0))),
        ("user_agent", text(|record| record.user_agent.clone())),
        ("ip_address", text(|record| record.ip_address.clone())),
        (
            "created_at",
            Column::Time(
                all.iter().map(|record| DateTime::from_timestamp_micros(record.created_us)).collect(),
            ),
        ),
    ];
    Bulk::of::<super::entity::Entity>(columns, OnConflict::Merge)
}
