//! Every frame becomes a row once, whatever dies or refuses on the way.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use loam_db::{Bulk, Column, Db, Dialect, OnConflict, System, Tx};
use loam_journal::{Config, DiskStorage, Frame, Journal, Position};
use loam_kernel::{Clock, Error, NodeId, Result, Scope, TenantId};
use loam_testkit::{Database, on_both};
use sea_orm::{ColumnTrait, QueryFilter};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Drainer, Sink, checkpoint};
use crate::notices::entity as note;
use crate::quarantine;

const ACME: TenantId = TenantId(Uuid::from_u128(0xac));
const KIND: u8 = 9;

on_both![
    every_frame_becomes_a_row,
    a_crash_between_the_commit_and_the_release_repeats_nothing,
    a_crash_before_the_commit_loses_nothing,
    a_poisoned_frame_is_set_aside_and_the_rest_goes_on,
    several_poisoned_frames_are_each_set_aside,
    a_frame_that_nobody_takes_does_not_hold_up_the_rest,
    while_the_database_is_away_nothing_is_lost,
    a_failure_that_passes_by_itself_puts_nothing_aside,
    a_month_without_a_partition_is_made_rather_than_set_aside,
];

/// Turns each frame into a row of notices, whose insert fails when it is there already. A frame with an empty payload
/// becomes a row without a topic, which either database refuses.
#[derive(Default)]
struct Notes {
    /// How many of the next writes fail as if the database were away, after the rows were written.
    failing: AtomicUsize,
    writes: AtomicUsize,
}

#[async_trait]
impl Sink for Notes {
    fn takes(&self, kind: u8) -> bool {
        kind == KIND
    }

    fn tenant(&self, _: &Frame) -> TenantId {
        ACME
    }

    async fn write(&self, tx: &Tx<System>, frames: &[Frame]) -> Result<()> {
        self.writes.fetch_add(1, SeqCst);
        let topic =
            |frame: &Frame| String::from_utf8(frame.payload.clone()).ok().filter(|text| !text.is_empty());
        tx.bulk(Bulk::partial(
            "change_notices",
            vec![
                ("tenant_id", Column::Uuid(vec![Some(ACME.0); frames.len()])),
                ("id", Column::Uuid(frames.iter().map(|frame| Some(Uuid::from_bytes(frame.key))).collect())),
                ("topic", Column::Text(frames.iter().map(topic).collect())),
                ("subject_id", Column::Uuid(vec![Some(Uuid::nil()); frames.len()])),
                ("created_at", Column::Time(vec![Some(Clock::system().now()); frames.len()])),
            ],
            OnConflict::Fail,
        ))
        .await?;
        if self.failing.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok() {
            return Err(Error::unavailable("database_unavailable", "away", Duration::from_secs(1)));
        }
        Ok(())
    }
}

/// A node: its journal's folder, which outlives its journal, and its database.
struct Node {
    fixture: Database,
    sink: Arc<Notes>,
}

impl Node {
    fn new(fixture: Database) -> Self {
        Self { fixture, sink: Arc::default() }
    }

    /// Opens the journal, as at a start.
    fn journal(&self) -> Journal {
        let config = Config {
            segment_bytes: 64 << 10,
            disk_budget_bytes: 4 << 20,
            max_frame_bytes: 16 << 10,
            ..Config::new(self.fixture.folder().join("journal"))
        };
        Journal::open(config, Arc::new(DiskStorage), || Clock::system().id::<Uuid>().into_bytes()).unwrap()
    }

    async fn drainer_on(&self, db: Db, journal: &Journal) -> Drainer {
        Drainer::open(db, journal.clone(), Clock::system(), vec![self.sink.clone()]).await.unwrap()
    }

    /// A start of the node: its journal, and the drainer on it.
    async fn start(&self) -> (Journal, Drainer) {
        let journal = self.journal();
        let drainer = self.drainer_on(self.fixture.db.clone(), &journal).await;
        (journal, drainer)
    }

    async fn topics(&self) -> Vec<String> {
        let tx = self.fixture.db.system_read(&Scope::system(TenantId::NIL, "test")).await.unwrap();
        let rows = tx.find_any::<note::Entity>().all().await.unwrap();
        let mut topics: Vec<String> = rows.into_iter().map(|row| row.topic).collect();
        topics.sort();
        topics
    }

    async fn quarantine(&self) -> Vec<quarantine::entity::Model> {
        let tx = self.fixture.db.system_read(&Scope::system(TenantId::NIL, "test")).await.unwrap();
        tx.find_any::<quarantine::entity::Entity>().all().await.unwrap()
    }
}

async fn run_until(drainer: Drainer, end: Position) {
    let (stop, mut drained) = (CancellationToken::new(), drainer.drained());
    let watch = async {
        let reached = tokio::time::timeout(Duration::from_secs(30), drained.wait_for(|at| *at >= end));
        reached.await.expect("it drains in time").unwrap();
        stop.cancel();
    };
    tokio::join!(drainer.run(stop.clone()), watch);
}

