//! Which messages of a request are new.
//!
//! A client of chat completions sends the conversation anew with each call: all of it, or its end, or, having been edited,
//! something else. So the longest run of its messages that follow one another in the session is looked for; what comes
//! behind it is new, and follows it. Where the run ends in the midst of the session, a branch begins there.

use std::collections::HashMap;

use loam_gateway::hook::{Said, Speaker};
use loam_kernel::MessageId;
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
pub(super) fn key(said: &Said) -> Option<Key> {
    if said.speaker == Speaker::System {
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
    let told = json!([said.speaker, said.text.trim(), others, calls, said.tool_call_id]);
    Some(Sha256::digest(told.to_string()).into())
}
