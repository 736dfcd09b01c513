//! Secrets at rest: XChaCha20-Poly1305 with a key from a file or the environment. The location of a value is its associated
//! data, so that a sealed value copied to another row or tenant can't be opened there.
//!
//! A sealed value names its key: `v1.<key>.<nonce and ciphertext>`. Every column with such values is declared
//! ([`SealedRows`]), so that all of them can be sealed anew under another key while servers run.

mod file;
mod masked;
mod rows;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use loam_kernel::{Clock, Error, Kind, Result};
use ring::hmac;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

pub use file::KeyFile;
pub use masked::{SealedSecret, masked};
pub use rows::{
    Resealed, SealContext, SealedRows, SealedTable, Visit, response_seal_context, rows, visit_json,
};

const VERSION: &str = "v1";
const NONCE: usize = 24;
/// Minimum interval between reloads of the key file for an unknown key.
const RELOAD_INTERVAL: Duration = Duration::from_secs(1);

/// The keys that open sealed values; the first of them seals new ones. Cheap to clone.
#[derive(Clone)]
pub struct Keyring(Arc<Ring>);

struct Ring {
    keys: ArcSwap<Vec<Key>>,
    /// Where they are from, if they can change while the process runs.
    file: Option<PathBuf>,
    /// When the file was last read for the sake of an unknown key.
    reloaded_at: Mutex<Option<Instant>>,
}

struct Key {
    id: String,
    cipher: XChaCha20Poly1305,
    /// For digests, so that the key that seals does nothing else.
    digests: hmac::Key,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.key_ids()).finish()
    }
}

impl Keyring {
    /// Reads keys: one a line (or separated by commas), 32 bytes in Base64 each, the current one first.
    pub fn parse(text: &str) -> Result<Self> {
        Ok(Self::of(parse(text)?, None))
    }

    fn of(keys: Vec<Key>, file: Option<PathBuf>) -> Self {
        Self(Arc::new(Ring { keys: ArcSwap::from_pointee(keys), file, reloaded_at: Mutex::default() }))
    }

    /// Reads the keys of a file. When there is none, and nothing can have been sealed yet (`first`), makes one with a new
    /// key that only the server's own user can read.
    pub fn open(path: &Path, clock: &Clock, first: bool) -> Result<Self> {
        let file = KeyFile::new(path);
        let text = match file.read()? {
            Some(text) => text,
            None if first => file.make(clock)?,
            None => {
                let message = format!(
                    "the key file {} is missing, and without it what is sealed in the database can't be opened; put it back, \
                     or give its content as LOAM_MASTER_KEY",
                    path.display()
                );
                return Err(Error::new(Kind::Unavailable, "master_key_missing", message));
            }
        };
        Ok(Self::of(parse(&text)?, Some(path.to_owned())))
    }

    /// Reads the file again, if the keys are from one: another process may have changed it.
    ///
    /// # Errors
    /// When it can't be read; the keys then stay as they were.
    pub fn reload(&self) -> Result<()> {
        let Some(path) = &self.0.file else { return Ok(()) };
        let text = KeyFile::new(path).read()?;
        let text = text.ok_or_else(|| Error::internal(format!("the key file {} is gone", path.display())))?;
        self.0.keys.store(Arc::new(parse(&text)?));
        Ok(())
    }

    /// The names of the keys, that which seals first.
    #[must_use]
    pub fn key_ids(&self) -> Vec<String> {
        self.0.keys.load().iter().map(|key| key.id.clone()).collect()
    }

    /// Reads the file again for the sake of a key that isn't known; says whether it did.
    fn reload_for_unknown_key(&self) -> bool {
        {
            let mut reloaded_at = self.0.reloaded_at.lock().unwrap_or_else(PoisonError::into_inner);
            if self.0.file.is_none() || reloaded_at.is_some_and(|at| at.elapsed() < RELOAD_INTERVAL) {
                return false;
            }
            *reloaded_at = Some(Instant::now());
        }
        self.reload().is_ok()
    }

    /// Seals a secret for one place, such as `ai_providers/<id>/config.api_key`.
    pub fn seal(&self, clock: &Clock, context: &str, secret: &[u8]) -> Result<String> {
        let keys = self.0.keys.load();
        let key = &keys[0];
        let nonce = clock.random::<NONCE>();
        let payload = Payload { msg: secret, aad: context.as_bytes() };
        let sealed = key
            .cipher
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| Error::internal("sealing failed"))?;
        let body = URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat());
        Ok(format!("{VERSION}.{}.{body}", key.id))
    }

    /// HMACs of some parts, under each key, the current one first: to know something again without keeping it.
    pub fn digests(&self, parts: &[&[u8]]) -> Vec<Vec<u8>> {
        let digest = |key: &Key| {
            let mut context = hmac::Context::with_key(&key.digests);
            for part in parts {
                context.update(&(part.len() as u64).to_be_bytes());
                context.update(part);
            }
            context.sign().as_ref().to_vec()
        };
        self.0.keys.load().iter().map(digest).collect()
    }

    /// Opens what was sealed for the same place.
    pub fn open_sealed(&self, context: &str, text: &str) -> Result<Zeroizing<Vec<u8>>> {
        let failed = |why: &str| Error::internal(format!("cannot open the secret of {context}: {why}"));
        let (id, body) = split(text).ok_or_else(|| failed("it is not a sealed value"))?;
        let mut keys = self.0.keys.load_full();
        if !keys.iter().any(|key| key.id == id) && self.reload_for_unknown_key() {
            keys = self.0.keys.load_full();
        }
        let key = keys
            .iter()
            .find(|key| key.id == id)
            .ok_or_else(|| failed("it was sealed under a key that is not here"))?;
        let bytes = URL_SAFE_NO_PAD.decode(body).map_err(|_| failed("it is damaged"))?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE).ok_or_else(|| failed("it is damaged"))?;
        let nonce = XNonce::try_from(nonce).map_err(|_| failed("it is damaged"))?;
        let payload = Payload { msg: sealed, aad: context.as_bytes() };
        key.cipher
            .decrypt(&nonce, payload)
            .map(Zeroizing::new)
            .map_err(|_| failed("it is damaged, or belongs elsewhere"))
    }

    /// A secret as it is kept in a JSON document: sealed, with the last four characters to recognise it by.
    pub fn seal_json(&self, clock: &Clock, context: &str, secret: &str) -> Result<Value> {
        Ok(json!({ "sealed": self.seal(clock, context, secret.as_bytes())?, "last4": last4(secret) }))
    }

    /// Opens a secret that is kept in a JSON document.
    pub fn open_json(&self, context: &str, kept: &Value) -> Result<Zeroizing<String>> {
        let text = kept.get("sealed").and_then(Value::as_str).unwrap_or_default();
        let bytes = self.open_sealed(context, text)?;
        String::from_utf8(bytes.to_vec()).map(Zeroizing::new).map_err(Error::internal)
    }
}

