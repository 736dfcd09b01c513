//! `Idempotency-Key`: a repeated `POST` takes effect once and gets the same response.

use std::sync::Arc;

use axum::body::{Body, Bytes, HttpBody, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use futures_util::{StreamExt, TryStreamExt, stream};
use loam_db::{Db, SealedResponse, StoredRequest};
use loam_http::surface::{ApiError, ReplayBody, read_at_most, unreadable};
use loam_kernel::{Actor, Clock, Error, Idempotency, Kind, Result, Scope, digest_of, hex};
use loam_platform::seal::{Keyring, response_seal_context as place};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
const MAX_KEY: usize = 255;
/// The part of a streamed body that is fingerprinted.
const FINGERPRINT_BYTES: usize = 64 << 10;
/// Maximum size of a response of the resource API.
const MAX_RESPONSE: usize = 4 << 20;

/// Stores responses, sealed, as they may contain a key that is shown only once.
#[derive(Clone)]
pub(super) struct Replay {
    db: Db,
    keyring: Keyring,
    clock: Clock,
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    content_type: Option<String>,
    etag: Option<String>,
    body: String,
}

impl Replay {
    pub(super) fn new(db: Db, keyring: Keyring, clock: Clock) -> Self {
        Self { db, keyring, clock }
    }

    fn replayed(&self, earlier: StoredRequest, fingerprint: &[u8]) -> Result<Response> {
        if earlier.fingerprint != fingerprint {
            let message = "this Idempotency-Key was sent before with another request; use a new one";
            return Err(conflict("idempotency_key_reused", message));
        }
        let Some(answer) = earlier.answer else {
            let message = "a request with this Idempotency-Key is running, or took effect without its response being \
                           stored; check whether it took effect";
            return Err(conflict("request_in_progress", message));
        };
        let opened = self.keyring.open_sealed(&place(earlier.id), &answer.body)?;
        let sealed: Sealed = serde_json::from_slice(&opened).map_err(Error::internal)?;
        let mut response = Response::new(Body::from(sealed.body));
        *response.status_mut() = answer.status.try_into().map_err(Error::internal)?;
        for (name, value) in [(header::CONTENT_TYPE, sealed.content_type), (header::ETAG, sealed.etag)] {
            if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
                response.headers_mut().insert(name, value);
            }
        }
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        Ok(response)
    }

    /// Stores a response under its claim, and returns it.
    async fn store(&self, scope: &Scope, id: Uuid, response: Response) -> Result<Response> {
        let (parts, body) = response.into_parts();
        if let Some(ReplayBody(json)) = parts.extensions.get::<ReplayBody>() {
            let sealed =
                Sealed { content_type: Some("application/json".to_owned()), etag: None, body: json.clone() };
            self.store_sealed(scope, id, parts.status, &sealed).await?;
            return Ok(Response::from_parts(parts, body));
        }
        let body = to_bytes(body, MAX_RESPONSE).await.map_err(Error::internal)?;
        let text = |name| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let sealed = Sealed {
            content_type: text(header::CONTENT_TYPE),
            etag: text(header::ETAG),
            body: String::from_utf8_lossy(&body).into_owned(),
        };
        self.store_sealed(scope, id, parts.status, &sealed).await?;
        Ok(Response::from_parts(parts, body.into()))
    }

    async fn store_sealed(&self, scope: &Scope, id: Uuid, status: StatusCode, sealed: &Sealed) -> Result<()> {
        let sealed = serde_json::to_vec(sealed).map_err(Error::internal)?;
        let answer = SealedResponse {
            status: status.as_u16(),
            body: self.keyring.seal(&self.clock, &place(id), &sealed)?,
        };
        if let Err(e) = self.db.store_response(scope, id, answer).await {
            // the request took effect: a repetition is refused, but never executed twice
            tracing::warn!(error = %e, "cannot store the response of an Idempotency-Key");
        }
        Ok(())
    }
}

fn conflict(code: &'static str, message: &str) -> Error {
    Error::new(Kind::Conflict, code, message).with_param("Idempotency-Key")
}

fn key_of(headers: &HeaderMap) -> Result<Option<String>> {
    let Some(value) = headers.get(KEY) else { return Ok(None) };
    match value.to_str() {
        Ok(text) if (1..=MAX_KEY).contains(&text.len()) => Ok(Some(text.to_owned())),
        _ => {
            Err(Error::invalid("Idempotency-Key", format!("must be 1 to {MAX_KEY} visible ASCII characters")))
        }
    }
}

/// The stored form of a key: two callers of one tenant may choose the same key, and an end user's name may contain any
/// separator.
fn storage_key(actor: &Actor, key: &str) -> String {
    let digest = digest_of([&b"idempotency key v2"[..], actor.label().as_bytes(), key.as_bytes()]);
    format!("v2.{}", hex(digest))
}

