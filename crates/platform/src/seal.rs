//! Secrets at rest: XChaCha20-Poly1305 under a key from a file or the environment, bound to the place they are kept in,
//! so that a sealed value copied to another row or tenant can't be opened there.

use std::fmt;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use loam_kernel::{Clock, Error, Kind, Result};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

const VERSION: &str = "v1";
const NONCE: usize = 24;

/// The keys that open sealed values; the first of them seals new ones. Cheap to clone.
#[derive(Clone)]
pub struct Keyring(Arc<[Key]>);

struct Key {
    id: String,
    cipher: XChaCha20Poly1305,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| &key.id)).finish()
    }
}

impl Keyring {
    /// Reads keys: one a line (or separated by commas), 32 bytes in Base64 each, the current one first.
    pub fn parse(text: &str) -> Result<Self> {
        let invalid = || {
            Error::invalid("master_key", "must be 32 bytes in Base64, one key a line, the current one first")
        };
        let lines = text.split(['\n', ',']).map(str::trim).filter(|line| !line.is_empty());
        let keys = lines.map(|line| {
            let mut bytes = STANDARD_NO_PAD.decode(line.trim_end_matches('=')).map_err(|_| invalid())?;
            let cipher = XChaCha20Poly1305::new_from_slice(&bytes).map_err(|_| invalid())?;
            let id = URL_SAFE_NO_PAD.encode(&Sha256::digest(&bytes)[..6]);
            bytes.zeroize();
            Ok(Key { id, cipher })
        });
        let keys: Arc<[Key]> = keys.collect::<Result<_>>()?;
        if keys.is_empty() { Err(invalid()) } else { Ok(Self(keys)) }
    }

    /// Reads the keys of a file. When there is none, and nothing can have been sealed yet (`first`), makes one with a new
    /// key that only the server's own user can read.
    pub fn open(path: &Path, clock: &Clock, first: bool) -> Result<Self> {
        let failed = |e: std::io::Error| {
            let message = format!("cannot read or make the key file {}: {e}", path.display());
            Error::new(Kind::Unavailable, "master_key_unavailable", message)
        };
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&Zeroizing::new(text)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && !first => {
                let message = format!(
                    "the key file {} is missing, and without it what is sealed in the database can't be opened; put it back, \
                     or give its content as LOAM_MASTER_KEY",
                    path.display()
                );
                Err(Error::new(Kind::Unavailable, "master_key_missing", message))
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let text = Zeroizing::new(STANDARD_NO_PAD.encode(Zeroizing::new(clock.random::<32>())));
                let mut file = private_file(path).map_err(failed)?;
                file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
                Self::parse(&text)
            }
            Err(e) => Err(failed(e)),
        }
    }

    /// Seals a secret for one place, such as `ai_providers/<id>/config.api_key`.
    pub fn seal(&self, clock: &Clock, place: &str, secret: &[u8]) -> Result<String> {
        let key = &self.0[0];
        let nonce = clock.random::<NONCE>();
        let payload = Payload { msg: secret, aad: place.as_bytes() };
        let sealed = key
            .cipher
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| Error::internal("sealing failed"))?;
        let body = URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat());
        Ok(format!("{VERSION}.{}.{body}", key.id))
    }

    /// Opens what was sealed for the same place.
    pub fn open_sealed(&self, place: &str, text: &str) -> Result<Zeroizing<Vec<u8>>> {
        let failed = |why: &str| Error::internal(format!("cannot open the secret of {place}: {why}"));
        let mut parts = text.split('.');
        let (Some(VERSION), Some(id), Some(body), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(failed("it is not a sealed value"));
        };
        let key = self
            .0
            .iter()
            .find(|key| key.id == id)
            .ok_or_else(|| failed("it was sealed under a key that is not here"))?;
        let bytes = URL_SAFE_NO_PAD.decode(body).map_err(|_| failed("it is damaged"))?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE).ok_or_else(|| failed("it is damaged"))?;
        let nonce = XNonce::try_from(nonce).map_err(|_| failed("it is damaged"))?;
        let payload = Payload { msg: sealed, aad: place.as_bytes() };
        key.cipher
            .decrypt(&nonce, payload)
            .map(Zeroizing::new)
            .map_err(|_| failed("it is damaged, or belongs elsewhere"))
    }

    /// A secret as it is kept in a JSON document: sealed, with the last four characters to recognise it by.
    pub fn seal_json(&self, clock: &Clock, place: &str, secret: &str) -> Result<Value> {
        Ok(json!({ "sealed": self.seal(clock, place, secret.as_bytes())?, "last4": last4(secret) }))
    }

    /// Opens a secret that is kept in a JSON document.
    pub fn open_json(&self, place: &str, kept: &Value) -> Result<Zeroizing<String>> {
        let text = kept.get("sealed").and_then(Value::as_str).unwrap_or_default();
        let bytes = self.open_sealed(place, text)?;
        String::from_utf8(bytes.to_vec()).map(Zeroizing::new).map_err(Error::internal)
    }
}

/// What a reader sees in place of a kept secret.
pub fn masked(kept: &Value) -> Value {
    json!({ "sealed": true, "last4": kept.get("last4").cloned().unwrap_or(Value::Null) })
}

/// The end of a secret, when it is long enough for the end to give nothing away.
pub fn last4(secret: &str) -> Option<String> {
    let count = secret.chars().count();
    (count >= 12).then(|| secret.chars().skip(count - 4).collect())
}

fn private_file(path: &Path) -> std::io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
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
    fn a_short_secret_shows_nothing_of_itself() {
        assert_eq!(last4("short"), None);
        assert_eq!(last4("sk-0123456789"), Some("6789".to_owned()));
    }
}
