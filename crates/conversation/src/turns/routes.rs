//! The routes of turns.

use std::sync::Arc;
use std::time::Duration;

use axum::Json as JsonResponse;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use loam_http::surface::{ApiResult, Caller, Json, Path, Query, ReplayBody};
use loam_kernel::{ChatSessionId, Error, Page, PageQuery, Scope, TurnId};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::entity::TurnState;
use super::input::{ToolResultsCreate, TurnCreate, TurnRegenerate};
use super::live::LiveTurn;
use super::service::EventsSoFar;
use super::stream_event::TurnStreamEvent;
use super::view::{TurnView, TurnWithAnswer};
use crate::turns::Turns;

/// How long a streaming response waits for output. A failure within this time is an error response; later
/// ones are events.
const FIRST_OUTPUT_TIMEOUT: Duration = Duration::from_secs(15);

pub(crate) fn router(turns: Turns) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, stop))
        .routes(routes!(regenerate))
        .routes(routes!(stream))
        .routes(routes!(tool_results))
        .with_state(turns)
}

/// Filter for turns.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct TurnFilter {
    /// Only turns in this state.
    state: Option<TurnState>,
}

/// Position in a stream.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct StreamQuery {
    /// Number of the last event received. Defaults to 0: all events.
    after: Option<usize>,
    /// A token of `POST /api/v1/tokens`, for browsers' `EventSource`, which can't send headers. Give it a short lifetime and
    /// the permission `turns:read` alone.
    #[serde(rename = "access_token")]
    _access_token: Option<String>,
}

/// Lists the turns of a session, newest first.
#[utoipa::path(
    get, path = "/api/v1/chat_sessions/{id}/turns", tag = "turns", operation_id = "turns_list",
    params(("id" = ChatSessionId, Path), TurnFilter, PageQuery),
    responses((status = 200, body = Page<TurnView>)),
    security(("api_key" = ["turns:read"]))
)]
async fn list(
    State(turns): State<Turns>,
    Caller(scope): Caller,
    Path(id): Path<ChatSessionId>,
    Query(filter): Query<TurnFilter>,
    Query(page): Query<PageQuery>,
) -> ApiResult<JsonResponse<Page<TurnView>>> {
    let Page { data, next_cursor, prev_cursor } = turns.list_turns(&scope, id, filter.state, &page).await?;
    let data = data.into_iter().map(TurnView::new).collect::<Result<_, _>>()?;
    Ok(JsonResponse(Page { data, next_cursor, prev_cursor }))
}

/// Stores a question, calls the model and stores the answer.
///
/// Turns of a session run one after another. With `"stream": true` the response is a stream of events.
/// Disconnecting does not stop the turn.
#[utoipa::path(
    post, path = "/api/v1/chat_sessions/{id}/turns", tag = "turns", operation_id = "turns_create",
    params(("id" = ChatSessionId, Path)),
    request_body(content = TurnCreate, example = json!({"content": "Hello", "stream": true})),
    responses(
        (status = 201, body = TurnWithAnswer, description = "the turn when it has ended or requires tool results"),
        (
            status = 200, content((TurnStreamEvent = "text/event-stream"), (TurnWithAnswer = "application/json")),
            description = "With `stream`, its events. A repetition with the same `Idempotency-Key` gets the turn.",
        ),
    ),
    extensions(("x-calls-model" = json!(true)), ("x-errors" = json!({
        "400": ["no_model", "context_too_long"],
        "404": ["not_found"],
        "409": ["wrong_state", "session_archived"],
        "429": ["session_busy", "too_many_turns"],
        "502": ["answer_broke_off", "too_many_tool_rounds", "no_summary"],
        "504": ["turn_too_long"],
        "503": ["turn_interrupted"]
    }))),
    security(("api_key" = ["turns:write"]))
)]
async fn create(
    State(turns): State<Turns>,
    Caller(scope): Caller,
    Path(id): Path<ChatSessionId>,
    Json(new): Json<TurnCreate>,
) -> ApiResult<Response> {
    let stream = new.stream;
    let live = turns.create_turn(&scope, id, new).await?;
    respond(&turns, &scope, live, stream, StatusCode::CREATED, EventsSoFar::default()).await
}

