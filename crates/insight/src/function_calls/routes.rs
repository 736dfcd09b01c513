//! Listing function calls.

use axum::Json as Answer;
use axum::extract::State;
use loam_http::surface::{ApiResult, Caller, Query};
use loam_kernel::{Error, Page, PageQuery, PerformanceRecordId, ProjectId, Result, Scope, TenantId};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::view::{FunctionCallView, tags};
use crate::stats::Stats;

/// Filters of function calls. Either `trace_id` or `record_id` is required.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct FunctionCallFilter {
    /// Trace ID.
    pub trace_id: Option<String>,
    /// Performance record ID.
    pub record_id: Option<PerformanceRecordId>,
    /// Project ID. Only with `trace_id`.
    pub project_id: Option<ProjectId>,
    /// Only calls with this tag: `slow`, `database`, …, or one of the application's own.
    pub tag: Option<String>,
}

impl Stats {
    /// Self time in nanoseconds from which a call is slow.
    pub(crate) fn slow_call_ns(&self, tenant: TenantId) -> u64 {
        self.0.rules.with(tenant, |limits| limits.slow_call_ms).saturating_mul(1_000_000)
    }

    /// The calls of a trace or a record in depth-first order; siblings by start time.
    pub async fn list_function_calls(
        &self,
        scope: &Scope,
        filter: FunctionCallFilter,
        page: &PageQuery,
    ) -> Result<Page<FunctionCallView>> {
        let (stored, root) = match (filter.trace_id.clone(), filter.record_id) {
            (Some(trace_id), None) => {
                let tx = self.0.db.read(scope).await?;
                let stored = self.trace(&tx, &trace_id, filter.project_id, None).await?;
                (stored.map(|stored| (trace_id, stored)), None)
            }
            (None, Some(id)) if filter.project_id.is_none() => {
                let (record, stored) = self.record_with_calls(scope, id).await?;
                let root = stored.as_ref().map(|(_, root)| *root);
                (stored.map(|(stored, _)| (record.trace_id, stored)), root)
            }
            (None, Some(_)) => return Err(Error::invalid("project_id", "is only allowed with `trace_id`")),
            _ => return Err(Error::invalid("trace_id", "give either `trace_id` or `record_id`")),
        };
        let (limit, place) = (page.limit()?, page.position()?);
        let at = |call: &FunctionCallView| (i64::try_from(call.order()).ok(), Uuid::nil());
        let Some((trace_id, stored)) = stored else { return Ok(Page::around(Vec::new(), limit, place, at)) };
        let all = root.map_or(0..stored.tree.spans().len(), |root| stored.tree.subtree(root));
        let slow_ns = self.slow_call_ns(scope.tenant());
        let view = |order: usize| {
            FunctionCallView::of(
                (&stored.tree, stored.created_at),
                &trace_id,
                root,
                all.start + order,
                slow_ns,
            )
        };
        let is_wanted = |order: &usize| {
            let (index, tree) = (all.start + order, &stored.tree);
            filter.tag.as_ref().is_none_or(|tag| {
                tags(&tree.spans()[index], tree.nodes()[index].self_ns, slow_ns).contains(tag)
            })
        };
        let some = usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(1);
        let rows: Vec<FunctionCallView> = match place {
            None => (0..all.len()).filter(is_wanted).take(some).map(view).collect(),
            Some(place) => {
                let order = usize::try_from(place.key()?).unwrap_or_default().min(all.len());
                match place.back {
                    true => (0..order).rev().filter(is_wanted).take(some).map(view).collect(),
                    false => (order + 1..all.len()).filter(is_wanted).take(some).map(view).collect(),
                }
            }
        };
        Ok(Page::around(rows, limit, place, at))
    }
}

pub(crate) fn router(stats: Stats) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(list)).with_state(stats)
}

/// Lists the calls of a trace (`trace_id`) or of one record (`record_id`) in depth-first order.
#[utoipa::path(
    get, path = "/api/v1/function_calls", tag = "performance_records", operation_id = "function_calls_list",
    params(FunctionCallFilter, PageQuery),
    responses((status = 200, body = Page<FunctionCallView>)),
    extensions(("x-errors" = json!({"413": ["trace_too_large"]}))),
    security(("api_key" = ["performance_records:read"]))
)]
async fn list(
    State(stats): State<Stats>,
    Caller(scope): Caller,
    Query(filter): Query<FunctionCallFilter>,
    Query(page): Query<PageQuery>,
) -> ApiResult<Answer<Page<FunctionCallView>>> {
    Ok(Answer(stats.list_function_calls(&scope, filter, &page).await?))
}
