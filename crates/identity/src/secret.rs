//! Generating API keys, and recognising them without storing them.

use loam_kernel::{Clock, Error, Result, truncate_chars};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// Prefix of every key, so that secret scanners recognise a leaked one.
pub(crate) const PREFIX: &str = "loam_";
/// Number of characters of a key that are shown.
const PREFIX_LENGTH: usize = 12;
/// Characters behind the prefix: 200 random bits.
const LENGTH: usize = 40;
/// 32 characters that are not easily confused.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// A new key.
pub(crate) fn generate(clock: &Clock) -> Zeroizing<String> {
    let random = Zeroizing::new(clock.random::<LENGTH>());
    let body: String = random.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect();
    Zeroizing::new(format!("{PREFIX}{body}"))
}

/// A new ingest key, with its own prefix.
pub(crate) fn generate_project(clock: &Clock) -> Zeroizing<String> {
    Zeroizing::new(format!("{PREFIX}pk_{}", &generate(clock)[PREFIX.len()..]))
}

/// A generated password: 120 random bits.
pub(crate) fn generate_password(clock: &Clock) -> Zeroizing<String> {
    Zeroizing::new(generate(clock)[PREFIX.len()..][..24].to_owned())
}

/// The stored digest. A key has enough entropy that no slow hash is needed.
pub(crate) fn digest(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

/// The part that may be shown.
pub(crate) fn shown(key: &str) -> String {
    truncate_chars(key, PREFIX_LENGTH).to_owned()
}

/// Rejects a key from the environment that is malformed or too short.
pub(crate) fn validate_bootstrap_key(key: &str) -> Result<()> {
    let body = key.strip_prefix(PREFIX).unwrap_or_default();
    let plain = body.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if plain && (32..=120).contains(&body.len()) {
        return Ok(());
    }
    let message = format!("must be `{PREFIX}` followed by 32 to 120 letters, digits, `_` or `-`");
    Err(Error::invalid("LOAM_BOOTSTRAP_KEY", message))
}
