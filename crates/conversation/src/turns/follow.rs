//! Follows a turn's stream from any position: from memory while the turn runs in this process, else from the
//! database.

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
use super::event::TurnEvent;
use super::live::{LiveTurn, Published};
use super::part;
use super::recover::merge_part;
use super::stored::unpack_events;
use crate::turns::Turns;

/// How often a turn that another node runs is polled.
const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// Idle time after which a comment is sent to keep the connection alive.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
const KEEPALIVE: &str = ": still here\n\n";

const TURN_ID: HeaderName = HeaderName::from_static("x-loam-turn-id");

/// A client that follows a turn's stream.
pub(crate) struct Follower {
    turns: Turns,
    scope: Scope,
    turn: TurnId,
    /// Number of events sent.
    sent: usize,
    position: StreamPosition,
}

enum StreamPosition {
    Live(Arc<LiveTurn>, watch::Receiver<Published>),
    Database,
    End,
}

impl Turns {
    /// Follows a turn that the caller may see, after the first `sent` events.
    pub(crate) fn follow(&self, scope: &Scope, turn: TurnId, sent: usize) -> Follower {
        match self.0.live.get(turn) {
            Some(live) => self.follow_live(scope, live, sent),
            None => Follower {
                turns: self.clone(),
                scope: scope.clone(),
                turn,
                sent,
                position: StreamPosition::Database,
            },
        }
    }

    /// Follows a turn that was just started in this process.
    pub(crate) fn follow_live(&self, scope: &Scope, live: Arc<LiveTurn>, sent: usize) -> Follower {
        let published = live.subscribe();
        let turn = live.id;
        Follower {
            turns: self.clone(),
            scope: scope.clone(),
            turn,
            sent,
            position: StreamPosition::Live(live, published),
        }
    }
}

impl Follower {
    /// The next events; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<String>> {
        loop {
            match &mut self.position {
                StreamPosition::End => return Ok(None),
                StreamPosition::Database => {
                    if let Some(text) = self.poll_database().await? {
                        return Ok(Some(text));
                    }
                    if !matches!(self.position, StreamPosition::End) {
                        tokio::time::sleep(POLL_INTERVAL).await;
                    }
                }
                StreamPosition::Live(live, watched) => {
                    let published = *watched.borrow_and_update();
                    if published.events > self.sent {
                        let text = live.render(self.sent, published.events);
                        self.sent = published.events;
                        return Ok(Some(text));
                    }
                    if published.done {
                        // The last event is not final: another node ended the turn, and the database has the
                        // remaining events.
                        let is_final = live.events().last().is_some_and(TurnEvent::is_final);
                        self.position = if is_final { StreamPosition::End } else { StreamPosition::Database };
                        continue;
                    }
                    match tokio::time::timeout(KEEPALIVE_INTERVAL, watched.changed()).await {
                        Ok(Ok(())) => {}
                        Ok(Err(_)) => self.position = StreamPosition::Database,
                        Err(_) => return Ok(Some(KEEPALIVE.to_owned())),
                    }
                }
            }
        }
    }

    /// The events in the database that were not sent yet.
    async fn poll_database(&mut self) -> Result<Option<String>> {
        let tx = self.turns.0.db.read(&self.scope).await?;
        let Some(row) = tx.get::<Entity>(self.turn).await? else {
            self.position = StreamPosition::End;
            return Ok(None);
        };
        let mut events = row.events.as_deref().map(unpack_events).transpose()?.unwrap_or_default();
        if row.state == TurnState::Running {
            let parts = tx.find::<part::Entity>().filter(part::Column::TurnId.eq(self.turn));
            for part in parts.order_by_asc(part::Column::Position).all().await? {
                merge_part(&mut events, part.position, unpack_events(&part.events)?);
            }
        }
        if matches!(row.state, TurnState::RequiresAction) || row.ended_at.is_some() {
            self.position = StreamPosition::End;
        }
        let mut text = String::new();
        for (at, event) in events.iter().enumerate().skip(self.sent) {
            event.render(at + 1, &mut text);
        }
        self.sent = self.sent.max(events.len());
        Ok((!text.is_empty()).then_some(text))
    }

    /// Streams the events as a response. 204 if there is nothing to send: browsers then stop reconnecting.
    pub(crate) async fn into_response(mut self) -> Result<Response> {
        let turn = self.turn;
        let first = match self.position {
            // A running turn is not waited for, so that the client sees that it is connected.
            StreamPosition::Live(..) => String::new(),
            _ => match self.poll_database().await? {
                None if matches!(self.position, StreamPosition::End) => {
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
                    // The client reconnects and continues from the last event.
                    tracing::debug!(error = %e, turn.id = %follower.turn, "a stream ends because the database is unavailable");
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
        // Disables nginx's buffering.
        headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
        if let Ok(id) = HeaderValue::try_from(turn.to_string()) {
            headers.insert(TURN_ID, id);
        }
        Ok(response)
    }
}
