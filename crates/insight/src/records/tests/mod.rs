//! The way of parts into the database, on both.

mod joined;
mod kept;
mod read;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use loam_kernel::{Clock, NodeId, ProjectId, Scope, TenantId};
use loam_platform::system_config::LiveConfig;
use uuid::Uuid;

use super::batch;
use super::settings::StorageSettings;
use super::sink::RecordSink;
use crate::bed::Bed;
use crate::trace::{Call, Detail, Entry, Function, Part, Source, VersionInfo, Work, packed};

/// Numbers that look random, and are the same in every run of a seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }

    fn shuffle<T>(&mut self, things: &mut [T]) {
        for last in (1..things.len()).rev() {
            things.swap(last, self.roll(last + 1));
        }
    }
}

/// What an application does, all of it.
#[derive(Clone)]
struct Story {
    trace_id: String,
    entries: Vec<Entry>,
    calls: Vec<Call>,
}

fn function(name: &str) -> Arc<Function> {
    Arc::new(Function { name: name.to_owned(), module: Some("shop".to_owned()), ..Function::default() })
}

fn entry(call_id: &str, endpoint: &str, version: Option<&str>) -> Entry {
    Entry {
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

fn call(id: &str, parent: Option<&str>, name: &str, at: DateTime<Utc>, micros: u64) -> Call {
    Call {
        id: id.to_owned(),
        parent: parent.map(str::to_owned),
        function: function(name),
        work: Work::Function,
        start_ns: at.timestamp_nanos_opt().unwrap(),
        duration_ns: micros * 1000,
        cpu_ns: None,
        memory_delta: None,
        exception: None,
        detail: None,
    }
}

/// A request with calls of every kind, at random; now and then with a second service in it.
fn story(number: usize, at: DateTime<Utc>, dice: &mut Dice) -> Story {
    let count = 2 + dice.roll(14);
    let mut calls: Vec<Call> = Vec::new();
    let mut entries = Vec::new();
    for i in 0..count {
        let parent = (i > 0).then(|| format!("{:016x}", dice.roll(i)));
        let name = format!("f{}", dice.roll(6));
        let begin = at + TimeDelta::microseconds((i * 700 + dice.roll(600)) as i64);
        let mut one =
            call(&format!("{i:016x}"), parent.as_deref(), &name, begin, 1 + dice.roll(9_000) as u64);
        one.start_ns += dice.roll(1000) as i64;
        one.memory_delta = (dice.roll(3) == 0).then(|| dice.roll(5000) as i64 - 1000);
        one.exception = (dice.roll(9) == 0).then(|| "ValueError: no".to_owned());
        match dice.roll(5) {
            0 if i > 0 => one.work = Work::Database,
            1 if i > 0 => {
                one.work = Work::Cache;
                one.detail = Some(Arc::new(Detail { hit: Some(dice.roll(2) == 0), ..Detail::default() }));
            }
            _ => {}
        }
        if i == 0 || dice.roll(12) == 0 {
            one.work = Work::Request;
            let version = ["", "1.0", "1.1"][dice.roll(3)];
            let mut entry = entry(
                &one.id,
                &format!("GET /e{}", dice.roll(3)),
                Some(version).filter(|version| !version.is_empty()),
            );
            entry.is_error = dice.roll(5) == 0;
            entry.measured.memory_peak = (dice.roll(2) == 0).then(|| dice.roll(1 << 20) as i64);
            entries.push(entry);
        }
        calls.push(one);
    }
    Story { trace_id: format!("{number:032x}"), entries, calls }
}

impl Story {
    fn part(&self, tenant: TenantId, project: ProjectId, numbers: &[usize]) -> Part {
        let calls: Vec<Call> = numbers.iter().map(|number| self.calls[*number].clone()).collect();
        let entries = self.entries.iter().filter(|entry| calls.iter().any(|call| call.id == entry.call_id));
        Part {
            tenant,
            project,
            trace_id: self.trace_id.clone(),
            source: Source::Otlp,
            entries: entries.cloned().collect(),
            calls,
        }
    }

    fn whole(&self, tenant: TenantId, project: ProjectId) -> Part {
        self.part(tenant, project, &(0..self.calls.len()).collect::<Vec<_>>())
    }
}

/// The settings of a test.
fn settings(change: impl FnOnce(&mut StorageSettings)) -> LiveConfig<StorageSettings> {
    let mut settings = StorageSettings::default();
    change(&mut settings);
    LiveConfig::fixed(settings)
}

fn sink(clock: &Clock, node: u128, settings: LiveConfig<StorageSettings>) -> RecordSink {
    RecordSink::new(clock.clone(), NodeId(Uuid::from_u128(node)), settings, LiveConfig::default())
}

/// Writes parts as the drainer does: in one transaction.
async fn take(bed: &Bed, sink: &RecordSink, parts: &[Part]) {
    let parts: Vec<batch::Part> = parts
        .iter()
        .map(|part| {
            let (head, packed) = packed(part).unwrap();
            batch::Part { head, packed }
        })
        .collect();
    let tx = bed.database.db.system_write(&Scope::system(TenantId::NIL, "test")).await.unwrap();
    sink.take(&tx, parts).await.unwrap();
    tx.commit().await.unwrap();
}

/// A project's sums over all nodes, by what they are told apart by; those that come to nothing are left out.
async fn sums(bed: &Bed, project: ProjectId) -> BTreeMap<String, String> {
    use crate::stats::{Sketch, endpoints, functions};
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

/// A project's records without what differs from project to project.
async fn records(bed: &Bed, project: ProjectId) -> BTreeMap<String, String> {
    use crate::performance_records::entity::{Entity, Model};
    let tx = bed.database.db.read(&bed.scope()).await.unwrap();
    let rows = tx.find::<Entity>().all().await.unwrap();
    let own = rows.into_iter().filter(|row| row.project_id == project).map(|row| {
        let findings = crate::rules::Finding::unpack(row.findings.as_deref());
        let key = format!("{} {}", row.trace_id, row.call_id);
        let plain = Model {
            id: Default::default(),
            project_id: project_of_nobody(),
            updated_at: row.created_at,
            findings: None,
            ..row
        };
        (key, format!("{plain:?} {findings:?}"))
    });
    own.collect()
}

fn project_of_nobody() -> ProjectId {
    ProjectId::NIL
}

/// A moment well within an hour, lately.
fn lately(bed: &Bed) -> DateTime<Utc> {
    crate::stats::Granularity::Hour.bucket(bed.clock.now()) - TimeDelta::minutes(90)
}
