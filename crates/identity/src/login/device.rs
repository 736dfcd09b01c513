//! Known browsers: browsers in which a user was logged in before.
//!
//! A log-in sets a second cookie, which is valid for half a year and grants no access: it proves that this user's
//! password was entered in this browser. With it, the right password is accepted even if others' failures have locked
//! the account. It is signed with the password hash, so that no other key is needed, every node can verify it, and a new
//! password invalidates it.

use axum::http::{HeaderMap, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use loam_kernel::{Clock, Origin, Result, UserId, digest_of, hex};
use ring::hmac;

use super::cookie;

const VERSION: u8 = 1;
const PURPOSE: &[u8] = b"loam known device v1";
const LIFETIME: TimeDelta = TimeDelta::days(180);
/// Length of the random id of a browser.
const ID_BYTES: usize = 16;
/// Version, id, and seconds since 1970 until it ends.
const BODY_BYTES: usize = 1 + ID_BYTES + 8;
const COOKIE_BYTES: usize = BODY_BYTES + 32;

/// A known browser of a user.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Device(pub(crate) [u8; ID_BYTES]);

/// Whether the request has a cookie of a known browser, valid or not.
pub(crate) fn claimed(headers: &HeaderMap) -> bool {
    cookie::all(headers).any(|(name, _)| name.contains(cookie::DEVICE))
}

/// The browser, if this user has logged in there since the password was set.
pub(crate) fn of(
    headers: &HeaderMap,
    origin: &Origin,
    user: UserId,
    password_hash: &str,
    now: DateTime<Utc>,
) -> Option<Device> {
    let bytes = URL_SAFE_NO_PAD.decode(cookie::device(headers, origin, &name(user))?).ok()?;
    let bytes: [u8; COOKIE_BYTES] = bytes.try_into().ok()?;
    let (body, mac) = bytes.split_at(BODY_BYTES);
    hmac::verify(&key(user, password_hash), body, mac).ok()?;
    let (version, rest) = body.split_first()?;
    let (id, ends) = rest.split_at(ID_BYTES);
    let ends = DateTime::from_timestamp_secs(i64::from_be_bytes(ends.try_into().ok()?))?;
    (*version == VERSION && now < ends).then(|| id.try_into().ok().map(Device)).flatten()
}

/// The cookie of a known browser, with its existing id or a new one.
pub(crate) fn cookie(
    clock: &Clock,
    headers: &HeaderMap,
    origin: &Origin,
    public_url: Option<&str>,
    user: UserId,
    password_hash: &str,
    before: Option<Device>,
) -> Result<HeaderValue> {
    let Device(id) = before.unwrap_or_else(|| Device(clock.random::<ID_BYTES>()));
    let ends = (clock.now() + LIFETIME).timestamp().to_be_bytes();
    let body = [&[VERSION][..], &id, &ends].concat();
    let mac = hmac::sign(&key(user, password_hash), &body);
    let value = URL_SAFE_NO_PAD.encode([&body, mac.as_ref()].concat());
    let seconds = LIFETIME.num_seconds().unsigned_abs();
    cookie::set_device(headers, origin, public_url, &name(user), &value, seconds)
}

/// Several users may share a browser: each has a cookie whose name doesn't reveal the user.
fn name(user: UserId) -> String {
    hex(&digest_of([PURPOSE, b"name", user.0.as_bytes()])[..8])
}

fn key(user: UserId, password_hash: &str) -> hmac::Key {
    let key = digest_of([PURPOSE, b"key", user.0.as_bytes(), password_hash.as_bytes()]);
    hmac::Key::new(hmac::HMAC_SHA256, &key)
}

#[cfg(test)]
mod tests {
    use axum::http::header;
    use uuid::Uuid;

    use super::*;

    const ANN: UserId = UserId(Uuid::from_u128(1));
    const BOB: UserId = UserId(Uuid::from_u128(2));

    fn here() -> Origin {
        Origin { ip_address: "127.0.0.1".parse().ok(), ..Origin::default() }
    }

    fn sent_back(set: &HeaderValue) -> HeaderMap {
        let pair = set.to_str().unwrap().split(';').next().unwrap();
        [(header::COOKIE, pair.parse().unwrap())].into_iter().collect()
    }

    #[test]
    fn a_browser_is_known_to_its_user_until_the_password_changes_or_half_a_year_has_passed() {
        let clock = Clock::fixed(Clock::system().now());
        let make = |before| cookie(&clock, &HeaderMap::new(), &here(), None, ANN, "hash", before).unwrap();
        let set = make(None);
        let text = set.to_str().unwrap();
        assert!(text.starts_with("loam_device_") && text.contains("; HttpOnly; SameSite=Lax"), "{text}");
        let headers = sent_back(&set);
        let now = clock.now();
        let known = of(&headers, &here(), ANN, "hash", now).unwrap();
        assert_eq!(of(&headers, &here(), ANN, "another hash", now), None);
        assert_eq!(of(&headers, &here(), BOB, "hash", now), None);
        assert_eq!(of(&headers, &here(), ANN, "hash", now + LIFETIME), None);
        assert_eq!(of(&HeaderMap::new(), &here(), ANN, "hash", now), None);
        let again = sent_back(&make(Some(Device(known.0))));
        assert_eq!(of(&again, &here(), ANN, "hash", now), Some(known), "the same browser");
    }

    #[test]
    fn what_was_not_signed_is_no_device() {
        let clock = Clock::fixed(Clock::system().now());
        let set = cookie(&clock, &HeaderMap::new(), &here(), None, ANN, "hash", None).unwrap();
        let (cookie_name, value) = set.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
        let mut bytes = URL_SAFE_NO_PAD.decode(value).unwrap();
        for at in 0..bytes.len() {
            bytes[at] ^= 1;
            let pair = format!("{cookie_name}={}", URL_SAFE_NO_PAD.encode(&bytes));
            let headers = [(header::COOKIE, pair.parse().unwrap())].into_iter().collect();
            assert_eq!(of(&headers, &here(), ANN, "hash", clock.now()), None, "byte {at}");
            bytes[at] ^= 1;
        }
    }
}
