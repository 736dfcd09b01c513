//! Which messages of a request are new.
//!
//! A client of chat completions sends the conversation anew with each call: all of it, or its end, or, having been edited,
//! something else. So the longest run of its messages that follow one another in the session is looked for; what comes
//! behind it is new, and follows it. Where the run ends in the midst of the session, a branch begins there.

use std::collections::HashMap;

use loam_gateway::hook::{ChatMessage, ChatRole};
use loam_kernel::{LlmCallId, MessageId};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// What a message is known again by.
pub(super) type Key = [u8; 32];

/// Messages of a request that are compared, the last ones: longer ones differ in their first.
pub(super) const MAX_COMPARED: usize = 1000;

/// A stored message.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) id: MessageId,
    pub(super) parent: Option<MessageId>,
    /// None of a system message, which runs pass over.
    pub(super) key: Option<Key>,
    /// The model call that it came from.
    pub(super) call: Option<LlmCallId>,
}

/// Where a request goes on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Match {
    /// The last message that is there already; none: nothing of the request is.
    pub(super) after: Option<MessageId>,
    /// How many of the request's messages are there, or were left out by its client.
    pub(super) old: usize,
}

/// What comes before a stored message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Message(usize),
    /// It begins the conversation.
    Nothing,
    /// Something that was not read.
    Unread,
}

/// A run of messages that ends with a pair of a request's message and a stored one.
#[derive(Clone, Copy)]
struct Run {
    length: usize,
    /// The stored message that it begins with.
    start: usize,
}

/// Finds where a request goes on from, among stored messages in the order of their numbers.
pub(super) fn find(known: &[Known], head: Option<MessageId>, asked: &[Key]) -> Match {
    let skipped = asked.len().saturating_sub(MAX_COMPARED);
    let asked = &asked[skipped..];
    let places: HashMap<MessageId, usize> = known.iter().enumerate().map(|(at, one)| (one.id, at)).collect();
    let before: Vec<Before> = known.iter().map(|one| before(known, &places, one)).collect();
    let mut wanted: HashMap<Key, Vec<usize>> = HashMap::new();
    for (at, key) in asked.iter().enumerate() {
        wanted.entry(*key).or_default().push(at);
    }
    let in_use = in_use(known, &places, head);
    let mut runs: Vec<HashMap<usize, Run>> = Vec::with_capacity(known.len());
    let mut best: Option<((usize, bool, usize), usize)> = None;
    for (at, one) in known.iter().enumerate() {
        let mut ending = HashMap::new();
        for &place in one.key.as_ref().and_then(|key| wanted.get(key)).into_iter().flatten() {
            let longer = match before[at] {
                // an imported message may come before its parent
                Before::Message(before) if place > 0 && before < at => {
                    runs[before].get(&(place - 1)).copied()
                }
                _ => None,
            };
            let run = match longer {
                Some(run) => Run { length: run.length + 1, ..run },
                None => Run { length: 1, start: at },
            };
            ending.insert(place, run);
            // one message alone says little: it is taken for one that is there only where it begins both, or ends the session
            let whole = run.length == place + 1;
            let telling =
                run.length > 1 || whole && (before[run.start] == Before::Nothing || Some(one.id) == head);
            let rank = (run.length, in_use[at], at);
            if telling && best.is_none_or(|(best, _)| rank > best) {
                best = Some((rank, place));
            }
        }
        runs.push(ending);
    }
    match best {
        Some(((_, _, at), place)) => Match { after: Some(known[at].id), old: skipped + place + 1 },
        None => Match { after: None, old: 0 },
    }
}

fn before(known: &[Known], places: &HashMap<MessageId, usize>, one: &Known) -> Before {
    let mut parent = one.parent;
    // no longer than there are messages, whatever the rows say
    for _ in 0..=known.len() {
        let Some(id) = parent else { return Before::Nothing };
        let Some(&at) = places.get(&id) else { return Before::Unread };
        if known[at].key.is_some() {
            return Before::Message(at);
        }
        parent = known[at].parent;
    }
    Before::Unread
}

/// Which messages are of the branch in use.
fn in_use(known: &[Known], places: &HashMap<MessageId, usize>, head: Option<MessageId>) -> Vec<bool> {
    let mut used = vec![false; known.len()];
    let mut next = head;
    while let Some(at) = next.and_then(|id| places.get(&id)).copied().filter(|at| !used[*at]) {
        used[at] = true;
        next = known[at].parent;
    }
    used
}

