use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use loam_db::System;
use loam_journal::{Frame, Position};
use loam_kernel::{NodeId, PageQuery, ProjectId, Scope, TenantId};
use loam_platform::drain::Sink;
use loam_testkit::{Database, check_golden, on_both};
use serde_json::json;
use uuid::Uuid;

use super::chart::{Aggregate, ChartQuery, points};
use super::point::{METRIC_POINTS_FRAME, Point, Points, Tags};
use super::series::SeriesLimiter;
use super::service::MetricFilter;
use super::sink::{MetricSink, POINTS};
use super::sums::Sums;
use super::{MetricKind, entity};
use crate::fixture::Fixture;
use crate::otlp::ProjectRef;
use crate::records::DeleteOld;
use crate::stats::Granularity;

on_both![
    duplicates_are_counted_once,
    values_of_somebody_erased_meanwhile_are_left_out,
    charts_add_up_all_nodes,
    values_are_filtered_by_tags,
    series_above_the_limit_are_rejected,
    old_values_are_deleted_and_their_sums_later,
];

fn tags(host: &str) -> Tags {
    Tags::from([("host".to_owned(), host.to_owned())])
}

struct TestMetrics {
    bed: Fixture,
    project_ref: ProjectRef,
    at: DateTime<Utc>,
}

impl TestMetrics {
    async fn new(database: Database) -> Self {
        let bed = Fixture::new(database).await;
        let project_ref = ProjectRef { tenant: bed.scope().tenant(), project: bed.project("shop").await };
        let at = Granularity::Hour.bucket(bed.clock.now() - TimeDelta::hours(1));
        Self { bed, project_ref, at }
    }

    fn point(&self, kind: MetricKind, host: &str, value: f64, seconds: i64) -> Point {
        let at = self.at + TimeDelta::seconds(seconds);
        Point::new(self.project_ref.project, "load".to_owned(), kind, None, tags(host), value, at)
    }

