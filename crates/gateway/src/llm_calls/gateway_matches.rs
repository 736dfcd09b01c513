//! Which reported calls went through the gateway.

use std::collections::{HashMap, HashSet};

use super::call_identity::SpanLinks;
use super::imported_calls::ImportedCall;
use super::known_calls::KnownCall;
use super::reported_call::{MAX_CLOCK_SKEW, ReportedCall};

/// The calls that didn't go through the gateway, by a common trace. A gateway call matches the reported span that it
/// names as its parent, or the reported span that contains that parent; if that parent was not reported, the first
/// call of the same trace and model whose time range contains it.
pub(super) fn outside_traces(calls: Vec<ReportedCall>, own: &[KnownCall]) -> Vec<ReportedCall> {
    let mut ours = HashSet::new();
    let mut open = Vec::new();
    for own in own {
        let by_span = calls.iter().position(|reported| own.within_span(reported));
        match by_span {
            Some(index) => _ = ours.insert(index),
            None => open.push(own),
        }
    }
    for own in open {
        let by_time = (0..calls.len()).find(|index| !ours.contains(index) && own.within_time(&calls[*index]));
        ours.extend(by_time);
    }
    let all = calls.into_iter().enumerate();
    all.filter(|(index, _)| !ours.contains(index)).map(|(_, reported)| reported).collect()
}

/// A call of the gateway that an application reports in a trace which the gateway didn't know.
pub(super) struct Join {
    pub(super) own: KnownCall,
    pub(super) trace_id: Option<String>,
    pub(super) span_id: Option<String>,
    pub(super) links: Option<SpanLinks>,
}

/// Separates the calls whose responses are not the gateway's from those that are. Of several calls with one response,
/// from the gateway's cache, each joins another one as far as there are enough.
pub(super) fn by_response(calls: Vec<ReportedCall>, own: Vec<KnownCall>) -> (Vec<ImportedCall>, Vec<Join>) {
    let mut by_id: HashMap<String, Vec<KnownCall>> = HashMap::new();
    for own in own {
        by_id.entry(own.response_id.clone().unwrap_or_default()).or_default().push(own);
    }
    let (mut others, mut joins) = (Vec::with_capacity(calls.len()), Vec::new());
    for ReportedCall { mut call, .. } in calls {
        let own = call.response_id.as_ref().and_then(|response| by_id.get_mut(response));
        let Some(own) = own else {
            others.push(call);
            continue;
        };
        if let Some(index) = own.iter().position(|own| own.trace_id.is_none()) {
            let own = own.swap_remove(index);
            let links = call.links.take();
            joins.push(Join { own, trace_id: call.trace_id, span_id: call.span_id, links });
        }
    }
    (others, joins)
}

impl KnownCall {
    fn same_trace(&self, reported: &ReportedCall) -> bool {
        self.trace_id.is_some() && self.trace_id == reported.call.trace_id
    }

    fn within_span(&self, reported: &ReportedCall) -> bool {
        let Some(span) = &self.span_id else { return false };
        let reported_span = reported.call.span_id.as_ref();
        self.same_trace(reported)
            && (reported_span == Some(span)
                || reported.child_span_ids.contains(span)
                || reported_span.is_some_and(|span| self.links().span_ids.contains(span)))
    }

    fn within_time(&self, reported: &ReportedCall) -> bool {
        self.same_trace(reported)
            && self.created_at >= reported.call.at - MAX_CLOCK_SKEW
            && self.updated_at <= reported.end() + MAX_CLOCK_SKEW
            && [reported.requested_model.as_deref(), Some(&reported.call.model)]
                .into_iter()
                .flatten()
                .any(|name| self.has_name(name))
    }

    fn has_name(&self, name: &str) -> bool {
        name == self.model
            || Some(name) == self.route.as_deref()
            || name.strip_prefix(&self.provider).and_then(|rest| rest.strip_prefix('/')) == Some(&self.model)
    }
}
