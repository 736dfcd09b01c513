//! The routes of the kinds of provider, which are built in.

use axum::Json as JsonResponse;
use loam_http::surface::{ApiResult, Caller, Path};
use loam_kernel::Error;
use loam_providers::{Endpoint, KINDS, KindInfo, kind};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// A kind of provider.
#[derive(Serialize, ToSchema)]
pub struct AiProviderKind {
    /// The value of a provider's `kind`.
    name: &'static str,
    display_name: &'static str,
    /// JSON Schema of a provider's `config`. A property with `"writeOnly": true` is a secret.
    #[schema(value_type = Object)]
    config_schema: Value,
    /// Features of chat completions that a request to this kind can't use: the error is `unsupported_feature`.
    #[schema(value_type = Vec<String>, example = json!(["choices", "logprobs"]))]
    unsupported_features: Vec<loam_providers::Feature>,
    /// The endpoints that are served, directly or by translation, by their recorded paths.
    #[schema(example = json!(["/chat/completions", "/messages"]))]
    endpoints: Vec<&'static str>,
}

impl From<&KindInfo> for AiProviderKind {
    fn from(kind: &KindInfo) -> Self {
        let mut unsupported_features = kind.wire.unsupported(Endpoint::ChatCompletions);
        unsupported_features.retain(|feature| !feature.is_endpoint());
        let served = Endpoint::ALL.into_iter().filter(|endpoint| kind.wire.serves(*endpoint).is_ok());
        Self {
            name: kind.name,
            display_name: kind.display_name,
            config_schema: kind.config_schema.clone(),
            unsupported_features,
            endpoints: served.map(Endpoint::path).collect(),
        }
    }
}

impl AiProviderKind {
    /// Every kind.
    pub fn all() -> Vec<Self> {
        KINDS.iter().map(Self::from).collect()
    }
}

/// Every kind of provider.
#[derive(Serialize, ToSchema)]
struct AiProviderKindList {
    data: Vec<AiProviderKind>,
}

pub(crate) fn router() -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get))
}

/// Lists the kinds of provider, and the schema of each one's configuration.
#[utoipa::path(
    get, path = "/api/v1/ai_provider_kinds", tag = "ai_providers", operation_id = "ai_provider_kinds_all",
    responses((status = 200, body = AiProviderKindList)),
    security(("api_key" = ["ai_providers:read"]))
)]
async fn list(_: Caller) -> JsonResponse<AiProviderKindList> {
    JsonResponse(AiProviderKindList { data: AiProviderKind::all() })
}

/// Gets a kind of provider.
#[utoipa::path(
    get, path = "/api/v1/ai_provider_kinds/{name}", tag = "ai_providers", operation_id = "ai_provider_kinds_get",
    params(("name" = String, Path, description = "The value of a provider's `kind`.", example = "qwen")),
    responses((status = 200, body = AiProviderKind)),
    security(("api_key" = ["ai_providers:read"]))
)]
async fn get(_: Caller, Path(name): Path<String>) -> ApiResult<JsonResponse<AiProviderKind>> {
    let kind = kind(&name).ok_or_else(|| Error::not_found("kind of provider"))?;
    Ok(JsonResponse(kind.into()))
}
