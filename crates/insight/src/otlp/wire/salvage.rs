//! Decodes a request item by item, after a value in it could not be decoded: only the item with that value is rejected.

use serde::de::DeserializeOwned;

use super::common::{InstrumentationScope, Resource};
use super::fragment::{Field, Fragment};
use super::logs::{ExportLogsServiceRequest, LogRecord, ResourceLogs, ScopeLogs};
use super::metrics::{
    ExponentialHistogram, ExportMetricsServiceRequest, Gauge, Histogram, Metric, ResourceMetrics,
    ScopeMetrics, Sum, Summary,
};
use super::trace::{ExportTraceServiceRequest, ResourceSpans, ScopeSpans, Span};
use crate::ingest::RecordError;

/// Maximum number of rejected spans stored per request: they mostly have the same error.
pub(in crate::otlp) const MAX_STORED_REJECTED: usize = 20;

const RESOURCE_SPANS: Field = Field(1, "resourceSpans", "resource_spans");
const SCOPE_SPANS: Field = Field(2, "scopeSpans", "scope_spans");
const SPANS: Field = Field(2, "spans", "spans");
const RESOURCE_METRICS: Field = Field(1, "resourceMetrics", "resource_metrics");
const SCOPE_METRICS: Field = Field(2, "scopeMetrics", "scope_metrics");
const METRICS: Field = Field(2, "metrics", "metrics");
const RESOURCE_LOGS: Field = Field(1, "resourceLogs", "resource_logs");
const SCOPE_LOGS: Field = Field(2, "scopeLogs", "scope_logs");
const LOG_RECORDS: Field = Field(2, "logRecords", "log_records");
const RESOURCE: Field = Field(1, "resource", "resource");
const SCOPE: Field = Field(1, "scope", "scope");
const GAUGE: Field = Field(5, "gauge", "gauge");
const SUM: Field = Field(7, "sum", "sum");
const HISTOGRAM: Field = Field(9, "histogram", "histogram");
const EXPONENTIAL: Field = Field(10, "exponentialHistogram", "exponential_histogram");
const SUMMARY: Field = Field(11, "summary", "summary");
const POINTS: Field = Field(1, "dataPoints", "data_points");

/// A decoded request.
#[derive(Debug, Default)]
pub(in crate::otlp) struct Decoded<T> {
    /// The request with the items that could be decoded.
    pub(in crate::otlp) request: T,
    pub(in crate::otlp) undecodable: Undecodable,
}

/// The items with a value that can't be decoded.
#[derive(Debug, Default)]
pub(in crate::otlp) struct Undecodable {
    pub(in crate::otlp) count: u64,
    pub(in crate::otlp) first: Option<RecordError>,
    /// The first spans, without the value, with their resource and scope.
    pub(in crate::otlp) spans: Vec<(ExportTraceServiceRequest, RecordError)>,
}

impl Undecodable {
    fn add(&mut self, error: &RecordError) {
        self.count += 1;
        self.first.get_or_insert_with(|| error.clone());
    }

    fn add_span(
        &mut self,
        error: RecordError,
        span: Span,
        resource: Option<&Resource>,
        scope: Option<&InstrumentationScope>,
    ) {
        self.add(&error);
        if self.spans.len() < MAX_STORED_REJECTED {
            let scope_spans = vec![ScopeSpans { scope: scope.cloned(), spans: vec![span] }];
            let resource_spans = vec![ResourceSpans { resource: resource.cloned(), scope_spans }];
            self.spans.push((ExportTraceServiceRequest { resource_spans }, error));
        }
    }
}

