//! Converts OTLP metrics to Loam's metric values.
//!
//! | OTLP | stored |
//! |---|---|
//! | gauge; non-monotonic cumulative sum | `name`, a gauge |
//! | delta sum; monotonic cumulative sum | `name`: a delta or a total, by temporality |
//! | histogram, exponential histogram | `name.count` and `name.sum`, as deltas or totals; `name.min` and `name.max` if present; `name.p50`, `name.p95`, `name.p99`, estimated from the buckets of the point |
//! | summary | `name.count` and `name.sum`, as totals; `name.p…` for each quantile |
//!
//! Attributes become tags. So do the service's name and instance, since totals of two processes must not be mixed.

mod quantile;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};

use super::attributes::{Attributes, storable, value_text};
use super::project_ref::ProjectRef;
use super::rejections::Rejections;
use super::wire::{
    ExponentialHistogramDataPoint, ExportMetricsServiceRequest, HistogramDataPoint, KeyValue, Metric,
    NumberDataPoint, SummaryDataPoint, Temporality,
};
use crate::ingest::TimeLimits;
use crate::performance_metrics::{MetricKind, Point, Tags};
use crate::redact;

/// The flag of a data point without a recorded value.
const NO_VALUE: u32 = 1;
/// Maximum length of a metric name, in bytes.
const MAX_NAME: usize = 180;
/// Maximum number of tags of a value, without those of the service.
const MAX_TAGS: usize = 30;
/// Maximum length of a tag name, in bytes.
const MAX_TAG_NAME: usize = 100;
/// Maximum length of a tag value, in bytes.
const MAX_TAG_VALUE: usize = 256;
/// The quantiles estimated for a histogram.
const QUANTILES: [(&str, f64); 3] = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)];
/// Reasons for rejection.
const NOT_A_NUMBER: &str = "the value is not a number";
const NO_TEMPORALITY: &str = "the aggregation temporality is missing";

/// The values of a request, each with the index of its data point.
#[derive(Default)]
pub(super) struct Values {
    pub(super) points: Vec<Point>,
    pub(super) point_indexes: Vec<usize>,
    pub(super) rejections: Rejections,
    point_count: usize,
}

/// What the values of a data point have in common.
struct PointContext<'a> {
    project_ref: ProjectRef,
    metric: &'a Metric,
    tags: Tags,
    at: DateTime<Utc>,
}

/// Converts a request.
pub(super) fn convert(
    request: &ExportMetricsServiceRequest,
    project_ref: ProjectRef,
    times: TimeLimits,
) -> Values {
    let mut values = Values::default();
    for of in &request.resource_metrics {
        let resource = Attributes(of.resource.as_ref().map_or(&[], |resource| &resource.attributes));
        for metric in of.scope_metrics.iter().flat_map(|scope| &scope.metrics) {
            values.metric(metric, resource, project_ref, times);
        }
    }
    values
}

impl Values {
    fn metric(
        &mut self,
        metric: &Metric,
        resource: Attributes<'_>,
        project_ref: ProjectRef,
        times: TimeLimits,
    ) {
        let mut each =
            |attributes: &[KeyValue], at: u64, flags: u32, values: Result<Vec<Value>, &'static str>| {
                if flags & NO_VALUE == 0 {
                    let converted = point_context(metric, attributes, at, resource, project_ref, times);
                    self.add(converted.and_then(|context| Ok((context, values?))));
                }
            };
        if let Some(gauge) = &metric.gauge {
            for point in &gauge.data_points {
                each(
                    &point.attributes,
                    point.time_unix_nano,
                    point.flags,
                    number(point, Ok(MetricKind::Gauge)),
                );
            }
        }
        if let Some(sum) = &metric.sum {
            let kind = match Temporality::of(sum.aggregation_temporality) {
                Some(Temporality::Delta) => Ok(MetricKind::Delta),
                Some(Temporality::Cumulative) if sum.is_monotonic => Ok(MetricKind::Total),
                Some(Temporality::Cumulative) => Ok(MetricKind::Gauge),
                None => Err(NO_TEMPORALITY),
            };
            for point in &sum.data_points {
                each(&point.attributes, point.time_unix_nano, point.flags, number(point, kind));
            }
        }
        if let Some(data) = &metric.histogram {
            for point in &data.data_points {
                let values = histogram(point, kind(data.aggregation_temporality));
                each(&point.attributes, point.time_unix_nano, point.flags, values);
            }
        }
        if let Some(data) = &metric.exponential_histogram {
            for point in &data.data_points {
                let values = exponential(point, kind(data.aggregation_temporality));
                each(&point.attributes, point.time_unix_nano, point.flags, values);
            }
        }
        if let Some(data) = &metric.summary {
            for point in &data.data_points {
                each(&point.attributes, point.time_unix_nano, point.flags, Ok(summary(point)));
            }
        }
    }

    fn add(&mut self, converted: Result<(PointContext<'_>, Vec<Value>), &'static str>) {
        let index = self.point_count;
        self.point_count += 1;
        match converted {
            Err(reason) => self.rejections.add(reason),
            Ok((_, values)) if values.iter().any(|value| !value.value.is_finite()) => {
                self.rejections.add(NOT_A_NUMBER)
            }
            Ok((context, values)) => {
                self.point_indexes.extend(values.iter().map(|_| index));
                self.points.extend(values.into_iter().map(|value| context.point(value)));
            }
        }
    }
}

