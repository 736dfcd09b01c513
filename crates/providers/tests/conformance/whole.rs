//! Requests as they arrive at providers, and answers that come whole.

use bytes::Bytes;
use loam_kernel::Kind;
use loam_providers::{Endpoint, Usage, anthropic_error, completion_text};
use serde_json::{Value, json};

use crate::cases::{Case, all};
use crate::client::{Seen, read};
use crate::provider::{CACHED, READ, Says, WRITTEN};
use crate::{Asking, CLIENTS, Format, KINDS, request};

/// What a client must read of an answer.
pub fn expected(format: Format, says: &Says) -> Seen {
    let id = |at| format!("call_{at}");
    let calls = says.calls.iter().enumerate();
    let mut seen = Seen {
        thoughts: says.thoughts.to_owned(),
        text: says.text.to_owned(),
        calls: calls.map(|(at, (name, input))| (id(at), (*name).to_owned(), input.clone())).collect(),
        stop: says.stop.to_owned(),
        usage: Some((READ, WRITTEN, CACHED)),
        error: None,
    };
    if format == Format::Dify {
        // an application doesn't say how it thought, why it stopped or what was in a cache
        seen.thoughts = String::new();
        seen.stop = "stop".to_owned();
        seen.usage = Some((READ, WRITTEN, 0));
    }
    seen
}

/// What must go into the ledger.
pub fn cost(format: Format) -> Usage {
    let (cached_tokens, cache_write_tokens) = match format {
        Format::Chat(_) => (CACHED, 0),
        Format::Messages => (CACHED, 2),
        Format::Dify => (0, 0),
    };
    let total_tokens = READ + WRITTEN;
    Usage { prompt_tokens: READ, completion_tokens: WRITTEN, total_tokens, cached_tokens, cache_write_tokens }
}

/// Every case that can be asked of every kind in every client's format, and that the kind doesn't declare as missing.
pub fn answered(stream: bool, check: impl Fn(&Case, &Asking)) {
    let mut checked = 0;
    for (name, format) in KINDS {
        for endpoint in CLIENTS {
            for case in &all() {
                let Some(body) = case.request(endpoint, stream) else { continue };
                let asking = Asking::new(name, format, endpoint, &body);
                let cannot = asking.kind.wire.cannot(endpoint);
                if !case.needs.iter().any(|feature| cannot.contains(feature)) {
                    check(case, &asking);
                    checked += 1;
                }
            }
        }
    }
    assert!(checked > 100, "only {checked} cases");
}

#[test]
fn a_provider_understands_what_the_client_asked() {
    answered(false, |case, asking| {
        let sent = asking.outgoing().unwrap_or_else(|e| panic!("{}: {}: {e}", asking.name(), case.name));
        let sent: Value = serde_json::from_slice(&sent.body).expect("JSON");
        if asking.passes() {
            let mut same = case.request(asking.endpoint, false).expect("there is one");
            same["model"] = "m-1".into();
            assert_eq!(sent, same, "{}: {}", asking.name(), case.name);
        } else if asking.format == Format::Dify {
            assert_eq!((&sent["query"], &sent["response_mode"]), (&json!(case.query), &json!("blocking")));
            assert_eq!(sent["user"], case.asked.user.as_deref().unwrap_or("loam"));
            let url = |file: &Value| file["url"].as_str().expect("an address").to_owned();
            let files: Vec<_> = sent["files"].as_array().into_iter().flatten().map(url).collect();
            assert_eq!(files, case.asked.turns.last().expect("one").images);
        } else {
            assert_eq!(sent["model"], "m-1");
            assert_eq!(request::read(asking.format, &sent), case.asked, "{}: {}", asking.name(), case.name);
        }
    });
}

