//! The routes of versions, which each kind of documents has below its own.

use chrono::{DateTime, Utc};
use loam_kernel::{DocumentVersionId, Error, JsonObject, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

/// A version of a document, without its content.
#[derive(Debug, Serialize, ToSchema)]
pub struct DocumentVersionSummary {
    pub(super) id: DocumentVersionId,
    /// 1, 2, …: without gaps.
    pub(super) number: i64,
    /// Number of the version that it was made from; null for the first.
    pub(super) parent: Option<i64>,
    /// Who saved it: `user:…`, `api_key:…`, as in the audit trail; null if that person was erased.
    pub(super) author: Option<String>,
    /// The model that wrote it; null if a person or a program did.
    pub(super) model: Option<String>,
    /// Why it was saved.
    pub(super) message: Option<String>,
    pub(super) created_at: DateTime<Utc>,
}

/// A version of a document.
#[derive(Debug, Serialize, ToSchema)]
pub struct DocumentVersion {
    #[serde(flatten)]
    pub(super) version: DocumentVersionSummary,
    /// The versioned fields of the document, as they were.
    #[schema(value_type = JsonObject)]
    pub(super) content: Value,
}

/// Restores an earlier version.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreVersion {
    /// The current version.
    pub base_version: i64,
    /// Why; defaults to the number of the restored version.
    pub message: Option<String>,
}

/// The versions to compare.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CompareQuery {
    /// Number of the version before.
    pub from: i64,
    /// Number of the version after.
    pub to: i64,
}

/// The number of a version in a path.
pub(crate) fn number(text: &str) -> Result<i64> {
    text.parse().map_err(|_| Error::invalid("number", "must be the number of a version, such as 1"))
}

/// Handlers for the versions and the status of a kind of documents, and their router, `versions_router`.
macro_rules! version_routes {
    (
        entity: $entity:ty, id: $id:ty, view: $view:ty, tag: $tag:tt, read: $read:tt, write: $write:tt,
        transition: $transition:tt $transition_id:tt, versions: $versions:tt $versions_id:tt,
        version: $version:tt $version_id:tt, restore: $restore:tt $restore_id:tt,
        compare: $compare:tt $compare_id:tt $(,)?
    ) => {
        /// Changes the status: `draft`, `in_review`, `approved`, `superseded`. What is in review or approved can also become a
        /// draft again. To approve, and to change what is approved, the caller also needs `documents:approve`.
        #[utoipa::path(
                    post, path = $transition, tag = $tag, operation_id = $transition_id,
                    params(("id" = $id, Path), ("If-Match" = Option<String>, Header)),
                    request_body = $crate::documents::DocumentTransition,
                    responses((status = 200, body = $view)),
                    extensions(("x-errors" = json!({"409": ["version_conflict", "invalid_transition"]}))),
                    security(("api_key" = [$write]))
                )]
        async fn transition(
            State(delivery): State<Delivery>,
            Caller(scope): Caller,
            Path(id): Path<$id>,
            IfMatch(version): IfMatch,
            Json(to): Json<$crate::documents::DocumentTransition>,
        ) -> ApiResult<Tagged<$view>> {
            let document = delivery.transition_document::<$entity>(&scope, id.into(), &version, to).await?;
            Ok(Tagged::new(document.row.updated_at, document.into()))
        }

        /// Lists the versions, newest first, without their content.
        #[utoipa::path(
                    get, path = $versions, tag = $tag, operation_id = $versions_id,
                    params(("id" = $id, Path), PageQuery),
                    responses((status = 200, body = Page<$crate::document_versions::DocumentVersionSummary>)),
                    security(("api_key" = [$read]))
                )]
        async fn versions(
            State(delivery): State<Delivery>,
            Caller(scope): Caller,
            Path(id): Path<$id>,
            Query(page): Query<PageQuery>,
        ) -> ApiResult<JsonResponse<Page<$crate::document_versions::DocumentVersionSummary>>> {
            Ok(JsonResponse(delivery.document_versions::<$entity>(&scope, id.into(), &page).await?))
        }

        /// Gets a version with its content.
        #[utoipa::path(
                    get, path = $version, tag = $tag, operation_id = $version_id,
                    params(("id" = $id, Path), ("number" = i64, Path)),
                    responses((status = 200, body = $crate::document_versions::DocumentVersion)),
                    security(("api_key" = [$read]))
                )]
        async fn version(
            State(delivery): State<Delivery>,
            Caller(scope): Caller,
            Path((id, number)): Path<($id, String)>,
        ) -> ApiResult<JsonResponse<$crate::document_versions::DocumentVersion>> {
            let number = $crate::document_versions::number(&number)?;
            Ok(JsonResponse(delivery.document_version::<$entity>(&scope, id.into(), number).await?))
        }

        /// Restores a version: its content becomes that of a new one.
        #[utoipa::path(
                    post, path = $restore, tag = $tag, operation_id = $restore_id,
                    params(("id" = $id, Path), ("number" = i64, Path), ("If-Match" = Option<String>, Header)),
                    request_body = $crate::document_versions::RestoreVersion,
                    responses((status = 200, body = $view)),
                    extensions(("x-errors" = json!({"409": ["version_conflict", "document_not_editable"]}))),
                    security(("api_key" = [$write]))
                )]
        async fn restore(
            State(delivery): State<Delivery>,
            Caller(scope): Caller,
            Path((id, number)): Path<($id, String)>,
            IfMatch(version): IfMatch,
            Json(how): Json<$crate::document_versions::RestoreVersion>,
        ) -> ApiResult<Tagged<$view>> {
            let place = (id.into(), $crate::document_versions::number(&number)?);
            let (base, message) = (how.base_version, how.message);
            let document =
                delivery.restore_version::<$entity>(&scope, place, &version, base, message).await?;
            Ok(Tagged::new(document.row.updated_at, document.into()))
        }

        /// Compares two versions, field by field.
        #[utoipa::path(
                    get, path = $compare, tag = $tag, operation_id = $compare_id,
                    params(("id" = $id, Path), $crate::document_versions::CompareQuery),
                    responses((status = 200, body = $crate::document_versions::compare::DocumentComparison)),
                    security(("api_key" = [$read]))
                )]
        async fn compare(
            State(delivery): State<Delivery>,
            Caller(scope): Caller,
            Path(id): Path<$id>,
            Query(query): Query<$crate::document_versions::CompareQuery>,
        ) -> ApiResult<JsonResponse<$crate::document_versions::compare::DocumentComparison>> {
            let (id, range) = (id.into(), (query.from, query.to));
            Ok(JsonResponse(delivery.compare_versions::<$entity>(&scope, id, range).await?))
        }

        fn versions_router() -> OpenApiRouter<Delivery> {
            OpenApiRouter::new()
                .routes(routes!(transition))
                .routes(routes!(versions))
                .routes(routes!(version))
                .routes(routes!(restore))
                .routes(routes!(compare))
        }
    };
}

pub(crate) use version_routes;