    async fn drain(&self, node: u128, points: Vec<Point>) {
        let sink = MetricSink::new(self.bed.clock.clone(), NodeId(Uuid::from_u128(node)), self.bed.guard());
        let ProjectRef { tenant, project } = self.project_ref;
        let payload = Points { tenant, project, points }.encode().unwrap();
        let frame = Frame { kind: POINTS, key: [0; 16], position: Position(1), payload };
        assert!(sink.takes(frame.kind));
        assert_eq!(sink.tenant(&frame), tenant);
        let scope = Scope::system(TenantId::NIL, "test");
        let tx: loam_db::Tx<System> = self.bed.database.db.system_write(&scope).await.unwrap();
        sink.write(&tx, &[frame]).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn chart(&self, more: serde_json::Value) -> Vec<(Tags, Vec<f64>)> {
        let mut query = json!({
            "project_id": self.project_ref.project, "metric_name": "load",
            "from": self.at, "to": self.at + TimeDelta::minutes(30),
        });
        query.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let query: ChartQuery = serde_json::from_value(query).unwrap();
        let lines = self.bed.insight.ingest.chart(&self.bed.scope(), &query).await.unwrap();
        lines
            .into_iter()
            .map(|line| (line.tags, line.points.iter().map(|point| point.value.unwrap()).collect()))
            .collect()
    }

    async fn list(&self, filter: MetricFilter) -> Vec<entity::Model> {
        let page = PageQuery::default();
        self.bed.insight.ingest.list_metrics(&self.bed.scope(), filter, &page).await.unwrap().data
    }
}

async fn duplicates_are_counted_once(database: Database) {
    let metrics = TestMetrics::new(database).await;
    let all =
        || vec![metrics.point(MetricKind::Gauge, "a", 1.0, 0), metrics.point(MetricKind::Gauge, "a", 3.0, 1)];
    for _ in 0..2 {
        let twice = all().into_iter().chain(all()).collect();
        metrics.drain(1, twice).await;
    }
    assert_eq!(metrics.list(MetricFilter::default()).await.len(), 2);
    assert_eq!(metrics.chart(json!({ "aggregate": "count" })).await[0].1, [2.0]);
    let own =
        |id| metrics.point(MetricKind::Gauge, "a", 9.0, 2).with_sender_id(metrics.project_ref.project, id);
    metrics.drain(1, vec![own("x"), own("x"), own("y")]).await;
    assert_eq!(
        metrics.chart(json!({ "aggregate": "count" })).await[0].1,
        [4.0],
        "values with different ids are distinct"
    );
}

async fn values_of_somebody_erased_meanwhile_are_left_out(database: Database) {
    let metrics = TestMetrics::new(database).await;
    let of = |tag: &str, value: &str| {
        let tags = Tags::from([(tag.to_owned(), value.to_owned())]);
        Point::new(
            metrics.project_ref.project,
            "load".to_owned(),
            MetricKind::Gauge,
            None,
            tags,
            1.0,
            metrics.at,
        )
    };
    let subject = json!({ "subject": { "type": "end_user", "id": "b-1" } });
    let erasure = serde_json::from_value(subject).unwrap();
    metrics.bed.identity.create_erasure(&metrics.bed.scope(), erasure).await.unwrap();
    metrics.drain(1, vec![of("enduser.id", "b-1"), of("enduser.id", "b-2"), of("host", "b-1")]).await;
    let left: HashSet<String> =
        metrics.list(MetricFilter::default()).await.into_iter().map(|row| row.tags.to_string()).collect();
    let expected = [r#"{"enduser.id":"b-2"}"#, r#"{"host":"b-1"}"#].map(str::to_owned);
    assert_eq!(left, HashSet::from(expected));
    assert_eq!(metrics.chart(json!({ "aggregate": "count" })).await[0].1, [2.0], "nor in the sums");
}

async fn charts_add_up_all_nodes(database: Database) {
    let metrics = TestMetrics::new(database).await;
    let gauge = |host, value, seconds| metrics.point(MetricKind::Gauge, host, value, seconds);
    metrics.drain(1, vec![gauge("a", 1.0, 0), gauge("a", 2.0, 30), gauge("b", 10.0, 10)]).await;
    metrics.drain(2, vec![gauge("a", 6.0, 20), gauge("b", 20.0, 70)]).await;
    // added to existing sums
    metrics.drain(1, vec![gauge("a", 3.0, 40)]).await;
    let of = async |aggregate: &str| metrics.chart(json!({ "aggregate": aggregate })).await.remove(0).1;
    assert_eq!(of("count").await, [5.0, 1.0]);
    assert_eq!(of("avg").await, [22.0 / 5.0, 20.0]);
    assert_eq!(of("min").await, [1.0, 20.0]);
    assert_eq!(of("max").await, [10.0, 20.0]);
    assert_eq!(of("sum").await, [22.0, 20.0]);
    assert_eq!(of("last").await, [13.0, 20.0], "the last of each series, whichever node has it");
    let p95 = of("p95").await[0];
    assert!((9.9..=10.0).contains(&p95), "{p95}");
    let lines = metrics.chart(json!({ "aggregate": "max", "group_by": "host" })).await;
    assert_eq!(lines, [(tags("a"), vec![6.0]), (tags("b"), vec![10.0, 20.0])]);
    let lines = metrics.chart(json!({ "aggregate": "sum", "tags": "host:b", "granularity": "hour" })).await;
    assert_eq!(lines[0].1, [30.0]);
    assert_eq!(metrics.chart(json!({ "metric_name": "other" })).await, []);
}

async fn values_are_filtered_by_tags(database: Database) {
    let metrics = TestMetrics::new(database).await;
    let gauge = |host, value| metrics.point(MetricKind::Gauge, host, value, 0);
    metrics.drain(1, vec![gauge("a", 1.0), gauge("b", 2.0)]).await;
    let filter = MetricFilter { tags: Some("host:b".to_owned()), ..MetricFilter::default() };
    let found = metrics.list(filter).await;
    assert_eq!(found.iter().map(|row| row.metric_value).collect::<Vec<_>>(), [2.0]);
    let filter = MetricFilter { series: Some(found[0].series.clone()), ..MetricFilter::default() };
    assert_eq!(metrics.list(filter).await.len(), 1);
    let from = Some(metrics.at + TimeDelta::seconds(1));
    assert_eq!(metrics.list(MetricFilter { from, ..MetricFilter::default() }).await.len(), 0);
    let other = Some(ProjectId(Uuid::from_u128(7)));
    assert_eq!(metrics.list(MetricFilter { project_id: other, ..MetricFilter::default() }).await.len(), 0);
}

async fn series_above_the_limit_are_rejected(database: Database) {
    let metrics = TestMetrics::new(database).await;
    let now = metrics.bed.clock.now();
    let series = |host: &str| metrics.point(MetricKind::Gauge, host, 1.0, 0).series();
    metrics.drain(1, vec![metrics.point(MetricKind::Gauge, "stored", 1.0, 0)]).await;
    let limiter = SeriesLimiter::new(metrics.bed.database.db.clone());
    let refuse = async |hosts: &[&str], at| {
        let requested: HashSet<u128> = hosts.iter().map(|host| series(host)).collect();
        limiter.refuse(metrics.project_ref, &requested, 3, at).await.len()
    };
    // one series is in the database already
    assert_eq!(refuse(&["a", "b", "c"], now).await, 1);
    assert_eq!(refuse(&["stored"], now).await, 0);
    assert_eq!(refuse(&["d", "e"], now).await, 2);
    // series that never reached the database don't count after the next read
    assert_eq!(refuse(&["d", "e", "f"], now + TimeDelta::hours(1)).await, 1);
}

async fn old_values_are_deleted_and_their_sums_later(database: Database) {
    let metrics = TestMetrics::new(database).await;
    metrics.drain(1, vec![metrics.point(MetricKind::Gauge, "a", 1.0, 0)]).await;
    let (delete, scope) =
        (DeleteOld(metrics.bed.insight.stats.clone()), Scope::system(TenantId::NIL, "test"));
    let mut left = Vec::new();
    for days in [13, 2, 80, 320] {
        metrics.bed.clock.advance(TimeDelta::days(days));
        delete.sweep(&scope, || false).await.unwrap();
        let shown = async |granularity| metrics.chart(json!({ "granularity": granularity })).await.len();
        left.push((
            metrics.list(MetricFilter::default()).await.len(),
            shown("minute").await,
            shown("hour").await,
        ));
    }
    assert_eq!(left, [(1, 1, 1), (1, 0, 1), (0, 0, 1), (0, 0, 0)]);
}

fn sums(values: &[f64], at: DateTime<Utc>) -> Sums {
    let mut all = Sums::default();
    values
        .iter()
        .enumerate()
        .for_each(|(n, value)| all.add(*value, at + TimeDelta::seconds(n.try_into().unwrap())));
    all
}

#[test]
fn totals_show_their_increase_also_after_a_restart() {
    let minute = |n: i64| DateTime::UNIX_EPOCH + TimeDelta::minutes(n);
    let samples = [(0, &[100.0][..]), (1, &[110.0, 130.0]), (2, &[5.0]), (4, &[9.0])];
    let series = samples.iter().map(|(n, values)| (minute(*n), sums(values, minute(*n)))).collect();
    let shown = points(std::iter::once((MetricKind::Total, series)), Aggregate::Sum, minute(1));
    let shown: Vec<f64> = shown.iter().map(|point| point.value.unwrap()).collect();
    assert_eq!(shown, [30.0, 5.0, 4.0], "from the bucket before the first one shown");
    let first = [(minute(0), sums(&[100.0, 130.0], minute(0)))].into_iter().collect();
    let shown = points(std::iter::once((MetricKind::Total, first)), Aggregate::Sum, minute(0));
    assert_eq!(shown[0].value, Some(30.0), "the previous value is unknown");
}

#[test]
fn negative_values_have_no_quantiles() {
    let at = DateTime::UNIX_EPOCH;
    assert_eq!(sums(&[-1.0, 5.0], at).quantile(0.5), None);
    let half = sums(&[0.25; 3], at).quantile(0.5).unwrap();
    assert!((half - 0.25).abs() < 1e-9, "{half}");
}

#[test]
fn all_versions_of_frames_are_read() {
    let id = |number| Uuid::from_u128(number);
    let point = |(number, kind)| Point {
        id: id(number).into(),
        name: "load".to_owned(),
        kind,
        unit: (number == 1).then(|| "%".to_owned()),
        tags: tags("a"),
        value: -0.25,
        at_us: 1_790_000_000_123_456,
    };
    let kinds = (1..).zip([MetricKind::Gauge, MetricKind::Delta, MetricKind::Total]);
    let points = Points { tenant: id(7).into(), project: id(8).into(), points: kinds.map(point).collect() };
    let payload = points.encode().unwrap();
    check_golden(METRIC_POINTS_FRAME.kind(), METRIC_POINTS_FRAME.versions(), &payload, |payload| {
        format!("{:#?}", Points::decode(payload).unwrap())
    });
}

#[test]
fn ids_of_values_and_series_stay_what_they_are() {
    let at = DateTime::from_timestamp_micros(1_790_000_000_123_456).unwrap();
    let project = ProjectId(Uuid::from_u128(1));
    let point = Point::new(project, "load".to_owned(), MetricKind::Gauge, None, tags("a"), 0.5, at);
    assert_eq!(format!("{:032x}", point.series()), "43dbd2b0232d9aa17d3fda5b67f766dd");
    assert_eq!(point.id.0.to_string(), "01a0c450-6c7b-7fbd-bbb2-598016650827");
}
