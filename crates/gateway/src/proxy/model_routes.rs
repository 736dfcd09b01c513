//! The routes that list models, in OpenAI's and in Anthropic's format.

use axum::Json;
use axum::extract::State;
use loam_http::surface::{ApiResult, Caller, ErrorBody, Path, Query};
use loam_kernel::{Error, Result};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::Proxy;
use super::message_schemas::AnthropicError;

/// The models that can be called.
#[derive(Serialize, ToSchema)]
struct ModelList {
    /// Always `list`.
    object: &'static str,
    data: Vec<ModelEntry>,
}

/// A model.
#[derive(Serialize, ToSchema)]
struct ModelEntry {
    /// What to send as `model`: the alias of a route, or `provider/model`.
    id: String,
    /// Always `model`.
    object: &'static str,
    /// Seconds since 1970; always 0, as it is unknown.
    created: i64,
    /// The provider, or `route`.
    owned_by: String,
}

impl From<(String, String)> for ModelEntry {
    fn from((id, owned_by): (String, String)) -> Self {
        Self { id, object: "model", created: 0, owned_by }
    }
}

/// A page of models, in Anthropic's format.
#[derive(Serialize, ToSchema)]
struct AnthropicModelList {
    data: Vec<AnthropicModel>,
    /// Whether more follow; with `before_id`, whether more precede.
    has_more: bool,
    /// The id of the first model; null if there is none.
    first_id: Option<String>,
    /// The id of the last model; null if there is none.
    last_id: Option<String>,
}

/// A model, in Anthropic's format.
#[derive(Serialize, ToSchema)]
struct AnthropicModel {
    /// Always `model`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// What to send as `model`: the alias of a route, or `provider/model`.
    id: String,
    /// The same, as providers don't tell another name.
    display_name: String,
    /// Always the beginning of 1970, as it is unknown.
    created_at: &'static str,
}

impl AnthropicModel {
    fn new(id: String) -> Self {
        Self { kind: "model", display_name: id.clone(), id, created_at: "1970-01-01T00:00:00Z" }
    }
}

/// Which page of models to return.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct AnthropicPage {
    /// How many models, 1 to 1000.
    #[serde(default)]
    #[param(default = 20, minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// The models that follow this one.
    after_id: Option<String>,
    /// The models that precede this one.
    before_id: Option<String>,
}

const DEFAULT_LIMIT: usize = 20;
const MAX_LIMIT: usize = 1000;

impl AnthropicPage {
    fn of(&self, mut ids: Vec<String>) -> Result<AnthropicModelList> {
        let limit = self.limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(Error::invalid("limit", format!("must be 1 to {MAX_LIMIT}")));
        }
        let position = |param: &str, id: &String| {
            let found = ids.iter().position(|one| one == id);
            found.ok_or_else(|| Error::invalid(param, "must be the id of a model in the list"))
        };
        let (start, end) = match (&self.after_id, &self.before_id) {
            (None, None) => (0, limit),
            (Some(after), None) => {
                let start = position("after_id", after)? + 1;
                (start, start + limit)
            }
            (None, Some(before)) => {
                let end = position("before_id", before)?;
                (end.saturating_sub(limit), end)
            }
            (Some(_), Some(_)) => return Err(Error::invalid("before_id", "excludes `after_id`")),
        };
        let end = end.min(ids.len());
        let has_more = if self.before_id.is_some() { start > 0 } else { end < ids.len() };
        let data: Vec<AnthropicModel> = ids.drain(start..end).map(AnthropicModel::new).collect();
        let id = |model: Option<&AnthropicModel>| model.map(|model| model.id.clone());
        Ok(AnthropicModelList { has_more, first_id: id(data.first()), last_id: id(data.last()), data })
    }
}

pub(crate) fn router(proxy: Proxy) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(anthropic_list))
        .routes(routes!(anthropic_get))
        .with_state(proxy)
}

/// Lists what can be called: routes by their alias, models as `provider/model`.
#[utoipa::path(
    get, path = "/v1/models", tag = "gateway", operation_id = "models_list",
    responses((status = 200, body = ModelList), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["gateway:call"]))
)]
async fn list(State(proxy): State<Proxy>, Caller(scope): Caller) -> ApiResult<Json<ModelList>> {
    let models = proxy.list_models(&scope).await?;
    Ok(Json(ModelList { object: "list", data: models.into_iter().map(ModelEntry::from).collect() }))
}

