//! Signed messages between servers: `v1=<hex>` of HMAC-SHA256 over the time in seconds, a full stop, and the body.
//!
//! The time is signed with the body, so that a message that was overheard can't be sent again later. More than one
//! signature may stand in the header, separated by commas: while a secret is being changed there is one for each.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use http::{HeaderMap, HeaderName, HeaderValue};
use loam_kernel::{Clock, Error, Kind, Result, from_hex, hex};
use ring::hmac;
use zeroize::Zeroizing;

/// The header of the time, in seconds since 1970.
pub const TIMESTAMP: &str = "x-loam-timestamp";
/// The header of the signatures.
pub const SIGNATURE: &str = "x-loam-signature";
/// How far the clocks of the two servers may be apart, and how long a message may take.
pub const TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// The message of `wrong_signature`. An unknown channel gives the same error, so that callers can't probe for ids.
pub const WRONG_SIGNATURE: &str = "the signature does not match this channel, timestamp and body";

const VERSION: &str = "v1=";
/// Signatures that are looked at: nobody has more secrets at a time.
const MAX_SIGNATURES: usize = 4;

/// Signs a body with each of the secrets.
pub fn sign<'a>(secrets: impl IntoIterator<Item = &'a [u8]>, timestamp: i64, body: &[u8]) -> String {
    let each = secrets.into_iter().map(|secret| {
        let tag = of(&hmac::Key::new(hmac::HMAC_SHA256, secret), timestamp, body);
        format!("{VERSION}{}", hex(tag))
    });
    each.collect::<Vec<_>>().join(",")
}

/// Adds the time and the signature of a body to the headers of a request.
pub fn sign_headers(headers: &mut HeaderMap, secret: &[u8], timestamp: i64, body: &[u8]) -> Result<()> {
    let signature = HeaderValue::try_from(sign([secret], timestamp, body)).map_err(Error::internal)?;
    headers.insert(HeaderName::from_static(TIMESTAMP), HeaderValue::from(timestamp));
    headers.insert(HeaderName::from_static(SIGNATURE), signature);
    Ok(())
}

/// Believes a message if one of its signatures is made with one of the secrets, and it is of now. Signatures are
/// compared in constant time.
///
/// # Errors
/// `missing_signature`, `wrong_signature`, `stale_timestamp`, all 401.
pub fn verify<'a>(
    secrets: impl IntoIterator<Item = &'a [u8]>,
    timestamp: Option<&str>,
    signature: Option<&str>,
    body: &[u8],
    now: DateTime<Utc>,
) -> Result<()> {
    let (Some(timestamp), Some(signature)) = (timestamp, signature) else {
        let message = format!("send `{TIMESTAMP}` and `{SIGNATURE}`");
        return Err(refused("missing_signature", &message));
    };
    let wrong = || refused("wrong_signature", WRONG_SIGNATURE);
    let seconds: i64 = timestamp.trim().parse().map_err(|_| wrong())?;
    let given: Vec<Vec<u8>> = signature
        .split(',')
        .take(MAX_SIGNATURES)
        .filter_map(|one| from_hex(one.trim().strip_prefix(VERSION)?))
        .collect();
    let mut believed = false;
    for secret in secrets {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let message = signed(seconds, body);
        believed |= given.iter().any(|tag| hmac::verify(&key, &message, tag).is_ok());
    }
    if !believed {
        return Err(wrong());
    }
    // after the signature, so that nobody learns the server's time who doesn't know the secret
    if DateTime::from_timestamp(seconds, 0).is_none_or(|at| (now - at).abs() > TOLERANCE) {
        let message = "`x-loam-timestamp` is more than five minutes off; set the clock, and sign anew when trying again";
        return Err(refused("stale_timestamp", message));
    }
    Ok(())
}

/// Whether two secrets are the same, in a time that tells nothing of either.
pub fn same_secret(one: &[u8], other: &[u8]) -> bool {
    // of the digests, so that the length is not told either
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"loam secret comparison");
    hmac::verify(&key, one, hmac::sign(&key, other).as_ref()).is_ok()
}

