//! Requests as providers receive them, and responses that are not streamed.

use bytes::Bytes;
use loam_kernel::Kind;
use loam_providers::{Endpoint, ResponseError, Usage, anthropic_error, completion_text};
use serde_json::{Value, json};

use crate::cases::{Case, all};
use crate::client::{Seen, read};
use crate::provider::{CACHED, READ, REASONING, Reply, WRITTEN};
use crate::{CLIENTS, Format, KINDS, Scenario, request};

/// The response that a client must parse.
pub fn expected(format: Format, reply: &Reply) -> Seen {
    let id = |at| format!("call_{at}");
    let calls = reply.calls.iter().enumerate();
    let mut seen = Seen {
        reasoning: reply.reasoning.to_owned(),
        text: reply.text.to_owned(),
        calls: calls.map(|(at, (name, input))| (id(at), (*name).to_owned(), input.clone())).collect(),
        stop: reply.stop.to_owned(),
        usage: Some((READ, WRITTEN, CACHED)),
        error: None,
    };
    if format == Format::Dify {
        // Dify reports neither reasoning, nor the stop reason, nor cached tokens
        seen.reasoning = String::new();
        seen.stop = "stop".to_owned();
        seen.usage = Some((READ, WRITTEN, 0));
    }
    seen
}

/// The usage that must be recorded in the ledger.
pub fn cost(format: Format) -> Usage {
    let (cached_tokens, cache_write_tokens, reasoning_tokens) = match format {
        Format::Chat(_) => (CACHED, 0, REASONING),
        Format::Messages => (CACHED, 2, 0),
        Format::Dify => (0, 0, 0),
    };
    let total_tokens = READ + WRITTEN;
    Usage {
        prompt_tokens: READ,
        completion_tokens: WRITTEN,
        total_tokens,
        cached_tokens,
        cache_write_tokens,
        reasoning_tokens,
    }
}

/// Runs every case that the kind supports, for every kind and client format.
pub fn each_supported(stream: bool, check: impl Fn(&Case, &Scenario)) {
    let mut checked = 0;
    for (name, format) in KINDS {
        for endpoint in CLIENTS {
            for case in &all() {
                let Some(body) = case.request(endpoint, stream) else { continue };
                let scenario = Scenario::new(name, format, endpoint, &body);
                let unsupported = scenario.kind.wire.unsupported(endpoint);
                let omitted = scenario.kind.wire.omitted(endpoint);
                if !case
                    .needs
                    .iter()
                    .any(|feature| unsupported.contains(feature) || omitted.contains(feature))
                {
                    check(case, &scenario);
                    checked += 1;
                }
            }
        }
    }
    assert!(checked > 100, "only {checked} cases");
}

#[test]
fn a_provider_receives_the_clients_request() {
    each_supported(false, |case, scenario| {
        let sent = scenario.outgoing().unwrap_or_else(|e| panic!("{}: {}: {e}", scenario.name(), case.name));
        let sent: Value = serde_json::from_slice(&sent.body).expect("JSON");
        if scenario.passes() {
            let mut same = case.request(scenario.endpoint, false).expect("there is one");
            same["model"] = "m-1".into();
            assert_eq!(sent, same, "{}: {}", scenario.name(), case.name);
        } else if scenario.format == Format::Dify {
            assert_eq!((&sent["query"], &sent["response_mode"]), (&json!(case.query), &json!("blocking")));
            assert_eq!(sent["user"], case.expected_request.user.as_deref().unwrap_or("loam"));
            let url = |file: &Value| file["url"].as_str().expect("an address").to_owned();
            let files: Vec<_> = sent["files"].as_array().into_iter().flatten().map(url).collect();
            assert_eq!(files, case.expected_request.turns.last().expect("one").images);
        } else {
            assert_eq!(sent["model"], "m-1");
            assert_eq!(
                request::read(scenario.format, &sent),
                case.expected_request,
                "{}: {}",
                scenario.name(),
                case.name
            );
        }
    });
}