/// Appends frames and makes them durable; answers with the position behind them.
async fn append<'a>(journal: &Journal, payloads: impl IntoIterator<Item = &'a str>) -> Position {
    let mut end = Position::START;
    for payload in payloads {
        let key = Clock::system().id::<Uuid>().into_bytes();
        end = journal.append(KIND, key, &[payload.as_bytes()]).unwrap();
    }
    journal.durable(end).await.unwrap();
    end
}

fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| format!("{n:05}")).collect()
}

fn texts(numbers: &[String]) -> impl Iterator<Item = &str> {
    numbers.iter().map(String::as_str)
}

async fn every_frame_becomes_a_row(fixture: Database) {
    let node = Node::new(fixture);
    let ((journal, drainer), all) = (node.start().await, numbers(0..1000));
    let end = append(&journal, texts(&all)).await;
    run_until(drainer, end).await;
    assert_eq!(node.topics().await, all);
    assert!(node.quarantine().await.is_empty());
    let id = NodeId(Uuid::from_bytes(journal.id()));
    assert_eq!(checkpoint::load(&node.fixture.db, id).await.unwrap(), end);
}

async fn a_crash_between_the_commit_and_the_release_repeats_nothing(fixture: Database) {
    let node = Node::new(fixture);
    let all = numbers(0..300);
    let mut end = Position::START;
    for part in all.chunks(100) {
        let (journal, mut drainer) = node.start().await;
        end = append(&journal, texts(part)).await;
        let batch = journal.read(*drainer.drained().borrow(), 1 << 20).unwrap();
        assert_eq!(batch.frames.len(), 100, "what the last life drained is not read again");
        drainer.write(&batch.frames).await.unwrap();
        // dies here: the journal never hears that this much is in the database
        drop(drainer);
        journal.close().unwrap();
        drop(journal);
    }
    let (_journal, drainer) = node.start().await;
    assert_eq!(*drainer.drained().borrow(), end);
    run_until(drainer, end).await;
    assert_eq!(node.topics().await, all);
    assert!(node.quarantine().await.is_empty(), "a repeated row would have been refused, and set aside");
}

async fn a_crash_before_the_commit_loses_nothing(fixture: Database) {
    let node = Node::new(fixture);
    let all = numbers(0..100);
    let (journal, drainer) = node.start().await;
    let end = append(&journal, texts(&all)).await;
    let batch = journal.read(Position::START, 1 << 20).unwrap();
    let tx = node.fixture.db.system_write(&drainer.scope()).await.unwrap();
    node.sink.write(&tx, &batch.frames).await.unwrap();
    checkpoint::store(&tx, drainer.node, end, Clock::system().now()).await.unwrap();
    // dies here: rows and checkpoint go together
    drop((tx, drainer));
    journal.close().unwrap();
    drop(journal);
    let (_journal, drainer) = node.start().await;
    run_until(drainer, end).await;
    assert_eq!(node.topics().await, all);
    assert!(node.quarantine().await.is_empty());
}

async fn a_poisoned_frame_is_set_aside_and_the_rest_goes_on(fixture: Database) {
    let node = Node::new(fixture);
    let ((journal, drainer), all) = (node.start().await, numbers(0..200));
    append(&journal, texts(&all[..77])).await;
    let poisoned = append(&journal, [""]).await;
    let end = append(&journal, texts(&all[77..])).await;
    run_until(drainer, end).await;
    assert_eq!(node.topics().await, all);
    let set_aside = node.quarantine().await;
    assert_eq!(set_aside.len(), 1);
    let frame = &set_aside[0];
    assert_eq!((frame.tenant_id, frame.kind, frame.frame.len()), (ACME, i32::from(KIND), 0));
    assert_eq!(frame.position.unsigned_abs(), poisoned.0);
    assert!(frame.reason.to_lowercase().contains("null"), "{}", frame.reason);
    // found by halving, not one by one
    assert!(node.sink.writes.load(SeqCst) < 40, "{:?}", node.sink.writes);
}

async fn several_poisoned_frames_are_each_set_aside(fixture: Database) {
    let node = Node::new(fixture);
    let ((journal, drainer), all) = (node.start().await, numbers(0..64));
    let mut payloads: Vec<&str> = texts(&all).collect();
    for place in [0, 1, 30, 66, payloads.len() + 4] {
        payloads.insert(place, "");
    }
    let end = append(&journal, payloads).await;
    run_until(drainer, end).await;
    assert_eq!(node.topics().await, all);
    let positions: BTreeSet<i64> = node.quarantine().await.iter().map(|frame| frame.position).collect();
    assert_eq!(positions.len(), 5);
    // after the next start nothing is set aside again
    journal.close().unwrap();
    drop(journal);
    let (journal, drainer) = node.start().await;
    let end = append(&journal, ["later"]).await;
    run_until(drainer, end).await;
    assert_eq!((node.topics().await.len(), node.quarantine().await.len()), (65, 5));
}

