//! Finds which messages of a request are new.
//!
//! A chat completions client sends the conversation with each call: all of it, its end, or an edited version.
//! The longest run of its messages that follow one another in the session is searched for; the messages after
//! the run are new and follow it. If the run ends before the session's head, a branch starts there.

use std::collections::HashMap;

use loam_gateway::hook::{ChatMessage, ChatRole};
use loam_kernel::{LlmCallId, MessageId};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The digest by which equal messages are matched.
pub(super) type Fingerprint = [u8; 32];

/// Maximum number of messages compared; of longer requests, the last ones.
pub(super) const MAX_COMPARED: usize = 1000;

/// A stored message.
#[derive(Clone, Debug)]
pub(super) struct StoredMessage {
    pub(super) id: MessageId,
    pub(super) parent: Option<MessageId>,
    /// `None` for a system message; runs skip those.
    pub(super) fingerprint: Option<Fingerprint>,
    /// The model call that produced it.
    pub(super) call: Option<LlmCallId>,
}

/// Where a request continues the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Match {
    /// The last message that is stored already; `None` if none is.
    pub(super) after: Option<MessageId>,
    /// How many of the request's messages are stored already, or precede those that are.
    pub(super) matched: usize,
}

/// What precedes a stored message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Predecessor {
    Message(usize),
    /// It is the first of the conversation.
    First,
    /// A message outside the window.
    Unread,
}

/// A run of matching messages, ending at a pair of a request message and a stored one.
#[derive(Clone, Copy)]
struct Run {
    length: usize,
    /// The first stored message of the run.
    start: usize,
}

/// Finds where a request continues the session. `stored` is ordered by sequence number.
pub(super) fn find(stored: &[StoredMessage], head: Option<MessageId>, request: &[Fingerprint]) -> Match {
    let skipped = request.len().saturating_sub(MAX_COMPARED);
    let request = &request[skipped..];
    let positions: HashMap<MessageId, usize> =
        stored.iter().enumerate().map(|(at, one)| (one.id, at)).collect();
    let before: Vec<Predecessor> = stored.iter().map(|one| predecessor_of(stored, &positions, one)).collect();
    let mut request_positions: HashMap<Fingerprint, Vec<usize>> = HashMap::new();
    for (at, fingerprint) in request.iter().enumerate() {
        request_positions.entry(*fingerprint).or_default().push(at);
    }
    let in_use = in_use(stored, &positions, head);
    let mut runs: Vec<HashMap<usize, Run>> = Vec::with_capacity(stored.len());
    let mut best: Option<((usize, bool, usize), usize)> = None;
    for (at, one) in stored.iter().enumerate() {
        let mut ending = HashMap::new();
        for &position in one
            .fingerprint
            .as_ref()
            .and_then(|fingerprint| request_positions.get(fingerprint))
            .into_iter()
            .flatten()
        {
            let longer = match before[at] {
                // An imported message may come before its parent.
                Predecessor::Message(before) if position > 0 && before < at => {
                    runs[before].get(&(position - 1)).copied()
                }
                _ => None,
            };
            let run = match longer {
                Some(run) => Run { length: run.length + 1, ..run },
                None => Run { length: 1, start: at },
            };
            ending.insert(position, run);
            // A single message is weak evidence: it counts only at the beginning of both, or at the head of
            // the session.
            let from_start = run.length == position + 1;
            let significant = run.length > 1
                || from_start && (before[run.start] == Predecessor::First || Some(one.id) == head);
            let rank = (run.length, in_use[at], at);
            if significant && best.is_none_or(|(best, _)| rank > best) {
                best = Some((rank, position));
            }
        }
        runs.push(ending);
    }
    match best {
        Some(((_, _, at), position)) => Match { after: Some(stored[at].id), matched: skipped + position + 1 },
        None => Match { after: None, matched: 0 },
    }
}

