//! Which of the reported spans of a trace are one call: nested spans, and sibling spans of two instrumentations.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// Maximum difference between the starts, and the ends, of two spans of one call.
const MAX_OFFSET: TimeDelta = TimeDelta::seconds(2);
/// Maximum duration of a stream that is reported by two spans.
const MAX_STREAM: TimeDelta = TimeDelta::hours(1);
/// The prefix of the instrumentation scopes that report a streamed call twice.
const REPORTS_STREAMS_TWICE: &str = "logfire";
/// Maximum number of spans that are kept as the same call.
const MAX_SPANS: usize = 32;
/// Maximum number of calls with the same tokens that a call is compared with.
const MAX_COMPARED: usize = 1024;

/// The spans that report a call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpanLinks {
    /// The instrumentation scopes of those that are known.
    pub scopes: Vec<String>,
    /// The ids of other spans that are the same call if they report one: those that enclose it, and siblings.
    pub span_ids: Vec<String>,
}

/// What identifies a reported call of a trace.
#[derive(Clone, Debug)]
pub(super) struct CallIdentity {
    pub(super) span_id: Option<String>,
    pub(super) links: SpanLinks,
    pub(super) response_id: Option<String>,
    pub(super) model: String,
    /// Prompt and completion tokens.
    pub(super) tokens: Option<(i64, i64)>,
    pub(super) start: DateTime<Utc>,
    pub(super) end: DateTime<Utc>,
}

/// Decides which calls of a trace count, in the order in which they became known. The links of those that do get
/// those of the others.
pub(super) fn resolve(calls: &mut [CallIdentity]) -> Vec<bool> {
    let mut counted = vec![true; calls.len()];
    drop_enclosing(calls, &mut counted);
    drop_requests_of_streams(calls, &mut counted);
    drop_siblings(calls, &mut counted);
    counted
}

/// Of nested calls, only the innermost count; of several with one span id, the first.
fn drop_enclosing(calls: &mut [CallIdentity], counted: &mut [bool]) {
    let mut by_span: HashMap<String, usize> = HashMap::with_capacity(calls.len());
    for (index, call) in calls.iter().enumerate() {
        if let Some(span) = &call.span_id {
            counted[index] = *by_span.entry(span.clone()).or_insert(index) == index;
        }
    }
    for inner in 0..calls.len() {
        if !counted[inner] {
            continue;
        }
        let (mut pending, mut seen) = (calls[inner].links.span_ids.clone(), HashSet::from([inner]));
        while let Some(span) = pending.pop()
            && seen.len() < MAX_SPANS
        {
            let Some(&outer) = by_span.get(&span) else { continue };
            if seen.insert(outer) {
                counted[outer] = false;
                // one that is reported again, or later, is recognised by the innermost
                let spans = calls[outer].links.span_ids.clone();
                calls[inner].link(&spans);
                pending.extend(spans);
            }
        }
    }
}

/// Logfire reports the request of a stream by a span, which knows neither tokens nor response, and its end by a span
/// without a duration beside it: that one counts. Each end stands for one request, the last one before it.
fn drop_requests_of_streams(calls: &mut [CallIdentity], counted: &mut [bool]) {
    let mut by_parent: HashMap<String, Vec<usize>> = HashMap::new();
    for (index, call) in calls.iter().enumerate().filter(|(index, _)| counted[*index]) {
        if let Some(parent) = call.links.span_ids.first()
            && call.is_request_of_stream()
        {
            by_parent.entry(parent.clone()).or_default().push(index);
        }
    }
    for end in 0..calls.len() {
        if !counted[end] || !calls[end].is_end_of_stream() {
            continue;
        }
        let requests = calls[end].links.span_ids.first().and_then(|parent| by_parent.get(parent));
        let requests = requests.into_iter().flatten().rev().take(MAX_COMPARED).copied();
        let requests = requests.filter(|index| counted[*index] && calls[*index].began(&calls[end]));
        if let Some(request) = requests.max_by_key(|index| calls[*index].end) {
            counted[request] = false;
            let request = calls[request].clone();
            calls[end].absorb(request);
        }
    }
}