#[test]
fn what_a_kind_cannot_do_is_refused_with_the_field() {
    let mut refused = 0;
    for (name, format) in KINDS {
        for endpoint in CLIENTS {
            for case in &all() {
                let Some(body) = case.request(endpoint, false) else { continue };
                let asking = Asking::new(name, format, endpoint, &body);
                let cannot = asking.kind.wire.cannot(endpoint);
                if case.needs.iter().any(|feature| cannot.contains(feature)) {
                    let error = asking.outgoing().expect_err(case.name);
                    let told = (error.code(), error.status(), error.param().is_some());
                    assert_eq!(told, ("unsupported_feature", 400, true), "{}: {}", asking.name(), case.name);
                    assert!(error.message().contains(name), "{error}");
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > 30, "only {refused} refusals");
}

#[test]
fn endpoints_that_a_kind_does_not_have_are_refused_and_the_others_pass_through() {
    let body = json!({"model": "p/m-1", "input": "Hello"});
    let served = |endpoint| {
        let served = KINDS.iter().filter(|(name, format)| {
            let asking = Asking::new(name, *format, endpoint, &body);
            match (asking.kind.wire.serves(endpoint), asking.outgoing()) {
                (Ok(()), Ok(sent)) => {
                    assert_eq!(sent.path, endpoint.path());
                    assert_eq!(sent.body, Bytes::from(body.to_string().replace("p/m-1", "m-1")));
                    true
                }
                (Err(no), Err(neither)) => {
                    assert_eq!((no.code(), neither.code()), ("unsupported_feature", "unsupported_feature"));
                    assert_eq!(no.param(), Some("model"));
                    false
                }
                (serves, sent) => panic!("{name} says {serves:?} and does {sent:?}"),
            }
        });
        served.map(|(name, _)| *name).collect::<Vec<_>>()
    };
    assert_eq!(served(Endpoint::Embeddings), ["openai", "qwen", "ollama"]);
    assert_eq!(served(Endpoint::Responses), ["openai", "ollama"]);
}

#[test]
fn an_answer_reaches_the_client_whole_with_its_cost() {
    answered(false, |case, asking| {
        let answer = Bytes::from(asking.format.whole(&case.says));
        let whole = asking.reader().whole(answer.clone()).expect("an answer");
        let name = format!("{}: {}", asking.name(), case.name);
        if asking.passes() {
            assert_eq!(whole.body, answer, "{name}");
        }
        let value: Value = serde_json::from_slice(&whole.body).expect("JSON");
        let expected = expected(asking.format, &case.says);
        assert_eq!(read(asking.endpoint, &value), expected, "{name}");
        assert_eq!(whole.usage, Some(cost(asking.format)), "{name}");
        let text = completion_text(&value);
        let written = expected.calls.iter().map(|(_, name, _)| name.as_str()).chain([expected.text.as_str()]);
        written.for_each(|written| assert!(text.contains(written), "{name}"));
    });
}

#[test]
fn an_answer_of_success_that_is_none_is_an_error() {
    for (name, format) in KINDS {
        for endpoint in CLIENTS {
            let body =
                json!({"model": "p/m", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]});
            let asking = Asking::new(name, format, endpoint, &body);
            if asking.passes() {
                continue;
            }
            for answer in ["", "<html>", "{}", "[]", "{\"choices\":[]}", "data: {\"event\":\"message\"}\n\n"]
            {
                let error = asking.reader().whole(answer.into()).expect_err(answer);
                assert_eq!(error.kind(), Kind::BadGateway, "{}: {answer}", asking.name());
            }
        }
    }
}

#[test]
fn an_error_instead_of_an_answer_keeps_its_status_and_words() {
    let statuses = [400, 401, 402, 403, 404, 413, 422, 429, 500, 502, 503, 504, 529];
    for (name, format) in KINDS {
        let wire = loam_providers::kind(name).expect("a kind").wire;
        for status in statuses {
            let body = format.error(status, "the moon is full");
            let error = wire.error("prov", status, body.as_bytes(), None);
            assert_eq!(error.status(), status, "{name}");
            assert!(
                error.message().contains("the moon is full") && error.message().contains("prov"),
                "{error}"
            );
            assert!(!error.message().contains('{'), "{error}");
            let code = error.code();
            assert_eq!(code == "provider_out_of_credit", status == 402, "{name} {status}: {code}");
            let shown = anthropic_error(&error, "req");
            assert!(shown["error"]["message"].as_str().is_some_and(|text| text.contains("the moon is full")));
        }
        // what is no JSON is shown as it is
        assert!(wire.error("prov", 502, b"<html>bad gateway", None).message().contains("bad gateway"));
    }
}

#[test]
fn an_account_without_credit_is_told_apart_whatever_its_provider_calls_it() {
    let cases = [
        (
            "openai",
            429,
            json!({"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}),
            429,
        ),
        (
            "deepseek",
            402,
            json!({"error": {"message": "Insufficient Balance", "code": "invalid_request_error"}}),
            402,
        ),
        ("qwen", 400, json!({"error": {"message": "Access denied", "code": "Arrearage"}}), 402),
        (
            "qwen",
            403,
            json!({"code": "AllocationQuota.FreeTierOnly", "message": "used up", "request_id": "r"}),
            402,
        ),
        (
            "anthropic",
            400,
            json!({"type": "error", "error": {"type": "invalid_request_error",
            "message": "Your credit balance is too low to access the API"}}),
            400,
        ),
        ("dify", 400, json!({"code": "provider_quota_exceeded", "message": "quota", "status": 400}), 402),
    ];
    for (name, status, body, shown) in cases {
        let error = loam_providers::kind(name).expect("a kind").wire.error(
            "p",
            status,
            body.to_string().as_bytes(),
            None,
        );
        assert_eq!((error.code(), error.status()), ("provider_out_of_credit", shown), "{name}");
    }
    // and an application that can't answer anybody is not the client's fault
    let body = json!({"code": "app_unavailable", "message": "App unavailable", "status": 400}).to_string();
    let error = loam_providers::kind("dify").expect("a kind").wire.error("p", 400, body.as_bytes(), None);
    assert_eq!((error.kind(), error.status()), (Kind::BadGateway, 502));
}