fn predecessor_of(
    stored: &[StoredMessage],
    positions: &HashMap<MessageId, usize>,
    one: &StoredMessage,
) -> Predecessor {
    let mut parent = one.parent;
    // Bounded by the number of messages, even if the rows form a cycle.
    for _ in 0..=stored.len() {
        let Some(id) = parent else { return Predecessor::First };
        let Some(&at) = positions.get(&id) else { return Predecessor::Unread };
        if stored[at].fingerprint.is_some() {
            return Predecessor::Message(at);
        }
        parent = stored[at].parent;
    }
    Predecessor::Unread
}

/// Which messages belong to the active branch.
fn in_use(
    stored: &[StoredMessage],
    positions: &HashMap<MessageId, usize>,
    head: Option<MessageId>,
) -> Vec<bool> {
    let mut used = vec![false; stored.len()];
    let mut next = head;
    while let Some(at) = next.and_then(|id| positions.get(&id)).copied().filter(|at| !used[*at]) {
        used[at] = true;
        next = stored[at].parent;
    }
    used
}

/// The digest of a message; `None` for a system message. Changes that clients make to messages they send
/// back, such as trimming text or reformatting JSON, don't change the digest.
pub(super) fn fingerprint(message: &ChatMessage) -> Option<Fingerprint> {
    if message.role == ChatRole::System {
        return None;
    }
    let items = |value: &Option<Value>| value.as_ref().and_then(Value::as_array).cloned().unwrap_or_default();
    let others: Vec<Value> =
        items(&message.parts).into_iter().filter(|part| part["type"] != "text").collect();
    let calls: Vec<Value> = items(&message.tool_calls)
        .into_iter()
        .map(|call| {
            let arguments = call["function"]["arguments"].as_str().unwrap_or_default();
            let arguments: Value = serde_json::from_str(arguments).unwrap_or_else(|_| arguments.into());
            json!([call["id"], call["function"]["name"], arguments])
        })
        .collect();
    let mut canonical = json!([message.role, message.text.trim(), others, calls, message.tool_call_id]);
    canonical.sort_all_objects();
    Some(Sha256::digest(canonical.to_string()).into())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn id(number: u128) -> MessageId {
        MessageId(Uuid::from_u128(number))
    }

    fn fingerprint_of(text: &str) -> Option<Fingerprint> {
        let speaker = if text.starts_with('a') { ChatRole::Assistant } else { ChatRole::User };
        if text.starts_with('s') { None } else { fingerprint(&ChatMessage::text(speaker, text)) }
    }

    /// Messages as `number < parent: text`; parent 0 means none.
    fn session(messages: &[(u128, u128, &str)]) -> Vec<StoredMessage> {
        let stored = |(number, parent, text): &(u128, u128, &str)| StoredMessage {
            id: id(*number),
            parent: (*parent > 0).then(|| id(*parent)),
            fingerprint: fingerprint_of(text),
            call: None,
        };
        messages.iter().map(stored).collect()
    }

    fn found(stored: &[StoredMessage], head: u128, request: &[&str]) -> (u128, usize) {
        let request: Vec<Fingerprint> = request.iter().filter_map(|text| fingerprint_of(text)).collect();
        let found = find(stored, Some(id(head)), &request);
        (found.after.map_or(0, |id| id.0.as_u128()), found.matched)
    }

    #[test]
    fn a_request_continues_the_session() {
        let stored = session(&[(1, 0, "s"), (2, 1, "u1"), (3, 2, "a1"), (4, 3, "u2"), (5, 4, "a2")]);
        assert_eq!(found(&stored, 5, &["u1", "a1", "u2", "a2", "u3"]), (5, 4));
        assert_eq!(found(&stored, 5, &["u2", "a2", "u3"]), (5, 2), "the client sends only the end");
        assert_eq!(found(&stored, 5, &["u1", "u2", "a2", "u3"]), (5, 3), "the client leaves a message out");
        assert_eq!(found(&[], 0, &["u1"]), (0, 0));
    }

    #[test]
    fn an_edited_message_starts_a_branch() {
        let stored = session(&[(1, 0, "u1"), (2, 1, "a1"), (3, 2, "u2"), (4, 3, "a2")]);
        assert_eq!(found(&stored, 4, &["u1", "a1", "u2 changed"]), (2, 2));
        assert_eq!(found(&stored, 4, &["u1", "a1", "u2"]), (3, 3), "request once more");
        assert_eq!(found(&stored, 4, &["u1"]), (1, 1), "the first question again");
        assert_eq!(found(&stored, 4, &["u1", "a1 changed", "u2"]), (1, 1));
    }

    #[test]
    fn other_branches_are_matched_too() {
        let stored = session(&[(1, 0, "u1"), (2, 1, "a1"), (3, 1, "a1 again"), (4, 3, "u2"), (5, 4, "a2")]);
        assert_eq!(found(&stored, 5, &["u1", "a1", "u2"]), (2, 2));
        assert_eq!(found(&stored, 5, &["u1", "a1 again", "u3"]), (3, 2));
        let alike = session(&[(1, 0, "u1"), (2, 1, "a1"), (3, 1, "a1"), (4, 2, "u2"), (5, 4, "a2")]);
        assert_eq!(found(&alike, 5, &["u1", "a1", "u3"]), (2, 2), "of two equal branches the current one");
    }

    #[test]
    fn a_client_that_sends_only_new_messages_continues_at_the_head() {
        let stored = session(&[(1, 0, "u1"), (2, 1, "a1"), (3, 2, "yes"), (4, 3, "a2"), (5, 4, "u3")]);
        assert_eq!(found(&stored, 4, &["something new"]), (0, 0));
        assert_eq!(found(&stored, 4, &["yes"]), (0, 0), "a repeated message in the middle");
        assert_eq!(found(&stored, 5, &["u3"]), (5, 1), "the last message, unanswered");
    }

    #[test]
    fn unread_messages_are_not_taken_for_the_beginning() {
        let stored = session(&[(3, 2, "u2"), (4, 3, "a2"), (5, 4, "u3"), (6, 5, "a3")]);
        assert_eq!(found(&stored, 6, &["u2"]), (0, 0));
        assert_eq!(found(&stored, 6, &["u2", "a2", "u4"]), (4, 2));
    }

    #[test]
    fn only_the_end_of_a_long_request_is_compared() {
        let texts: Vec<String> = (0..3 * MAX_COMPARED).map(|i| format!("u{i}")).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let rows: Vec<(u128, u128, &str)> =
            (1..).zip(0..).zip(&texts).map(|((number, parent), text)| (number, parent, *text)).collect();
        let stored = session(&rows[MAX_COMPARED..]);
        let request: Vec<&str> = texts.iter().copied().chain(["u new"]).collect();
        let last = 3 * MAX_COMPARED;
        assert_eq!(found(&stored, last as u128, &request), (last as u128, last));
    }

    #[test]
    fn equal_messages_are_matched_one_to_one() {
        let rows: Vec<(u128, u128, &str)> = (1..=300).map(|number| (number, number - 1, "u")).collect();
        let stored = session(&rows);
        assert_eq!(found(&stored, 300, &["u"; 301]), (300, 300));
        assert_eq!(found(&stored, 300, &["u"; 299]), (300, 299));
    }

    #[test]
    fn trimming_and_json_formatting_do_not_change_the_fingerprint() {
        let call = |arguments: &str| json!([{"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}]);
        let one = ChatMessage {
            tool_calls: Some(call("{\"a\": 1, \"b\": 2}")),
            ..ChatMessage::text(ChatRole::Assistant, " hi\n")
        };
        let same = ChatMessage {
            tool_calls: Some(call("{\"b\":2,\"a\":1}")),
            ..ChatMessage::text(ChatRole::Assistant, "hi")
        };
        assert_eq!(fingerprint(&one), fingerprint(&same));
        let other = ChatMessage { tool_calls: Some(call("{\"a\":2}")), ..same.clone() };
        assert_ne!(fingerprint(&other), fingerprint(&same));
        let image = |url: &str| json!([{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {"url": url}}]);
        let seen = |url| ChatMessage { parts: Some(image(url)), ..ChatMessage::text(ChatRole::User, "hi") };
        assert_ne!(fingerprint(&seen("a")), fingerprint(&seen("b")), "another image");
    }
}
