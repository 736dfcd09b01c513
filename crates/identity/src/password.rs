//! Passwords: kept as Argon2id hashes, and imported ones as bcrypt's until their owner logs in.
//!
//! Hashing is slow on purpose. It runs apart from the serving threads, a few at a time, and those who wait for it are
//! bounded too: a flood of log-ins takes neither the processors nor the memory from the calls.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use loam_kernel::{Error, Kind, Result};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

/// Fewer characters are refused; NIST SP 800-63B asks for eight at least.
const MIN: usize = 8;
/// More are refused, as hashing takes time and memory in proportion.
const MAX: usize = 256;
/// bcrypt doubles its work with each step of cost; 14 takes about a second.
const MAX_BCRYPT_COST: u32 = 14;
/// Hashes that may wait for their turn.
const WAITING: usize = 64;

/// What is checked for an account that isn't there, so that this takes as long as for one that is.
static NOBODY: LazyLock<String> = LazyLock::new(|| argon2id("nobody has this password").unwrap_or_default());

/// Hashes passwords, a few at a time. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Passwords {
    room: Arc<Semaphore>,
    turn: Arc<Semaphore>,
}

/// What a check of a password found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Another password, or an account that can't log in with one.
    Wrong,
    /// The password, kept as it should be.
    Right,
    /// The password, kept in a way of old: hash it anew.
    Outdated,
}

impl Passwords {
    /// So many at once.
    pub(crate) fn new(threads: usize) -> Self {
        let room = Arc::new(Semaphore::new(threads + WAITING));
        Self { room, turn: Arc::new(Semaphore::new(threads)) }
    }

    /// The hash to keep, in PHC's string format.
    pub(crate) async fn hash(&self, param: &str, password: String) -> Result<String> {
        let length = password.chars().count();
        if !(MIN..=MAX).contains(&length) {
            return Err(Error::invalid(param, format!("must be {MIN} to {MAX} characters long")));
        }
        self.hash_as_it_is(Zeroizing::new(password)).await
    }

    /// The hash to keep of a password that is in use already, whatever its length.
    pub(crate) async fn hash_as_it_is(&self, password: Zeroizing<String>) -> Result<String> {
        self.run(move || argon2id(&password)).await?
    }

    /// Checks a password against what is kept. Without a hash as much work is done, in vain.
    pub(crate) async fn verify(&self, password: Zeroizing<String>, kept: Option<String>) -> Result<Verdict> {
        // nobody has such a password, and checking it costs in proportion to its length
        let kept = kept.filter(|_| password.chars().count() <= MAX);
        self.run(move || match kept {
            Some(hash) if is_bcrypt(&hash) => match bcrypt::verify(password.as_bytes(), &hash) {
                Ok(true) => Verdict::Outdated,
                _ => Verdict::Wrong,
            },
            Some(hash) => match Argon2::default().verify_password(password.as_bytes(), hash.as_str()) {
                Ok(()) => Verdict::Right,
                Err(_) => Verdict::Wrong,
            },
            None => {
                _ = Argon2::default().verify_password(b"somebody's", NOBODY.as_str());
                Verdict::Wrong
            }
        })
        .await
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let busy = || {
            let message = "too many passwords are being checked; try again in a moment";
            Error::new(Kind::TooMany, "login_busy", message).with_retry_after(Duration::from_secs(1))
        };
        let room = self.room.clone().try_acquire_owned().map_err(|_| busy())?;
        let turn = self.turn.clone().acquire_owned().await.map_err(Error::internal)?;
        // the work goes on when the client hangs up, and so must its place
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop((room, turn));
            result
        });
        done.await.map_err(Error::internal)
    }
}

fn argon2id(password: &str) -> Result<String> {
    let hash = Argon2::default().hash_password(password.as_bytes());
    hash.map(|hash| hash.to_string()).map_err(|e| Error::internal(e.to_string()))
}

fn is_bcrypt(hash: &str) -> bool {
    ["$2a$", "$2b$", "$2y$"].iter().any(|version| hash.starts_with(version))
}

/// Refuses an imported hash that isn't bcrypt's, or one that takes too long to check.
pub(crate) fn check_imported(param: &str, hash: &str) -> Result<()> {
    let wrong = |message: &str| Err(Error::invalid(param, message));
    let parts: Option<bcrypt::HashParts> = is_bcrypt(hash).then(|| hash.parse().ok()).flatten();
    let Some(parts) = parts.filter(|_| hash.len() == 60) else {
        return wrong("must be a bcrypt hash: `$2b$`, the cost, `$` and 53 characters");
    };
    match parts.get_cost() {
        4..=MAX_BCRYPT_COST => Ok(()),
        _ => wrong("must have a cost of 4 to 14"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `correct horse` at cost 4, as made by Python's bcrypt.
    fn imported() -> String {
        bcrypt::hash("correct horse", 4).unwrap()
    }

    async fn verify(password: &str, kept: Option<String>) -> Verdict {
        Passwords::new(1).verify(Zeroizing::new(password.to_owned()), kept).await.unwrap()
    }

    #[tokio::test]
    async fn a_password_is_known_again_by_its_hash_alone() {
        let kept = Passwords::new(1).hash("password", "correct horse".to_owned()).await.unwrap();
        assert!(kept.starts_with("$argon2id$") && !kept.contains("correct"));
        assert_eq!(verify("correct horse", Some(kept.clone())).await, Verdict::Right);
        assert_eq!(verify("wrong horse", Some(kept)).await, Verdict::Wrong);
        assert_eq!(verify("correct horse", None).await, Verdict::Wrong);
    }

    #[tokio::test]
    async fn an_imported_hash_is_outdated_in_all_its_spellings() {
        for version in ["$2a$", "$2b$", "$2y$"] {
            let kept = imported().replacen("$2b$", version, 1);
            assert!(check_imported("password_hash", &kept).is_ok(), "{version}");
            assert_eq!(verify("correct horse", Some(kept.clone())).await, Verdict::Outdated, "{version}");
            assert_eq!(verify("wrong horse", Some(kept)).await, Verdict::Wrong, "{version}");
        }
    }

    #[test]
    fn an_imported_hash_that_would_take_long_or_is_no_hash_is_refused() {
        let good = imported();
        let costly = good.replacen("$04$", "$15$", 1);
        for hash in ["", "plain", "$2b$", &good[..59], &costly, "$argon2id$v=19$m=1,t=1,p=1$c2FsdA$aGFzaA"] {
            let error = check_imported("password_hash", hash).unwrap_err();
            assert_eq!(error.param(), Some("password_hash"), "{hash}");
        }
    }

    #[tokio::test]
    async fn those_who_wait_are_bounded() {
        let passwords = Passwords::new(1);
        let held = passwords.room.clone().acquire_many_owned(65).await.unwrap();
        let error = passwords.hash("password", "correct horse".to_owned()).await.unwrap_err();
        assert_eq!((error.code(), error.status()), ("login_busy", 429));
        drop(held);
        assert!(passwords.hash("password", "correct horse".to_owned()).await.is_ok());
    }
}
