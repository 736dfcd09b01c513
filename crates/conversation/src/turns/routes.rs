//! The routes of turns.

use std::sync::Arc;
use std::time::Duration;

use axum::Json as Answer;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use loam_http::surface::{ApiResult, Caller, ErrorBody, Json, Path, Query, Repeated};
use loam_kernel::{ChatSessionId, Error, Page, PageQuery, Scope, TurnId};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::entity::TurnState;
use super::input::{ToolResults, TurnCreate, TurnRegenerate};
use super::live::Live;
use super::view::{TurnView, TurnWithAnswer};
use crate::Conversation;

/// How long a stream's head waits for the answer to begin: so long an error is an error, and afterwards an event.
const PATIENCE: Duration = Duration::from_secs(15);

pub(crate) fn router(conversation: Conversation) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, stop))
        .routes(routes!(regenerate))
        .routes(routes!(stream))
        .routes(routes!(tool_results))
        .with_state(conversation)
}

/// Which turns to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct TurnFilter {
    /// Only those of this state.
    state: Option<TurnState>,
}

/// From where to follow a stream.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct From {
    /// The number of the last event that is known; 0, or nothing, for all.
    after: Option<usize>,
}

/// The turns of a session, newest first.
#[utoipa::path(
    get, path = "/api/v1/chat_sessions/{id}/turns", tag = "turns", operation_id = "turns_list",
    params(("id" = ChatSessionId, Path), TurnFilter, PageQuery),
    responses((status = 200, body = Page<TurnView>), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["turns:read"]))
)]
async fn list(
    State(conversation): State<Conversation>,
    Caller(scope): Caller,
    Path(id): Path<ChatSessionId>,
    Query(filter): Query<TurnFilter>,
    Query(page): Query<PageQuery>,
) -> ApiResult<Answer<Page<TurnView>>> {
    let Page { data, next_cursor, prev_cursor } =
        conversation.list_turns(&scope, id, filter.state, &page).await?;
    let data = data.into_iter().map(TurnView::new).collect::<Result<_, _>>()?;
    Ok(Answer(Page { data, next_cursor, prev_cursor }))
}

/// Asks a question: stores it, asks the model, stores the answer. Turns of a session come one after the other. With
/// `"stream": true` the answer is a stream of events; whoever hangs up changes nothing.
#[utoipa::path(
    post, path = "/api/v1/chat_sessions/{id}/turns", tag = "turns", operation_id = "turns_create",
    params(("id" = ChatSessionId, Path)),
    request_body(content = TurnCreate, example = json!({"content": "Hello", "stream": true})),
    responses(
        (status = 201, body = TurnWithAnswer, description = "the turn as it ended, or as the client's tools are needed"),
        (status = 200, content_type = "text/event-stream", body = String, description = "with `stream`: events"),
        (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody),
    ),
    security(("api_key" = ["turns:write"]))
)]
async fn create(
    State(conversation): State<Conversation>,
    Caller(scope): Caller,
    Path(id): Path<ChatSessionId>,
    Json(new): Json<TurnCreate>,
) -> ApiResult<Response> {
    let stream = new.stream;
    let live = conversation.create_turn(&scope, id, new).await?;
    answer(&conversation, &scope, live, stream, StatusCode::CREATED, 0).await
}

/// Another answer to the question of a turn: a branch, which becomes the one in use.
#[utoipa::path(
    post, path = "/api/v1/chat_sessions/{id}/turns/{turn_id}/regenerate", tag = "turns", operation_id = "turns_regenerate",
    params(("id" = ChatSessionId, Path), ("turn_id" = TurnId, Path)),
    request_body(content = TurnRegenerate, example = json!({"stream": true})),
    responses(
        (status = 201, body = TurnWithAnswer, description = "the new turn as it ended"),
        (status = 200, content_type = "text/event-stream", body = String, description = "with `stream`: events"),
        (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody),
    ),
    security(("api_key" = ["turns:write"]))
)]
async fn regenerate(
    State(conversation): State<Conversation>,
    Caller(scope): Caller,
    Path((id, turn)): Path<(ChatSessionId, TurnId)>,
    Json(new): Json<TurnRegenerate>,
) -> ApiResult<Response> {
    let stream = new.stream;
    let live = conversation.regenerate_turn(&scope, id, turn, new).await?;
    answer(&conversation, &scope, live, stream, StatusCode::CREATED, 0).await
}

/// One turn, with its answer.
#[utoipa::path(
    get, path = "/api/v1/chat_sessions/{id}/turns/{turn_id}", tag = "turns", operation_id = "turns_get",
    params(("id" = ChatSessionId, Path), ("turn_id" = TurnId, Path)),
    responses((status = 200, body = TurnWithAnswer), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["turns:read"]))
)]
async fn get(
    State(conversation): State<Conversation>,
    Caller(scope): Caller,
    Path((id, turn)): Path<(ChatSessionId, TurnId)>,
) -> ApiResult<Answer<TurnWithAnswer>> {
    Ok(Answer(TurnWithAnswer::new(conversation.get_turn(&scope, id, turn).await?)?))
}

