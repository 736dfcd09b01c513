//! An issuer's public keys, fetched on demand and cached.
//!
//! Senders of tokens can't trigger arbitrary requests to the issuer: there is one request at a time, one in 30 seconds for
//! an unknown key, and one in five seconds while the issuer fails.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use loam_http::client::{Client, Timeouts};
use loam_kernel::{Error, Result};
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::jwt::{Algorithm, Jwk, VerifyingKey};

/// How long keys are used before they are fetched again.
const TTL: Duration = Duration::from_mins(10);
/// How long they are used while fetching fails.
const STALE_TTL: Duration = Duration::from_hours(24);
/// Minimum interval between fetches for an unknown key.
const UNKNOWN_KEY_INTERVAL: Duration = Duration::from_secs(30);
/// Minimum interval after a failure.
const FAILURE_INTERVAL: Duration = Duration::from_secs(5);
/// Timeout of a fetch.
const TIMEOUT: Duration = Duration::from_secs(5);
const MAX_BYTES: usize = 64 << 10;
const MAX_KEYS: usize = 50;

/// The keys of one URL.
pub(crate) struct Jwks {
    pub(super) url: String,
    state: RwLock<State>,
    /// Locked by the task that fetches.
    fetching: Mutex<()>,
}

#[derive(Clone, Default)]
struct State {
    keys: Arc<[Key]>,
    fetched_at: Option<Instant>,
    tried_at: Option<Instant>,
    failed: bool,
}

struct Key {
    kid: Option<String>,
    alg: Option<String>,
    key: VerifyingKey,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<serde_json::Value>,
}

impl State {
    /// The key with this `kid`; without a `kid` the only matching key.
    fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<&VerifyingKey> {
        let fits = |key: &&Key| key.alg.as_deref().is_none_or(|alg| alg == algorithm.name());
        match kid {
            Some(kid) => self.keys.iter().find(|key| key.kid.as_deref() == Some(kid)).filter(fits),
            None => match self.keys.iter().filter(fits).collect::<Vec<_>>()[..] {
                [only] => Some(only),
                _ => None,
            },
        }
        .map(|key| &key.key)
    }

    fn may_fetch(&self, known: bool, now: Instant) -> bool {
        let since = |at: Option<Instant>| at.map_or(Duration::MAX, |at| now.duration_since(at));
        let pause = match (self.failed, known) {
            (true, _) => FAILURE_INTERVAL,
            (false, true) => TTL,
            (false, false) => UNKNOWN_KEY_INTERVAL,
        };
        since(self.tried_at) >= pause
    }
}

impl Jwks {
    pub(super) fn new(url: String) -> Self {
        Self { url, state: RwLock::default(), fetching: Mutex::default() }
    }

    fn state(&self) -> State {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Calls `with` on the key that a token names; `None` when the issuer has no such key.
    ///
    /// # Errors
    /// `issuer_unavailable` when the keys can't be fetched.
    pub(crate) async fn with<T>(
        &self,
        client: &Client,
        kid: Option<&str>,
        algorithm: Algorithm,
        with: impl Fn(&VerifyingKey) -> T,
    ) -> Result<Option<T>> {
        let mut state = self.state();
        let known = state.find(kid, algorithm).is_some();
        if state.may_fetch(known, Instant::now()) {
            // one task fetches; requests with a cached key continue meanwhile, the others wait
            let turn = if known { self.fetching.try_lock().ok() } else { Some(self.fetching.lock().await) };
            state = self.state();
            if turn.is_some() && state.may_fetch(state.find(kid, algorithm).is_some(), Instant::now()) {
                state = self.fetched(client, state).await;
            }
        }
        if state.fetched_at.is_none_or(|at| at.elapsed() > STALE_TTL) {
            let message = "the keys of this token's issuer can't be fetched; try again later";
            return Err(Error::unavailable("issuer_unavailable", message, FAILURE_INTERVAL));
        }
        Ok(state.find(kid, algorithm).map(with))
    }

    async fn fetched(&self, client: &Client, before: State) -> State {
        let now = Instant::now();
        let state = match tokio::time::timeout(TIMEOUT, fetch(client, &self.url)).await {
            Ok(Ok(keys)) => {
                State { keys: keys.into(), fetched_at: Some(now), tried_at: Some(now), failed: false }
            }
            failed => {
                let why =
                    failed.map_or_else(|_| "it took too long".to_owned(), |e| e.err().unwrap_or_default());
                tracing::warn!(jwks.url = self.url, error = why, "cannot fetch an issuer's keys");
                State { tried_at: Some(now), failed: true, ..before }
            }
        };
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state.clone();
        state
    }
}

async fn fetch(client: &Client, url: &str) -> Result<Vec<Key>, String> {
    let request = http::Request::get(url)
        .header(http::header::ACCEPT, "application/json")
        .body(Full::new(Bytes::new()))
        .map_err(|e| e.to_string())?;
    let timeouts = Timeouts { connect: TIMEOUT, first_byte: TIMEOUT, idle: TIMEOUT };
    let answer = client.send(request, timeouts).await.map_err(|e| e.to_string())?;
    if answer.status() != http::StatusCode::OK {
        return Err(format!("it answered {}", answer.status()));
    }
    let mut body = answer.into_body();
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|e| e.to_string())?.into_data() {
            if bytes.len() + data.len() > MAX_BYTES {
                return Err(format!("it is larger than {MAX_BYTES} bytes"));
            }
            bytes.extend_from_slice(&data);
        }
    }
    read(&bytes)
}

