//! Drains calls from the journal into `llm_calls`.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use loam_db::{Bulk, Column, OnConflict, System, Tx};
use loam_journal::Frame;
use loam_kernel::{Clock, Error, LlmCallId, Result, TenantId};
use loam_platform::drain::Sink;
use loam_platform::personal::{Guard, RecordSubjects};
use serde_json::Value;
use uuid::Uuid;

use super::record::{Entry, INTENT, Record, SETTLEMENT};
use crate::usage::rollup::Rollup;

pub(crate) struct CallSink {
    clock: Clock,
    guard: Guard,
}

impl CallSink {
    pub(crate) fn new(clock: Clock, guard: Guard) -> Self {
        Self { clock, guard }
    }

    /// Removes personal data from calls of people who were erased after the call started.
    async fn strip(&self, tx: &Tx<System>, entries: &mut [Entry]) -> Result<()> {
        let named: Vec<RecordSubjects<'_>> = entries.iter().map(|entry| entry.record.named()).collect();
        let erased = self.guard.erased(tx, self.clock.now(), &named).await?;
        for (entry, _) in entries.iter_mut().zip(erased).filter(|(_, erased)| *erased) {
            entry.strip();
        }
        Ok(())
    }
}

#[async_trait]
impl Sink for CallSink {
    fn takes(&self, kind: u8) -> bool {
        matches!(kind, INTENT | SETTLEMENT)
    }

    fn tenant(&self, frame: &Frame) -> TenantId {
        Entry::read(frame).map_or(TenantId::NIL, |entry| entry.record.tenant)
    }

    async fn write(&self, tx: &Tx<System>, frames: &[Frame]) -> Result<()> {
        // intent and settlement usually come in one batch, and give one row
        let mut entries: Vec<Entry> = Vec::with_capacity(frames.len());
        let mut indexes: HashMap<LlmCallId, usize> = HashMap::with_capacity(frames.len());
        let settled: HashSet<[u8; 16]> =
            frames.iter().filter(|frame| frame.kind == SETTLEMENT).map(|frame| frame.key).collect();
        let mut ended = Vec::new();
        for frame in frames {
            // a settlement repeats its intent's fields, but not the request
            let entry = if frame.kind == INTENT && settled.contains(&frame.key) {
                Entry::bodies(frame)?
            } else {
                Entry::read(frame)?
            };
            let index = match indexes.get(&entry.record.id) {
                Some(index) => {
                    entries[*index].merge(entry);
                    *index
                }
                None => {
                    indexes.insert(entry.record.id, entries.len());
                    entries.push(entry);
                    entries.len() - 1
                }
            };
            if frame.kind == SETTLEMENT {
                ended.push(index);
            }
        }
        // of refused calls several settlements may be one row
        ended.sort_unstable();
        ended.dedup();
        self.strip(tx, &mut entries).await?;
        let mut rollup = Rollup::default();
        for index in ended {
            rollup.add(&entries[index].record, entries[index].source);
        }
        metrics::histogram!("loam_drain_delay_seconds").record(self.delay(&entries));
        tx.bulk(rows(entries)?).await?;
        rollup.write(tx, self.clock.now()).await
    }
}

impl CallSink {
    fn delay(&self, entries: &[Entry]) -> f64 {
        let oldest = entries.iter().map(|entry| entry.record.updated_at()).min();
        let delay = oldest.and_then(|oldest| (self.clock.now() - oldest).to_std().ok());
        delay.unwrap_or_default().as_secs_f64()
    }
}

/// Collects one field of every record.
fn each<T>(entries: &[Entry], field: impl Fn(&Record) -> T) -> Vec<T> {
    entries.iter().map(|entry| field(&entry.record)).collect()
}

