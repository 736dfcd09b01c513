//! The replay of a streamed response for an `Idempotency-Key`.

/// An extension of a streamed response: the JSON that a repetition of the request gets. The stream itself is not stored.
#[derive(Clone, Debug)]
pub struct ReplayBody(pub String);
