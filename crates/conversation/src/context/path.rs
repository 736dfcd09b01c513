//! The way from a message back to the beginning of its conversation, read page by page: a long history costs as much as
//! is told of it.

use std::collections::HashMap;

use loam_db::Tx;
use loam_kernel::{MessageId, Result};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::chat_sessions::entity::Model as Session;
use crate::messages::entity::{Column, Entity, Model};
use crate::messages::span::Span;

/// Messages that are read at once.
const PAGE: u64 = 100;

/// Walks back from a message to the first.
pub(super) struct Path<'t, R> {
    tx: &'t Tx<R>,
    session: &'t Session,
    next: Option<MessageId>,
    /// Messages that were read and not yet come to.
    read: HashMap<MessageId, Model>,
}

impl<'t, R> Path<'t, R> {
    pub(super) fn new(tx: &'t Tx<R>, session: &'t Session, from: Option<MessageId>) -> Self {
        Self { tx, session, next: from, read: HashMap::new() }
    }

    /// The message before; none at the beginning.
    pub(super) async fn back(&mut self) -> Result<Option<Model>> {
        let Some(id) = self.next else { return Ok(None) };
        let message = match self.read.remove(&id) {
            Some(message) => Some(message),
            None => self.read_behind(id).await?,
        };
        // a message follows one with a lower number, so this comes to an end
        let message = message.filter(|message| message.session_id == self.session.id);
        self.next = message.as_ref().and_then(|message| message.parent_id);
        Ok(message)
    }

    /// Whether the next step reads from the database.
    pub(super) fn is_at_edge(&self) -> bool {
        self.next.is_some_and(|next| !self.read.contains_key(&next))
    }

    /// Reads a message, and those numbered before it.
    async fn read_behind(&mut self, id: MessageId) -> Result<Option<Model>> {
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
