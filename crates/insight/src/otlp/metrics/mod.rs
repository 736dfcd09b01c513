//! From OTLP's metrics to values.
//!
//! | told | kept |
//! |---|---|
//! | gauge; sum that can fall | `name`, a gauge |
//! | sum that only grows | `name`: a delta or a total, as its temporality says |
//! | histogram, exponential histogram | `name.count` and `name.sum`, as deltas or totals; `name.min` and `name.max` where told; `name.p50`, `name.p95`, `name.p99`, estimated from the buckets: of the time that the point is of |
//! | summary | `name.count` and `name.sum`, as totals; `name.p…` for each of its quantiles |
//!
//! Attributes are tags; so are the service's name and instance, as totals of two processes must not be taken for one's.

mod quantile;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};

use super::attributes::{Attributes, kept, words};
use super::refused::Refused;
use super::spans::Owner;
use super::wire::{
    ExponentialPoint, HistogramPoint, KeyValue, Metric, MetricsRequest, NumberPoint, SummaryPoint,
    Temporality,
};
use crate::performance_metrics::{MetricKind, Point, Tags, check_time};
use crate::redact;

/// Set where a point says that there is no value.
const NO_VALUE: u32 = 1;
/// Bytes of a metric's name.
const MAX_NAME: usize = 180;
/// Tags of a value, but for those of the service.
const MAX_TAGS: usize = 30;
/// Bytes of a tag's name.
const MAX_KEY: usize = 100;
/// Bytes of a tag's value.
const MAX_TAG: usize = 256;
/// The quantiles that are estimated of a histogram.
const QUANTILES: [(&str, f64); 3] = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)];
/// Why.
const NO_NUMBER: &str = "its value is no number";
const NO_TEMPORALITY: &str = "it doesn't say whether it is a delta or cumulative";

/// The values of a request, each with the number of the point that it comes from.
#[derive(Default)]
pub(super) struct Values {
    pub(super) points: Vec<Point>,
    pub(super) places: Vec<usize>,
    pub(super) refused: Refused,
    told: usize,
}

/// Of which time values are taken.
#[derive(Clone, Copy)]
pub(super) struct When {
    pub(super) now: DateTime<Utc>,
    pub(super) max_age_days: u32,
}

/// What the values of a point have in common.
struct Of<'a> {
    owner: Owner,
    metric: &'a Metric,
    tags: Tags,
    at: DateTime<Utc>,
}

/// The values of a request.
pub(super) fn take(request: &MetricsRequest, owner: Owner, when: When) -> Values {
    let mut values = Values::default();
    for of in &request.resource_metrics {
        let resource = Attributes(of.resource.as_ref().map_or(&[], |resource| &resource.attributes));
        for metric in of.scope_metrics.iter().flat_map(|scope| &scope.metrics) {
            values.metric(metric, resource, owner, when);
        }
    }
    values
}

