//! When deliveries are tried, in which order, and how they end.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use loam_jobs::{Handlers, Runner, RunnerHandle};
use loam_kernel::{Clock, PageQuery, Result, Scope, TenantId, WebhookDeliveryId};
use loam_testkit::{Database, on_both};
use serde_json::json;
use uuid::Uuid;

use super::entity::{DeliveryState, Model};
use super::*;
use crate::audit_logs::tests::{ACME, prepared};
use crate::system_config::LiveConfig;

on_both![
    a_delivery_is_tried_until_it_is_taken,
    one_that_is_never_taken_is_given_up_and_can_be_put_back,
    a_later_one_never_overtakes_an_earlier_one_of_its_lane,
    what_was_called_off_is_not_sent_and_holds_up_nobody,
    old_ones_are_forgotten_but_not_what_is_pending,
];

/// What the other server answers, by the text of the delivery: so many failures first.
#[derive(Clone, Default)]
struct Target {
    answers: Arc<Mutex<Vec<(String, Outcome)>>>,
    seen: Arc<Mutex<Vec<String>>>,
}

#[async_trait]
impl DeliveryHandler for Target {
    async fn deliver(&self, _: &Scope, delivery: &Model) -> Result<Outcome> {
        let text = delivery.payload["text"].as_str().unwrap_or_default().to_owned();
        self.seen.lock().unwrap().push(text.clone());
        let mut answers = self.answers.lock().unwrap();
        let place = answers.iter().position(|(to, _)| *to == text);
        Ok(place.map_or(Outcome::Delivered { status: 200 }, |place| answers.remove(place).1))
    }
}

