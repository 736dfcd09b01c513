use chrono::DateTime;

use super::{Values, When, take};
use crate::otlp::tests::{NOW_NS, OWNER, attribute};
use crate::otlp::wire::{
    ExponentialHistogram, ExponentialPoint, Gauge, Histogram, HistogramPoint, Metric, MetricsRequest,
    NumberPoint, Resource, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryPoint, ValueAtQuantile,
};
use crate::performance_metrics::MetricKind::{self, Delta, Gauge as Level, Total};

fn taken(metric: Metric) -> Values {
    let resource = Some(Resource {
        attributes: vec![attribute("service.name", "shop"), attribute("host.name", "web-1")],
    });
    let metric = Metric { name: "m".to_owned(), unit: "s".to_owned(), ..metric };
    let scope_metrics = vec![ScopeMetrics { metrics: vec![metric] }];
    let request = MetricsRequest { resource_metrics: vec![ResourceMetrics { resource, scope_metrics }] };
    let now = DateTime::from_timestamp_nanos(i64::try_from(NOW_NS).expect("a time"));
    take(&request, OWNER, When { now, max_age_days: 7 })
}

fn values(metric: Metric) -> Vec<(String, MetricKind, f64)> {
    let taken = taken(metric);
    assert_eq!(taken.refused.count(), 0, "{:?}", taken.refused);
    taken.points.into_iter().map(|point| (point.name, point.kind, point.value)).collect()
}

fn number(value: f64) -> NumberPoint {
    NumberPoint { time_unix_nano: NOW_NS, as_double: Some(value), ..NumberPoint::default() }
}

fn sum(temporality: i32, is_monotonic: bool) -> Metric {
    let data_points = vec![number(3.0)];
    let sum = Some(Sum { data_points, aggregation_temporality: temporality, is_monotonic });
    Metric { sum, ..Metric::default() }
}

#[test]
fn each_kind_of_number_means_what_it_says() {
    let gauge = Metric { gauge: Some(Gauge { data_points: vec![number(1.5)] }), ..Metric::default() };
    assert_eq!(values(gauge), [("m".to_owned(), Level, 1.5)]);
    for (metric, kind) in
        [(sum(1, true), Delta), (sum(1, false), Delta), (sum(2, true), Total), (sum(2, false), Level)]
    {
        assert_eq!(values(metric), [("m".to_owned(), kind, 3.0)]);
    }
}

#[test]
fn a_histogram_with_an_impossible_range_is_no_reason_to_panic() {
    for (min, max) in
        [(Some(f64::NAN), Some(3.0)), (Some(5.0), Some(3.0)), (Some(9.0), None), (None, Some(f64::NAN))]
    {
        let point = HistogramPoint {
            time_unix_nano: NOW_NS,
            count: 3,
            bucket_counts: vec![1, 2, 0],
            explicit_bounds: vec![1.0, 2.0],
            min,
            max,
            ..HistogramPoint::default()
        };
        let histogram = Histogram { data_points: vec![point], aggregation_temporality: 1 };
        let points = taken(Metric { histogram: Some(histogram), ..Metric::default() }).points;
        let finite = points.iter().all(|point| point.value.is_finite());
        assert!(finite, "only numbers are kept: {min:?} {max:?}");
    }
}

#[test]
fn a_histogram_tells_its_count_its_sum_and_its_quantiles() {
    let point = HistogramPoint {
        time_unix_nano: NOW_NS,
        count: 100,
        sum: Some(150.0),
        bucket_counts: vec![10, 80, 10],
        explicit_bounds: vec![1.0, 2.0],
        max: Some(4.0),
        ..HistogramPoint::default()
    };
    let told = Histogram { data_points: vec![point], aggregation_temporality: 2 };
    let named: Vec<(&str, MetricKind, f64)> = vec![
        ("m.count", Total, 100.0),
        ("m.sum", Total, 150.0),
        ("m.max", Level, 4.0),
        ("m.p50", Level, 1.5),
        ("m.p95", Level, 3.0),
        ("m.p99", Level, 3.8),
    ];
    let made = values(Metric { histogram: Some(told), ..Metric::default() });
    assert_eq!(made.len(), named.len());
    for (made, wanted) in made.iter().zip(named) {
        assert_eq!((made.0.as_str(), made.1), (wanted.0, wanted.1));
        assert!((made.2 - wanted.2).abs() < 1e-9, "{made:?}");
    }
}

#[test]
fn an_exponential_histogram_and_a_summary_do_too() {
    let point =
        ExponentialPoint { time_unix_nano: NOW_NS, count: 4, zero_count: 4, ..ExponentialPoint::default() };
    let told = ExponentialHistogram { data_points: vec![point], aggregation_temporality: 1 };
    let made = values(Metric { exponential_histogram: Some(told), ..Metric::default() });
    assert_eq!(made[0], ("m.count".to_owned(), Delta, 4.0));
    assert_eq!(made[1], ("m.p50".to_owned(), Level, 0.0));
    let quantile_values = vec![ValueAtQuantile { quantile: 0.999, value: 9.0 }];
    let point = SummaryPoint {
        time_unix_nano: NOW_NS,
        count: 2,
        sum: 5.0,
        quantile_values,
        ..SummaryPoint::default()
    };
    let made = values(Metric { summary: Some(Summary { data_points: vec![point] }), ..Metric::default() });
    assert_eq!(made[2], ("m.p99.9".to_owned(), Level, 9.0));
}

#[test]
fn tags_are_the_attributes_and_who_told() {
    let point =
        NumberPoint { attributes: vec![attribute("route", "/x"), attribute("code", 200)], ..number(1.0) };
    let gauge = Metric { gauge: Some(Gauge { data_points: vec![point] }), ..Metric::default() };
    let tags = &taken(gauge).points[0].tags;
    let tags: Vec<(&str, &str)> = tags.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(tags, [("code", "200"), ("host.name", "web-1"), ("route", "/x"), ("service.name", "shop")]);
}

#[test]
fn a_point_at_fault_is_refused_alone_and_none_is_made_of_no_value() {
    let none = NumberPoint { flags: 1, ..number(0.0) };
    let old = NumberPoint { time_unix_nano: 5, ..number(1.0) };
    let data_points =
        vec![number(f64::NAN), none, old, NumberPoint { as_double: None, ..number(0.0) }, number(2.0)];
    let made = taken(Metric { gauge: Some(Gauge { data_points }), ..Metric::default() });
    assert_eq!((made.refused.count(), made.points.len(), made.places), (3, 1, vec![3]));
    assert_eq!(
        taken(sum(0, true)).refused.message().as_deref(),
        Some("1: it doesn't say whether it is a delta or cumulative")
    );
}

#[test]
fn what_is_told_twice_has_the_same_id() {
    let [one, two] = [(); 2].map(|()| taken(sum(2, true)).points.remove(0).id);
    assert_eq!(one, two);
    let mut other = sum(2, true);
    other.sum.as_mut().expect("a sum").data_points[0].as_double = Some(4.0);
    assert_ne!(one, taken(other).points[0].id);
}
