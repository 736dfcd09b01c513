//! Writes a running turn's events to the journal, and lets them be shown once they are durable.
//!
//! Nobody waits for a sync but those who want to see: while one is under way, what the model says meanwhile is gathered,
//! and goes into the next frame as one event.

use std::pin::Pin;
use std::sync::Arc;

use loam_journal::{Durable, Journal};

use super::event::TurnEvent;
use super::frames::{append_part, append_stored};
use super::live::Live;

/// The log of one turn.
pub(super) struct TurnLog {
    live: Arc<Live>,
    journal: Journal,
    /// Events that have been given to the journal, and so never change again.
    written: usize,
    /// What is on its way to the disk: so many events.
    waiting: Option<(Pin<Box<Durable>>, usize)>,
}

impl TurnLog {
    pub(super) fn new(live: Arc<Live>, journal: Journal) -> Self {
        let written = live.events().len();
        Self { live, journal, written, waiting: None }
    }

    /// Adds an event; what the model says goes on in the last one where that can still change.
    pub(super) fn push(&mut self, event: TurnEvent) {
        let mut events = self.live.events();
        let open = events.len() > self.written;
        match (events.last_mut().filter(|_| open), event) {
            (Some(TurnEvent::Delta(text)), TurnEvent::Delta(more)) => text.push_str(&more),
            (Some(TurnEvent::Reasoning(text)), TurnEvent::Reasoning(more)) => text.push_str(&more),
            (_, event) => events.push(event),
        }
    }

    /// Gives what is new to the journal, unless something is on its way there.
    pub(super) fn write(&mut self) {
        if self.waiting.is_some() {
            return;
        }
        let events = self.live.events();
        let total = events.len();
        if total == self.written {
            return;
        }
        match append_part(&self.journal, &self.live, self.written, &events[self.written..]) {
            Ok(position) => {
                self.written = total;
                self.waiting = Some((Box::pin(self.journal.durable(position)), total));
            }
            // it is shown when the answer is stored, or when a later frame finds room
            Err(_) => metrics::counter!("loam_turn_events_held_total").increment(1),
        }
    }

    /// Ends when what was on its way is on disk, and so may be shown; never if nothing was.
    pub(super) async fn shown(&mut self) {
        let Some((durable, events)) = &mut self.waiting else { return std::future::pending().await };
        let events = *events;
        let done = durable.as_mut().await;
        self.waiting = None;
        // a sync of something later covers it as well
        if done.is_ok() {
            self.live.show(events);
        }
    }

    /// The database has these events, all there are.
    pub(super) fn stored(&mut self, events: Vec<TurnEvent>, over: bool) {
        self.waiting = None;
        self.written = events.len();
        if over {
            append_stored(&self.journal, &self.live, events.len());
        }
        self.live.stored(events, over);
    }
}
