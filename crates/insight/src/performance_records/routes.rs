//! The routes of performance records.

use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use loam_http::surface::{ApiResult, Caller, Path, Query, Tagged};
use loam_kernel::{Error, Page, PageQuery, PerformanceRecordId, Result, Scope};
use loam_platform::error_logs;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, OpenApi, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::entity::Model;
use super::export::Stacks;
use super::filter::{PerformanceRecordFilter, RecordOrder};
use super::view::PerformanceRecordView;
use crate::function_calls::FunctionCallView;
use crate::stats::Stats;

/// The format of an export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// The record and all its calls, as JSON.
    #[default]
    Json,
    /// Folded stacks, the input format of flame graph tools.
    Folded,
    /// A speedscope file.
    Speedscope,
}

/// Parameters of an export.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ExportQuery {
    /// Format of the export. Defaults to `json`.
    #[serde(default)]
    format: ExportFormat,
}

impl Stats {
    /// Returns a record with its calls.
    pub async fn get_record(&self, scope: &Scope, id: PerformanceRecordId) -> Result<PerformanceRecordView> {
        let (record, stored) = self.record_with_calls(scope, id).await?;
        let errors = self.errors_of(scope, &record).await?;
        let tree = stored.as_ref().map(|(stored, root)| (&stored.tree, *root));
        Ok(PerformanceRecordView::whole(record, errors, tree))
    }

    async fn errors_of(&self, scope: &Scope, record: &Model) -> Result<Vec<error_logs::entity::Model>> {
        let tx = self.0.db.read(scope).await?;
        error_logs::of_record(&tx, &record.trace_id, record.id.0).await
    }

    /// Exports a record for another tool. Weights are in microseconds.
    pub async fn export_record(
        &self,
        scope: &Scope,
        id: PerformanceRecordId,
        format: ExportFormat,
    ) -> Result<String> {
        let (record, stored) = self.record_with_calls(scope, id).await?;
        let name = record.endpoint.clone();
        let tree = stored.as_ref().map(|(stored, root)| (&stored.tree, *root));
        let stacks = tree.map(|(tree, root)| Stacks::of(tree, root));
        let missing = || Error::not_found("call tree of this record");
        let slow_ns = self.slow_call_ns(scope.tenant());
        let value = match format {
            ExportFormat::Folded => return Ok(stacks.ok_or_else(missing)?.folded()),
            ExportFormat::Speedscope => stacks.ok_or_else(missing)?.speedscope(&name),
            ExportFormat::Json => {
                let trace_id = record.trace_id.clone();
                let calls: Vec<FunctionCallView> = match &stored {
                    Some((stored, root)) => stored
                        .tree
                        .subtree(*root)
                        .map(|index| {
                            let tree = (&stored.tree, stored.created_at);
                            FunctionCallView::of(tree, &trace_id, Some(*root), index, slow_ns)
                        })
                        .collect(),
                    None => Vec::new(),
                };
                let errors = self.errors_of(scope, &record).await?;
                let record = PerformanceRecordView::whole(record, errors, tree);
                json!({ "record": record, "function_calls": calls })
            }
        };
        Ok(value.to_string())
    }
}

/// The types of query parameters, which utoipa does not collect.
#[derive(OpenApi)]
#[openapi(components(schemas(RecordOrder, ExportFormat)))]
struct ParameterTypes;

pub(crate) fn router(stats: Stats) -> OpenApiRouter {
    OpenApiRouter::with_openapi(ParameterTypes::openapi())
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(export))
        .with_state(stats)
}

/// Lists requests that monitored applications served, newest or slowest first, without their calls. Accepted records
/// are listed within a second.
#[utoipa::path(
    get, path = "/api/v1/performance_records", tag = "performance_records", operation_id = "performance_records_list",
    params(PerformanceRecordFilter, PageQuery),
    responses((status = 200, body = Page<PerformanceRecordView>)),
    security(("api_key" = ["performance_records:read"]))
)]
async fn list(
    State(stats): State<Stats>,
    Caller(scope): Caller,
    Query(filter): Query<PerformanceRecordFilter>,
    Query(page): Query<PageQuery>,
) -> ApiResult<Answer<Page<PerformanceRecordView>>> {
    Ok(Answer(stats.list_records(&scope, filter, &page).await?.map(PerformanceRecordView::from)))
}

/// Returns a request with its calls and findings.
#[utoipa::path(
    get, path = "/api/v1/performance_records/{id}", tag = "performance_records",
    operation_id = "performance_records_get", params(("id" = PerformanceRecordId, Path)),
    responses((status = 200, body = PerformanceRecordView)),
    security(("api_key" = ["performance_records:read"]))
)]
async fn get(
    State(stats): State<Stats>,
    Caller(scope): Caller,
    Path(id): Path<PerformanceRecordId>,
) -> ApiResult<Tagged<PerformanceRecordView>> {
    let record = stats.get_record(&scope, id).await?;
    Ok(Tagged::new(record.updated_at(), record))
}

/// Exports a request for another tool: `folded` stacks, `speedscope`, or everything as `json`. Weights are in
/// microseconds.
#[utoipa::path(
    get, path = "/api/v1/performance_records/{id}/export", tag = "performance_records",
    operation_id = "performance_records_export", params(("id" = PerformanceRecordId, Path), ExportQuery),
    responses(
        (status = 200, content((String = "text/plain"), (Object = "application/json")))
    ),
    extensions(("x-errors" = json!({"413": ["trace_too_large"]}))),
    security(("api_key" = ["performance_records:read"]))
)]
async fn export(
    State(stats): State<Stats>,
    Caller(scope): Caller,
    Path(id): Path<PerformanceRecordId>,
    Query(query): Query<ExportQuery>,
) -> ApiResult<Response> {
    let text = stats.export_record(&scope, id, query.format).await?;
    let (kind, name) = match query.format {
        ExportFormat::Json => ("application/json", format!("{id}.json")),
        ExportFormat::Folded => ("text/plain; charset=utf-8", format!("{id}.folded.txt")),
        ExportFormat::Speedscope => ("application/json", format!("{id}.speedscope.json")),
    };
    let file = format!("attachment; filename=\"{name}\"");
    Ok(([(CONTENT_TYPE, kind.to_owned()), (CONTENT_DISPOSITION, file)], text).into_response())
}
