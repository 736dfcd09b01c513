//! A call in API responses.

use chrono::{DateTime, Utc};
use loam_kernel::{ApiKeyId, JsonValue, LlmCallId, ProjectId, UserId};
use loam_platform::records::RetentionSettings;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::bodies;
use super::entity::{CacheUse, CallState, Model};
use super::record::{AttemptView, Entry};
use super::refusal::CallRefusal;
use crate::model_prices::Price;

/// What the quantity of a call counts.
#[expect(dead_code, reason = "describes the text of `unit`")]
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CallUnit {
    /// Characters of a text that is spoken.
    Characters,
    /// Generated images.
    Images,
    /// Seconds of audio that are transcribed.
    Seconds,
    /// Searches: lists of documents that are ranked for a query.
    Searches,
}

/// A model call. Lists omit the bodies.
#[derive(Serialize, ToSchema)]
pub struct LlmCallView {
    pub(super) id: LlmCallId,
    state: CallState,
    /// `gateway`: made through Loam; `otlp`: reported by an application.
    source: String,
    /// Name of the provider; empty for a call that was refused before one was found.
    provider: String,
    /// Name of the model at the provider; of a refused call without provider the name that the client sent.
    model: String,
    /// Path at the provider.
    endpoint: String,
    /// The alias of the called route; null if the client named provider and model.
    route: Option<String>,
    streamed: bool,
    /// Request body; only in the response for a single call.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<JsonValue>, nullable = false)]
    request_data: Option<Value>,
    /// Response body, assembled if it was streamed; only in the response for a single call.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<JsonValue>, nullable = false)]
    response_data: Option<Value>,
    /// Prompt tokens, including cached ones.
    prompt_tokens: Option<i64>,
    /// Completion tokens.
    completion_tokens: Option<i64>,
    /// Prompt and completion tokens.
    total_tokens: Option<i64>,
    /// Prompt tokens read from the provider's cache.
    cached_tokens: Option<i64>,
    /// Prompt tokens written to the provider's cache.
    cache_write_tokens: Option<i64>,
    /// What `quantity` counts, of calls that providers don't charge by tokens alone; null for others.
    #[schema(value_type = Option<CallUnit>)]
    unit: Option<String>,
    /// Characters that were spoken, images that were made, seconds that were transcribed, or searches.
    quantity: Option<f64>,
    /// US dollars; null when the model had no price.
    cost_usd: Option<f64>,
    /// US dollars reserved against budgets while it was in progress; null without a budget.
    reserved_usd: Option<f64>,
    /// The result of the response cache; null if it is not used.
    cache: Option<CacheUse>,
    /// Milliseconds from the client's request to the end of the response.
    latency_ms: Option<f64>,
    /// Milliseconds from the client's request to the first byte of the response's body.
    first_token_ms: Option<f64>,
    /// HTTP status of the provider; null if it did not respond.
    status_code: Option<i32>,
    error_message: Option<String>,
    /// Each attempt: target, status, duration, error, and what was left out of its request.
    #[schema(value_type = Vec<AttemptView>)]
    attempts: Value,
    /// The `x-request-id` of the client's request.
    request_id: String,
    api_key_id: Option<ApiKeyId>,
    user_id: Option<UserId>,
    project_id: Option<ProjectId>,
    /// The conversation that the client named.
    session_id: Option<String>,
    /// The application's end user: `user` or `safety_identifier` of OpenAI's formats, `metadata.user_id` of
    /// Anthropic's, `external_id` of the session's user in turns.
    end_user: Option<String>,
    /// The tags that the client sent in `x-loam-tags`.
    #[schema(value_type = Vec<String>)]
    tags: Value,
    /// The request's `metadata`: its texts, without `user_id`.
    #[schema(value_type = HashMap<String, String>)]
    metadata: Value,
    /// Why it was refused; null if it was not.
    #[schema(value_type = Option<CallRefusal>)]
    refusal: Option<Value>,
    /// How many calls were refused for the same reason in the minute, which are one row; null if it was not refused.
    refused_calls: Option<i64>,
    /// W3C trace id.
    trace_id: Option<String>,
    /// W3C span id of the caller.
    span_id: Option<String>,
    /// The id of the response, as the client received it.
    response_id: Option<String>,
    /// When the bodies will be deleted, under the current `records.retention`; null: never, or already deleted.
    bodies_expire_at: Option<DateTime<Utc>>,
    /// When the bodies were deleted; null while they exist, or if none were recorded.
    bodies_deleted_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl LlmCallView {
    /// Sets the time at which its bodies will be deleted.
    pub(super) fn expiring(mut self, retention: &RetentionSettings) -> Self {
        if self.bodies_deleted_at.is_none() {
            self.bodies_expire_at = retention.bodies_expire_at(self.project_id, self.created_at);
        }
        self
    }
}

/// A number from its thousandths: milliseconds from microseconds, a quantity from the stored one.
pub(crate) fn of_thousandths(thousandths: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "exact for 285 years")]
    let number = thousandths as f64 / 1000.0;
    number
}

