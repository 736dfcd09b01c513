//! Personal data in this crate: telemetry of requests made by or for a person.
//!
//! A trace that mentions a person is deleted whole: its requests, calls, errors and diagnoses. The statistics it was
//! counted in remain.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use loam_db::{Tenant, TenantEntity, Tx};
use loam_kernel::Result;
use loam_platform::error_logs::entity as errors;
use loam_platform::pack::unpack_json;
use loam_platform::personal::{Cursor, PersonQuery, PersonalDataStore, Removed, Rows, Step};
use sea_orm::sea_query::Condition;
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::alert_rules::AlertRecipients;
use crate::analyses::entity as analyses;
use crate::analyses::routes::AnalysisView;
use crate::call_trees::entity as trees;
use crate::performance_metrics::entity as metrics;
use crate::performance_metrics::routes::PerformanceMetricView;
use crate::performance_records::entity as records;
use crate::rejected_records::entity as rejected;
use crate::stats::metrics as sums;
use crate::suggestions::entity as suggestions;
use crate::suggestions::routes::SuggestionView;
use crate::trace;

/// Rows per page.
const PAGE: u64 = 100;

/// The stores of this crate that can hold personal data.
pub fn stores() -> Vec<Arc<dyn PersonalDataStore>> {
    vec![
        Arc::new(TREES),
        Arc::new(RECORDS),
        Arc::new(REJECTED),
        Arc::new(ANALYSES),
        Arc::new(SUGGESTIONS),
        Arc::new(METRICS),
        Arc::new(METRIC_SUMS),
        Arc::new(AlertRecipients),
    ]
}

const REJECTED: Rows<rejected::Entity> = Rows::by_full_scan(
    "rejected_records",
    |row: &rejected::Model, who: &PersonQuery| {
        who.matches_text(&row.message) || is_named_in_packed(&row.payload, who)
    },
    |row: &rejected::Model| row.id.0,
    |row: rejected::Model| json!({ "id": row.id, "project_id": row.project_id, "payload": unpack_json(&row.payload), "created_at": row.created_at }),
);

const ANALYSES: Rows<analyses::Entity> = Rows::by_full_scan(
    "ai_analysis_results",
    |row: &analyses::Model, who: &PersonQuery| {
        let mention = who.mention();
        [Some(&row.analysis_input), row.analysis_results.as_ref(), Some(&row.metadata)]
            .into_iter()
            .flatten()
            .any(|value| mention.in_json(value))
    },
    |row: &analyses::Model| row.id.0,
    |row: analyses::Model| view(AnalysisView::from(row)),
);

const SUGGESTIONS: Rows<suggestions::Entity> = Rows::by_full_scan(
    "suggestions",
    |row: &suggestions::Model, who: &PersonQuery| {
        let mention = who.mention();
        let texts = [&row.title, &row.description].into_iter().chain(&row.code_example);
        texts.into_iter().any(|text| mention.in_text(text))
            || row.parameters.as_ref().is_some_and(|parameters| who.matches_json(parameters))
    },
    |row: &suggestions::Model| row.id.0,
    |row: suggestions::Model| view(SuggestionView::from(row)),
);

const METRICS: Rows<metrics::Entity> = Rows::by_full_scan(
    "performance_metrics",
    |row: &metrics::Model, who: &PersonQuery| who.matches_json(&row.tags),
    |row: &metrics::Model| row.id.0,
    |row: metrics::Model| view(PerformanceMetricView::from(row)),
);

const METRIC_SUMS: Rows<sums::Entity> = Rows::by_full_scan(
    "metric_stats",
    |row: &sums::Model, who: &PersonQuery| who.matches_json(&row.tags),
    |row: &sums::Model| row.id.0,
    |row: sums::Model| json!({ "metric_name": row.metric_name, "tags": row.tags, "bucket": row.bucket, "samples": row.samples }),
);

/// A table of rows that belong to traces. Those of a person's traces are found by an index, others by what they hold.
struct TraceRows<E: TenantEntity> {
    name: &'static str,
    /// What stays, and why.
    retained: Option<&'static str>,
    trace_column: E::Column,
    trace_id: fn(&E::Model) -> &String,
    id: fn(&E::Model) -> Uuid,
    /// Whether the row holds something about the person.
    names: fn(&E::Model, &PersonQuery) -> bool,
    view: fn(E::Model) -> Value,
}

/// Stored trace chunks.
const TREES: TraceRows<trees::Entity> = TraceRows {
    name: "call_trees",
    retained: Some(
        "statistics over requests and functions of applications, in which no person can be identified",
    ),
    trace_column: trees::Column::TraceId,
    trace_id: |row| &row.trace_id,
    id: |row| row.id.0,
    names: |row, who| is_named_in_tree(&row.calls, who),
    view: |row| {
        let parts = trace::unpack(&row.calls).map(|span_set| span_set_view(&span_set)).unwrap_or_default();
        json!({ "trace_id": row.trace_id, "project_id": row.project_id, "started_at": row.started_at, "told": parts })
    },
};

