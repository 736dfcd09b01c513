//! Maximum body sizes, by route and authentication.

use axum::http::Method;

/// Maximum for public operations and for those that concern only the caller, such as log-ins.
const SMALL: usize = 16 << 10;
/// Maximum of a channel's own event limit.
const EVENT: usize = 4 << 20;
/// Maximum for a resource.
const RESOURCE: usize = 1 << 20;

/// The path of incoming events of channels.
pub(super) const EVENTS: &str = "/api/v1/channels/{id}/events";
/// Suffix of the paths of imports, which have larger bodies.
const IMPORT: &str = "/import";
/// The paths of resources with content of people, models and applications, which may include files.
const CONTENT: [&str; 12] = [
    "/api/v1/messages",
    "/api/v1/chat_sessions/{id}/turns",
    "/api/v1/chat_sessions/{id}/tools",
    "/api/v1/channels/{id}/send",
    "/api/v1/ingest/",
    "/api/public/otel/",
    "/api/v1/performance_metrics",
    "/api/v1/rejected_records",
    "/api/v1/requirements",
    "/api/v1/prd_docs",
    "/api/v1/tech_designs",
    "/api/v1/api_specs",
];

/// The limit of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Intake {
    /// Small: a public operation, or a request without a body.
    Small,
    /// An event of a channel.
    Event,
    /// A resource.
    Resource,
    /// Content: of a model call, a message, telemetry.
    Content,
    /// An import, which is streamed.
    Import,
}

impl Intake {
    /// The limit of an operation; `is_small` if it is public or concerns only the caller.
    pub(super) fn of(path: &str, method: &Method, is_small: bool) -> Self {
        let has_no_body = matches!(*method, Method::GET | Method::HEAD | Method::DELETE);
        if path == EVENTS {
            Self::Event
        } else if is_small || has_no_body {
            Self::Small
        } else if path.ends_with(IMPORT) {
            Self::Import
        } else if !path.starts_with("/api/") || CONTENT.iter().any(|content| path.starts_with(content)) {
            Self::Content
        } else {
            Self::Resource
        }
    }

    /// The maximum size, given the server's limits for content and imports.
    pub(super) fn max(self, content: usize, import: usize) -> usize {
        match self {
            Self::Small => SMALL.min(content),
            Self::Event => EVENT.min(content),
            Self::Resource => RESOURCE.min(content),
            Self::Content => content,
            Self::Import => import,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_as_large_as_its_route_needs() {
        let of = |path| Intake::of(path, &Method::POST, false);
        assert_eq!(Intake::of("/api/v1/login", &Method::POST, true), Intake::Small);
        assert_eq!(Intake::of("/api/v1/users", &Method::GET, false), Intake::Small);
        assert_eq!(Intake::of(EVENTS, &Method::POST, true), Intake::Event);
        assert_eq!(of("/api/v1/users"), Intake::Resource);
        assert_eq!(of("/api/v1/chat_sessions/import"), Intake::Import);
        for content in
            ["/v1/chat/completions", "/otlp/v1/traces", "/api/v1/messages", "/api/v1/ingest/records"]
        {
            assert_eq!(of(content), Intake::Content, "{content}");
        }
        assert_eq!(Intake::Small.max(1000, 9000), 1000);
        assert_eq!(Intake::Import.max(1000, 9000), 9000);
    }
}
