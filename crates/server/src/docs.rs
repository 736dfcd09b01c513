//! The OpenAPI document: made from the code, and what authentication is built on.

use utoipa::Modify;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};

use crate::config::Config;
use crate::services::Core;
use crate::surface::health_routes;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Loam",
        description = "The backend under an AI application: an OpenAI-compatible gateway that keeps and accounts every call. \
            Errors are `{\"error\": {code, message, type, param, request_id}}`. Lists are pages, newest first: send \
            `next_cursor` back as `cursor`. A change with `If-Match` is refused (412) when the resource has changed since. \
            A `POST` below `/api/v1` with an `Idempotency-Key` takes effect once, and is answered the same for a day.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    modifiers(&Security),
    tags(
        (name = "gateway", description = "OpenAI's API over any provider"),
        (name = "tenants", description = "Customers of this Loam"),
        (name = "users", description = "People of a tenant"),
        (name = "roles", description = "Names for sets of permissions"),
        (name = "login", description = "Logging in with a password, and who is logged in"),
        (name = "projects", description = "Applications of a tenant"),
        (name = "api_keys", description = "Credentials of applications"),
        (name = "tokens", description = "Short-lived credentials, and the keys that sign them"),
        (name = "token_issuers", description = "Applications that vouch for their own end users"),
        (name = "chat_sessions", description = "Conversations, with their settings"),
        (name = "messages", description = "What was said in them"),
        (name = "turns", description = "Questions, and the way to their answers"),
        (name = "user_preferences", description = "What a user prefers"),
        (name = "channels", description = "Other platforms that messages come from and replies go to"),
        (name = "webhook_deliveries", description = "What is sent to other servers until it is taken"),
        (name = "tool_calls", description = "Every use of a tool"),
        (name = "telemetry", description = "What watched applications send"),
        (name = "performance_records", description = "Requests of watched applications, and their calls"),
        (name = "statistics", description = "Endpoints and functions over time and by version"),
        (name = "rejected_records", description = "What was sent and refused"),
        (name = "ai_analysis_results", description = "Why a request is slow, told by a model"),
        (name = "suggestions", description = "What to change, and what it was worth"),
        (name = "alerts", description = "What is watched, and what was raised"),
        (name = "performance_metrics", description = "Values that applications measure"),
        (name = "ai_providers", description = "Where models are"),
        (name = "model_prices", description = "What models cost"),
        (name = "model_routes", description = "Aliases, and the models that calls of them go to"),
        (name = "limits", description = "What a tenant, project, user or key may use"),
        (name = "usage", description = "What was used, and what it cost"),
        (name = "llm_calls", description = "Every call of a model"),
        (name = "jobs", description = "Durable background work"),
        (name = "erasures", description = "Removing all that is known of somebody, and showing it before"),
        (name = "audit_logs", description = "Who changed what"),
        (name = "system_config", description = "What can be set while the server runs"),
        (name = "api_logs", description = "Requests on record"),
        (name = "error_logs", description = "Errors on record, and those that are alike"),
        (name = "journal_quarantine", description = "What the database refused"),
        (name = "instance", description = "The server itself"),
    )
)]
struct Head;

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut Document) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("loam_…")
            .description(Some(
                "An API key, or a token (JWT). Browsers send the cookie of a log-in session instead.",
            ))
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("api_key", SecurityScheme::Http(scheme));
    }
}

/// The document without its paths.
pub(crate) fn head() -> Document {
    Head::openapi()
}

/// The whole document.
pub fn openapi() -> anyhow::Result<Document> {
    Ok(Core::unconnected(&Config::default())?.routes().merge(health_routes()).split_for_parts().1)
}

/// The whole document as it is printed and reviewed.
pub fn openapi_text() -> anyhow::Result<String> {
    Ok(openapi()?.to_pretty_json()? + "\n")
}
