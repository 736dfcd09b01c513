//! Following a turn's stream from any place: in this process's memory while it runs here, in the database otherwise.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use loam_kernel::{Error, Kind, Result, Scope, TurnId};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder};
use tokio::sync::watch;

use super::entity::{Entity, TurnState};
use super::event::{TurnEvent, unpack_events};
use super::live::{Live, Shown};
use super::part;
use super::recover::join;
use crate::Conversation;

/// How often it is looked what a turn of another node has come to.
const LOOK: Duration = Duration::from_millis(250);
/// When nothing comes for so long, a comment shows that the connection lives.
const QUIET: Duration = Duration::from_secs(15);
const COMMENT: &str = ": still here\n\n";

const TURN_ID: HeaderName = HeaderName::from_static("x-loam-turn-id");

/// A reader of a turn's stream.
pub(crate) struct Follower {
    conversation: Conversation,
    scope: Scope,
    turn: TurnId,
    /// Events that it has.
    sent: usize,
    place: Place,
}

enum Place {
    Here(Arc<Live>, watch::Receiver<Shown>),
    Database,
    End,
}

impl Conversation {
    /// Follows a turn that the caller may see, behind so many events.
    pub(crate) fn follow(&self, scope: &Scope, turn: TurnId, sent: usize) -> Follower {
        match self.0.turns.get(turn) {
            Some(live) => self.follow_live(scope, live, sent),
            None => Follower {
                conversation: self.clone(),
                scope: scope.clone(),
                turn,
                sent,
                place: Place::Database,
            },
        }
    }

    /// Follows a turn that was begun here just now.
    pub(crate) fn follow_live(&self, scope: &Scope, live: Arc<Live>, sent: usize) -> Follower {
        let shown = live.watch();
        let turn = live.id;
        Follower {
            conversation: self.clone(),
            scope: scope.clone(),
            turn,
            sent,
            place: Place::Here(live, shown),
        }
    }
}

impl Follower {
    /// What comes next; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<String>> {
        loop {
            match &mut self.place {
                Place::End => return Ok(None),
                Place::Database => {
                    if let Some(text) = self.look().await? {
                        return Ok(Some(text));
                    }
                    if !matches!(self.place, Place::End) {
                        tokio::time::sleep(LOOK).await;
                    }
                }
                Place::Here(live, watched) => {
                    let shown = *watched.borrow_and_update();
                    if shown.events > self.sent {
                        let text = live.render(self.sent, shown.events);
                        self.sent = shown.events;
                        return Ok(Some(text));
                    }
                    if shown.over {
                        // not at rest: somebody else has ended it, and has the rest
                        let rests = live.events().last().is_some_and(TurnEvent::is_rest);
                        self.place = if rests { Place::End } else { Place::Database };
                        continue;
                    }
                    match tokio::time::timeout(QUIET, watched.changed()).await {
                        Ok(Ok(())) => {}
                        Ok(Err(_)) => self.place = Place::Database,
                        Err(_) => return Ok(Some(COMMENT.to_owned())),
                    }
                }
            }
        }
    }

    /// What the database has that was not sent yet.
    async fn look(&mut self) -> Result<Option<String>> {
        let tx = self.conversation.0.db.read(&self.scope).await?;
        let Some(row) = tx.get::<Entity>(self.turn).await? else {
            self.place = Place::End;
            return Ok(None);
        };
        let mut events = row.events.as_deref().map(unpack_events).transpose()?.unwrap_or_default();
        if row.state == TurnState::Running {
            let parts = tx.find::<part::Entity>().filter(part::Column::TurnId.eq(self.turn));
            for part in parts.order_by_asc(part::Column::Position).all().await? {
                join(&mut events, part.position, unpack_events(&part.events)?);
            }
        }
        if matches!(row.state, TurnState::RequiresAction) || row.ended_at.is_some() {
            self.place = Place::End;
        }
        let mut text = String::new();
        for (at, event) in events.iter().enumerate().skip(self.sent) {
            event.render(at + 1, &mut text);
        }
        self.sent = self.sent.max(events.len());
        Ok((!text.is_empty()).then_some(text))
    }

    /// As the answer to a request. Nothing to come: 204, on which browsers don't connect again.
    pub(crate) async fn into_response(mut self) -> Result<Response> {
        let turn = self.turn;
        let first = match self.place {
            // what runs here is not waited for: the client shall know that it is connected
            Place::Here(..) => String::new(),
            _ => match self.look().await? {
                None if matches!(self.place, Place::End) => {
                    let mut response = Response::new(Body::empty());
                    *response.status_mut() = StatusCode::NO_CONTENT;
                    return Ok(response);
                }
                text => text.unwrap_or_default(),
            },
        };
        let rest = stream::unfold(Some(self), async |follower| {
            let mut follower = follower?;
            match follower.next().await {
                Ok(text) => text.map(|text| (Ok(Bytes::from(text)), Some(follower))),
                Err(e) if e.kind() == Kind::Unavailable => {
                    // it comes back from where it was
                    tracing::debug!(error = %e, turn.id = %follower.turn, "a stream ends, as the database is away");
                    None
                }
                Err(e) => Some((Err::<Bytes, Error>(e), None)),
            }
        });
        let head = stream::iter((!first.is_empty()).then_some(Ok(Bytes::from(first))));
        let mut response = Response::new(Body::from_stream(futures_util::StreamExt::chain(head, rest)));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        // nginx in front must not wait for more
        headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
        if let Ok(id) = HeaderValue::try_from(turn.to_string()) {
            headers.insert(TURN_ID, id);
        }
        Ok(response)
    }
}
