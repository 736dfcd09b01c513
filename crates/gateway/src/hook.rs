//! What a call is part of: declared here, where calls are made, and known to a higher floor, which implements it.
//!
//! A call that names no conversation costs one look for a header.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
use loam_journal::Position;
use loam_kernel::{ChatSessionId, Kind, LlmCallId, Result, Scope, TenantId, UserId, beside_patiently};
use loam_platform::pack::unpack;
use loam_providers::{Endpoint, answered, asked, assemble};
pub use loam_providers::{Finish, Said, Speaker};

use crate::Gateway;
use crate::llm_calls::entity::{CallState, Model};
use crate::proxy::client_id;
use crate::service::Inner;

/// The header in which a client names its conversation.
pub(crate) const SESSION: &str = "x-loam-session-id";
/// Without this permission the header is a text that is kept with the call, and nothing more.
const WRITE: &str = "messages:write";
/// What the record of a call says whose client hung up.
pub(crate) const HUNG_UP: &str = "the client closed the connection before the answer ended";

/// Where what is said in calls is kept.
#[async_trait]
pub trait Conversations: Send + Sync {
    /// The conversation that a caller names, by its id or by their own; none if there is none that they may see.
    ///
    /// # Errors
    /// When it takes no messages. `Unavailable` when that can't be known for the moment: the call is made all the same.
    async fn find(&self, scope: &Scope, name: &str) -> Result<Option<ChatSessionId>>;

    /// Keeps what was said in a call. It must not fail for what may pass: the call is paid for.
    async fn keep(&self, exchange: Exchange);
}

/// Which conversation a call is part of, on whose behalf.
#[derive(Clone, Debug)]
pub struct Named {
    /// Whose it is.
    pub tenant: TenantId,
    /// The user who calls.
    pub user: Option<UserId>,
    /// The permissions of the caller don't matter any more, but for this: the user whose conversations alone they may see.
    pub own_only: Option<UserId>,
    /// What the client called it.
    pub name: String,
    /// The conversation, if it could be looked for before the call.
    pub session: Option<ChatSessionId>,
}

/// What was said in a call.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Where.
    pub named: Named,
    /// The call.
    pub call: LlmCallId,
    /// `provider/model` that answered.
    pub model: String,
    /// The request's messages: the conversation so far, as its client knows it, and what is new.
    pub asked: Vec<Said>,
    /// What the model said.
    pub answer: Said,
    /// How that ended.
    pub ended: Ended,
    /// Tokens read and written.
    pub tokens: Option<(u64, u64)>,
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself.
    Finished(Finish),
    /// The client hung up: a part.
    Stopped,
    /// The provider broke off: a part.
    Failed,
}

/// A call's place in a conversation, until it has ended.
pub(crate) struct Place {
    pub(crate) named: Named,
    hook: Arc<dyn Conversations>,
}

/// What a call is part of.
#[derive(Default)]
pub(crate) struct PartOf {
    /// The conversation that takes what is said.
    pub(crate) place: Option<Box<Place>>,
    /// The application's end user, where the request doesn't say.
    pub(crate) end_user: Option<String>,
}

/// How a call ended, for the conversation.
pub(crate) struct Told {
    pub(crate) call: LlmCallId,
    pub(crate) model: String,
    pub(crate) endpoint: Endpoint,
    pub(crate) request: Bytes,
    pub(crate) answer: Vec<Bytes>,
    pub(crate) events: bool,
    pub(crate) tokens: Option<(u64, u64)>,
    pub(crate) error: Option<String>,
}

impl Place {
    /// Hands what was said in a call to the conversation. Reading it takes a while, so that runs apart.
    pub(crate) async fn keep(self: Box<Self>, told: Told) {
        let Self { named, hook } = *self;
        match beside_patiently(named.tenant, move || told.read(named)).await {
            Ok(exchange) => hook.keep(exchange).await,
            Err(e) => tracing::error!(error = ?e, "what was said in a call could not be read"),
        }
    }
}

