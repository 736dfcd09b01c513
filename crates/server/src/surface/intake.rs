//! How large the body of a request may be: by its route, and by whether it takes a credential.

use axum::http::Method;

/// What is taken of a body where no credential is needed, or where only the caller is concerned: log-ins, for one.
const SMALL: usize = 16 << 10;
/// The most that a channel's own limit of its events can be.
const EVENT: usize = 4 << 20;
/// What is taken of a resource.
const RESOURCE: usize = 1 << 20;

/// The path by which channels take events in.
pub(super) const EVENTS: &str = "/api/v1/channels/{id}/events";
/// How the paths end to which histories are sent, which are larger than other bodies.
const IMPORT: &str = "/import";
/// The paths of resources that hold what people, models and applications say, which may be large: files are in it.
const CONTENT: [&str; 7] = [
    "/api/v1/messages",
    "/api/v1/chat_sessions/{id}/turns",
    "/api/v1/chat_sessions/{id}/tools",
    "/api/v1/channels/{id}/send",
    "/api/v1/ingest/",
    "/api/v1/performance_metrics",
    "/api/v1/rejected_records",
];

/// What is taken of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Intake {
    /// Little: there is no credential, or the request has nothing to say.
    Small,
    /// An event of a channel.
    Event,
    /// A resource.
    Resource,
    /// What is said: to a model, in a message, by an application.
    Content,
    /// A history, which is read piece by piece.
    Import,
}

impl Intake {
    /// Of an operation; `is_small` where it takes no credential, or is about the caller alone.
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

    /// The largest body, where `content` is the server's own limit and `import` that of histories.
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
