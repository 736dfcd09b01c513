//! What is read of a provider's stream.

use bytes::{Bytes, BytesMut};
use loam_kernel::Error;

/// The result of polling the provider's stream.
pub(super) enum Chunk {
    Bytes(Bytes),
    /// The end, with the bytes to be sent last.
    End {
        now: Bytes,
        last: Result<Bytes, Error>,
        outcome: StreamOutcome,
    },
}

/// How the provider's stream ended.
pub(super) struct StreamOutcome {
    /// What the record says, if something went wrong.
    pub(super) error: Option<String>,
    /// Whether the provider works.
    pub(super) is_healthy: bool,
}

pub(super) fn join(single: Bytes, out: BytesMut) -> Bytes {
    if single.is_empty() {
        out.freeze()
    } else if out.is_empty() {
        single
    } else {
        [single, out.freeze()].concat().into()
    }
}
