//! The errors that follow from what an operation takes.

use super::errors::Traits;

/// Errors of a status that follow from what an operation takes.
pub(super) struct Derived {
    /// Name of the shared response.
    pub(super) name: &'static str,
    pub(super) status: &'static str,
    pub(super) codes: &'static [&'static str],
    pub(super) applies: fn(&Traits) -> bool,
}

/// At most one of a status applies to an operation.
pub(super) const DERIVED: &[Derived] = &[
    Derived {
        name: "InvalidRequest",
        status: "400",
        codes: &["invalid_value", "invalid_query", "unknown_parameter"],
        applies: |traits| traits.is_own_api && !traits.has_body,
    },
    Derived {
        name: "InvalidBody",
        status: "400",
        codes: &["invalid_json", "invalid_value", "invalid_query", "unknown_parameter", "body_unreadable"],
        applies: |traits| traits.has_body,
    },
    Derived {
        name: "Unauthenticated",
        status: "401",
        codes: &[
            "missing_credential",
            "invalid_api_key",
            "expired_key",
            "retired_project_key",
            "invalid_session",
            "expired_session",
            "invalid_token",
            "expired_token",
            "token_not_yet_valid",
            "algorithm_not_allowed",
            "unknown_issuer",
            "unknown_signing_key",
            "unknown_user",
            "inactive_user",
            "wrong_audience",
        ],
        applies: |traits| !traits.is_public,
    },
    Derived {
        name: "Forbidden",
        status: "403",
        codes: &[
            "missing_permission",
            "not_an_operator",
            "tenant_suspended",
            "quota_exceeded",
            "tenant_archived",
            "role_not_allowed",
            "password_change_required",
            "csrf_token_missing",
            "csrf_token_wrong",
            "other_origin",
            "origin_not_allowed",
        ],
        applies: |traits| !traits.is_public,
    },
    Derived {
        name: "NotFound",
        status: "404",
        codes: &["not_found"],
        applies: |traits| traits.has_id || traits.has_permission,
    },
    Derived { name: "SlowBody", status: "408", codes: &["body_too_slow"], applies: |traits| traits.has_body },
    Derived {
        name: "IdempotencyConflict",
        status: "409",
        codes: &["idempotency_key_reused", "request_in_progress"],
        applies: |traits| traits.is_idempotent,
    },
    Derived {
        name: "StaleVersion",
        status: "412",
        codes: &["stale_version"],
        applies: |traits| traits.has_if_match,
    },
    Derived {
        name: "LargeBody",
        status: "413",
        codes: &["body_too_large", "too_many_values"],
        applies: |traits| traits.has_body,
    },
    Derived { name: "Busy", status: "429", codes: &["server_busy", "too_many_bodies"], applies: |_| true },
    Derived { name: "InternalError", status: "500", codes: &["internal_error"], applies: |_| true },
    Derived {
        name: "Unavailable",
        status: "503",
        codes: &[
            "database_unavailable",
            "issuer_unavailable",
            "journal_full",
            "ledger_full",
            "too_many_bodies",
            "stopping",
        ],
        applies: |_| true,
    },
];

/// Errors of operations that call a model (`x-calls-model`).
pub(super) const MODEL_CALL: &[(&str, &[&str])] = &[
    ("400", &["unsupported_feature"]),
    ("403", &["provider_out_of_credit"]),
    ("404", &["model_not_found"]),
    (
        "429",
        &[
            "rate_limit_requests",
            "rate_limit_tokens",
            "rate_limit_concurrency",
            "budget_day",
            "budget_month",
            "too_many_calls",
            "provider_rate_limit",
            "provider_out_of_credit",
        ],
    ),
    (
        "4XX",
        &[
            "provider_refused_request",
            "provider_not_found",
            "provider_out_of_credit",
            "provider_rate_limit",
            "provider_timeout",
        ],
    ),
    (
        "502",
        &[
            "no_target",
            "provider_unreachable",
            "provider_broke_off",
            "provider_answer_invalid",
            "provider_failed",
            "provider_refused_credentials",
        ],
    ),
    ("503", &["limits_unknown"]),
    ("504", &["provider_timeout", "route_timeout"]),
    ("5XX", &["provider_failed", "provider_timeout"]),
];

/// What a status means, in a sentence.
pub(super) fn meaning(status: &str) -> &'static str {
    match status {
        "400" => "The request is invalid; `param` names the field.",
        "401" => "There is no valid credential.",
        "403" => "The credential lacks a right.",
        "404" => "There is no such resource in the caller's tenant.",
        "408" => "The body was received too slowly.",
        "409" => "The state of the resource does not allow the change.",
        "412" => "The resource has changed since the version in `If-Match`.",
        "413" => "The body is too large.",
        "415" => "The content type or encoding is not supported.",
        "429" => "A limit is reached; `Retry-After` says when to retry.",
        "4XX" => "The provider refused the request; the status is the provider's.",
        "5XX" => "The provider failed; the status is the provider's.",
        "500" => "An internal failure; the server's log has its cause.",
        "502" => "Another server failed.",
        "503" => "Something that Loam depends on is unavailable; retry after `Retry-After`.",
        "504" => "Another server did not respond in time.",
        _ => "An error.",
    }
}