impl Values {
    fn metric(&mut self, metric: &Metric, resource: Attributes<'_>, owner: Owner, when: When) {
        let mut each =
            |attributes: &[KeyValue], at: u64, flags: u32, values: Result<Vec<Value>, &'static str>| {
                if flags & NO_VALUE == 0 {
                    let made = of(metric, attributes, at, resource, owner, when);
                    self.add(made.and_then(|of| Ok((of, values?))));
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
        if let Some(told) = &metric.histogram {
            for point in &told.data_points {
                let values = histogram(point, kind(told.aggregation_temporality));
                each(&point.attributes, point.time_unix_nano, point.flags, values);
            }
        }
        if let Some(told) = &metric.exponential_histogram {
            for point in &told.data_points {
                let values = exponential(point, kind(told.aggregation_temporality));
                each(&point.attributes, point.time_unix_nano, point.flags, values);
            }
        }
        if let Some(told) = &metric.summary {
            for point in &told.data_points {
                each(&point.attributes, point.time_unix_nano, point.flags, Ok(summary(point)));
            }
        }
    }

    fn add(&mut self, made: Result<(Of<'_>, Vec<Value>), &'static str>) {
        let place = self.told;
        self.told += 1;
        match made {
            Err(why) => self.refused.add(why),
            Ok((_, values)) if values.iter().any(|value| !value.value.is_finite()) => {
                self.refused.add(NO_NUMBER)
            }
            Ok((of, values)) => {
                self.places.extend(values.iter().map(|_| place));
                self.points.extend(values.into_iter().map(|value| of.point(value)));
            }
        }
    }
}

/// A value, what its name ends in, and what it means.
struct Value {
    suffix: String,
    kind: MetricKind,
    value: f64,
}

fn value(suffix: impl Into<String>, kind: MetricKind, value: f64) -> Value {
    Value { suffix: suffix.into(), kind, value }
}

impl Of<'_> {
    fn point(&self, Value { suffix, kind, value }: Value) -> Point {
        let name = kept(&self.metric.name, MAX_NAME);
        let name = if suffix.is_empty() { name } else { format!("{name}.{suffix}") };
        // a count is of nothing that has a unit
        let unit = Some(&self.metric.unit).filter(|unit| !unit.is_empty() && suffix != "count");
        let unit = unit.map(|unit| kept(unit, 64));
        Point::new(self.owner.project, name, kind, unit, self.tags.clone(), value, self.at)
    }
}

fn of<'a>(
    metric: &'a Metric,
    attributes: &[KeyValue],
    at: u64,
    resource: Attributes<'_>,
    owner: Owner,
    when: When,
) -> Result<Of<'a>, &'static str> {
    if metric.name.trim().is_empty() {
        return Err("its metric has no name");
    }
    let at = i64::try_from(at)
        .ok()
        .filter(|nanos| *nanos > 0)
        .ok_or("the time when it was measured is missing")?;
    let at = DateTime::from_timestamp_nanos(at);
    check_time(at, when.max_age_days, when.now)?;
    if attributes.len() > MAX_TAGS {
        return Err("it has more than 30 attributes");
    }
    let tag = |attribute: &KeyValue| {
        let value = words(attribute.value.as_ref()?.value.as_ref()?);
        Some((kept(&attribute.key, MAX_KEY), kept(&redact::text(&value), MAX_TAG)))
    };
    let mut tags: Tags = attributes.iter().filter_map(tag).collect();
    for names in [&["service.name"][..], &["service.instance.id", "host.name"]] {
        if let Some((name, value)) = names.iter().find_map(|name| Some((*name, resource.text(&[name])?))) {
            tags.entry(name.to_owned()).or_insert_with(|| kept(value, MAX_TAG));
        }
    }
    Ok(Of { owner, metric, tags, at })
}

fn kind(temporality: i32) -> Result<MetricKind, &'static str> {
    match Temporality::of(temporality) {
        Some(Temporality::Delta) => Ok(MetricKind::Delta),
        Some(Temporality::Cumulative) => Ok(MetricKind::Total),
        None => Err(NO_TEMPORALITY),
    }
}

#[expect(clippy::cast_precision_loss, reason = "metrics are numbers of about that exactness")]
fn number(point: &NumberPoint, kind: Result<MetricKind, &'static str>) -> Result<Vec<Value>, &'static str> {
    let told = point.as_double.or(point.as_int.map(|number| number as f64)).ok_or(NO_NUMBER)?;
    Ok(vec![value("", kind?, told)])
}

#[expect(clippy::cast_precision_loss, reason = "a count")]
fn spread(
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
        // not `clamp`, which panics where the sender's range is none: NaN, or a minimum above the maximum
        let estimate = quantile::quantile(buckets, share)
            .map(|at| at.max(min.unwrap_or(at)).min(max.unwrap_or(f64::INFINITY)));
        values.extend(estimate.map(|estimate| value(name, MetricKind::Gauge, estimate)));
    }
    values
}

fn histogram(
    point: &HistogramPoint,
    kind: Result<MetricKind, &'static str>,
) -> Result<Vec<Value>, &'static str> {
    let (bounds, counts) = (&point.explicit_bounds, &point.bucket_counts);
    if !counts.is_empty() && counts.len() != bounds.len() + 1 {
        return Err("its buckets don't fit their bounds");
    }
    let range = (point.min, point.max);
    let buckets = quantile::explicit(bounds, counts, range);
    Ok(spread(kind?, point.count, point.sum, range, &buckets))
}

fn exponential(
    point: &ExponentialPoint,
    kind: Result<MetricKind, &'static str>,
) -> Result<Vec<Value>, &'static str> {
    let buckets = quantile::exponential(point);
    Ok(spread(kind?, point.count, point.sum, (point.min, point.max), &buckets))
}

#[expect(clippy::cast_precision_loss, reason = "a count")]
fn summary(point: &SummaryPoint) -> Vec<Value> {
    let mut values = vec![
        value("count", MetricKind::Total, point.count as f64),
        value("sum", MetricKind::Total, point.sum),
    ];
    let quantiles = point.quantile_values.iter().take(16);
    values.extend(quantiles.map(|told| {
        let name = format!("p{}", (told.quantile * 1e4).round() / 1e2);
        value(name, MetricKind::Gauge, told.value)
    }));
    values
}
