//! Making API keys, and knowing them again without keeping them.

use loam_kernel::{Clock, Error, Result};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// What every key begins with, so that a leaked one is recognised by scanners.
pub(crate) const PREFIX: &str = "loam_";
/// Characters of a key that stay readable, to tell keys apart.
const SHOWN: usize = 12;
/// Characters behind the prefix: 200 random bits.
const LENGTH: usize = 40;
/// 32 characters, none easily taken for another.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// A new key.
pub(crate) fn generate(clock: &Clock) -> Zeroizing<String> {
    let random = Zeroizing::new(clock.random::<LENGTH>());
    let body: String = random.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect();
    Zeroizing::new(format!("{PREFIX}{body}"))
}

/// A new key of a project: told from others by how it begins.
pub(crate) fn generate_project(clock: &Clock) -> Zeroizing<String> {
    Zeroizing::new(format!("{PREFIX}pk_{}", &generate(clock)[PREFIX.len()..]))
}

/// A password for one log-in: 120 random bits.
pub(crate) fn one_time(clock: &Clock) -> Zeroizing<String> {
    Zeroizing::new(generate(clock)[PREFIX.len()..][..24].to_owned())
}

/// The digest that is kept. A key has too much randomness to be guessed, so no slow hash is needed.
pub(crate) fn digest(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

/// The part that may be shown.
pub(crate) fn shown(key: &str) -> String {
    key.chars().take(SHOWN).collect()
}

/// Refuses a key from the environment that is malformed or too easily guessed.
pub(crate) fn check(key: &str) -> Result<()> {
    let body = key.strip_prefix(PREFIX).unwrap_or_default();
    let plain = body.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if plain && (32..=120).contains(&body.len()) {
        return Ok(());
    }
    let message = format!("must be `{PREFIX}` followed by 32 to 120 letters, digits, `_` or `-`");
    Err(Error::invalid("LOAM_BOOTSTRAP_KEY", message))
}
