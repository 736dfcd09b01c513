//! The write path of chunks, on both databases.

mod limits;
mod merging;
mod read;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use loam_kernel::{Clock, NodeId, ProjectId, Scope, TenantId};
use loam_platform::personal::Guard;
use loam_platform::seal::Keyring;
use loam_platform::system_config::LiveConfig;
use uuid::Uuid;

use super::batch;
use super::settings::StorageSettings;
use super::sink::RecordSink;
use crate::fixture::Fixture;
use crate::trace::{
    Detail, Function, OperationKind, ServerSpan, Source, Span, TraceChunk, VersionInfo, pack_chunk,
};

/// A pseudorandom number generator, deterministic for each seed.
struct Rng(u64);

impl Rng {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// A complete trace.
#[derive(Clone)]
struct SampleTrace {
    trace_id: String,
    server_spans: Vec<ServerSpan>,
    spans: Vec<Span>,
}

fn function(name: &str) -> Arc<Function> {
    Arc::new(Function { name: name.to_owned(), module: Some("shop".to_owned()), ..Function::default() })
}

fn server_span(call_id: &str, endpoint: &str, version: Option<&str>) -> ServerSpan {
    ServerSpan {
        call_id: call_id.to_owned(),
        endpoint: endpoint.to_owned(),
        service: Some("shop".to_owned()),
        is_error: false,
        request: Default::default(),
        response: Default::default(),
        measured: Default::default(),
        version: VersionInfo { app_version: version.map(str::to_owned), ..VersionInfo::default() },
        environment: Default::default(),
    }
}

fn span(id: &str, parent: Option<&str>, name: &str, at: DateTime<Utc>, micros: u64) -> Span {
    Span {
        id: id.to_owned(),
        parent: parent.map(str::to_owned),
        function: function(name),
        kind: OperationKind::Function,
        start_ns: at.timestamp_nanos_opt().unwrap(),
        duration_ns: micros * 1000,
        cpu_ns: None,
        memory_delta: None,
        exception: None,
        detail: None,
    }
}

/// A request with random spans of every kind, sometimes with a second service.
fn sample_trace(number: usize, at: DateTime<Utc>, rng: &mut Rng) -> SampleTrace {
    let count = 2 + rng.below(14);
    let mut spans: Vec<Span> = Vec::new();
    let mut server_spans = Vec::new();
    for i in 0..count {
        let parent = (i > 0).then(|| format!("{:016x}", rng.below(i)));
        let name = format!("f{}", rng.below(6));
        let begin = at + TimeDelta::microseconds((i * 700 + rng.below(600)) as i64);
        let mut one =
            span(&format!("{i:016x}"), parent.as_deref(), &name, begin, 1 + rng.below(9_000) as u64);
        one.start_ns += rng.below(1000) as i64;
        one.memory_delta = (rng.below(3) == 0).then(|| rng.below(5000) as i64 - 1000);
        one.exception = (rng.below(9) == 0).then(|| "ValueError: no".to_owned());
        match rng.below(5) {
            0 if i > 0 => one.kind = OperationKind::Database,
            1 if i > 0 => {
                one.kind = OperationKind::Cache;
                one.detail = Some(Arc::new(Detail { hit: Some(rng.below(2) == 0), ..Detail::default() }));
            }
            _ => {}
        }
        if i == 0 || rng.below(12) == 0 {
            one.kind = OperationKind::Request;
            let version = ["", "1.0", "1.1"][rng.below(3)];
            let mut server_span = server_span(
                &one.id,
                &format!("GET /e{}", rng.below(3)),
                Some(version).filter(|version| !version.is_empty()),
            );
            server_span.is_error = rng.below(5) == 0;
            server_span.measured.memory_peak = (rng.below(2) == 0).then(|| rng.below(1 << 20) as i64);
            server_spans.push(server_span);
        }
        spans.push(one);
    }
    SampleTrace { trace_id: format!("{number:032x}"), server_spans, spans }
}

impl SampleTrace {
    fn chunk(&self, tenant: TenantId, project: ProjectId, numbers: &[usize]) -> TraceChunk {
        let spans: Vec<Span> = numbers.iter().map(|number| self.spans[*number].clone()).collect();
        let server_spans = self
            .server_spans
            .iter()
            .filter(|server_span| spans.iter().any(|span| span.id == server_span.call_id));
        TraceChunk {
            tenant,
            project,
            trace_id: self.trace_id.clone(),
            source: Source::Otlp,
            server_spans: server_spans.cloned().collect(),
            spans,
        }
    }