pub(super) fn rows(mut entries: Vec<Entry>) -> Result<Bulk> {
    let requests = entries.iter_mut().map(|entry| entry.request.take()).collect();
    let responses = entries.iter_mut().map(|entry| entry.response.take()).collect();
    let links: Vec<Option<String>> = entries
        .iter()
        .map(|entry| entry.links.as_ref().map(serde_json::to_string).transpose())
        .collect::<Result<_, _>>()
        .map_err(Error::internal)?;
    let all = &entries;
    let uuid = |field: fn(&Record) -> Option<Uuid>| Column::Uuid(each(all, field));
    let text = |field: fn(&Record) -> Option<String>| Column::Text(each(all, field));
    let int = |field: fn(&Record) -> Option<i64>| Column::BigInt(each(all, field));
    let time = |field: fn(&Record) -> DateTime<Utc>| Column::Time(each(all, |record| Some(field(record))));
    let tokens = |field: fn(&loam_providers::Usage) -> u64| {
        Column::BigInt(each(all, |record| {
            record.usage.as_ref().and_then(|usage| i64::try_from(field(usage)).ok())
        }))
    };
    let json = |field: fn(&Record) -> Option<Value>| {
        Column::Json(each(all, |record| field(record).map(|value| value.to_string())))
    };
    let attempts: Vec<String> = all
        .iter()
        .map(|entry| serde_json::to_string(&entry.record.attempt_views()))
        .collect::<Result<_, _>>()
        .map_err(Error::internal)?;
    let columns = vec![
        ("tenant_id", uuid(|record| Some(record.tenant.0))),
        ("id", uuid(|record| Some(record.id.0))),
        ("node_id", uuid(|record| Some(record.node.0))),
        ("state", text(|record| Some(record.state.name().to_owned()))),
        ("source", Column::Text(all.iter().map(|entry| Some(entry.source.name().to_owned())).collect())),
        ("provider", text(|record| Some(record.provider.clone()))),
        ("model", text(|record| Some(record.model.clone()))),
        ("route", text(|record| record.route.clone())),
        ("cache", text(|record| record.cache.map(|cache| cache.name().to_owned()))),
        ("reserved_nano_usd", int(|record| record.reserved_nano_usd)),
        ("endpoint", text(|record| Some(record.endpoint.clone()))),
        ("api_key_id", uuid(|record| record.api_key.map(|id| id.0))),
        ("user_id", uuid(|record| record.user.map(|id| id.0))),
        ("project_id", uuid(|record| record.project.map(|id| id.0))),
        ("session_id", text(|record| record.session.clone())),
        ("end_user", text(|record| record.end_user.clone())),
        ("tags", json(Record::tags_json)),
        ("metadata", json(Record::metadata_json)),
        ("refusal", json(Record::refusal_json)),
        ("refused_calls", int(Record::refused_calls)),
        ("request_id", text(|record| Some(record.request_id.clone()))),
        ("trace_id", text(|record| record.trace_id.clone())),
        ("span_id", text(|record| record.span_id.clone())),
        ("response_id", text(|record| record.response_id.clone())),
        ("span_links", Column::Json(links)),
        ("streamed", Column::Bool(each(all, |record| Some(record.streamed)))),
        ("status_code", Column::Int(each(all, |record| record.status.map(i32::from)))),
        ("error_message", text(|record| record.error.clone())),
        ("prompt_tokens", tokens(|usage| usage.prompt_tokens)),
        ("completion_tokens", tokens(|usage| usage.completion_tokens)),
        ("total_tokens", tokens(|usage| usage.total_tokens)),
        ("cached_tokens", tokens(|usage| usage.cached_tokens)),
        ("cache_write_tokens", tokens(|usage| usage.cache_write_tokens)),
        ("unit", text(|record| record.quantity.map(|quantity| quantity.unit.name().to_owned()))),
        ("quantity_milli", int(Record::quantity_milli)),
        ("cost_nano_usd", int(|record| record.cost_nano_usd)),
        ("latency_us", int(|record| record.latency_us)),
        ("first_token_us", int(|record| record.first_token_us)),
        ("attempts", Column::Json(attempts.into_iter().map(Some).collect())),
        ("request_data", Column::Bytes(requests)),
        ("response_data", Column::Bytes(responses)),
        ("created_at", time(Record::created_at)),
        ("updated_at", time(Record::updated_at)),
    ];
    Ok(Bulk::of::<super::entity::Entity>(columns, OnConflict::Merge).without(&["bodies_deleted_at"]))
}
