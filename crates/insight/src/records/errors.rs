//! What was raised in a trace, for the errors on record.

use std::collections::{HashMap, HashSet};

use chrono::DateTime;
use loam_kernel::{ErrorLogId, ProjectId, TenantId};
use loam_platform::error_logs::ReportedError;
use serde_json::json;

use crate::trace::{self, Call, Entry, Opened, STACK};

/// Errors of a trace that are kept at most: one fault raised in a loop says the same again and again.
const MOST: usize = 50;

/// What stands for the exception of a span that failed and doesn't say why.
const UNTOLD: &str = "Error";

/// The errors of a trace. An exception that passed through many calls is the one of the call that raised it.
pub(crate) fn errors(
    (tenant, project): (TenantId, ProjectId),
    trace_id: &str,
    Opened { entries, calls }: &Opened,
) -> Vec<ReportedError> {
    let raised: HashSet<(&str, &str)> =
        calls.iter().filter_map(|call| Some((call.parent.as_deref()?, call.exception.as_deref()?))).collect();
    let thrown = calls
        .iter()
        .filter_map(|call| Some((call, call.exception.as_deref()?)))
        .filter(|(call, exception)| !raised.contains(&(call.id.as_str(), exception)));
    let mut thrown: Vec<(&Call, &str)> = thrown.take(MOST).collect();
    // a span that failed and doesn't say why says nothing beside one that does
    if thrown.iter().any(|(_, exception)| *exception != UNTOLD) {
        thrown.retain(|(_, exception)| *exception != UNTOLD);
    }
    if thrown.is_empty() {
        return Vec::new();
    }
    let by_id: HashMap<&str, &Call> = calls.iter().map(|call| (call.id.as_str(), call)).collect();
    let of_entry: HashMap<&str, &Entry> =
        entries.iter().map(|(_, entry)| (entry.call_id.as_str(), entry)).collect();
    let error = |(call, exception): (&Call, &str)| {
        let at = DateTime::from_timestamp_nanos(call.start_ns);
        let (kind, message) = exception.split_once(": ").unwrap_or((exception, exception));
        let served = serving(call, &by_id, &of_entry);
        let record = served.and_then(|entry| {
            let begin = DateTime::from_timestamp_nanos(by_id.get(entry.call_id.as_str())?.start_ns);
            Some(trace::record_id(project, trace_id, &entry.call_id, begin).0)
        });
        let parts = [project.0.as_bytes(), trace_id.as_bytes(), call.id.as_bytes(), b"error".as_slice()];
        ReportedError {
            tenant,
            id: ErrorLogId(trace::id(at, &parts)),
            project,
            trace_id: trace_id.to_owned(),
            record_id: record,
            endpoint: served.map(|entry| entry.endpoint.clone()),
            kind: kind.to_owned(),
            message: message.to_owned(),
            stack: call.detail.as_ref().and_then(|detail| detail.attributes.get(STACK)).cloned(),
            context: json!({
                "call_id": call.id, "function": call.function.key(), "file_path": call.function.file_path,
                "line_number": call.function.line_number,
                "version": served.map(|entry| entry.version.key()).filter(|version| !version.is_empty()),
            }),
            at,
        }
    };
    thrown.into_iter().map(error).collect()
}

/// The request in whose service a call was made.
fn serving<'a>(
    call: &'a Call,
    by_id: &HashMap<&str, &'a Call>,
    of_entry: &HashMap<&str, &'a Entry>,
) -> Option<&'a Entry> {
    let (mut at, mut steps) = (call, 0);
    loop {
        if let Some(entry) = of_entry.get(at.id.as_str()) {
            return Some(entry);
        }
        // calls that lead to themselves have no way up
        steps += 1;
        if steps > by_id.len() {
            return None;
        }
        at = by_id.get(at.parent.as_deref()?)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Work;
    use std::sync::Arc;
    use uuid::Uuid;

    fn call(id: &str, parent: Option<&str>, exception: Option<&str>) -> Call {
        Call {
            id: id.to_owned(),
            parent: parent.map(str::to_owned),
            function: Arc::new(trace::Function { name: id.to_owned(), ..trace::Function::default() }),
            work: Work::Function,
            start_ns: 1_790_000_000_000_000_000,
            duration_ns: 1_000,
            cpu_ns: None,
            memory_delta: None,
            exception: exception.map(str::to_owned),
            detail: None,
        }
    }

    fn opened(call_id: &str, calls: &[Call]) -> Opened {
        let entry = Entry {
            call_id: call_id.to_owned(),
            endpoint: "GET /pay".to_owned(),
            service: None,
            is_error: true,
            request: trace::RequestInfo::default(),
            response: trace::ResponseInfo::default(),
            measured: trace::Measured::default(),
            version: trace::VersionInfo::default(),
            environment: trace::Environment::default(),
        };
        Opened { entries: vec![(trace::Source::Records, entry)], calls: calls.to_vec() }
    }

    const OWNER: (TenantId, ProjectId) = (TenantId(Uuid::from_u128(1)), ProjectId(Uuid::from_u128(2)));

    #[test]
    fn an_exception_is_the_one_of_the_call_that_raised_it() {
        let text = Some("ValueError: no such card: 12");
        let calls = [
            call("served", None, text),
            call("pay", Some("served"), text),
            call("charge", Some("pay"), text),
            call("log", Some("pay"), Some("KeyError: 'x'")),
            call("fine", Some("served"), None),
        ];
        let opened = opened("served", &calls);
        let found = errors(OWNER, "t-1", &opened);
        let told: Vec<(&str, &str)> =
            found.iter().map(|one| (one.kind.as_str(), one.message.as_str())).collect();
        assert_eq!(told, [("ValueError", "no such card: 12"), ("KeyError", "'x'")]);
        assert_eq!(found[0].context["call_id"], "charge");
        let at = DateTime::from_timestamp_nanos(calls[0].start_ns);
        let record = trace::record_id(OWNER.1, "t-1", "served", at).0;
        assert!(found.iter().all(|one| one.record_id == Some(record)));
        assert_eq!(found[0].endpoint.as_deref(), Some("GET /pay"));
        assert_eq!(errors(OWNER, "t-1", &opened), found, "told again, it is the same");
        assert_ne!(errors(OWNER, "t-2", &opened)[0].id, found[0].id);
    }

    #[test]
    fn what_leads_to_itself_or_nowhere_has_its_trace_alone() {
        let calls = [
            call("a", Some("b"), Some("Timeout")),
            call("b", Some("a"), None),
            call("lost", Some("elsewhere"), Some("E: x")),
        ];
        let found = errors(OWNER, "t-1", &opened("served", &calls));
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|one| one.record_id.is_none() && one.trace_id == "t-1"));
        assert_eq!((found[0].kind.as_str(), found[0].message.as_str()), ("Timeout", "Timeout"));
    }

    #[test]
    fn a_loop_of_errors_is_told_only_so_often() {
        let calls: Vec<Call> = (0..500).map(|n| call(&n.to_string(), None, Some("E: again"))).collect();
        assert_eq!(errors(OWNER, "t", &opened("served", &calls)).len(), MOST);
    }
}