/// What a message is known again by; none of a system message. What clients do to messages that they send back, such as to
/// trim a text or to write JSON differently, makes no other message of it.
pub(super) fn key(said: &ChatMessage) -> Option<Key> {
    if said.role == ChatRole::System {
        return None;
    }
    let items = |value: &Option<Value>| value.as_ref().and_then(Value::as_array).cloned().unwrap_or_default();
    let others: Vec<Value> = items(&said.parts).into_iter().filter(|part| part["type"] != "text").collect();
    let calls: Vec<Value> = items(&said.tool_calls)
        .into_iter()
        .map(|call| {
            let arguments = call["function"]["arguments"].as_str().unwrap_or_default();
            let arguments: Value = serde_json::from_str(arguments).unwrap_or_else(|_| arguments.into());
            json!([call["id"], call["function"]["name"], arguments])
        })
        .collect();
    let told = json!([said.role, said.text.trim(), others, calls, said.tool_call_id]);
    Some(Sha256::digest(told.to_string()).into())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn id(number: u128) -> MessageId {
        MessageId(Uuid::from_u128(number))
    }

    fn said(text: &str) -> Option<Key> {
        let speaker = if text.starts_with('a') { ChatRole::Assistant } else { ChatRole::User };
        if text.starts_with('s') { None } else { key(&ChatMessage::text(speaker, text)) }
    }

    /// Messages as `number < parent: text`, no parent as 0.
    fn session(messages: &[(u128, u128, &str)]) -> Vec<Known> {
        let known = |(number, parent, text): &(u128, u128, &str)| Known {
            id: id(*number),
            parent: (*parent > 0).then(|| id(*parent)),
            key: said(text),
            call: None,
        };
        messages.iter().map(known).collect()
    }

    fn found(known: &[Known], head: u128, asked: &[&str]) -> (u128, usize) {
        let asked: Vec<Key> = asked.iter().filter_map(|text| said(text)).collect();
        let found = find(known, Some(id(head)), &asked);
        (found.after.map_or(0, |id| id.0.as_u128()), found.old)
    }

    #[test]
    fn a_conversation_goes_on_from_its_end() {
        let known = session(&[(1, 0, "s"), (2, 1, "u1"), (3, 2, "a1"), (4, 3, "u2"), (5, 4, "a2")]);
        assert_eq!(found(&known, 5, &["u1", "a1", "u2", "a2", "u3"]), (5, 4));
        assert_eq!(found(&known, 5, &["u2", "a2", "u3"]), (5, 2), "its client sends the end of it alone");
        assert_eq!(found(&known, 5, &["u1", "u2", "a2", "u3"]), (5, 3), "or leaves some out");
        assert_eq!(found(&[], 0, &["u1"]), (0, 0));
    }

    #[test]
    fn what_was_edited_begins_a_branch() {
        let known = session(&[(1, 0, "u1"), (2, 1, "a1"), (3, 2, "u2"), (4, 3, "a2")]);
        assert_eq!(found(&known, 4, &["u1", "a1", "u2 changed"]), (2, 2));
        assert_eq!(found(&known, 4, &["u1", "a1", "u2"]), (3, 3), "asked once more");
        assert_eq!(found(&known, 4, &["u1"]), (1, 1), "also the first");
        assert_eq!(found(&known, 4, &["u1", "a1 changed", "u2"]), (1, 1));
    }

    #[test]
    fn a_branch_that_is_not_in_use_is_found_as_well() {
        let known = session(&[(1, 0, "u1"), (2, 1, "a1"), (3, 1, "a1 again"), (4, 3, "u2"), (5, 4, "a2")]);
        assert_eq!(found(&known, 5, &["u1", "a1", "u2"]), (2, 2));
        assert_eq!(found(&known, 5, &["u1", "a1 again", "u3"]), (3, 2));
        let alike = session(&[(1, 0, "u1"), (2, 1, "a1"), (3, 1, "a1"), (4, 2, "u2"), (5, 4, "a2")]);
        assert_eq!(found(&alike, 5, &["u1", "a1", "u3"]), (2, 2), "of two that are alike the one in use");
    }

    #[test]
    fn a_client_that_sends_the_newest_alone_goes_on_at_the_end() {
        let known = session(&[(1, 0, "u1"), (2, 1, "a1"), (3, 2, "yes"), (4, 3, "a2"), (5, 4, "u3")]);
        assert_eq!(found(&known, 4, &["something new"]), (0, 0));
        assert_eq!(found(&known, 4, &["yes"]), (0, 0), "said before, in the midst of it");
        assert_eq!(found(&known, 5, &["u3"]), (5, 1), "said last, and not answered");
    }

    #[test]
    fn what_was_not_read_is_not_taken_for_the_beginning() {
        let known = session(&[(3, 2, "u2"), (4, 3, "a2"), (5, 4, "u3"), (6, 5, "a3")]);
        assert_eq!(found(&known, 6, &["u2"]), (0, 0));
        assert_eq!(found(&known, 6, &["u2", "a2", "u4"]), (4, 2));
    }

    #[test]
    fn a_long_request_is_compared_by_its_end() {
        let texts: Vec<String> = (0..3 * MAX_COMPARED).map(|i| format!("u{i}")).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let rows: Vec<(u128, u128, &str)> =
            (1..).zip(0..).zip(&texts).map(|((number, parent), text)| (number, parent, *text)).collect();
        let known = session(&rows[MAX_COMPARED..]);
        let asked: Vec<&str> = texts.iter().copied().chain(["u new"]).collect();
        let last = 3 * MAX_COMPARED;
        assert_eq!(found(&known, last as u128, &asked), (last as u128, last));
    }

    #[test]
    fn messages_that_are_all_alike_are_matched_as_far_as_they_go() {
        let rows: Vec<(u128, u128, &str)> = (1..=300).map(|number| (number, number - 1, "u")).collect();
        let known = session(&rows);
        assert_eq!(found(&known, 300, &["u"; 301]), (300, 300));
        assert_eq!(found(&known, 300, &["u"; 299]), (300, 299));
    }

    #[test]
    fn a_message_is_known_again_though_it_was_trimmed_or_written_differently() {
        let call = |arguments: &str| json!([{"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}]);
        let one = ChatMessage {
            tool_calls: Some(call("{\"a\": 1, \"b\": 2}")),
            ..ChatMessage::text(ChatRole::Assistant, " hi\n")
        };
        let same = ChatMessage {
            tool_calls: Some(call("{\"b\":2,\"a\":1}")),
            ..ChatMessage::text(ChatRole::Assistant, "hi")
        };
        assert_eq!(key(&one), key(&same));
        let other = ChatMessage { tool_calls: Some(call("{\"a\":2}")), ..same.clone() };
        assert_ne!(key(&other), key(&same));
        let image = |url: &str| json!([{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {"url": url}}]);
        let seen = |url| ChatMessage { parts: Some(image(url)), ..ChatMessage::text(ChatRole::User, "hi") };
        assert_ne!(key(&seen("a")), key(&seen("b")), "another image");
    }
}