/// Performance records.
const RECORDS: TraceRows<records::Entity> = TraceRows {
    name: "performance_records",
    retained: None,
    trace_column: records::Column::TraceId,
    trace_id: |row| &row.trace_id,
    id: |row| row.id.0,
    names: |row, who| {
        row.path.as_deref().is_some_and(|path| who.matches_text(path))
            || is_named_in_packed(&row.details, who)
            || row.findings.as_deref().is_some_and(|findings| is_named_in_packed(findings, who))
    },
    view: |row| {
        json!({
            "id": row.id, "project_id": row.project_id, "trace_id": row.trace_id, "endpoint": row.endpoint,
            "path": row.path, "details": unpack_json(&row.details), "created_at": row.created_at,
        })
    },
};

impl<E: TenantEntity> TraceRows<E>
where
    E::Model: Send + Sync,
{
    /// One page of the rows of a person, and where to go on.
    async fn page(
        &self,
        tx: &Tx<Tenant>,
        who: &PersonQuery,
        from: Cursor,
    ) -> Result<(Vec<E::Model>, Option<Cursor>)> {
        let mut all = who.by_trace(self.trace_column);
        // every row, for what it holds
        all.push(Condition::all());
        let searched = from.part + 1 == all.len();
        let Some(condition) = all.into_iter().nth(from.part) else { return Ok((Vec::new(), None)) };
        let find = tx.find::<E>().filter(condition).filter(E::ID.gt(from.after));
        let mut rows = find.order_by_asc(E::ID).limit(PAGE).all().await?;
        let next = from.behind(rows.last().map(self.id), rows.len(), PAGE);
        if searched {
            rows.retain(|row| !who.traces.contains((self.trace_id)(row)) && (self.names)(row, who));
        }
        Ok((rows, Some(next)))
    }
}

#[async_trait]
impl<E: TenantEntity> PersonalDataStore for TraceRows<E>
where
    E::Model: Send + Sync,
{
    fn name(&self) -> &'static str {
        self.name
    }

    fn scans_tenant(&self) -> bool {
        true
    }

    fn retained(&self) -> Option<&'static str> {
        self.retained
    }

    async fn remove(&self, tx: &Tx<Tenant>, who: &PersonQuery, from: Cursor) -> Result<Step> {
        let (rows, next) = self.page(tx, who, from).await?;
        let traces = rows.iter().map(|row| (self.trace_id)(row).clone()).collect();
        Ok(Step { removed: delete_traces(tx, traces).await?, next })
    }

    async fn show(
        &self,
        tx: &Tx<Tenant>,
        who: &PersonQuery,
        from: Cursor,
    ) -> Result<(Vec<Value>, Option<Cursor>)> {
        let (rows, next) = self.page(tx, who, from).await?;
        Ok((rows.into_iter().map(self.view).collect(), next))
    }
}

/// Deletes everything stored about these traces.
async fn delete_traces(tx: &Tx<Tenant>, traces: HashSet<String>) -> Result<Vec<(&'static str, Removed)>> {
    if traces.is_empty() {
        return Ok(Vec::new());
    }
    let ids = || traces.iter().cloned();
    let removed = |deleted| Removed { deleted, emptied: 0 };
    let calls = tx.delete::<trees::Entity>().filter(trees::Column::TraceId.is_in(ids())).exec().await?;
    let requests =
        tx.delete::<records::Entity>().filter(records::Column::TraceId.is_in(ids())).exec().await?;
    let diagnoses =
        tx.delete::<analyses::Entity>().filter(analyses::Column::TraceId.is_in(ids())).exec().await?;
    let errors = tx.delete::<errors::Entity>().filter(errors::Column::TraceId.is_in(ids())).exec().await?;
    Ok(vec![
        ("call_trees", removed(calls)),
        ("performance_records", removed(requests)),
        ("ai_analysis_results", removed(diagnoses)),
        ("error_logs", removed(errors)),
    ])
}

fn is_named_in_tree(packed: &[u8], who: &PersonQuery) -> bool {
    let Ok(span_set) = trace::unpack(packed) else { return false };
    let mention = who.mention();
    span_set.server_spans.iter().any(|(_, server_span)| mention.in_json(&view(server_span)))
        || span_set.spans.iter().any(|span| {
            span.exception.as_deref().is_some_and(|text| mention.in_text(text))
                || span.detail.as_ref().is_some_and(|detail| mention.in_json(&view(&**detail)))
        })
}

fn span_set_view(span_set: &trace::SpanSet) -> Value {
    let requests: Vec<Value> =
        span_set.server_spans.iter().map(|(_, server_span)| view(server_span)).collect();
    let spans = span_set.spans.iter().map(|span| {
        json!({ "function": span.function.key(), "exception": span.exception, "detail": span.detail.as_deref().map(view) })
    });
    json!({ "requests": requests, "calls": spans.collect::<Vec<_>>() })
}

fn is_named_in_packed(packed: &[u8], who: &PersonQuery) -> bool {
    let value = unpack_json(packed);
    !value.is_null() && who.matches_json(&value)
}

fn view(shown: impl Serialize) -> Value {
    serde_json::to_value(shown).unwrap_or_default()
}