#[test]
fn an_unsupported_feature_is_rejected_with_the_field() {
    let mut refused = 0;
    for (name, format) in KINDS {
        for endpoint in CLIENTS {
            for case in &all() {
                let Some(body) = case.request(endpoint, false) else { continue };
                let scenario = Scenario::new(name, format, endpoint, &body);
                let unsupported = scenario.kind.wire.unsupported(endpoint);
                if case.needs.iter().any(|feature| unsupported.contains(feature)) {
                    let error = scenario.outgoing().expect_err(case.name);
                    let observed = (error.code(), error.status(), error.param().is_some());
                    assert_eq!(
                        observed,
                        ("unsupported_feature", 400, true),
                        "{}: {}",
                        scenario.name(),
                        case.name
                    );
                    assert!(error.message().contains(name), "{error}");
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > 30, "only {refused} refusals");
}

#[test]
fn what_a_kind_cannot_take_of_a_translated_request_is_left_out_and_noted() {
    let mut left_out = 0;
    for (name, format) in KINDS {
        for endpoint in CLIENTS {
            for case in &all() {
                let Some(body) = case.request(endpoint, false) else { continue };
                let scenario = Scenario::new(name, format, endpoint, &body);
                let (omitted, unsupported) =
                    (scenario.kind.wire.omitted(endpoint), scenario.kind.wire.unsupported(endpoint));
                let sent = scenario.outgoing();
                if case.needs.iter().any(|feature| unsupported.contains(feature)) {
                    continue;
                }
                let sent = sent.expect("a request");
                let expected = usize::from(case.needs.iter().any(|feature| omitted.contains(feature)));
                assert_eq!(sent.omitted.len(), expected, "{}: {}", scenario.name(), case.name);
                left_out += expected;
            }
        }
    }
    assert!(left_out > 10, "only {left_out} cases");
}

#[test]
fn unsupported_endpoints_are_rejected_and_the_others_forwarded() {
    let body = json!({"model": "p/m-1", "input": "Hello"});
    let forwarded = |endpoint| {
        let served = KINDS.iter().filter(|(name, format)| {
            let native = json!({"responses": "native"});
            let scenario = Scenario::with_config(name, *format, endpoint, &body, native);
            match (scenario.kind.wire.serves(endpoint), scenario.outgoing()) {
                (Ok(()), Ok(sent)) if sent.path != endpoint.path() => {
                    assert_ne!(endpoint, Endpoint::Embeddings, "{name} has no translation");
                    false
                }
                (Ok(()), Ok(sent)) => {
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
    assert_eq!(forwarded(Endpoint::Embeddings), ["openai", "qwen", "ollama"]);
    assert_eq!(forwarded(Endpoint::Responses), ["openai", "ollama"]);
}

#[test]
fn a_response_reaches_the_client_with_its_usage() {
    each_supported(false, |case, scenario| {
        let response = Bytes::from(scenario.format.complete(&case.reply));
        let complete = scenario.reader().read_complete(response.clone()).expect("an answer");
        let name = format!("{}: {}", scenario.name(), case.name);
        if scenario.passes() {
            assert_eq!(complete.body, response, "{name}");
        }
        let value: Value = serde_json::from_slice(&complete.body).expect("JSON");
        let expected = expected(scenario.format, &case.reply);
        assert_eq!(read(scenario.endpoint, &value), expected, "{name}");
        assert_eq!(complete.usage, Some(cost(scenario.format)), "{name}");
        let text = completion_text(&value);
        let written = expected.calls.iter().map(|(_, name, _)| name.as_str()).chain([expected.text.as_str()]);
        written.for_each(|written| assert!(text.contains(written), "{name}"));
    });
}

/// Every kind and the client formats that it serves without tools.
fn served() -> impl Iterator<Item = Scenario> {
    let body = json!({"model": "p/m", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]});
    let endpoints =
        [Endpoint::ChatCompletions, Endpoint::Messages, Endpoint::Responses, Endpoint::Embeddings];
    let scenarios = KINDS.into_iter().flat_map(move |(name, format)| {
        let body = body.clone();
        endpoints.map(move |endpoint| Scenario::new(name, format, endpoint, &body))
    });
    scenarios.filter(|scenario| scenario.kind.wire.serves(scenario.endpoint).is_ok())
}

#[test]
fn an_invalid_body_with_a_success_status_is_an_error() {
    for scenario in served() {
        for response in
            ["", " ", "<html>", "{}", "[]", "7", "{\"choices\":[]}", "data: {\"event\":\"message\"}\n\n"]
        {
            let error = scenario.reader().read_complete(response.into()).expect_err(response);
            let ResponseError::Invalid(error) = error else { panic!("{}: {error:?}", scenario.name()) };
            assert_eq!(error.code(), "provider_answer_invalid", "{}: {response}", scenario.name());
        }
    }
}

#[test]
fn an_error_with_a_success_status_is_reported_as_one() {
    for scenario in served() {
        for (response, status) in [
            (json!({"error": {"message": "the moon is full", "code": 429}}), 429),
            (json!({"error": {"message": "the moon is full", "type": "invalid_request_error"}}), 400),
            (
                json!({"type": "error", "error": {"type": "overloaded_error", "message": "the moon is full"}}),
                529,
            ),
            (
                json!({"error": "the moon is full", "choices": [], "content": [], "output": [], "data": []}),
                502,
            ),
            (json!({"code": "InternalError", "message": "the moon is full", "request_id": "r"}), 502),
        ] {
            let error = scenario.reader().read_complete(response.to_string().into()).expect_err("no answer");
            let ResponseError::Reported(error) = error else { panic!("{}: {error:?}", scenario.name()) };
            let seen = (error.status, error.message.as_str());
            assert_eq!(seen, (status, "the moon is full"), "{}: {response}", scenario.name());
        }
    }
}

#[test]
fn an_error_response_keeps_its_status_and_message_unless_it_refuses_the_credentials() {
    let statuses = [400, 401, 402, 403, 404, 413, 422, 429, 500, 502, 503, 504, 529];
    for (name, format) in KINDS {
        let wire = loam_providers::kind(name).expect("a kind").wire;
        for status in statuses {
            let body = format.error(status, "the moon is full");
            let error = wire.error("prov", status, body.as_bytes(), None);
            // the client must not take it for an answer to its own credential
            let seen = if matches!(status, 401 | 403) { 502 } else { status };
            assert_eq!(error.status(), seen, "{name}");
            assert!(
                error.message().contains("the moon is full") && error.message().contains("prov"),
                "{error}"
            );
            assert!(!error.message().contains('{'), "{error}");
            let code = error.code();
            assert_eq!(code == "provider_refused_credentials", seen != status, "{name} {status}: {code}");
            assert_eq!(code == "provider_out_of_credit", status == 402, "{name} {status}: {code}");
            let shown = anthropic_error(&error, "req");
            assert!(shown["error"]["message"].as_str().is_some_and(|text| text.contains("the moon is full")));
        }
        // a body that is not JSON is shown as it is
        assert!(wire.error("prov", 502, b"<html>bad gateway", None).message().contains("bad gateway"));
    }
}

#[test]
fn an_account_without_credit_is_recognized_for_every_provider() {
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
    // an unavailable application is not the client's error
    let body = json!({"code": "app_unavailable", "message": "App unavailable", "status": 400}).to_string();
    let error = loam_providers::kind("dify").expect("a kind").wire.error("p", 400, body.as_bytes(), None);
    assert_eq!((error.kind(), error.status()), (Kind::BadGateway, 502));
}
