//! What an `Idempotency-Key` gives again where the answer itself is a stream.

/// Put among a streamed answer's extensions: the JSON that the same request gets when it is sent again. The stream goes to
/// the client as it comes, and is not kept.
#[derive(Clone, Debug)]
pub struct Repeated(pub String);
