use serde_json::json;

use super::*;

#[test]
fn an_error_is_found_with_its_status_in_the_shape_of_every_provider() {
    for (json, status, message) in [
        (json!({"error": {"message": "slow down", "code": 429}}), 429, "slow down"),
        (json!({"error": {"message": "no", "type": "invalid_request_error", "code": null}}), 400, "no"),
        (
            json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
            529,
            "Overloaded",
        ),
        (
            json!({"type": "error", "code": "rate_limit_exceeded", "message": "wait", "param": null}),
            429,
            "wait",
        ),
        (json!({"error": "out of memory"}), 502, "out of memory"),
        (json!({"error": {"code": "503", "status": "UNAVAILABLE", "message": "busy"}}), 503, "busy"),
        (json!({"error": true, "message": "it failed"}), 502, "it failed"),
    ] {
        let found = ReportedError::of(&json).expect("an error");
        assert_eq!((found.status, found.message.as_str()), (status, message), "{json}");
    }
    for json in [json!({"error": null}), json!({"error": {}}), json!({"error": ""}), json!({}), json!([1])] {
        assert_eq!(ReportedError::of(&json), None, "{json}");
    }
}

#[test]
fn a_body_without_an_answer_is_an_error() {
    for (json, status) in [
        (json!({"code": "DataInspectionFailed", "message": "refused", "request_id": "r"}), Some(502)),
        (json!({"detail": "Not authenticated", "status": 401}), Some(401)),
        (json!({"object": "chat.completion"}), None),
    ] {
        let found = match ResponseError::without_content(&json, "it has no choices") {
            ResponseError::Reported(reported) => Some(reported.status),
            ResponseError::Invalid(error) => {
                assert!(error.message().contains("it has no choices"));
                None
            }
        };
        assert_eq!(found, status, "{json}");
    }
}
