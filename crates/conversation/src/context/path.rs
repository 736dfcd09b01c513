//! The path from a message to the first message of its conversation, read page by page, so that the cost
//! depends on the messages used, not on the length of the history.

use std::collections::HashMap;

use loam_db::Tx;
use loam_kernel::{MessageId, Result};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::chat_sessions::entity::Model as Session;
use crate::messages::entity::{Column, Entity, Model};
use crate::messages::span::Span;

/// Messages per query.
const PAGE: u64 = 100;

/// Iterates from a message to the first one.
pub(super) struct AncestorPath<'t, R> {
    tx: &'t Tx<R>,
    session: &'t Session,
    next: Option<MessageId>,
    /// Messages that were read and not visited yet.
    read: HashMap<MessageId, Model>,
}

impl<'t, R> AncestorPath<'t, R> {
    pub(super) fn new(tx: &'t Tx<R>, session: &'t Session, from: Option<MessageId>) -> Self {
        Self { tx, session, next: from, read: HashMap::new() }
    }

    /// The next message towards the first; `None` after the first.
    pub(super) async fn advance(&mut self) -> Result<Option<Model>> {
        let Some(id) = self.next else { return Ok(None) };
        let message = match self.read.remove(&id) {
            Some(message) => Some(message),
            None => self.read_page(id).await?,
        };
        // A parent has a lower number than its child, so this terminates.
        let message = message.filter(|message| message.session_id == self.session.id);
        self.next = message.as_ref().and_then(|message| message.parent_id);
        Ok(message)
    }

    /// Whether the next step queries the database.
    pub(super) fn needs_query(&self) -> bool {
        self.next.is_some_and(|next| !self.read.contains_key(&next))
    }

    /// Reads a message and a page of those before it.
    async fn read_page(&mut self, id: MessageId) -> Result<Option<Model>> {
        let Some(message) = self.tx.get::<Entity>(id).await? else { return Ok(None) };
        let mut find = self
            .tx
            .find::<Entity>()
            .filter(Column::SessionId.eq(self.session.id))
            .filter(Column::SequenceNumber.lt(message.sequence_number));
        if let Some(span) = Span::of_session(self.session) {
            find = find.within_ids(span.from, span.before);
        }
        let page = find.order_by_desc(Column::SequenceNumber).limit(PAGE).all().await?;
        self.read = page.into_iter().map(|message| (message.id, message)).collect();
        Ok(Some(message))
    }
}