/// One model, or route. The id may be sent with its slash as it is.
#[utoipa::path(
    get, path = "/v1/models/{id}", tag = "gateway", operation_id = "models_get",
    params(("id" = String, Path, description = "The alias of a route, or `provider/model`.", example = "openai/gpt-4o-mini")),
    responses((status = 200, body = ModelEntry), (status = "4XX", body = ErrorBody)),
    extensions(("x-errors" = json!({"404": ["model_not_found"]}))),
    security(("api_key" = ["gateway:call"]))
)]
async fn get(
    State(proxy): State<Proxy>,
    Caller(scope): Caller,
    Path(id): Path<String>,
) -> ApiResult<Json<ModelEntry>> {
    let owned_by = proxy.owner_of_model(&scope, &id).await?;
    Ok(Json((id, owned_by).into()))
}

/// Lists what can be called, in Anthropic's format.
#[utoipa::path(
    get, path = "/anthropic/v1/models", tag = "gateway", operation_id = "anthropic_models_list",
    params(AnthropicPage),
    responses((status = 200, body = AnthropicModelList), (status = "4XX", body = AnthropicError)),
    security(("api_key" = ["gateway:call"]))
)]
async fn anthropic_list(
    State(proxy): State<Proxy>,
    Caller(scope): Caller,
    Query(page): Query<AnthropicPage>,
) -> ApiResult<Json<AnthropicModelList>> {
    let models = proxy.list_models(&scope).await?;
    Ok(Json(page.of(models.into_iter().map(|(id, _)| id).collect())?))
}

/// One model, or route, in Anthropic's format. The id may be sent with its slash as it is.
#[utoipa::path(
    get, path = "/anthropic/v1/models/{id}", tag = "gateway", operation_id = "anthropic_models_get",
    params(("id" = String, Path, description = "The alias of a route, or `provider/model`.", example = "anthropic/claude-sonnet-4-5")),
    responses((status = 200, body = AnthropicModel), (status = "4XX", body = AnthropicError)),
    security(("api_key" = ["gateway:call"]))
)]
async fn anthropic_get(
    State(proxy): State<Proxy>,
    Caller(scope): Caller,
    Path(id): Path<String>,
) -> ApiResult<Json<AnthropicModel>> {
    proxy.owner_of_model(&scope, &id).await?;
    Ok(Json(AnthropicModel::new(id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_bounded_by_ids() {
        let ids = || ["a", "p/b", "p/c", "p/d"].map(str::to_owned).to_vec();
        let page = |limit, after: Option<&str>, before: Option<&str>| {
            let page = AnthropicPage {
                limit,
                after_id: after.map(str::to_owned),
                before_id: before.map(str::to_owned),
            };
            let list = page.of(ids())?;
            let found: Vec<String> = list.data.into_iter().map(|model| model.id).collect();
            assert_eq!((list.first_id, list.last_id), (found.first().cloned(), found.last().cloned()));
            Result::Ok((found.join(" "), list.has_more))
        };
        for (limit, after, before, expected) in [
            (None, None, None, ("a p/b p/c p/d", false)),
            (Some(2), None, None, ("a p/b", true)),
            (Some(2), Some("p/b"), None, ("p/c p/d", false)),
            (Some(1), Some("a"), None, ("p/b", true)),
            (None, Some("p/d"), None, ("", false)),
            (Some(2), None, Some("p/d"), ("p/b p/c", true)),
            (Some(2), None, Some("p/b"), ("a", false)),
        ] {
            let (found, has_more) = page(limit, after, before).expect("a page");
            assert_eq!((found.as_str(), has_more), expected, "{limit:?} {after:?} {before:?}");
        }
        let param = |page: Result<_>| page.map(drop).expect_err("refused").param().map(str::to_owned);
        assert_eq!(param(page(Some(0), None, None)).as_deref(), Some("limit"));
        assert_eq!(param(page(Some(1001), None, None)).as_deref(), Some("limit"));
        assert_eq!(param(page(None, Some("x"), None)).as_deref(), Some("after_id"));
        assert_eq!(param(page(None, Some("a"), Some("a"))).as_deref(), Some("before_id"));
    }
}
