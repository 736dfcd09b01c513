//! The routes of preferences.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, IfMatch, Json, Path, Tagged};
use loam_kernel::UserId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::ownership::PreferenceOwner;
use super::service::Preference;
use crate::Identity;

/// A preference of a user.
#[derive(Serialize, ToSchema)]
pub(crate) struct UserPreferenceView {
    user_id: UserId,
    key: String,
    /// The value; for `notification_prefs` and `ai_settings` with the defaults of omitted fields.
    #[schema(value_type = Value)]
    value: Value,
    /// Whether it is the default, because it was never set.
    is_default: bool,
    created_at: Option<DateTime<Utc>>,
    updated_at: Option<DateTime<Utc>>,
}

/// All preferences of a user.
#[derive(Serialize, ToSchema)]
pub(crate) struct UserPreferences {
    /// By key.
    data: Vec<UserPreferenceView>,
}

/// The new value.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserPreferencePut {
    /// Any JSON up to 64 kB. `notification_prefs`: {email}, true or false. `ai_settings`: {confidence_threshold (0 to 1),
    /// model, language (such as `zh-CN`)}. Omitted fields have their defaults.
    #[schema(value_type = Value)]
    #[serde(deserialize_with = "any")]
    value: Value,
}

/// Any JSON, including null; required.
fn any<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Value, D::Error> {
    Value::deserialize(value)
}

impl UserPreferenceView {
    fn new(user_id: UserId, preference: Preference) -> Self {
        let Preference { key, value, created_at, updated_at } = preference;
        Self { user_id, key, value, is_default: updated_at.is_none(), created_at, updated_at }
    }
}

/// A preference that was never set has the tag `"0"`.
fn answer((user, preference): (UserId, Preference)) -> Tagged<UserPreferenceView> {
    let version = preference.updated_at.unwrap_or_default();
    Tagged::new(version, UserPreferenceView::new(user, preference))
}

pub(crate) fn router(identity: Identity) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get, put, delete)).with_state(identity)
}

/// Lists a user's preferences by key: those that were set, and the declared keys with their defaults.
#[utoipa::path(
    get, path = "/api/v1/users/{user_id}/preferences", tag = "user_preferences", operation_id = "user_preferences_all",
    params(("user_id" = String, Path, description = "Id of the user, or `me`")),
    responses((status = 200, body = UserPreferences)),
    security(("api_key" = ["user_preferences:read"]))
)]
async fn list(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Path(owner): Path<PreferenceOwner>,
) -> ApiResult<Answer<UserPreferences>> {
    let (user, all) = identity.list_preferences(&scope, owner).await?;
    let data = all.into_iter().map(|preference| UserPreferenceView::new(user, preference)).collect();
    Ok(Answer(UserPreferences { data }))
}

/// Returns a preference; `notification_prefs` and `ai_settings` always exist.
#[utoipa::path(
    get, path = "/api/v1/users/{user_id}/preferences/{key}", tag = "user_preferences", operation_id = "user_preferences_get",
    params(("user_id" = String, Path, description = "Id of the user, or `me`"), ("key" = String, Path)),
    responses((status = 200, body = UserPreferenceView)),
    security(("api_key" = ["user_preferences:read"]))
)]
async fn get(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Path((owner, key)): Path<(PreferenceOwner, String)>,
) -> ApiResult<Tagged<UserPreferenceView>> {
    Ok(answer(identity.get_preference(&scope, owner, &key).await?))
}

/// Sets a preference. A key is 1 to 100 lower-case letters, digits, `-`, `_` or `.`; a user can have 200.
#[utoipa::path(
    put, path = "/api/v1/users/{user_id}/preferences/{key}", tag = "user_preferences", operation_id = "user_preferences_set",
    params(
        ("user_id" = String, Path, description = "Id of the user, or `me`"), ("key" = String, Path),
        ("If-Match" = Option<String>, Header)
    ),
    request_body = UserPreferencePut,
    responses((status = 200, body = UserPreferenceView)),
    extensions(("x-errors" = json!({"409": ["too_many_preferences"]}))),
    security(("api_key" = ["user_preferences:write"]))
)]
async fn put(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Path((owner, key)): Path<(PreferenceOwner, String)>,
    IfMatch(version): IfMatch,
    Json(new): Json<UserPreferencePut>,
) -> ApiResult<Tagged<UserPreferenceView>> {
    Ok(answer(identity.set_preference(&scope, owner, &key, &version, new.value).await?))
}

/// Deletes a preference; a declared key returns to its default.
#[utoipa::path(
    delete, path = "/api/v1/users/{user_id}/preferences/{key}", tag = "user_preferences",
    operation_id = "user_preferences_delete",
    params(
        ("user_id" = String, Path, description = "Id of the user, or `me`"), ("key" = String, Path),
        ("If-Match" = Option<String>, Header)
    ),
    responses((status = 204)),
    security(("api_key" = ["user_preferences:write"]))
)]
async fn delete(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Path((owner, key)): Path<(PreferenceOwner, String)>,
    IfMatch(version): IfMatch,
) -> ApiResult<StatusCode> {
    identity.delete_preference(&scope, owner, &key, &version).await?;
    Ok(StatusCode::NO_CONTENT)
}