/// Creates another answer to the question of a turn, as a new branch, which becomes the current one.
#[utoipa::path(
    post, path = "/api/v1/chat_sessions/{id}/turns/{turn_id}/regenerate", tag = "turns", operation_id = "turns_regenerate",
    params(("id" = ChatSessionId, Path), ("turn_id" = TurnId, Path)),
    request_body(content = TurnRegenerate, example = json!({"stream": true})),
    responses(
        (status = 201, body = TurnWithAnswer, description = "the new turn when it has ended"),
        (
            status = 200, content((TurnStreamEvent = "text/event-stream"), (TurnWithAnswer = "application/json")),
            description = "With `stream`, its events. A repetition with the same `Idempotency-Key` gets the turn.",
        ),
    ),
    extensions(("x-calls-model" = json!(true)), ("x-errors" = json!({
        "400": ["no_model", "context_too_long"],
        "404": ["not_found"],
        "409": ["wrong_state", "session_archived"],
        "429": ["session_busy", "too_many_turns"],
        "502": ["answer_broke_off", "too_many_tool_rounds", "no_summary"],
        "504": ["turn_too_long"],
        "503": ["turn_interrupted"]
    }))),
    security(("api_key" = ["turns:write"]))
)]
async fn regenerate(
    State(turns): State<Turns>,
    Caller(scope): Caller,
    Path((id, turn)): Path<(ChatSessionId, TurnId)>,
    Json(new): Json<TurnRegenerate>,
) -> ApiResult<Response> {
    let stream = new.stream;
    let live = turns.regenerate_turn(&scope, id, turn, new).await?;
    respond(&turns, &scope, live, stream, StatusCode::CREATED, EventsSoFar::default()).await
}

/// Returns a turn with its answer.
#[utoipa::path(
    get, path = "/api/v1/chat_sessions/{id}/turns/{turn_id}", tag = "turns", operation_id = "turns_get",
    params(("id" = ChatSessionId, Path), ("turn_id" = TurnId, Path)),
    responses((status = 200, body = TurnWithAnswer)),
    security(("api_key" = ["turns:read"]))
)]
async fn get(
    State(turns): State<Turns>,
    Caller(scope): Caller,
    Path((id, turn)): Path<(ChatSessionId, TurnId)>,
) -> ApiResult<JsonResponse<TurnWithAnswer>> {
    Ok(JsonResponse(TurnWithAnswer::new(turns.get_turn(&scope, id, turn).await?)?))
}

/// Streams the events of a turn, from any event on, during the turn or afterwards.
///
/// The same events always have the same bytes. 204 if no events remain.
#[utoipa::path(
    get, path = "/api/v1/chat_sessions/{id}/turns/{turn_id}/stream", tag = "turns", operation_id = "turns_stream",
    params(
        ("id" = ChatSessionId, Path), ("turn_id" = TurnId, Path), StreamQuery,
        ("Last-Event-ID" = Option<String>, Header, description = "sent by browsers when they reconnect; `after` takes precedence"),
    ),
    responses(
        (status = 200, content_type = "text/event-stream", body = TurnStreamEvent, description = "events"),
        (status = 204, description = "no events remain"),
    ),
    security(("api_key" = ["turns:read"]))
)]
async fn stream(
    State(turns): State<Turns>,
    Caller(scope): Caller,
    Path((id, turn)): Path<(ChatSessionId, TurnId)>,
    Query(from): Query<StreamQuery>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let sent = match from.after {
        Some(after) => after,
        None => last_event(&headers)?,
    };
    turns.get_turn(&scope, id, turn).await?;
    Ok(turns.follow(&scope, turn, sent).into_response().await?)
}