impl From<Model> for LlmCallView {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            state: row.state,
            source: row.source,
            provider: row.provider,
            model: row.model,
            endpoint: row.endpoint,
            route: row.route,
            streamed: row.streamed,
            request_data: row.request_data.map(|packed| bodies::to_json(&packed)),
            response_data: row.response_data.map(|packed| bodies::to_json(&packed)),
            prompt_tokens: row.prompt_tokens,
            completion_tokens: row.completion_tokens,
            total_tokens: row.total_tokens,
            cached_tokens: row.cached_tokens,
            cache_write_tokens: row.cache_write_tokens,
            unit: row.unit,
            quantity: row.quantity_milli.map(of_thousandths),
            cost_usd: row.cost_nano_usd.map(Price::to_usd),
            reserved_usd: row.reserved_nano_usd.map(Price::to_usd),
            cache: row.cache,
            latency_ms: row.latency_us.map(of_thousandths),
            first_token_ms: row.first_token_us.map(of_thousandths),
            status_code: row.status_code,
            error_message: row.error_message,
            attempts: row.attempts,
            request_id: row.request_id,
            api_key_id: row.api_key_id,
            user_id: row.user_id,
            project_id: row.project_id,
            session_id: row.session_id,
            end_user: row.end_user,
            tags: row.tags.unwrap_or_else(|| json!([])),
            metadata: row.metadata.unwrap_or_else(|| json!({})),
            refusal: row.refusal,
            refused_calls: row.refused_calls,
            trace_id: row.trace_id,
            span_id: row.span_id,
            response_id: row.response_id,
            bodies_expire_at: None,
            bodies_deleted_at: row.bodies_deleted_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

impl From<Entry> for Model {
    /// The row that a journal entry will become.
    fn from(entry: Entry) -> Self {
        let record = entry.record;
        let (tags, metadata) = (record.tags_json(), record.metadata_json());
        let (refusal, refused_calls) = (record.refusal_json(), record.refused_calls());
        let (usage, quantity_milli) = (record.usage, record.quantity_milli());
        let tokens = |field: fn(&loam_providers::Usage) -> u64| {
            usage.as_ref().and_then(|usage| i64::try_from(field(usage)).ok())
        };
        let attempts = json!(record.attempt_views());
        Self {
            created_at: record.created_at(),
            updated_at: record.updated_at(),
            bodies_deleted_at: None,
            tenant_id: record.tenant,
            id: record.id,
            node_id: record.node,
            state: record.state,
            source: entry.source.name().to_owned(),
            provider: record.provider,
            model: record.model,
            endpoint: record.endpoint,
            route: record.route,
            api_key_id: record.api_key,
            user_id: record.user,
            project_id: record.project,
            session_id: record.session,
            end_user: record.end_user,
            tags,
            metadata,
            refusal,
            refused_calls,
            request_id: record.request_id,
            trace_id: record.trace_id,
            span_id: record.span_id,
            response_id: record.response_id,
            span_links: None,
            streamed: record.streamed,
            status_code: record.status.map(i32::from),
            error_message: record.error,
            prompt_tokens: tokens(|usage| usage.prompt_tokens),
            completion_tokens: tokens(|usage| usage.completion_tokens),
            total_tokens: tokens(|usage| usage.total_tokens),
            cached_tokens: tokens(|usage| usage.cached_tokens),
            unit: record.quantity.map(|quantity| quantity.unit.name().to_owned()),
            quantity_milli,
            cost_nano_usd: record.cost_nano_usd,
            reserved_nano_usd: record.reserved_nano_usd,
            cache: record.cache,
            cache_write_tokens: tokens(|usage| usage.cache_write_tokens),
            latency_us: record.latency_us,
            first_token_us: record.first_token_us,
            attempts,
            request_data: entry.request,
            response_data: entry.response,
        }
    }
}