impl Told {
    fn read(self, named: Named) -> Exchange {
        let answer = self.answer.concat();
        let answer = match self.events {
            true => assemble(&String::from_utf8_lossy(&answer)),
            false => serde_json::from_slice(&answer).unwrap_or_default(),
        };
        let (answer, finish) = answered(self.endpoint, &answer);
        let ended = match (finish, self.error.as_deref()) {
            (_, Some(HUNG_UP)) => Ended::Stopped,
            // some providers leave out the end of a stream all the time, but say that they have ended
            (Some(finish), _) => Ended::Finished(finish),
            (None, None) => Ended::Finished(Finish::Stop),
            (None, Some(_)) => Ended::Failed,
        };
        Exchange {
            named,
            call: self.call,
            model: self.model,
            asked: asked(self.endpoint, &self.request),
            answer,
            ended,
            tokens: self.tokens,
        }
    }
}

impl Gateway {
    /// Says where conversations are kept. Once, before the first call.
    pub fn connect(&self, conversations: Arc<dyn Conversations>) {
        _ = self.0.conversations.set(conversations);
    }

    /// What was said in a call that has ended, read from its record; none if the record doesn't hold all of it, or the
    /// call brought no answer.
    pub async fn exchange(&self, named: Named, call: LlmCallId) -> Result<Option<Exchange>> {
        let row = self.get_call(&Scope::system(named.tenant, "conversations"), call).await?;
        let Some(endpoint) = Endpoint::of_path(&row.endpoint) else { return Ok(None) };
        let Some(told) = recorded(row, endpoint) else { return Ok(None) };
        beside_patiently(named.tenant, move || told.read(named)).await.map(Some)
    }
}

fn recorded(row: Model, endpoint: Endpoint) -> Option<Told> {
    if !matches!(row.state, CallState::Settled | CallState::Estimated) {
        return None;
    }
    let request = unpack(&row.request_data?).filter(|kept| !kept.cut)?;
    let answer = unpack(&row.response_data.unwrap_or_default());
    let (answer, events) = match answer {
        Some(kept) if kept.cut => return None,
        Some(kept) => (vec![Bytes::from(kept.body)], kept.events),
        None => (Vec::new(), row.streamed),
    };
    let count = |tokens: Option<i64>| tokens.and_then(|tokens| u64::try_from(tokens).ok());
    let tokens = count(row.prompt_tokens).zip(count(row.completion_tokens));
    Some(Told {
        call: row.id,
        model: format!("{}/{}", row.provider, row.model),
        endpoint,
        request: request.body.into(),
        answer,
        events,
        tokens,
        error: row.error_message,
    })
}

impl Inner {
    /// Waits until a call's settlement is on disk, and what was said in it is kept: both before its client learns that it
    /// has ended.
    pub(crate) async fn settled(&self, position: Position, told: Option<(Box<Place>, Told)>) -> Result<()> {
        match told {
            None => self.ledger.durable(position).await,
            Some((place, told)) => {
                // what is said is kept even if the settlement isn't: it was paid for
                tokio::join!(self.ledger.durable(position), place.keep(told)).0
            }
        }
    }

    /// Looks which conversation a request names.
    pub(crate) async fn place_of(
        &self,
        scope: &Scope,
        endpoint: Endpoint,
        headers: &HeaderMap,
    ) -> Result<Option<Box<Place>>> {
        if !headers.contains_key(SESSION) || endpoint == Endpoint::Embeddings {
            return Ok(None);
        }
        let (Some(name), Some(hook)) = (client_id(headers, SESSION)?, self.conversations.get()) else {
            return Ok(None);
        };
        if !scope.permissions().allows(WRITE) {
            return Ok(None);
        }
        let session = match hook.find(scope, &name).await {
            Ok(Some(session)) => Some(session),
            Ok(None) => return Ok(None),
            Err(e) if e.kind() == Kind::Unavailable => None,
            Err(e) => return Err(e),
        };
        let named = Named {
            tenant: scope.tenant(),
            user: scope.user,
            own_only: scope.own_only("chat_sessions:all"),
            name,
            session,
        };
        Ok(Some(Box::new(Place { named, hook: hook.clone() })))
    }
}
