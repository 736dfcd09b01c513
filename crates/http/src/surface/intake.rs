//! Reading request bodies, whole or as a stream of chunks.

use std::error::Error as StdError;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use futures_util::{Stream, TryStreamExt};
use http_body_util::BodyExt;
use loam_kernel::{Error, Kind};

/// `Retry-After` when too many bodies are being received.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Maximum declared length for which memory is allocated in advance.
const MAX_PREALLOCATED: usize = 256 << 10;

/// Why the server refuses the rest of a body. The edge returns it as the body's error, and the reader of the body converts
/// it into a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyRefused {
    /// It exceeds the limit of its route.
    #[error("larger than {0} bytes")]
    TooLarge(usize),
    /// It is received too slowly.
    #[error("too slow")]
    TooSlow,
    /// The memory budget of all bodies is exhausted.
    #[error("too many bodies at once")]
    ServerFull,
    /// The memory budget of this tenant's bodies is exhausted.
    #[error("too many bodies of one tenant at once")]
    TenantFull,
}

impl From<BodyRefused> for Error {
    fn from(refused: BodyRefused) -> Self {
        match refused {
            BodyRefused::TooLarge(max) => {
                let message = format!("the body exceeds the maximum of {max} bytes");
                Self::new(Kind::TooLarge, "body_too_large", message)
            }
            BodyRefused::TooSlow => {
                Self::new(Kind::Invalid, "body_too_slow", "the body was received too slowly, or not at all")
                    .with_status(408)
            }
            BodyRefused::ServerFull => Self::unavailable(
                "too_many_bodies",
                "the server is receiving too many request bodies; try again",
                RETRY_AFTER,
            ),
            BodyRefused::TenantFull => {
                let message = "your tenant is sending too many request bodies at once; try again";
                Self::new(Kind::TooMany, "too_many_bodies", message).with_retry_after(RETRY_AFTER)
            }
        }
    }
}

/// The body of a request as a stream of chunks, as they arrive.
pub fn chunks(body: Body) -> impl Stream<Item = Result<Bytes, Error>> + Unpin {
    TryStreamExt::map_err(body.into_data_stream(), |e| unreadable(&e))
}

/// Reads a body of at most `max` bytes, for routes whose limit is below the server's.
///
/// A body in one chunk is returned without copying. Others are concatenated while they arrive, so that a body sent byte by
/// byte needs no more memory than any other.
///
/// # Errors
/// 413 `body_too_large`, 408 `body_too_slow`, 503 and 429 `too_many_bodies`, 400 `body_unreadable`.
pub async fn read_at_most(mut body: Body, max: usize) -> Result<Bytes, Error> {
    let (mut first, mut all) = (Bytes::new(), Vec::new());
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|e| unreadable(&e))?.into_data() else { continue };
        if first.len().max(all.len()) + data.len() > max {
            return Err(BodyRefused::TooLarge(max).into());
        }
        if first.is_empty() && all.is_empty() {
            first = data;
            continue;
        }
        if all.is_empty() {
            grow(&mut all, first.len() + data.len(), body.size_hint().exact());
            all.extend_from_slice(&std::mem::take(&mut first));
        } else {
            let needed = all.len() + data.len();
            grow(&mut all, needed, body.size_hint().exact());
        }
        all.extend_from_slice(&data);
    }
    Ok(if all.is_empty() { first } else { Bytes::from(all) })
}

/// Reserves capacity for `needed` bytes: for what the client said is to come as far as that isn't much, and else for twice as
/// much as came, as room costs memory.
fn grow(all: &mut Vec<u8>, needed: usize, rest: Option<u64>) {
    if needed <= all.capacity() {
        return;
    }
    let doubled = needed.saturating_mul(2);
    let room = match rest.and_then(|rest| usize::try_from(rest).ok()) {
        Some(rest) => needed.saturating_add(rest).min(doubled.max(MAX_PREALLOCATED)),
        None => doubled,
    };
    all.reserve_exact(room - all.len());
}

/// The error for a body that can't be read.
pub fn unreadable(error: &axum::Error) -> Error {
    let error: &(dyn StdError + 'static) = error;
    let mut causes = std::iter::successors(Some(error), |e| (**e).source());
    match causes.find_map(|cause| cause.downcast_ref::<BodyRefused>()) {
        Some(refused) => (*refused).into(),
        None => Error::new(Kind::Invalid, "body_unreadable", "the body could not be read"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(pieces: &[&'static str], max: usize) -> Result<Bytes, Error> {
        let pieces = pieces.iter().map(|piece| Ok::<_, BodyRefused>(Bytes::from_static(piece.as_bytes())));
        read_at_most(Body::from_stream(futures_util::stream::iter(pieces.collect::<Vec<_>>())), max).await
    }

    #[tokio::test]
    async fn pieces_are_put_together() {
        assert_eq!(read(&[], 9).await.unwrap(), "");
        assert_eq!(read(&["whole"], 9).await.unwrap(), "whole");
        assert_eq!(read(&["in", "", " pie", "ces"], 9).await.unwrap(), "in pieces");
        assert_eq!(read(&["in", " pie", "ces."], 9).await.unwrap_err().code(), "body_too_large");
        assert_eq!(read(&["too large."], 9).await.unwrap_err().code(), "body_too_large");
    }

    #[tokio::test]
    async fn why_a_body_is_not_taken_gets_through_to_the_answer() {
        for (refused, code, status) in [
            (BodyRefused::TooLarge(7), "body_too_large", 413),
            (BodyRefused::TooSlow, "body_too_slow", 408),
            (BodyRefused::ServerFull, "too_many_bodies", 503),
            (BodyRefused::TenantFull, "too_many_bodies", 429),
        ] {
            let body = futures_util::stream::iter([Ok(Bytes::from_static(b"{")), Err(refused)]);
            let error = read_at_most(Body::from_stream(body), 99).await.unwrap_err();
            assert_eq!((error.code(), error.status()), (code, status));
            assert_eq!(error.retry_after().is_some(), status == 503 || status == 429);
        }
    }
}
