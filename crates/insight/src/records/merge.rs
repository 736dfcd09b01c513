//! Merges the chunks of a trace.
//!
//! The stored chunks of a trace are disjoint: of an incoming chunk, only new spans and server spans are stored. So
//! chunks can be merged in any order.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};

use crate::trace::SpanSet;

/// Chunks that start further apart than this, with none in between, are taken for two traces with the same id. So the
/// search for the chunks of a trace is bounded in time.
pub(super) const MAX_GAP: TimeDelta = TimeDelta::days(1);

/// Maximum number of server spans per trace.
const MAX_SERVER_SPANS: usize = 256;

/// The merged chunks of a trace.
#[derive(Default)]
pub(super) struct MergedTrace {
    span_ids: HashSet<String>,
    server_span_ids: HashSet<String>,
    pub(super) all: SpanSet,
    /// Whether spans were dropped because of a limit.
    pub(super) is_cut: bool,
}

/// What of a chunk was new.
pub(super) enum Added {
    /// All spans.
    All,
    /// Only these.
    Some(SpanSet),
    /// Nothing.
    Nothing,
}

impl MergedTrace {
    /// Adds a chunk, up to a total of `max_spans`. Returns what was new.
    pub(super) fn add(&mut self, chunk: SpanSet, max_spans: usize) -> Added {
        let received = chunk.spans.len() + chunk.server_spans.len();
        let mut added = SpanSet::default();
        let SpanSet { server_spans, mut spans } = chunk;
        if self.span_ids.len() + spans.len() > max_spans {
            // if not all fit, spans of requests take precedence: without them there is no record
            let serving: HashSet<&str> =
                server_spans.iter().map(|(_, server_span)| server_span.call_id.as_str()).collect();
            spans.sort_by_key(|span| !serving.contains(span.id.as_str()));
        }
        for span in spans {
            if self.span_ids.contains(&span.id) {
                continue;
            }
            if self.span_ids.len() >= max_spans {
                self.is_cut = true;
                continue;
            }
            self.span_ids.insert(span.id.clone());
            added.spans.push(span);
        }
        for server_span in server_spans {
            if self.server_span_ids.contains(&server_span.1.call_id) {
                continue;
            }
            if self.server_span_ids.len() >= MAX_SERVER_SPANS {
                self.is_cut = true;
                continue;
            }
            self.server_span_ids.insert(server_span.1.call_id.clone());
            added.server_spans.push(server_span);
        }
        match added.spans.len() + added.server_spans.len() {
            0 => Added::Nothing,
            count if count == received => {
                self.all.spans.append(&mut added.spans);
                self.all.server_spans.append(&mut added.server_spans);
                Added::All
            }
            _ => {
                self.all.spans.extend(added.spans.iter().cloned());
                self.all.server_spans.extend(added.server_spans.iter().cloned());
                Added::Some(added)
            }
        }
    }
}

/// Groups the indexes of `times` into clusters without gaps above [`MAX_GAP`], the earliest first.
pub(super) fn clusters(times: &[DateTime<Utc>]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..times.len()).collect();
    order.sort_by_key(|number| times[*number]);
    let mut clusters: Vec<Vec<usize>> = Vec::new();
    for number in order {
        match clusters.last_mut() {
            Some(cluster) if cluster.last().is_some_and(|last| times[number] - times[*last] <= MAX_GAP) => {
                cluster.push(number);
            }
            _ => clusters.push(vec![number]),
        }
    }
    clusters
}