/// Of sibling spans, the one with a response id counts, otherwise one within the other, as the two may turn out to be
/// nested, otherwise the first.
fn drop_siblings(calls: &mut [CallIdentity], counted: &mut [bool]) {
    let mut by_response: HashMap<String, usize> = HashMap::new();
    let mut by_tokens: HashMap<(i64, i64), Vec<usize>> = HashMap::new();
    for index in 0..calls.len() {
        if !counted[index] {
            continue;
        }
        let call = &calls[index];
        let (response, tokens) = (call.response_id.clone(), call.tokens);
        let same_response = response.as_ref().and_then(|response| by_response.get(response).copied());
        let near = || {
            let mut candidates = by_tokens.get(&tokens?)?.iter().rev().take(MAX_COMPARED).copied();
            candidates.find(|earlier| counted[*earlier] && calls[*earlier].is_sibling(call))
        };
        let mut counts = index;
        if let Some(earlier) = same_response.or_else(near) {
            let replaces = match (&calls[earlier].response_id, &response) {
                (None, Some(_)) => true,
                (Some(_), None) => false,
                _ => call.is_within(&calls[earlier]),
            };
            let (kept, dropped) = if replaces { (index, earlier) } else { (earlier, index) };
            counted[dropped] = false;
            let other = calls[dropped].clone();
            calls[kept].absorb(other);
            counts = kept;
        }
        if counts == index {
            if let Some(response) = response {
                by_response.insert(response, index);
            }
            if let Some(tokens) = tokens {
                by_tokens.entry(tokens).or_default().push(index);
            }
        }
    }
}

impl CallIdentity {
    fn link(&mut self, spans: &[String]) {
        for span in spans {
            let known = &mut self.links.span_ids;
            if known.len() < MAX_SPANS && Some(span) != self.span_id.as_ref() && !known.contains(span) {
                known.push(span.clone());
            }
        }
    }

    /// Adds the spans of a call that turned out to be this one.
    fn absorb(&mut self, other: Self) {
        self.link(&other.span_id.into_iter().collect::<Vec<_>>());
        self.link(&other.links.span_ids);
        for scope in other.links.scopes {
            if !self.links.scopes.contains(&scope) {
                self.links.scopes.push(scope);
            }
        }
    }

    fn is_within(&self, other: &Self) -> bool {
        (self.start, self.end) != (other.start, other.end)
            && self.start >= other.start
            && self.end <= other.end
    }

    fn is_twice_reported(&self) -> bool {
        self.links.scopes.iter().any(|scope| scope.starts_with(REPORTS_STREAMS_TWICE))
    }

    fn is_request_of_stream(&self) -> bool {
        self.is_twice_reported()
            && self.start != self.end
            && self.tokens.is_none()
            && self.response_id.is_none()
    }

    fn is_end_of_stream(&self) -> bool {
        self.is_twice_reported() && self.start == self.end
    }

    /// Whether it can be the request of the stream that `end` is the end of.
    fn began(&self, end: &Self) -> bool {
        self.links.scopes.iter().any(|scope| end.links.scopes.contains(scope))
            && same_model(&self.model, &end.model)
            && self.end <= end.start
            && end.start - self.end <= MAX_STREAM
    }

    /// Whether two instrumentations report the same model and tokens at the same time; of each, a call stands for at
    /// most one span. Without a scope nothing is known.
    fn is_sibling(&self, other: &Self) -> bool {
        let (ours, theirs) = (&self.links.scopes, &other.links.scopes);
        let near = |one: DateTime<Utc>, two: DateTime<Utc>| (one - two).abs() <= MAX_OFFSET;
        (self.response_id.is_none() || other.response_id.is_none())
            && self.tokens.is_some_and(|(prompt, completion)| prompt + completion > 0)
            && self.tokens == other.tokens
            && same_model(&self.model, &other.model)
            && !ours.is_empty()
            && !theirs.is_empty()
            && !ours.iter().any(|scope| theirs.contains(scope))
            && near(self.start, other.start)
            && near(self.end, other.end)
            && self.start <= other.end
            && other.start <= self.end
    }
}

