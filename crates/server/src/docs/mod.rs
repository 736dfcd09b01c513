//! The OpenAPI document, which is generated from the code and used for authorization.
//!
//! utoipa writes what stands at the handlers and types. [`finish`] completes it with what holds for the whole document.

mod directions;
mod error_codes;
mod errors;
mod references;
mod text;
mod unions;
mod walk;

use utoipa::Modify;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};

use crate::composition::Core;
use crate::config::Config;
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
    servers((url = "/", description = "This server")),
    modifiers(&Security),
    tags(
        (name = "gateway", description = "OpenAI's and Anthropic's APIs for all providers. The prefix `/v1` of OpenAI's paths may be omitted"),
        (name = "tenants", description = "Tenants of the instance"),
        (name = "users", description = "Users of a tenant"),
        (name = "roles", description = "Named sets of permissions"),
        (name = "login", description = "Log-in with a password, and login sessions"),
        (name = "projects", description = "Applications of a tenant"),
        (name = "api_keys", description = "API keys of applications"),
        (name = "tokens", description = "Short-lived tokens and their signing keys"),
        (name = "token_issuers", description = "Applications that issue tokens for their end users"),
        (name = "chat_sessions", description = "Conversations, with their settings"),
        (name = "messages", description = "Messages of conversations"),
        (name = "turns", description = "Turns: questions with the model's responses"),
        (name = "user_preferences", description = "Preferences of users"),
        (name = "channels", description = "Connections to messaging platforms"),
        (name = "webhook_deliveries", description = "Deliveries to other servers, with retries"),
        (name = "tool_calls", description = "Tool calls"),
        (name = "telemetry", description = "Ingestion of telemetry"),
        (name = "performance_records", description = "Requests of monitored applications, with their calls"),
        (name = "statistics", description = "Statistics of endpoints and functions over time and by version"),
        (name = "rejected_records", description = "Records that ingestion rejected"),
        (name = "ai_analysis_results", description = "Analyses by a model of why requests are slow"),
        (name = "suggestions", description = "Suggested improvements and their measured gain"),
        (name = "alerts", description = "Alert rules and incidents"),
        (name = "performance_metrics", description = "Metrics of applications"),
        (name = "requirements", description = "Requirements of applications, with their versions"),
        (name = "prd_docs", description = "Product requirements documents, with their versions"),
        (name = "tech_designs", description = "Technical designs, with their versions"),
        (name = "api_specs", description = "API specifications, with their versions"),
        (name = "ai_providers", description = "Configured model providers"),
        (name = "model_prices", description = "Prices of models"),
        (name = "model_routes", description = "Routes: aliases and their target models"),
        (name = "limits", description = "Limits of tenants, projects, users and keys"),
        (name = "usage", description = "Usage and cost"),
        (name = "llm_calls", description = "The ledger of model calls"),
        (name = "jobs", description = "Durable background work"),
        (name = "erasures", description = "Erasure and export of all data about a subject"),
        (name = "audit_logs", description = "The audit trail of changes"),
        (name = "system_config", description = "The live configuration"),
        (name = "api_logs", description = "Request records"),
        (name = "error_logs", description = "Error records and groups of similar errors"),
        (name = "journal_quarantine", description = "Journal frames that the database rejected"),
        (name = "instance", description = "The server itself"),
    )
)]
struct DocumentBase;

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
pub(crate) fn base_document() -> Document {
    DocumentBase::openapi()
}

/// Completes the document that utoipa collected from the routes.
pub(crate) fn finish(mut document: Document) -> Document {
    open_public_operations(&mut document);
    errors::describe(&mut document);
    references::name_bytes(&mut document);
    references::name_copies(&mut document);
    directions::drop_null_defaults(&mut document);
    directions::split(&mut document);
    references::name_free_forms(&mut document);
    unions::discriminate(&mut document);
    references::drop_unused(&mut document);
    text::tidy(&mut document);
    document
}

/// utoipa writes "no credential" as one optional scheme, which generators take for a required one.
fn open_public_operations(document: &mut Document) {
    for place in walk::operations(document) {
        if place.operation.security == Some(vec![SecurityRequirement::default()]) {
            place.operation.security = Some(Vec::new());
        }
    }
}

/// The whole document.
pub fn openapi() -> anyhow::Result<Document> {
    let routes = Core::unconnected(&Config::default())?.routes().merge(health_routes());
    Ok(finish(routes.split_for_parts().1))
}

/// The whole document as formatted JSON.
pub fn openapi_text() -> anyhow::Result<String> {
    Ok(openapi()?.to_pretty_json()? + "\n")
}
