//! The content blocks of a streamed message, which are sequential, unlike the deltas of a chat completion: a block ends
//! when the next begins. What belongs to a later block waits while a tool call is open whose arguments aren't complete.

use std::collections::VecDeque;

use bytes::BytesMut;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use crate::sse::write;

/// What a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BlockKind {
    Text,
    Thinking,
    Tool(usize),
}

/// A block that has begun.
#[derive(Debug)]
struct Block {
    kind: BlockKind,
    /// The `content_block` of its start.
    start: Value,
    /// What has arrived of its content: of the open block all of it, to find the end of arguments.
    content: String,
}

impl Block {
    /// Whether nothing more is to be expected. Text ends where something else begins.
    fn is_complete(&self) -> bool {
        match self.kind {
            BlockKind::Text | BlockKind::Thinking => true,
            BlockKind::Tool(_) => {
                self.content.trim_end().ends_with('}')
                    && serde_json::from_str::<IgnoredAny>(&self.content).is_ok()
            }
        }
    }
}

/// The blocks of one message.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    /// The open block, and those that wait for its end.
    blocks: VecDeque<Block>,
    /// The number of blocks that have ended.
    ended: usize,
}

impl Blocks {
    /// Begins a block, unless the last one is the same.
    pub(super) fn begin(&mut self, kind: BlockKind, start: impl FnOnce() -> Value, out: &mut BytesMut) {
        if self.blocks.back().is_some_and(|last| last.kind == kind) {
            return;
        }
        self.blocks.push_back(Block { kind, start: start(), content: String::new() });
        if self.blocks.len() == 1 {
            self.write_start(out);
        } else {
            self.advance(out);
        }
    }

    /// Adds to a block. False if it has ended.
    pub(super) fn add(&mut self, kind: BlockKind, more: &str, out: &mut BytesMut) -> bool {
        let Some(at) = self.blocks.iter().rposition(|block| block.kind == kind) else { return false };
        // the content of an open text is not needed any more
        if at > 0 || matches!(kind, BlockKind::Tool(_)) {
            self.blocks[at].content.push_str(more);
        }
        if at == 0 {
            self.write_delta(more, out);
            self.advance(out);
        }
        true
    }

    /// Ends all blocks.
    pub(super) fn end(&mut self, out: &mut BytesMut) {
        while !self.blocks.is_empty() {
            self.next(out);
        }
    }

    /// Ends the open block while it is complete and another waits.
    fn advance(&mut self, out: &mut BytesMut) {
        while self.blocks.len() > 1 && self.blocks[0].is_complete() {
            self.next(out);
        }
    }

    /// Ends the open block, and sends what has arrived of the next.
    fn next(&mut self, out: &mut BytesMut) {
        let end = json!({"type": "content_block_stop", "index": self.ended});
        write(out, Some("content_block_stop"), &end);
        self.ended += 1;
        self.blocks.pop_front();
        if let Some(open) = self.blocks.front() {
            let content = open.content.clone();
            self.write_start(out);
            if !content.is_empty() {
                self.write_delta(&content, out);
            }
        }
    }

    fn write_start(&self, out: &mut BytesMut) {
        let start = json!({"type": "content_block_start", "index": self.ended, "content_block": self.blocks[0].start});
        write(out, Some("content_block_start"), &start);
    }

    fn write_delta(&self, more: &str, out: &mut BytesMut) {
        let delta = match self.blocks[0].kind {
            BlockKind::Text => json!({"type": "text_delta", "text": more}),
            BlockKind::Thinking => json!({"type": "thinking_delta", "thinking": more}),
            BlockKind::Tool(_) => json!({"type": "input_json_delta", "partial_json": more}),
        };
        let delta = json!({"type": "content_block_delta", "index": self.ended, "delta": delta});
        write(out, Some("content_block_delta"), &delta);
    }
}