/// Whether two names are of one model: one instrumentation may report the version that responded (`gpt-4o-2024-08-06`),
/// another the requested name (`gpt-4o`, `openai/gpt-4o`).
fn same_model(one: &str, two: &str) -> bool {
    let bare = |name: &str| name.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let (one, two) = (bare(one), bare(two));
    let (short, long) = if one.len() <= two.len() { (&one, &two) } else { (&two, &one) };
    let version = long.strip_prefix(short.as_str());
    version.is_some_and(|version| match version.strip_prefix(['-', '@', ':']) {
        None => version.is_empty(),
        Some(version) => {
            version == "latest" || version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(span: &str, enclosing: &[&str]) -> CallIdentity {
        let at = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        CallIdentity {
            span_id: Some(span.to_owned()),
            links: SpanLinks {
                scopes: vec!["openai".to_owned()],
                span_ids: enclosing.iter().map(|&span| span.to_owned()).collect(),
            },
            response_id: None,
            model: "m".to_owned(),
            tokens: Some((9, 4)),
            start: at,
            end: at + TimeDelta::seconds(1),
        }
    }

    fn of_scope(span: &str, scope: &str) -> CallIdentity {
        let mut call = call(span, &[]);
        call.links.scopes = vec![scope.to_owned()];
        call
    }

    fn counted(calls: &mut [CallIdentity]) -> Vec<&str> {
        let counted = resolve(calls);
        let counted = calls.iter().zip(counted).filter(|(_, counted)| *counted);
        counted.filter_map(|(call, _)| call.span_id.as_deref()).collect()
    }

    #[test]
    fn of_nested_calls_the_innermost_count_in_any_order() {
        let all = [call("outer", &["root"]), call("middle", &["outer"]), call("inner", &["middle"])];
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let mut calls = order.map(|index| all[index].clone());
            assert_eq!(counted(&mut calls), ["inner"], "{order:?}");
            let inner = calls.iter().find(|call| call.span_id.as_deref() == Some("inner")).unwrap();
            assert_eq!(inner.links.span_ids, ["middle", "outer", "root"], "{order:?}");
        }
        // of three instrumentations, also while the middle one is unknown
        let all = [("outer", "root", 0), ("middle", "outer", 1), ("inner", "middle", 2)].map(
            |(span, parent, millis)| {
                let mut call = call(span, &[parent]);
                call.links.scopes = vec![span.to_owned()];
                call.start += TimeDelta::milliseconds(millis);
                call.end -= TimeDelta::milliseconds(millis);
                call
            },
        );
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let mut known: Vec<CallIdentity> = Vec::new();
            for index in order.into_iter().chain(order) {
                known.push(all[index].clone());
                let counted = resolve(&mut known);
                let mut counted = counted.into_iter();
                known.retain(|_| counted.next().unwrap_or_default());
            }
            assert_eq!(known.len(), 1, "{order:?}: {known:?}");
            assert_eq!(known[0].span_id.as_deref(), Some("inner"), "{order:?}");
        }
        assert_eq!(
            counted(&mut [call("a", &[]), call("a", &[])]),
            ["a"],
            "a span that is reported with two times"
        );
        let mut two = [call("outer", &[]), call("a", &["outer"]), call("b", &["outer"])];
        assert_eq!(counted(&mut two), ["a", "b"], "an outer span of two calls");
        assert_eq!(counted(&mut [call("own", &["own"])]), ["own"], "a span that names itself as its parent");
    }

    #[test]
    fn siblings_are_one_call_by_model_tokens_and_time() {
        let with = |change: fn(&mut CallIdentity)| {
            let mut other = of_scope("b", "langchain");
            change(&mut other);
            counted(&mut [call("a", &[]), other]).len()
        };
        assert_eq!(with(|_| {}), 1);
        assert_eq!(with(|other| other.links.scopes = vec!["openai".to_owned()]), 2, "parallel calls");
        assert_eq!(with(|other| other.links.scopes.clear()), 2, "recorded before scopes were");
        assert_eq!(with(|other| other.tokens = Some((9, 5))), 2);
        assert_eq!(with(|other| other.model = "n".to_owned()), 2);
        assert_eq!(
            with(|other| other.model = "openai/m-2024-08-06".to_owned()),
            1,
            "the version that responded"
        );
        assert_eq!(with(|other| other.model = "m-mini".to_owned()), 2);
        assert_eq!(with(|other| other.tokens = None), 2);
        assert_eq!(with(|other| other.start += TimeDelta::seconds(3)), 2);
        let mut parallel = ["openai", "openai", "langchain", "langchain"]
            .iter()
            .zip(["a", "b", "c", "d"])
            .map(|(scope, span)| of_scope(span, scope))
            .collect::<Vec<_>>();
        assert_eq!(counted(&mut parallel), ["a", "b"], "each stands for one span of each instrumentation");
    }

    #[test]
    fn the_end_of_a_stream_counts_instead_of_its_request() {
        let at = |span: &str, from: i64, to: i64| {
            let mut call = of_scope(span, "logfire.openai");
            call.links.span_ids = vec!["root".to_owned()];
            (call.start, call.end) =
                (call.start + TimeDelta::seconds(from), call.start + TimeDelta::seconds(to));
            call
        };
        let request = |span: &str, from, to| CallIdentity { tokens: None, ..at(span, from, to) };
        let both = || [request("request", 0, 1), at("end", 9, 9)];
        let with = |change: fn(&mut [CallIdentity; 2])| {
            let mut calls = both();
            change(&mut calls);
            counted(&mut calls).len()
        };
        assert_eq!(counted(&mut both()), ["end"]);
        let [first, second] = both();
        let mut reversed = [second, first];
        assert_eq!(counted(&mut reversed), ["end"], "in any order");
        assert_eq!(reversed[0].links.span_ids, ["root", "request"], "one that is sent again is recognised");
        assert_eq!(with(|calls| calls[1].tokens = None), 1, "the stream may have no usage either");
        assert_eq!(with(|calls| calls[0].tokens = Some((9, 4))), 2, "a call that was not streamed");
        assert_eq!(with(|calls| calls[0].response_id = Some("r".to_owned())), 2);
        assert_eq!(with(|calls| calls[0].model = "n".to_owned()), 2);
        assert_eq!(with(|calls| calls[0].links.span_ids = vec!["other".to_owned()]), 2);
        assert_eq!(with(|calls| calls[0].links.scopes = vec!["openai".to_owned()]), 2);
        assert_eq!(with(|calls| calls[1].end += TimeDelta::seconds(1)), 2, "a call with a duration");
        assert_eq!(with(|calls| calls[0].end += TimeDelta::seconds(9)), 2, "it began after that end");
        let mut parallel =
            [request("a", 0, 1), request("b", 0, 2), at("c", 5, 5), at("d", 7, 7), request("e", 8, 9)];
        assert_eq!(counted(&mut parallel), ["c", "d", "e"], "each end stands for one request");
    }

    #[test]
    fn siblings_are_one_call_by_their_response() {
        let with_id = |id: &str, span: &str, scope: &str| CallIdentity {
            response_id: Some(id.to_owned()),
            ..of_scope(span, scope)
        };
        let mut calls =
            [with_id("r", "a", "openai"), with_id("r", "b", "openai"), with_id("s", "c", "langchain")];
        assert_eq!(counted(&mut calls), ["a", "c"]);
        let mut calls = [of_scope("a", "langchain"), with_id("r", "b", "openai")];
        assert_eq!(counted(&mut calls), ["b"], "the one whose response is known");
        assert_eq!(calls[1].links.span_ids, ["a"]);
    }
}