impl Target {
    fn answers(&self, text: &str, times: usize, outcome: &Outcome) {
        let mut answers = self.answers.lock().unwrap();
        answers.extend((0..times).map(|_| (text.to_owned(), outcome.clone())));
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

struct Fixture {
    database: Database,
    clock: Clock,
    deliveries: WebhookDeliveries,
    target: Target,
    runner: RunnerHandle,
}

impl Fixture {
    async fn new(database: Database) -> Self {
        let database = prepared(database).await;
        let clock = Clock::fixed(Clock::system().now());
        let settings = DeliverySettings { max_attempts: 3, ..DeliverySettings::default() };
        let deliveries =
            WebhookDeliveries::new(database.db.clone(), clock.clone(), LiveConfig::fixed(settings));
        let target = Target::default();
        deliveries.register("test", target.clone());
        let handlers = deliveries.jobs(Handlers::new()).unwrap();
        let config = loam_jobs::Config { poll_ms: 20, ..Default::default() };
        let runner =
            Runner::start(database.db.clone(), clock.clone(), handlers, config, Clock::system().id())
                .unwrap();
        deliveries.wake_with(runner.waker());
        Self { database, clock, deliveries, target, runner }
    }

    async fn send(&self, text: &str, lane: Option<&str>) -> WebhookDeliveryId {
        let tx = self.database.db.write(&scope()).await.unwrap();
        let (lane, payload) = (lane.map(str::to_owned), json!({ "text": text }));
        let new = NewDelivery { channel: None, kind: "test", lane, target: "a test".to_owned(), payload };
        let row = self.deliveries.enqueue(&tx, new).await.unwrap();
        tx.commit().await.unwrap();
        self.deliveries.wake();
        row.id
    }

    /// Waits until the delivery is so; time goes on meanwhile, as far as `step` a look.
    async fn until(&self, id: WebhookDeliveryId, step: TimeDelta, so: impl Fn(&Model) -> bool) -> Model {
        for _ in 0..500 {
            let row = self.deliveries.get(&scope(), id).await.unwrap();
            if so(&row) {
                return row;
            }
            self.clock.advance(step);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("it never came about: {:?}", self.deliveries.get(&scope(), id).await);
    }
}

fn scope() -> Scope {
    Scope::system(ACME, "test")
}

fn later(status: u16) -> Outcome {
    Outcome::Retry { status: Some(status), error: format!("answered {status}"), after: None }
}

const SECOND: TimeDelta = TimeDelta::seconds(1);

async fn a_delivery_is_tried_until_it_is_taken(database: Database) {
    let fixture = Fixture::new(database).await;
    fixture.target.answers("one", 1, &later(503));
    let wanted = Some(Duration::from_secs(600));
    fixture.target.answers(
        "one",
        1,
        &Outcome::Retry { status: Some(429), error: "busy".to_owned(), after: wanted },
    );
    let id = fixture.send("one", None).await;
    let first =
        fixture.until(id, TimeDelta::zero(), |row| row.attempts == 1 && row.attempt_until.is_none()).await;
    assert_eq!((first.status_code, first.error_message.as_deref()), (Some(503), Some("answered 503")));
    let pause = first.next_attempt_at.unwrap() - fixture.clock.now();
    assert!(pause >= TimeDelta::milliseconds(2500) && pause <= TimeDelta::seconds(5), "{pause}");
    let second = fixture.until(id, SECOND, |row| row.attempts == 2 && row.attempt_until.is_none()).await;
    assert!(second.next_attempt_at.unwrap() - second.updated_at >= TimeDelta::seconds(600), "as was asked");
    let taken = fixture.until(id, TimeDelta::seconds(60), |row| row.state == DeliveryState::Delivered).await;
    assert_eq!((taken.attempts, taken.status_code, taken.error_message), (3, Some(200), None));
    assert!(taken.delivered_at.is_some() && taken.next_attempt_at.is_none());
    assert_eq!(fixture.target.seen().len(), 3);
    let error = fixture.deliveries.retry(&scope(), id).await.unwrap_err();
    assert_eq!((error.status(), error.code()), (409, "already_delivered"));
    fixture.runner.stop(Duration::from_secs(5)).await;
}

async fn one_that_is_never_taken_is_given_up_and_can_be_put_back(database: Database) {
    let fixture = Fixture::new(database).await;
    fixture.target.answers("never", 3, &later(500));
    let id = fixture.send("never", None).await;
    let dead = fixture.until(id, SECOND, |row| row.state == DeliveryState::Dead).await;
    assert_eq!((dead.attempts, dead.status_code), (3, Some(500)));
    let filter = WebhookDeliveryFilter { state: Some(DeliveryState::Dead), ..Default::default() };
    let listed = fixture.deliveries.list(&scope(), filter, &PageQuery::default()).await.unwrap();
    assert_eq!(listed.data.iter().map(|row| row.id).collect::<Vec<_>>(), [id]);
    let gone = Outcome::Rejected { status: Some(410), error: "gone".to_owned() };
    fixture.target.answers("gone", 1, &gone);
    let other = fixture.send("gone", None).await;
    let other = fixture.until(other, TimeDelta::zero(), |row| row.state == DeliveryState::Dead).await;
    assert_eq!(other.attempts, 1, "once is enough");
    let again = fixture.deliveries.retry(&scope(), id).await.unwrap();
    assert_eq!((again.state, again.attempts), (DeliveryState::Pending, 0));
    fixture.until(id, TimeDelta::zero(), |row| row.state == DeliveryState::Delivered).await;
    fixture.runner.stop(Duration::from_secs(5)).await;
}

async fn a_later_one_never_overtakes_an_earlier_one_of_its_lane(database: Database) {
    let fixture = Fixture::new(database).await;
    fixture.target.answers("a1", 2, &later(500));
    fixture.target.answers("a2", 1, &later(500));
    fixture.target.answers("b1", 3, &later(500));
    let mut last = Vec::new();
    for (text, lane) in [("a1", "a"), ("b1", "b"), ("a2", "a"), ("b2", "b"), ("a3", "a"), ("free", "c")] {
        last.push(fixture.send(text, Some(lane)).await);
    }
    fixture.until(last[5], TimeDelta::zero(), |row| row.state == DeliveryState::Delivered).await;
    for id in &last[3..5] {
        fixture.until(*id, SECOND, |row| row.state == DeliveryState::Delivered).await;
    }
    let seen = fixture.target.seen();
    let of = |lane: &str| seen.iter().filter(|text| text.starts_with(lane)).cloned().collect::<Vec<_>>();
    assert_eq!(of("a"), ["a1", "a1", "a1", "a2", "a2", "a3"]);
    assert_eq!(of("b"), ["b1", "b1", "b1", "b2"], "one that is given up makes room");
    fixture.runner.stop(Duration::from_secs(5)).await;
}

async fn what_was_called_off_is_not_sent_and_holds_up_nobody(database: Database) {
    let fixture = Fixture::new(database).await;
    fixture.target.answers("first", 1, &later(500));
    let first = fixture.send("first", Some("lane")).await;
    fixture.until(first, TimeDelta::zero(), |row| row.attempts == 1 && row.attempt_until.is_none()).await;
    let second = fixture.send("second", Some("lane")).await;
    fixture.until(second, TimeDelta::zero(), |row| row.next_attempt_at.is_none()).await;
    fixture.deliveries.delete(&scope(), first).await.unwrap();
    fixture.until(second, TimeDelta::zero(), |row| row.state == DeliveryState::Delivered).await;
    assert_eq!(fixture.target.seen(), ["first", "second"]);
    assert_eq!(fixture.deliveries.get(&scope(), first).await.unwrap_err().status(), 404);
    let elsewhere = Scope::system(TenantId(Uuid::from_u128(0xdd)), "test");
    assert_eq!(fixture.deliveries.get(&elsewhere, second).await.unwrap_err().status(), 404);
    assert_eq!(fixture.deliveries.retry(&elsewhere, second).await.unwrap_err().status(), 404);
    assert_eq!(fixture.deliveries.delete(&elsewhere, second).await.unwrap_err().status(), 404);
    fixture.runner.stop(Duration::from_secs(5)).await;
}

async fn old_ones_are_forgotten_but_not_what_is_pending(database: Database) {
    let fixture = Fixture::new(database).await;
    let taken = fixture.send("taken", None).await;
    fixture.until(taken, TimeDelta::zero(), |row| row.state == DeliveryState::Delivered).await;
    let wanted = Some(Duration::from_secs(80_000));
    for _ in 0..2 {
        let busy = Outcome::Retry { status: Some(503), error: "busy".to_owned(), after: wanted };
        fixture.target.answers("waits", 1, &busy);
    }
    let waits = fixture.send("waits", None).await;
    fixture.until(waits, TimeDelta::zero(), |row| row.attempts == 1 && row.attempt_until.is_none()).await;
    fixture.clock.advance(TimeDelta::days(31));
    for _ in 0..500 {
        if fixture.deliveries.get(&scope(), taken).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(fixture.deliveries.get(&scope(), taken).await.unwrap_err().status(), 404);
    assert!(fixture.deliveries.get(&scope(), waits).await.is_ok());
    fixture.runner.stop(Duration::from_secs(5)).await;
}