/// A request that can be decoded item by item.
pub(in crate::otlp) trait Salvage: Sized {
    /// None if the structure above the items is invalid.
    fn salvage(body: Fragment<'_>) -> Option<Decoded<Self>>;
}

impl Salvage for ExportTraceServiceRequest {
    fn salvage(body: Fragment<'_>) -> Option<Decoded<Self>> {
        let (mut request, mut undecodable) = (Self::default(), Undecodable::default());
        for of in body.list(RESOURCE_SPANS)? {
            let mut resource_spans =
                ResourceSpans { resource: shared::<Resource>(of, RESOURCE)?, ..Default::default() };
            for of in of.list(SCOPE_SPANS)? {
                let mut scope_spans =
                    ScopeSpans { scope: shared::<InstrumentationScope>(of, SCOPE)?, spans: Vec::new() };
                for span in of.list(SPANS)? {
                    match span.decode::<Span>() {
                        (span, None) => scope_spans.spans.push(span),
                        (span, Some(error)) => {
                            let (resource, scope) =
                                (resource_spans.resource.as_ref(), scope_spans.scope.as_ref());
                            undecodable.add_span(error, span, resource, scope);
                        }
                    }
                }
                resource_spans.scope_spans.push(scope_spans);
            }
            request.resource_spans.push(resource_spans);
        }
        Some(Decoded { request, undecodable })
    }
}

impl Salvage for ExportMetricsServiceRequest {
    fn salvage(body: Fragment<'_>) -> Option<Decoded<Self>> {
        let (mut request, mut undecodable) = (Self::default(), Undecodable::default());
        for of in body.list(RESOURCE_METRICS)? {
            let mut resource_metrics =
                ResourceMetrics { resource: shared::<Resource>(of, RESOURCE)?, ..Default::default() };
            for of in of.list(SCOPE_METRICS)? {
                let metrics = of.list(METRICS)?.into_iter();
                let metrics = metrics.map(|of| metric(of, &mut undecodable)).collect::<Option<_>>()?;
                resource_metrics.scope_metrics.push(ScopeMetrics { metrics });
            }
            request.resource_metrics.push(resource_metrics);
        }
        Some(Decoded { request, undecodable })
    }
}

impl Salvage for ExportLogsServiceRequest {
    fn salvage(body: Fragment<'_>) -> Option<Decoded<Self>> {
        let (mut request, mut undecodable) = (Self::default(), Undecodable::default());
        for of in body.list(RESOURCE_LOGS)? {
            let mut resource_logs =
                ResourceLogs { resource: shared::<Resource>(of, RESOURCE)?, ..Default::default() };
            for of in of.list(SCOPE_LOGS)? {
                let mut scope_logs =
                    ScopeLogs { scope: shared::<InstrumentationScope>(of, SCOPE)?, log_records: Vec::new() };
                for record in of.list(LOG_RECORDS)? {
                    match record.decode::<LogRecord>() {
                        (record, None) => scope_logs.log_records.push(record),
                        (_, Some(error)) => undecodable.add(&error),
                    }
                }
                resource_logs.scope_logs.push(scope_logs);
            }
            request.resource_logs.push(resource_logs);
        }
        Some(Decoded { request, undecodable })
    }
}

/// A resource or scope, which many items share: without the values that can't be decoded.
fn shared<T: prost::Message + Default + DeserializeOwned>(
    of: Fragment<'_>,
    field: Field,
) -> Option<Option<T>> {
    Some(of.message(field)?.map(|fragment| fragment.decode::<T>().0))
}

fn metric(of: Fragment<'_>, undecodable: &mut Undecodable) -> Option<Metric> {
    let without = of.without(&[GAUGE, SUM, HISTOGRAM, EXPONENTIAL, SUMMARY])?;
    let (mut metric, error) = without.fragment().decode::<Metric>();
    let mut found = Found { error, undecodable };
    metric.gauge = found.data(of, GAUGE, |data: &mut Gauge| &mut data.data_points)?;
    metric.sum = found.data(of, SUM, |data: &mut Sum| &mut data.data_points)?;
    metric.histogram = found.data(of, HISTOGRAM, |data: &mut Histogram| &mut data.data_points)?;
    metric.exponential_histogram =
        found.data(of, EXPONENTIAL, |data: &mut ExponentialHistogram| &mut data.data_points)?;
    metric.summary = found.data(of, SUMMARY, |data: &mut Summary| &mut data.data_points)?;
    Some(metric)
}

/// What was found wrong in a metric.
struct Found<'u> {
    /// In the metric itself: it concerns all of its points.
    error: Option<RecordError>,
    undecodable: &'u mut Undecodable,
}

impl Found<'_> {
    /// The data of a metric, with the points that can be decoded.
    fn data<D, P>(
        &mut self,
        of: Fragment<'_>,
        field: Field,
        points: fn(&mut D) -> &mut Vec<P>,
    ) -> Option<Option<D>>
    where
        D: prost::Message + Default + DeserializeOwned,
        P: prost::Message + Default + DeserializeOwned,
    {
        let Some(of) = of.message(field)? else { return Some(None) };
        let (mut data, error) = of.without(&[POINTS])?.fragment().decode::<D>();
        let error = self.error.clone().or(error);
        for point in of.list(POINTS)? {
            let (point, own) = point.decode::<P>();
            match error.as_ref().or(own.as_ref()) {
                None => points(&mut data).push(point),
                Some(error) => self.undecodable.add(error),
            }
        }
        Some(Some(data))
    }
}
