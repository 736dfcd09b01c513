//! Writes a running turn's events to the journal, and publishes them when they are durable.
//!
//! Only clients wait for a sync. Output that arrives during a sync is collected, and becomes one event of the
//! next frame.

use std::pin::Pin;
use std::sync::Arc;

use loam_journal::{Durable, Journal};

use super::event::TurnEvent;
use super::frames::{append_events, append_stored};
use super::live::LiveTurn;

/// The log of one turn.
pub(super) struct TurnLog {
    live: Arc<LiveTurn>,
    journal: Journal,
    /// Number of events passed to the journal; these don't change any more.
    written: usize,
    /// The pending sync, and the number of events that it covers.
    waiting: Option<(Pin<Box<Durable>>, usize)>,
}

impl TurnLog {
    pub(super) fn new(live: Arc<LiveTurn>, journal: Journal) -> Self {
        let written = live.events().len();
        Self { live, journal, written, waiting: None }
    }

    /// Adds an event. Text is appended to the last event if that has not been written yet.
    pub(super) fn push(&mut self, event: TurnEvent) {
        let mut events = self.live.events();
        if events.len() > self.written {
            events.push_merged(event);
        } else {
            events.push(event);
        }
    }

    /// Writes new events to the journal, unless a sync is pending.
    pub(super) fn write(&mut self) {
        if self.waiting.is_some() {
            return;
        }
        let events = self.live.events();
        let total = events.len();
        if total == self.written {
            return;
        }
        match append_events(&self.journal, &self.live, self.written, &events[self.written..]) {
            Ok(position) => {
                self.written = total;
                self.waiting = Some((Box::pin(self.journal.durable(position)), total));
            }
            // They are published when the answer is stored, or when a later frame can be appended.
            Err(_) => metrics::counter!("loam_turn_events_held_total").increment(1),
        }
    }

    /// Completes when the pending events are durable and published; never if there are none.
    pub(super) async fn published(&mut self) {
        let Some((durable, events)) = &mut self.waiting else { return std::future::pending().await };
        let events = *events;
        let done = durable.as_mut().await;
        self.waiting = None;
        // A later sync covers it as well.
        if done.is_ok() {
            self.live.publish(events);
        }
    }

    /// Replaces the events by the stored ones.
    pub(super) fn stored(&mut self, events: Vec<TurnEvent>, done: bool) {
        self.waiting = None;
        self.written = events.len();
        if done {
            append_stored(&self.journal, &self.live, events.len());
        }
        self.live.stored(events, done);
    }
}