/// The stored form of an earlier version, which is looked up too, so that a repetition after an upgrade is detected. None for
/// an end user, for whom it could be another's key.
fn legacy_key(actor: &Actor, key: &str) -> Option<String> {
    (!matches!(actor, Actor::EndUser(_))).then(|| format!("{}/{key}", actor.label()))
}

fn fingerprint(request: &Request, body: &Bytes) -> Vec<u8> {
    let uri = request.uri();
    let target = uri.path_and_query().map_or(uri.path(), |target| target.as_str());
    Sha256::new().chain_update(target).chain_update([0]).chain_update(body).finalize().to_vec()
}

/// The fingerprint of a request whose body is too large for memory, from its beginning and its declared length. Returns the
/// request with its complete body.
async fn begin(request: Request) -> Result<(Request, Vec<u8>)> {
    let (parts, body) = request.into_parts();
    let length = body.size_hint().exact();
    let (mut rest, mut begun, mut size) = (body.into_data_stream(), Vec::new(), 0);
    while size < FINGERPRINT_BYTES
        && let Some(chunk) = rest.try_next().await.map_err(|e| unreadable(&e))?
    {
        size += chunk.len();
        begun.push(chunk);
    }
    let beginning = begun.concat();
    let body = stream::iter(begun.into_iter().map(Ok)).chain(rest);
    let request = Request::from_parts(parts, Body::from_stream(body));
    let of_beginning =
        fingerprint(&request, &Bytes::copy_from_slice(&beginning[..size.min(FINGERPRINT_BYTES)]));
    let length = length.unwrap_or(u64::MAX).to_be_bytes();
    Ok((request, Sha256::new().chain_update(of_beginning).chain_update(length).finalize().to_vec()))
}

impl Replay {
    /// The idempotency key of a request to the resource API, if any. Other protocols have none.
    pub(super) fn key_of(&self, request: &Request) -> Result<Option<String>> {
        if request.uri().path().starts_with("/api/") { key_of(request.headers()) } else { Ok(None) }
    }

    /// Serves a request with a key: the first time with `next`, then with the stored response.
    pub(super) async fn once<F: Future<Output = Response>>(
        &self,
        scope: Scope,
        key: String,
        is_streamed: bool,
        request: Request,
        next: impl FnOnce(Request) -> F,
    ) -> Result<Response, ApiError> {
        let (mut request, fingerprint) = if is_streamed {
            begin(request).await?
        } else {
            let (parts, body) = request.into_parts();
            let body = read_at_most(body, usize::MAX).await?;
            let request = Request::from_parts(parts, Body::from(body.clone()));
            let fingerprint = fingerprint(&request, &body);
            (request, fingerprint)
        };
        let legacy_key = legacy_key(scope.actor(), &key);
        let key = storage_key(scope.actor(), &key);
        let keys: Vec<&str> = std::iter::once(key.as_str()).chain(legacy_key.as_deref()).collect();
        if let Some(earlier) = self.db.idempotent_request(&scope, &keys).await? {
            return Ok(self.replayed(earlier, &fingerprint)?);
        }
        let claim = Arc::new(Idempotency::new(self.clock.id(), key, fingerprint, self.clock.now()));
        let mut claiming = scope.clone();
        claiming.idempotency = Some(claim.clone());
        request.extensions_mut().insert(claiming);
        let response = next(request).await;
        if response.status().is_success() && claim.is_claimed() {
            Ok(self.store(&scope, claim.id, response).await?)
        } else {
            Ok(response)
        }
    }
}

#[cfg(test)]
mod tests {
    use loam_kernel::UserId;

    use super::*;

    #[test]
    fn two_callers_never_share_a_key() {
        let end_user = |sub: &str| Actor::EndUser(sub.into());
        assert_ne!(storage_key(&end_user("a/b"), "c"), storage_key(&end_user("a"), "b/c"));
        assert_ne!(storage_key(&end_user("a"), "c"), storage_key(&end_user("b"), "c"));
        assert_eq!(storage_key(&end_user("a"), "c"), storage_key(&end_user("a"), "c"));
    }

    #[test]
    fn the_stored_form_stays_what_it_is_and_the_one_before_is_still_found() {
        let user = Actor::User(UserId::NIL);
        assert_eq!(
            storage_key(&user, "k"),
            "v2.4d9997a47831f8ab3188ac7caae4ba47a836f17b397f576e22f180378a245050"
        );
        assert_eq!(legacy_key(&user, "k").as_deref(), Some("user:00000000-0000-0000-0000-000000000000/k"));
        assert_eq!(legacy_key(&Actor::EndUser("a".into()), "k"), None, "it could be another's");
    }
}