    fn whole(&self, tenant: TenantId, project: ProjectId) -> TraceChunk {
        self.chunk(tenant, project, &(0..self.spans.len()).collect::<Vec<_>>())
    }
}

/// Storage settings with a change.
fn settings(change: impl FnOnce(&mut StorageSettings)) -> LiveConfig<StorageSettings> {
    let mut settings = StorageSettings::default();
    change(&mut settings);
    LiveConfig::fixed(settings)
}

fn sink(clock: &Clock, node: u128, settings: LiveConfig<StorageSettings>) -> RecordSink {
    let guard = Guard::new(Keyring::parse(&"A".repeat(43)).unwrap());
    RecordSink::new(clock.clone(), NodeId(Uuid::from_u128(node)), guard, settings, LiveConfig::default())
}

/// Writes chunks as the drainer does: in one transaction.
async fn write_chunks(bed: &Fixture, sink: &RecordSink, chunks: &[TraceChunk]) {
    let chunks: Vec<batch::PackedChunk> = chunks
        .iter()
        .map(|chunk| {
            let (header, packed) = pack_chunk(chunk).unwrap();
            batch::PackedChunk { header, packed }
        })
        .collect();
    let tx = bed.database.db.system_write(&Scope::system(TenantId::NIL, "test")).await.unwrap();
    sink.write_chunks(&tx, chunks).await.unwrap();
    tx.commit().await.unwrap();
}

/// A project's sums over all nodes, by dimensions, without those that are zero.
async fn sums(bed: &Fixture, project: ProjectId) -> BTreeMap<String, String> {
    use loam_platform::sketch::Sketch;

    use crate::stats::{endpoints, functions};
    let tx = bed.database.db.read(&bed.scope()).await.unwrap();
    let mut all: BTreeMap<String, (Vec<i64>, i64, Sketch)> = BTreeMap::new();
    let mut add = |key: String, numbers: Vec<i64>, peak: i64, sketch: &[u8]| {
        let sum = all.entry(key).or_insert_with(|| (vec![0; numbers.len()], 0, Sketch::default()));
        sum.0.iter_mut().zip(numbers).for_each(|(sum, number)| *sum += number);
        sum.1 = sum.1.max(peak);
        sum.2.merge(&Sketch::from_bytes(sketch).unwrap(), 1);
    };
    for r in
        tx.find::<endpoints::Entity>().all().await.unwrap().into_iter().filter(|r| r.project_id == project)
    {
        let key = format!("endpoint {} {} {} {}", r.granularity.name(), r.bucket, r.endpoint, r.version);
        let numbers = vec![
            r.requests,
            r.errors,
            r.duration_us,
            r.cpu_us,
            r.query_count,
            r.query_us,
            r.slow_queries,
            r.cache_hits,
            r.cache_misses,
            r.cache_us,
            r.memory_delta,
            r.calls,
        ];
        add(key, numbers, r.memory_peak, &r.sketch);
    }
    for r in
        tx.find::<functions::Entity>().all().await.unwrap().into_iter().filter(|r| r.project_id == project)
    {
        let key = format!("function {} {} {} {}", r.granularity.name(), r.bucket, r.function, r.version);
        let numbers =
            vec![r.calls, r.errors, r.self_us, r.total_us, r.query_count, r.query_us, r.memory_delta];
        add(key, numbers, 0, &r.sketch);
    }
    let there = all
        .into_iter()
        .filter(|(_, (numbers, _, sketch))| numbers.iter().any(|number| *number != 0) || !sketch.is_empty());
    there.map(|(key, sum)| (key, format!("{sum:?}"))).collect()
}

/// A project's records without the fields that differ between projects.
async fn records(bed: &Fixture, project: ProjectId) -> BTreeMap<String, String> {
    use crate::performance_records::entity::{Entity, Model};
    let tx = bed.database.db.read(&bed.scope()).await.unwrap();
    let rows = tx.find::<Entity>().all().await.unwrap();
    let own = rows.into_iter().filter(|row| row.project_id == project).map(|row| {
        let findings = crate::rules::Finding::unpack(row.findings.as_deref()).unwrap();
        let key = format!("{} {}", row.trace_id, row.call_id);
        let plain = Model {
            id: Default::default(),
            project_id: no_project(),
            updated_at: row.created_at,
            findings: None,
            ..row
        };
        (key, format!("{plain:?} {findings:?}"))
    });
    own.collect()
}

fn no_project() -> ProjectId {
    ProjectId::NIL
}

/// A recent time well within an hour.
fn recent_time(bed: &Fixture) -> DateTime<Utc> {
    crate::stats::Granularity::Hour.bucket(bed.clock.now()) - TimeDelta::minutes(90)
}