/// The secret to sign with that was given, checked, or a new one.
pub fn secret(clock: &Clock, given: Option<Zeroizing<String>>) -> Result<Zeroizing<String>> {
    let Some(text) = given else {
        let random = Zeroizing::new(clock.random::<32>());
        return Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(random.as_slice())));
    };
    // what every platform takes, Telegram included
    let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if (32..=256).contains(&text.len()) && text.chars().all(letters) {
        return Ok(text);
    }
    Err(Error::invalid(
        "secret",
        "must be 32 to 256 letters, digits, `_` or `-`; leave it out and one is made",
    ))
}

fn refused(code: &'static str, message: &str) -> Error {
    Error::new(Kind::Unauthenticated, code, message)
}

fn signed(timestamp: i64, body: &[u8]) -> Vec<u8> {
    [timestamp.to_string().as_bytes(), b".", body].concat()
}

fn of(key: &hmac::Key, timestamp: i64, body: &[u8]) -> hmac::Tag {
    hmac::sign(key, &signed(timestamp, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
    const OLD: &[u8] = b"another-secret-another-secret-an";

    fn now() -> DateTime<Utc> {
        "2026-05-05T12:00:00Z".parse().expect("a time")
    }

    fn check(timestamp: i64, signature: &str, body: &[u8]) -> Result<(), &'static str> {
        let timestamp = timestamp.to_string();
        verify([SECRET], Some(&timestamp), Some(signature), body, now()).map_err(|e| e.code())
    }

    #[test]
    fn a_signature_is_what_others_compute() {
        // python: hmac.new(b"key", b"1700000000.{}", "sha256").hexdigest()
        let known = "v1=9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae";
        assert_eq!(sign([b"key".as_slice()], 1_700_000_000, b"{}"), known);
    }

    #[test]
    fn a_message_is_believed_under_its_secret_alone() {
        let at = now().timestamp();
        let good = sign([SECRET], at, b"body");
        assert_eq!(check(at, &good, b"body"), Ok(()));
        assert_eq!(check(at, &format!("v0=00, {good}"), b"body"), Ok(()), "one of several");
        assert_eq!(check(at, &sign([OLD, SECRET], at, b"body"), b"body"), Ok(()), "while a secret changes");
        for wrong in [
            sign([OLD], at, b"body"),
            String::new(),
            "v1=".into(),
            good.replace("v1", "v2"),
            good[..66].into(),
        ] {
            assert_eq!(check(at, &wrong, b"body"), Err("wrong_signature"), "{wrong}");
        }
        assert_eq!(check(at, &good, b"body "), Err("wrong_signature"), "of another body");
        assert_eq!(check(at + 1, &good, b"body"), Err("wrong_signature"), "of another time");
        let missing = verify([SECRET], None, Some(&good), b"body", now());
        assert_eq!(missing.expect_err("no time").code(), "missing_signature");
    }

    #[test]
    fn a_message_of_another_time_is_refused_even_with_a_good_signature() {
        for (off, expected) in
            [(-300, Ok(())), (300, Ok(())), (-301, Err("stale_timestamp")), (301, Err("stale_timestamp"))]
        {
            let at = now().timestamp() + off;
            assert_eq!(check(at, &sign([SECRET], at, b"x"), b"x"), expected, "{off} s");
        }
        assert_eq!(check(i64::MAX, &sign([SECRET], i64::MAX, b"x"), b"x"), Err("stale_timestamp"));
    }

    #[test]
    fn secrets_are_the_same_or_not() {
        assert!(same_secret(b"one", b"one"));
        for other in [b"on".as_slice(), b"onee", b"", b"two"] {
            assert!(!same_secret(b"one", other));
        }
    }

    #[test]
    fn a_secret_is_made_or_checked() {
        let clock = Clock::system();
        let made = secret(&clock, None).expect("made");
        assert_eq!(made.len(), 43);
        assert!(secret(&clock, Some(made.clone())).is_ok());
        assert_ne!(made, secret(&clock, None).expect("made"));
        for wrong in ["short", &"é".repeat(32), &"a b".repeat(16), &"a".repeat(257)] {
            assert!(secret(&clock, Some(Zeroizing::new(wrong.to_owned()))).is_err(), "{wrong}");
        }
    }
}