/// A value, with the suffix of its name and its kind.
struct Value {
    suffix: String,
    kind: MetricKind,
    value: f64,
}

fn value(suffix: impl Into<String>, kind: MetricKind, value: f64) -> Value {
    Value { suffix: suffix.into(), kind, value }
}

impl PointContext<'_> {
    fn point(&self, Value { suffix, kind, value }: Value) -> Point {
        let name = storable(&self.metric.name, MAX_NAME);
        let name = if suffix.is_empty() { name } else { format!("{name}.{suffix}") };
        // a count has no unit
        let unit = Some(&self.metric.unit).filter(|unit| !unit.is_empty() && suffix != "count");
        let unit = unit.map(|unit| storable(unit, 64));
        Point::new(self.project_ref.project, name, kind, unit, self.tags.clone(), value, self.at)
    }
}

fn point_context<'a>(
    metric: &'a Metric,
    attributes: &[KeyValue],
    at: u64,
    resource: Attributes<'_>,
    project_ref: ProjectRef,
    times: TimeLimits,
) -> Result<PointContext<'a>, &'static str> {
    if metric.name.trim().is_empty() {
        return Err("the metric has no name");
    }
    let at = i64::try_from(at).ok().filter(|nanos| *nanos > 0).ok_or("time_unix_nano is missing")?;
    let at = DateTime::from_timestamp_nanos(at);
    times.check(at).map_err(|e| e.message)?;
    if attributes.len() > MAX_TAGS {
        return Err("there are more than 30 attributes");
    }
    let tag = |attribute: &KeyValue| {
        let value = value_text(attribute.value.as_ref()?.value.as_ref()?);
        Some((storable(&attribute.key, MAX_TAG_NAME), storable(&redact::text(&value), MAX_TAG_VALUE)))
    };
    let mut tags: Tags = attributes.iter().filter_map(tag).collect();
    for names in [&["service.name"][..], &["service.instance.id", "host.name"]] {
        if let Some((name, value)) = names.iter().find_map(|name| Some((*name, resource.text(&[name])?))) {
            tags.entry(name.to_owned()).or_insert_with(|| storable(value, MAX_TAG_VALUE));
        }
    }
    Ok(PointContext { project_ref, metric, tags, at })
}

fn kind(temporality: i32) -> Result<MetricKind, &'static str> {
    match Temporality::of(temporality) {
        Some(Temporality::Delta) => Ok(MetricKind::Delta),
        Some(Temporality::Cumulative) => Ok(MetricKind::Total),
        None => Err(NO_TEMPORALITY),
    }
}

#[expect(clippy::cast_precision_loss, reason = "metric values don't need more than 53 bits")]
fn number(
    point: &NumberDataPoint,
    kind: Result<MetricKind, &'static str>,
) -> Result<Vec<Value>, &'static str> {
    let value_of_point = point.as_double.or(point.as_int.map(|number| number as f64)).ok_or(NOT_A_NUMBER)?;
    Ok(vec![value("", kind?, value_of_point)])
}

#[expect(clippy::cast_precision_loss, reason = "a count")]
fn distribution_values(
    kind: MetricKind,
    count: u64,
    sum: Option<f64>,
    (min, max): (Option<f64>, Option<f64>),
    buckets: &[quantile::Bucket],
) -> Vec<Value> {
    let mut values = vec![value("count", kind, count as f64)];
    values.extend(sum.map(|sum| value("sum", kind, sum)));
    values.extend(min.map(|min| value("min", MetricKind::Gauge, min)));
    values.extend(max.map(|max| value("max", MetricKind::Gauge, max)));
    for (name, share) in QUANTILES {
        // not `clamp`, which panics on an invalid range: NaN, or a minimum above the maximum
        let estimate = quantile::quantile(buckets, share)
            .map(|at| at.max(min.unwrap_or(at)).min(max.unwrap_or(f64::INFINITY)));
        values.extend(estimate.map(|estimate| value(name, MetricKind::Gauge, estimate)));
    }
    values
}

fn histogram(
    point: &HistogramDataPoint,
    kind: Result<MetricKind, &'static str>,
) -> Result<Vec<Value>, &'static str> {
    let (bounds, counts) = (&point.explicit_bounds, &point.bucket_counts);
    if !counts.is_empty() && counts.len() != bounds.len() + 1 {
        return Err("the number of buckets does not match the number of bounds");
    }
    let range = (point.min, point.max);
    let buckets = quantile::explicit(bounds, counts, range);
    Ok(distribution_values(kind?, point.count, point.sum, range, &buckets))
}

fn exponential(
    point: &ExponentialHistogramDataPoint,
    kind: Result<MetricKind, &'static str>,
) -> Result<Vec<Value>, &'static str> {
    let buckets = quantile::exponential(point);
    Ok(distribution_values(kind?, point.count, point.sum, (point.min, point.max), &buckets))
}

#[expect(clippy::cast_precision_loss, reason = "a count")]
fn summary(point: &SummaryDataPoint) -> Vec<Value> {
    let mut values = vec![
        value("count", MetricKind::Total, point.count as f64),
        value("sum", MetricKind::Total, point.sum),
    ];
    let quantiles = point.quantile_values.iter().take(16);
    values.extend(quantiles.map(|quantile| {
        let name = format!("p{}", (quantile.quantile * 1e4).round() / 1e2);
        value(name, MetricKind::Gauge, quantile.value)
    }));
    values
}