/// The end of a secret, when it is long enough for the end to give nothing away.
pub fn last4(secret: &str) -> Option<String> {
    let count = secret.chars().count();
    (count >= 12).then(|| secret.chars().skip(count - 4).collect())
}

/// The name of the key that a value was sealed under; none of what is no sealed value.
#[must_use]
pub fn key_of(sealed: &str) -> Option<&str> {
    split(sealed).map(|(id, _)| id)
}

fn split(sealed: &str) -> Option<(&str, &str)> {
    let mut parts = sealed.split('.');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(VERSION), Some(id), Some(body), None) => Some((id, body)),
        _ => None,
    }
}

fn parse(text: &str) -> Result<Vec<Key>> {
    let keys: Vec<Key> = file::lines(text).map(Key::parse).collect::<Result<_>>()?;
    if keys.is_empty() { Err(invalid()) } else { Ok(keys) }
}

fn invalid() -> Error {
    Error::invalid("master_key", "must be 32 bytes in Base64, one key a line, the current one first")
}

impl Key {
    fn parse(line: &str) -> Result<Self> {
        let mut bytes = STANDARD_NO_PAD.decode(line.trim_end_matches('=')).map_err(|_| invalid())?;
        let cipher = XChaCha20Poly1305::new_from_slice(&bytes).map_err(|_| invalid())?;
        let id = URL_SAFE_NO_PAD.encode(&Sha256::digest(&bytes)[..6]);
        let derived = Sha256::new().chain_update(b"loam digests").chain_update(&bytes).finalize();
        let digests = hmac::Key::new(hmac::HMAC_SHA256, &derived);
        bytes.zeroize();
        Ok(Self { id, cipher, digests })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_only_in_its_place_and_under_its_key() -> Result<()> {
        let clock = Clock::system();
        let folder = tempfile::tempdir().map_err(Error::internal)?;
        let keys = Keyring::open(&folder.path().join("master.key"), &clock, true)?;
        let again = Keyring::open(&folder.path().join("master.key"), &clock, true)?;
        let other = Keyring::open(&folder.path().join("other.key"), &clock, true)?;
        assert!(Keyring::open(&folder.path().join("missing.key"), &clock, false).is_err());
        let sealed = keys.seal(&clock, "here", b"sk-secret")?;
        assert_eq!(&**again.open_sealed("here", &sealed)?, b"sk-secret");
        assert!(again.open_sealed("there", &sealed).is_err());
        assert!(other.open_sealed("here", &sealed).is_err());
        assert!(again.open_sealed("here", &sealed.replace("v1", "v2")).is_err());
        Ok(())
    }

    #[test]
    fn an_older_key_still_opens_after_a_rotation() -> Result<()> {
        let clock = Clock::system();
        let (old, new) = (STANDARD_NO_PAD.encode([1_u8; 32]), STANDARD_NO_PAD.encode([2_u8; 32]));
        let sealed = Keyring::parse(&old)?.seal(&clock, "here", b"x")?;
        let rotated = Keyring::parse(&format!("{new}\n{old}\n"))?;
        assert_eq!(&**rotated.open_sealed("here", &sealed)?, b"x");
        assert_ne!(rotated.seal(&clock, "here", b"x")?.split('.').nth(1), sealed.split('.').nth(1));
        assert!(Keyring::parse("c2hvcnQ=").is_err());
        Ok(())
    }

    #[test]
    fn a_key_that_another_process_made_is_found_when_it_is_needed() -> Result<()> {
        let clock = Clock::system();
        let folder = tempfile::tempdir().map_err(Error::internal)?;
        let path = folder.path().join("master.key");
        let running = Keyring::open(&path, &clock, true)?;
        let before = running.seal(&clock, "here", b"x")?;
        let new = KeyFile::new(&path).add(&clock, true)?;
        let other = Keyring::open(&path, &clock, false)?;
        let sealed = other.seal(&clock, "here", b"x")?;
        assert_eq!(key_of(&sealed), Some(new.as_str()));
        assert_eq!(&**running.open_sealed("here", &sealed)?, b"x");
        assert_eq!(running.key_ids(), other.key_ids());
        assert_eq!(&**running.open_sealed("here", &before)?, b"x", "the old one still opens");
        Ok(())
    }

    #[test]
    fn a_short_secret_shows_nothing_of_itself() {
        assert_eq!(last4("short"), None);
        assert_eq!(last4("sk-0123456789"), Some("6789".to_owned()));
    }
}