/// Follows a turn's stream, from any event on, from anywhere, while it runs and afterwards. The bytes are always the same.
/// 204 when nothing more comes.
#[utoipa::path(
    get, path = "/api/v1/chat_sessions/{id}/turns/{turn_id}/stream", tag = "turns", operation_id = "turns_stream",
    params(
        ("id" = ChatSessionId, Path), ("turn_id" = TurnId, Path), From,
        ("Last-Event-ID" = Option<String>, Header, description = "as browsers send it when they connect again; `after` is looked at first"),
    ),
    responses(
        (status = 200, content_type = "text/event-stream", body = String, description = "events"),
        (status = 204, description = "there is nothing behind this event, and nothing comes"),
        (status = "4XX", body = ErrorBody),
    ),
    security(("api_key" = ["turns:read"]))
)]
async fn stream(
    State(conversation): State<Conversation>,
    Caller(scope): Caller,
    Path((id, turn)): Path<(ChatSessionId, TurnId)>,
    Query(from): Query<From>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let sent = match from.after {
        Some(after) => after,
        None => last_event(&headers)?,
    };
    conversation.get_turn(&scope, id, turn).await?;
    Ok(conversation.follow(&scope, turn, sent).into_response().await?)
}

/// Stops a turn. What has come is kept, and marked as a part.
#[utoipa::path(
    delete, path = "/api/v1/chat_sessions/{id}/turns/{turn_id}", tag = "turns", operation_id = "turns_stop",
    params(("id" = ChatSessionId, Path), ("turn_id" = TurnId, Path)),
    responses((status = 200, body = TurnWithAnswer), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["turns:write"]))
)]
async fn stop(
    State(conversation): State<Conversation>,
    Caller(scope): Caller,
    Path((id, turn)): Path<(ChatSessionId, TurnId)>,
) -> ApiResult<Answer<TurnWithAnswer>> {
    conversation.stop_turn(&scope, id, turn).await?;
    Ok(Answer(TurnWithAnswer::new(conversation.get_turn(&scope, id, turn).await?)?))
}

/// Sends what the client's tools gave. When the results of all are there the model goes on.
#[utoipa::path(
    post, path = "/api/v1/chat_sessions/{id}/turns/{turn_id}/tool_results", tag = "turns", operation_id = "turns_tool_results",
    params(("id" = ChatSessionId, Path), ("turn_id" = TurnId, Path)),
    request_body(content = ToolResults, example = json!({"tool_results": [{"tool_call_id": "call_1", "content": "21 °C"}]})),
    responses(
        (status = 200, body = TurnWithAnswer, description = "the turn as it ended; with `stream` the events that follow"),
        (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody),
    ),
    security(("api_key" = ["turns:write"]))
)]
async fn tool_results(
    State(conversation): State<Conversation>,
    Caller(scope): Caller,
    Path((id, turn)): Path<(ChatSessionId, TurnId)>,
    Json(given): Json<ToolResults>,
) -> ApiResult<Response> {
    match conversation.take_results(&scope, id, turn, &given).await? {
        Some((live, sent)) => answer(&conversation, &scope, live, given.stream, StatusCode::OK, sent).await,
        None => {
            Ok(Answer(TurnWithAnswer::new(conversation.get_turn(&scope, id, turn).await?)?).into_response())
        }
    }
}

/// The answer to a request that made a turn go on: behind `sent` events as they come, or as it ended.
async fn answer(
    conversation: &Conversation,
    scope: &Scope,
    live: Arc<Live>,
    stream: bool,
    status: StatusCode,
    sent: usize,
) -> ApiResult<Response> {
    if !stream {
        live.over().await;
        if let Some(error) = live.failure().filter(|_| !live.says_more(sent)) {
            return Err(error.into());
        }
        let turn = TurnWithAnswer::new(conversation.get_turn(scope, live.session, live.id).await?)?;
        return Ok((status, Answer(turn)).into_response());
    }
    // the first event says no more than that it has begun
    _ = tokio::time::timeout(PATIENCE, live.shows_more(sent + usize::from(sent == 0))).await;
    if let Some(error) = live.failure().filter(|_| !live.says_more(sent)) {
        return Err(error.into());
    }
    let repeated = TurnWithAnswer::new(conversation.get_turn(scope, live.session, live.id).await?)?;
    let mut response = conversation.follow_live(scope, live, sent).into_response().await?;
    let repeated = serde_json::to_string(&repeated).map_err(Error::internal)?;
    response.extensions_mut().insert(Repeated(repeated));
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