/// The keys of a document that can verify signatures; others are ignored.
fn read(bytes: &[u8]) -> Result<Vec<Key>, String> {
    let document: Document = serde_json::from_slice(bytes).map_err(|_| "it is no JWKS".to_owned())?;
    let jwks =
        document.keys.into_iter().take(MAX_KEYS).filter_map(|jwk| serde_json::from_value::<Jwk>(jwk).ok());
    let keys = jwks.filter_map(|jwk| {
        let key = VerifyingKey::public(&jwk)?;
        Some(Key { kid: jwk.kid, alg: jwk.alg, key })
    });
    Ok(keys.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(kid: Option<&str>, alg: Option<&str>) -> Key {
        Key {
            kid: kid.map(str::to_owned),
            alg: alg.map(str::to_owned),
            key: VerifyingKey::Ed25519(Vec::new()),
        }
    }

    #[test]
    fn a_key_is_found_by_its_name_and_must_be_for_the_algorithm() {
        let keys = vec![key(Some("a"), Some("EdDSA")), key(Some("b"), None)];
        let state = State { keys: keys.into(), ..State::default() };
        assert!(state.find(Some("a"), Algorithm::EdDsa).is_some());
        assert!(state.find(Some("a"), Algorithm::Es256).is_none(), "it says what it is for");
        assert!(state.find(Some("c"), Algorithm::EdDsa).is_none());
        assert!(state.find(None, Algorithm::EdDsa).is_none(), "two could be meant");
        assert!(state.find(None, Algorithm::Es256).is_some(), "one alone could be meant");
    }

    #[tokio::test(start_paused = true)]
    async fn the_issuer_is_not_asked_as_often_as_somebody_likes() {
        let now = Instant::now();
        let mut state = State::default();
        assert!(state.may_fetch(false, now), "nothing is known yet");
        state.tried_at = Some(now);
        let after = |seconds| now + Duration::from_secs(seconds);
        assert!(!state.may_fetch(false, after(29)) && state.may_fetch(false, after(30)));
        assert!(!state.may_fetch(true, after(599)) && state.may_fetch(true, after(600)));
        state.failed = true;
        assert!(!state.may_fetch(true, after(4)) && state.may_fetch(true, after(5)));
    }

    #[test]
    fn what_is_no_key_for_signatures_is_left_alone() {
        let text = br#"{"keys": [
            {"kty": "OKP", "crv": "Ed25519", "kid": "good", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
            {"kty": "OKP", "crv": "Ed25519", "use": "enc", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
            {"kty": "oct", "k": "c2VjcmV0"}, {"kty": "EC", "crv": "P-256"}, {"kty": 7}, "nothing"]}"#;
        let keys = read(text).unwrap();
        assert_eq!(keys.iter().map(|key| key.kid.as_deref()).collect::<Vec<_>>(), [Some("good")]);
        assert!(read(b"<html>").is_err() && read(b"[]").is_err());
    }
}
