use chrono::DateTime;

use super::{Values, convert};
use crate::ingest::TimeLimits;
use crate::otlp::tests::{NOW_NS, PROJECT, attribute};
use crate::otlp::wire::{
    ExponentialHistogram, ExponentialHistogramDataPoint, ExportMetricsServiceRequest, Gauge, Histogram,
    HistogramDataPoint, Metric, NumberDataPoint, Resource, ResourceMetrics, ScopeMetrics, Sum, Summary,
    SummaryDataPoint, ValueAtQuantile,
};
use crate::performance_metrics::MetricKind::{self, Delta, Gauge as Level, Total};

fn converted_metric(metric: Metric) -> Values {
    let resource = Some(Resource {
        attributes: vec![attribute("service.name", "shop"), attribute("host.name", "web-1")],
    });
    let metric = Metric { name: "m".to_owned(), unit: "s".to_owned(), ..metric };
    let scope_metrics = vec![ScopeMetrics { metrics: vec![metric] }];
    let request =
        ExportMetricsServiceRequest { resource_metrics: vec![ResourceMetrics { resource, scope_metrics }] };
    let now = DateTime::from_timestamp_nanos(i64::try_from(NOW_NS).expect("a time"));
    convert(&request, PROJECT, TimeLimits { now, max_age_days: 7 })
}

fn values(metric: Metric) -> Vec<(String, MetricKind, f64)> {
    let output = converted_metric(metric);
    assert_eq!(output.rejections.count(), 0, "{:?}", output.rejections);
    output.points.into_iter().map(|point| (point.name, point.kind, point.value)).collect()
}

fn number(value: f64) -> NumberDataPoint {
    NumberDataPoint { time_unix_nano: NOW_NS, as_double: Some(value), ..NumberDataPoint::default() }
}

fn sum(temporality: i32, is_monotonic: bool) -> Metric {
    let data_points = vec![number(3.0)];
    let sum = Some(Sum { data_points, aggregation_temporality: temporality, is_monotonic });
    Metric { sum, ..Metric::default() }
}

#[test]
fn each_type_of_number_has_its_kind() {
    let gauge = Metric { gauge: Some(Gauge { data_points: vec![number(1.5)] }), ..Metric::default() };
    assert_eq!(values(gauge), [("m".to_owned(), Level, 1.5)]);
    for (metric, kind) in
        [(sum(1, true), Delta), (sum(1, false), Delta), (sum(2, true), Total), (sum(2, false), Level)]
    {
        assert_eq!(values(metric), [("m".to_owned(), kind, 3.0)]);
    }
}

#[test]
fn a_histogram_with_an_invalid_range_does_not_panic() {
    for (min, max) in
        [(Some(f64::NAN), Some(3.0)), (Some(5.0), Some(3.0)), (Some(9.0), None), (None, Some(f64::NAN))]
    {
        let point = HistogramDataPoint {
            time_unix_nano: NOW_NS,
            count: 3,
            bucket_counts: vec![1, 2, 0],
            explicit_bounds: vec![1.0, 2.0],
            min,
            max,
            ..HistogramDataPoint::default()
        };
        let histogram = Histogram { data_points: vec![point], aggregation_temporality: 1 };
        let points = converted_metric(Metric { histogram: Some(histogram), ..Metric::default() }).points;
        let finite = points.iter().all(|point| point.value.is_finite());
        assert!(finite, "only finite numbers are stored: {min:?} {max:?}");
    }
}

#[test]
fn a_histogram_has_a_count_a_sum_and_quantiles() {
    let point = HistogramDataPoint {
        time_unix_nano: NOW_NS,
        count: 100,
        sum: Some(150.0),
        bucket_counts: vec![10, 80, 10],
        explicit_bounds: vec![1.0, 2.0],
        max: Some(4.0),
        ..HistogramDataPoint::default()
    };
    let histogram = Histogram { data_points: vec![point], aggregation_temporality: 2 };
    let named: Vec<(&str, MetricKind, f64)> = vec![
        ("m.count", Total, 100.0),
        ("m.sum", Total, 150.0),
        ("m.max", Level, 4.0),
        ("m.p50", Level, 1.5),
        ("m.p95", Level, 3.0),
        ("m.p99", Level, 3.8),
    ];
    let converted = values(Metric { histogram: Some(histogram), ..Metric::default() });
    assert_eq!(converted.len(), named.len());
    for (converted, expected) in converted.iter().zip(named) {
        assert_eq!((converted.0.as_str(), converted.1), (expected.0, expected.1));
        assert!((converted.2 - expected.2).abs() < 1e-9, "{converted:?}");
    }
}

#[test]
fn so_do_exponential_histograms_and_summaries() {
    let point = ExponentialHistogramDataPoint {
        time_unix_nano: NOW_NS,
        count: 4,
        zero_count: 4,
        ..ExponentialHistogramDataPoint::default()
    };
    let histogram = ExponentialHistogram { data_points: vec![point], aggregation_temporality: 1 };
    let converted = values(Metric { exponential_histogram: Some(histogram), ..Metric::default() });
    assert_eq!(converted[0], ("m.count".to_owned(), Delta, 4.0));
    assert_eq!(converted[1], ("m.p50".to_owned(), Level, 0.0));
    let quantile_values = vec![ValueAtQuantile { quantile: 0.999, value: 9.0 }];
    let point = SummaryDataPoint {
        time_unix_nano: NOW_NS,
        count: 2,
        sum: 5.0,
        quantile_values,
        ..SummaryDataPoint::default()
    };
    let converted =
        values(Metric { summary: Some(Summary { data_points: vec![point] }), ..Metric::default() });
    assert_eq!(converted[2], ("m.p99.9".to_owned(), Level, 9.0));
}

#[test]
fn tags_are_the_attributes_and_the_service() {
    let point =
        NumberDataPoint { attributes: vec![attribute("route", "/x"), attribute("code", 200)], ..number(1.0) };
    let gauge = Metric { gauge: Some(Gauge { data_points: vec![point] }), ..Metric::default() };
    let tags = &converted_metric(gauge).points[0].tags;
    let tags: Vec<(&str, &str)> = tags.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(tags, [("code", "200"), ("host.name", "web-1"), ("route", "/x"), ("service.name", "shop")]);
}

#[test]
fn invalid_points_are_rejected_individually_and_points_without_value_are_skipped() {
    let none = NumberDataPoint { flags: 1, ..number(0.0) };
    let old = NumberDataPoint { time_unix_nano: 5, ..number(1.0) };
    let data_points =
        vec![number(f64::NAN), none, old, NumberDataPoint { as_double: None, ..number(0.0) }, number(2.0)];
    let converted = converted_metric(Metric { gauge: Some(Gauge { data_points }), ..Metric::default() });
    assert_eq!(
        (converted.rejections.count(), converted.points.len(), converted.point_indexes),
        (3, 1, vec![3])
    );
    assert_eq!(
        converted_metric(sum(0, true)).rejections.message().as_deref(),
        Some("1: the aggregation temporality is missing")
    );
}

#[test]
fn duplicates_have_the_same_id() {
    let [one, two] = [(); 2].map(|()| converted_metric(sum(2, true)).points.remove(0).id);
    assert_eq!(one, two);
    let mut other = sum(2, true);
    other.sum.as_mut().expect("a sum").data_points[0].as_double = Some(4.0);
    assert_ne!(one, converted_metric(other).points[0].id);
}
