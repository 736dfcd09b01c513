use std::borrow::Cow;
use std::collections::HashSet;

use serde::de::IgnoredAny;

use super::escape;
use crate::{Error, Result};

/// The deepest nesting that is read: as deep as `serde_json` reads values.
const MAX_DEPTH: usize = 128;

/// A value with its bytes.
#[derive(Clone, Debug)]
pub(crate) struct Node<'a> {
    pub raw: &'a str,
    pub kind: Kind<'a>,
}

/// What a value consists of.
#[derive(Clone, Debug)]
pub(crate) enum Kind<'a> {
    /// A string, number, boolean or null.
    Atom,
    /// Members, and the white space before the brace.
    Object(Vec<Member<'a>>, &'a str),
    /// Elements, and the white space before the bracket.
    Array(Vec<Member<'a>>, &'a str),
}

/// A member of an object or an element of an array; its bytes are `lead`, `head`, the value and `trail`.
#[derive(Clone, Debug)]
pub(crate) struct Member<'a> {
    /// The key without its quotation marks and escapes; empty in an array.
    pub key: Cow<'a, str>,
    /// The white space before it.
    pub lead: &'a str,
    /// The key and the colon, with the white space around the colon; empty in an array.
    pub head: &'a str,
    pub value: Node<'a>,
    /// The white space before the comma.
    pub trail: &'a str,
}

/// A value, and the white space before and after it (with a byte order mark, if the text begins with one).
pub(crate) fn parse(text: &str) -> Result<(&str, Node<'_>, &str)> {
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    serde_json::from_str::<IgnoredAny>(body).map_err(|error| Error::Json(error.to_string()))?;
    let mut reader = Reader { text, at: text.len() - body.len(), pointer: String::new() };
    reader.spaces();
    let lead = &text[..reader.at];
    let node = reader.value(0)?;
    Ok((lead, node, &text[reader.at..]))
}

/// Reads a text that is known to be JSON.
struct Reader<'a> {
    text: &'a str,
    at: usize,
    pointer: String,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or_default()
    }

    fn spaces(&mut self) -> &'a str {
        let start = self.at;
        while matches!(self.peek(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        &self.text[start..self.at]
    }

    fn string(&mut self) -> &'a str {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek() {
                b'"' | 0 => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        &self.text[start..self.at]
    }

    fn value(&mut self, depth: usize) -> Result<Node<'a>> {
        if depth > MAX_DEPTH {
            return Err(Error::TooDeep(MAX_DEPTH));
        }
        let start = self.at;
        let kind = match self.peek() {
            b'{' => {
                let (members, tail) = self.members(depth, b'}')?;
                Kind::Object(members, tail)
            }
            b'[' => {
                let (elements, tail) = self.members(depth, b']')?;
                Kind::Array(elements, tail)
            }
            b'"' => {
                self.string();
                Kind::Atom
            }
            _ => {
                while !matches!(self.peek(), b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r' | 0) {
                    self.at += 1;
                }
                Kind::Atom
            }
        };
        Ok(Node { raw: &self.text[start..self.at], kind })
    }

    fn members(&mut self, depth: usize, close: u8) -> Result<(Vec<Member<'a>>, &'a str)> {
        let mut members: Vec<Member<'a>> = Vec::new();
        let mut keys = HashSet::new();
        self.at += 1;
        let mut lead = self.spaces();
        if self.peek() == close {
            self.at += 1;
            return Ok((members, lead));
        }
        loop {
            let start = self.at;
            let length = self.pointer.len();
            let key = match close {
                b'}' => {
                    let raw = self.string();
                    self.spaces();
                    self.at += 1;
                    self.spaces();
                    // A lone surrogate is valid JSON, but no text: such a key stays as it is written.
                    let key = serde_json::from_str(raw).map_or(Cow::Borrowed(raw), Cow::Owned);
                    if !keys.insert(key.clone()) {
                        return Err(Error::DuplicateKey {
                            pointer: self.pointer.clone(),
                            key: key.into_owned(),
                        });
                    }
                    self.pointer.push_str(&escape(&key));
                    key
                }
                _ => Cow::Borrowed(""),
            };
            let head = &self.text[start..self.at];
            let value = self.value(depth + 1)?;
            self.pointer.truncate(length);
            let trail = self.spaces();
            let next = self.peek();
            self.at += 1;
            if next == close {
                members.push(Member { key, lead, head, value, trail: "" });
                return Ok((members, trail));
            }
            members.push(Member { key, lead, head, value, trail });
            lead = self.spaces();
        }
    }
}

/// The text of an object or array from its members, each as (lead, head, value, trail).
pub(crate) fn assemble<'a>(
    array: bool,
    members: impl IntoIterator<Item = (Cow<'a, str>, Cow<'a, str>, Cow<'a, str>, Cow<'a, str>)>,
    tail: &str,
) -> String {
    let mut text = String::from(if array { "[" } else { "{" });
    for (index, (lead, head, value, trail)) in members.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        for part in [lead, head, value, trail] {
            text.push_str(&part);
        }
    }
    text.push_str(tail);
    text.push(if array { ']' } else { '}' });
    text
}

/// The text of a value without the white space between tokens.
pub(crate) fn compact(node: &Node<'_>) -> String {
    super::without_spaces(node.raw)
}
