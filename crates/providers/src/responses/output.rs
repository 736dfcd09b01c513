//! The output items of a response.

use serde_json::Value;

use super::item::{Events, Item, ItemKind};

/// The items so far.
#[derive(Debug, Default)]
pub(super) struct Output {
    items: Vec<Item>,
    /// Makes the ids of items unique.
    suffix: String,
}

impl Output {
    pub(super) fn new(suffix: String) -> Self {
        Self { items: Vec::new(), suffix }
    }

    /// Adds text to the open item of its kind, or begins one. Text ends where something else begins.
    pub(super) fn text(&mut self, kind: ItemKind, more: &str, events: &mut Events<'_>) {
        let same = std::mem::discriminant(&kind);
        let open =
            self.items.last().filter(|last| last.is_open() && std::mem::discriminant(&last.kind) == same);
        if open.is_none() {
            self.begin(kind, events);
        }
        let at = self.items.len() - 1;
        self.items[at].add(at, more, events);
    }

    /// Begins an item.
    pub(super) fn begin(&mut self, kind: ItemKind, events: &mut Events<'_>) {
        let at = self.items.len();
        if let Some(last) = self.items.last_mut().filter(|last| !matches!(last.kind, ItemKind::Call { .. })) {
            last.end(at - 1, "completed", events);
        }
        self.items.push(Item::begin(kind, at, &self.suffix, events));
    }

    /// Adds arguments to a call.
    pub(super) fn arguments(&mut self, call: usize, more: &str, events: &mut Events<'_>) {
        let is_call = |item: &Item| matches!(item.kind, ItemKind::Call { index, .. } if index == call);
        if let Some(at) = self.items.iter().rposition(is_call) {
            self.items[at].add(at, more, events);
        }
    }

    /// Ends all items. The last one of a response that was cut is incomplete.
    pub(super) fn end(&mut self, is_cut: bool, events: &mut Events<'_>) {
        let last = self.items.len().saturating_sub(1);
        for (at, item) in self.items.iter_mut().enumerate() {
            let status = if is_cut && at == last { "incomplete" } else { "completed" };
            item.end(at, status, events);
        }
    }

    pub(super) fn json(&self) -> Value {
        self.items.iter().map(Item::shown).collect()
    }
}