async fn a_frame_that_nobody_takes_does_not_hold_up_the_rest(fixture: Database) {
    let node = Node::new(fixture);
    let (journal, drainer) = node.start().await;
    journal.append(KIND + 1, [1; 16], &[b"of a later version"]).unwrap();
    let end = append(&journal, ["mine"]).await;
    run_until(drainer, end).await;
    assert_eq!(node.topics().await, ["mine"]);
    let set_aside = node.quarantine().await;
    assert_eq!(set_aside.len(), 1, "it is kept for whoever can read it");
    assert_eq!(
        (set_aside[0].tenant_id, set_aside[0].frame.as_slice()),
        (TenantId::NIL, &b"of a later version"[..])
    );
    assert_eq!(set_aside[0].reason, format!("unknown kind of frame {}", KIND + 1));
}

async fn while_the_database_is_away_nothing_is_lost(fixture: Database) {
    let mut node = Node::new(fixture);
    node.fixture.config.acquire_timeout = 1;
    let db = node.fixture.second_node().await;
    let (journal, all) = (node.journal(), numbers(0..400));
    let drainer = node.drainer_on(db, &journal).await;
    let positions = Mutex::new(Position::START);
    let appending = async {
        for part in all.chunks(20) {
            *positions.lock().unwrap() = append(&journal, texts(part)).await;
            tokio::time::sleep(Duration::from_millis(60)).await;
        }
    };
    let stop = CancellationToken::new();
    let mut drained = drainer.drained();
    let story = async {
        tokio::join!(appending, take_away(&node.fixture));
        let end = *positions.lock().unwrap();
        let reached = tokio::time::timeout(Duration::from_secs(20), drained.wait_for(|at| *at >= end));
        reached.await.expect("it catches up").unwrap();
        stop.cancel();
    };
    tokio::join!(drainer.run(stop.clone()), story);
    assert_eq!(node.topics().await, all);
    assert!(node.quarantine().await.is_empty());
}

/// For a second and a half nothing can be written: SQLite's lock is held by another program, PostgreSQL ends every
/// connection as soon as it is made.
async fn take_away(fixture: &Database) {
    let mut raw = fixture.raw().await;
    match fixture.db.dialect() {
        Dialect::Sqlite => {
            raw.run("BEGIN IMMEDIATE").await;
            tokio::time::sleep(Duration::from_millis(1500)).await;
            raw.run("ROLLBACK").await;
        }
        Dialect::Postgres => {
            let end = "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity \
                       WHERE datname = current_database() AND application_name = 'loam'";
            let mut ended = 0;
            for _ in 0..150 {
                ended += raw.texts(end).await.len();
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            assert!(ended > 0, "the drainer was never disturbed");
        }
    }
}

async fn a_failure_that_passes_by_itself_puts_nothing_aside(fixture: Database) {
    let node = Node::new(fixture);
    let ((journal, drainer), all) = (node.start().await, numbers(0..50));
    node.sink.failing.store(3, SeqCst);
    let end = append(&journal, texts(&all)).await;
    run_until(drainer, end).await;
    assert_eq!(node.topics().await, all);
    assert!(node.quarantine().await.is_empty());
    assert_eq!(node.sink.writes.load(SeqCst), 4);
}

/// Writes each frame as a row of a partitioned table, in the month of its key.
struct Trail;

#[async_trait]
impl Sink for Trail {
    fn takes(&self, kind: u8) -> bool {
        kind == KIND
    }

    fn tenant(&self, _: &Frame) -> TenantId {
        ACME
    }

    async fn write(&self, tx: &Tx<System>, frames: &[Frame]) -> Result<()> {
        let text = || Column::Text(vec![Some("x".to_owned()); frames.len()]);
        let bytes = || Column::Bytes(vec![Some(vec![0]); frames.len()]);
        tx.bulk(Bulk::partial(
            "audit_logs",
            vec![
                ("tenant_id", Column::Uuid(vec![Some(ACME.0); frames.len()])),
                ("id", Column::Uuid(frames.iter().map(|frame| Some(Uuid::from_bytes(frame.key))).collect())),
                ("sequence", Column::BigInt(vec![Some(1); frames.len()])),
                ("action", text()),
                ("resource_type", text()),
                ("resource_id", text()),
                ("actor", text()),
                ("changes", Column::Json(vec![Some("{}".to_owned()); frames.len()])),
                ("previous_hash", bytes()),
                ("hash", bytes()),
                ("created_at", Column::Time(vec![Some(Clock::system().now()); frames.len()])),
            ],
            OnConflict::Fail,
        ))
        .await
    }
}

async fn a_month_without_a_partition_is_made_rather_than_set_aside(fixture: Database) {
    use crate::audit_logs::entity;
    let node = Node::new(fixture);
    let journal = node.journal();
    // a server that slept through the turn of months: nothing made its partitions
    let drainer =
        Drainer::open(node.fixture.db.clone(), journal.clone(), Clock::system(), vec![Arc::new(Trail)])
            .await
            .unwrap();
    let end = append(&journal, ["a", "b", "c"]).await;
    run_until(drainer, end).await;
    let tx = node.fixture.db.read(&Scope::system(ACME, "test")).await.unwrap();
    assert_eq!(tx.find::<entity::Entity>().filter(entity::Column::Action.eq("x")).count().await.unwrap(), 3);
    assert!(node.quarantine().await.is_empty());
}
