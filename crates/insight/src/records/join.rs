//! Parts of a trace, put together.
//!
//! What is kept of a trace are parts that have no call and no request in common: of a part that comes, only what is new
//! is kept. So the parts can be joined in any order.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};

use crate::trace::Opened;

/// Parts that begin further apart than this, with none in between, are taken for two traces that share an id. So what is
/// there of a trace can be looked for in its own days.
pub(super) const APART: TimeDelta = TimeDelta::days(1);

/// Requests that are kept of a trace.
const MAX_ENTRIES: usize = 256;

/// What is known of a trace.
#[derive(Default)]
pub(super) struct Joined {
    calls: HashSet<String>,
    requests: HashSet<String>,
    pub(super) all: Opened,
    /// Whether there was more than may be kept.
    pub(super) is_cut: bool,
}

/// Of a part, what was not known.
pub(super) enum Fresh {
    /// All of it.
    All,
    /// Some.
    Some(Opened),
    /// Nothing.
    Nothing,
}

impl Joined {
    /// Adds a part, of which so many calls may be known at most; says what of it is new.
    pub(super) fn add(&mut self, part: Opened, max_calls: usize) -> Fresh {
        let told = part.calls.len() + part.entries.len();
        let mut fresh = Opened::default();
        let Opened { entries, mut calls } = part;
        if self.calls.len() + calls.len() > max_calls {
            // where not all have room, those that serve requests go first: without them there is no record
            let serving: HashSet<&str> = entries.iter().map(|(_, entry)| entry.call_id.as_str()).collect();
            calls.sort_by_key(|call| !serving.contains(call.id.as_str()));
        }
        for call in calls {
            if self.calls.contains(&call.id) {
                continue;
            }
            if self.calls.len() >= max_calls {
                self.is_cut = true;
                continue;
            }
            self.calls.insert(call.id.clone());
            fresh.calls.push(call);
        }
        for entry in entries {
            if self.requests.contains(&entry.1.call_id) {
                continue;
            }
            if self.requests.len() >= MAX_ENTRIES {
                self.is_cut = true;
                continue;
            }
            self.requests.insert(entry.1.call_id.clone());
            fresh.entries.push(entry);
        }
        match fresh.calls.len() + fresh.entries.len() {
            0 => Fresh::Nothing,
            new if new == told => {
                self.all.calls.append(&mut fresh.calls);
                self.all.entries.append(&mut fresh.entries);
                Fresh::All
            }
            _ => {
                self.all.calls.extend(fresh.calls.iter().cloned());
                self.all.entries.extend(fresh.entries.iter().cloned());
                Fresh::Some(fresh)
            }
        }
    }
}

/// Numbers of things by the time that they lie at, those that lie near each other together, the earliest first.
pub(super) fn clusters(times: &[DateTime<Utc>]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..times.len()).collect();
    order.sort_by_key(|number| times[*number]);
    let mut clusters: Vec<Vec<usize>> = Vec::new();
    for number in order {
        match clusters.last_mut() {
            Some(cluster) if cluster.last().is_some_and(|last| times[number] - times[*last] <= APART) => {
                cluster.push(number);
            }
            _ => clusters.push(vec![number]),
        }
    }
    clusters
}