/// Stops a turn. Partial output is kept and marked as such.
#[utoipa::path(
    delete, path = "/api/v1/chat_sessions/{id}/turns/{turn_id}", tag = "turns", operation_id = "turns_stop",
    params(("id" = ChatSessionId, Path), ("turn_id" = TurnId, Path)),
    responses((status = 200, body = TurnWithAnswer)),
    extensions(("x-errors" = json!({"409": ["wrong_state"]}))),
    security(("api_key" = ["turns:write"]))
)]
async fn stop(
    State(turns): State<Turns>,
    Caller(scope): Caller,
    Path((id, turn)): Path<(ChatSessionId, TurnId)>,
) -> ApiResult<JsonResponse<TurnWithAnswer>> {
    turns.stop_turn(&scope, id, turn).await?;
    Ok(JsonResponse(TurnWithAnswer::new(turns.get_turn(&scope, id, turn).await?)?))
}

/// Sends results of tool calls executed by the client. The model continues when all results are present.
#[utoipa::path(
    post, path = "/api/v1/chat_sessions/{id}/turns/{turn_id}/tool_results", tag = "turns", operation_id = "turns_tool_results",
    params(("id" = ChatSessionId, Path), ("turn_id" = TurnId, Path)),
    request_body(content = ToolResultsCreate, example = json!({"tool_results": [{"tool_call_id": "call_1", "content": "21 °C"}]})),
    responses(
        (
            status = 200, content((TurnWithAnswer = "application/json"), (TurnStreamEvent = "text/event-stream")),
            description = "The turn when it has ended or requires tool results; with `stream`, its events after `requires_action`.",
        ),
    ),
    extensions(("x-calls-model" = json!(true)), ("x-errors" = json!({
        "400": ["no_model", "context_too_long"],
        "404": ["not_found"],
        "409": ["wrong_state", "session_archived"],
        "429": ["session_busy", "too_many_turns"],
        "502": ["answer_broke_off", "too_many_tool_rounds", "no_summary"],
        "504": ["turn_too_long", "tool_results_late"],
        "503": ["turn_interrupted"]
    }))),
    security(("api_key" = ["turns:write"]))
)]
async fn tool_results(
    State(turns): State<Turns>,
    Caller(scope): Caller,
    Path((id, turn)): Path<(ChatSessionId, TurnId)>,
    Json(given): Json<ToolResultsCreate>,
) -> ApiResult<Response> {
    match turns.submit_tool_results(&scope, id, turn, &given).await? {
        Some((live, so_far)) => respond(&turns, &scope, live, given.stream, StatusCode::OK, so_far).await,
        None => {
            Ok(JsonResponse(TurnWithAnswer::new(turns.get_turn(&scope, id, turn).await?)?).into_response())
        }
    }
}

/// The response to a request that started or resumed a turn: the events of the part that begins, or the ended turn.
async fn respond(
    turns: &Turns,
    scope: &Scope,
    live: Arc<LiveTurn>,
    stream: bool,
    status: StatusCode,
    EventsSoFar { count, before }: EventsSoFar,
) -> ApiResult<Response> {
    if !stream {
        live.wait_done().await;
        if let Some(error) = live.take_failure().filter(|_| !live.has_output_after(count)) {
            return Err(error.into());
        }
        let turn = TurnWithAnswer::new(turns.get_turn(scope, live.session, live.id).await?)?;
        return Ok((status, JsonResponse(turn)).into_response());
    }
    // The first event only says that the turn started.
    _ = tokio::time::timeout(FIRST_OUTPUT_TIMEOUT, live.wait_for_more(count + usize::from(count == 0))).await;
    if let Some(error) = live.take_failure().filter(|_| !live.has_output_after(count)) {
        return Err(error.into());
    }
    let repeated = TurnWithAnswer::new(turns.get_turn(scope, live.session, live.id).await?)?;
    let mut response = turns.follow_live(scope, live, before).into_response().await?;
    let repeated = serde_json::to_string(&repeated).map_err(Error::internal)?;
    response.extensions_mut().insert(ReplayBody(repeated));
    Ok(response)
}

fn last_event(headers: &HeaderMap) -> Result<usize, Error> {
    let Some(value) = headers.get("last-event-id") else { return Ok(0) };
    let number = value.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    match number.map(str::parse) {
        Some(Ok(number)) => Ok(number),
        _ => Err(Error::invalid("Last-Event-ID", "must be the number of an event of this stream")),
    }
}
