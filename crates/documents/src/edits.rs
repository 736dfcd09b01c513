//! Differences of two texts, by units: the lines of Markdown, the members of JSON, the words of a line.

use serde::{Deserialize, Serialize};

use crate::hunks::hunks;
use crate::tokens::words;
use crate::{Error, Result};

/// A change at one place of a section's text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// Where, in bytes of the section's previous text.
    pub at: usize,
    /// The number of the line there, from 1.
    pub line: usize,
    /// What was there.
    pub removed: String,
    /// What is there now.
    pub added: String,
}

/// A part of an edit, word by word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "text", rename_all = "snake_case")]
pub enum WordChange {
    /// In both texts.
    Same(String),
    /// Only in the previous text.
    Removed(String),
    /// Only in the new one.
    Added(String),
}

impl Edit {
    /// The edit word by word. Scripts without spaces are compared by character.
    pub fn words(&self) -> Vec<WordChange> {
        let (old, new): (Vec<&str>, Vec<&str>) =
            (words(&self.removed).collect(), words(&self.added).collect());
        let mut changes = Vec::new();
        let mut at = 0;
        let mut push = |text: String, kind: fn(String) -> WordChange| {
            if !text.is_empty() {
                changes.push(kind(text));
            }
        };
        for (before, after) in hunks(&old, &new) {
            push(old[at..before.start].concat(), WordChange::Same);
            push(old[before.clone()].concat(), WordChange::Removed);
            push(new[after].concat(), WordChange::Added);
            at = before.end;
        }
        push(old[at..].concat(), WordChange::Same);
        changes
    }
}

/// The lines of a text with their ends.
pub(crate) fn lines(text: &str) -> Vec<&str> {
    split_after(text, |byte, next| byte == b'\n' || (byte == b'\r' && next != Some(b'\n')))
}

/// Pieces of JSON, which may be one long line.
pub(crate) fn json_units(text: &str) -> Vec<&str> {
    split_after(text, |byte, _| matches!(byte, b'\n' | b',' | b'{' | b'['))
}

fn split_after(text: &str, ends: impl Fn(u8, Option<u8>) -> bool) -> Vec<&str> {
    let bytes = text.as_bytes();
    let (mut units, mut start) = (Vec::new(), 0);
    for (index, byte) in bytes.iter().enumerate() {
        if ends(*byte, bytes.get(index + 1).copied()) {
            units.push(&text[start..=index]);
            start = index + 1;
        }
    }
    if start < text.len() {
        units.push(&text[start..]);
    }
    units
}

/// The edits that make `new` of `old`, in order.
pub(crate) fn edits(old: &str, new: &str, units: fn(&str) -> Vec<&str>) -> Vec<Edit> {
    if old == new {
        return Vec::new();
    }
    let (before, after) = (units(old), units(new));
    let (mut at, mut line, mut unit) = (0, 1, 0);
    let mut found = Vec::new();
    for (removed, added) in hunks(&before, &after) {
        for text in &before[unit..removed.start] {
            at += text.len();
            line += usize::from(text.ends_with(['\n', '\r']));
        }
        unit = removed.start;
        found.push(Edit { at, line, removed: before[removed].concat(), added: after[added].concat() });
    }
    found
}

/// The text that edits make of another.
///
/// # Errors
/// If they are of another text.
pub(crate) fn apply_edits(old: &str, edits: &[Edit]) -> Result<String> {
    let (mut text, mut at) = (String::with_capacity(old.len()), 0);
    for edit in edits {
        let end = edit.at.checked_add(edit.removed.len()).ok_or(Error::DiffParent)?;
        if old.get(edit.at..end) != Some(edit.removed.as_str()) {
            return Err(Error::DiffParent);
        }
        text.push_str(old.get(at..edit.at).ok_or(Error::DiffParent)?);
        text.push_str(&edit.added);
        at = end;
    }
    text.push_str(&old[at..]);
    Ok(text)
}
