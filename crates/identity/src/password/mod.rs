//! Passwords: stored as Argon2id hashes, imported ones as bcrypt hashes until the first log-in.
//!
//! Hashing is slow on purpose. It runs on the blocking pool, a few hashes at a time, with fair queueing by tenant: a
//! flood of log-ins takes neither processors nor memory from calls.
//!
//! A wrong password costs the same work for every account, existing or not: an Argon2id hash, and as much bcrypt work as
//! the imported hash with the highest cost. It is work instead of a pause, so that timing reveals nothing under load
//! either.

mod queue;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use loam_kernel::{Error, Result, TenantId};
use zeroize::Zeroizing;

use queue::HashQueue;
pub(crate) use queue::Urgency;

/// Minimum number of characters, as in NIST SP 800-63B.
const MIN_LENGTH: usize = 8;
/// Maximum number of characters, as hashing takes time and memory in proportion.
const MAX_LENGTH: usize = 256;
/// The minimum that bcrypt defines.
const MIN_BCRYPT_COST: u32 = 4;
/// bcrypt doubles its work with each step of cost; 14 takes about a second.
const MAX_BCRYPT_COST: u32 = 14;

/// The hash that is verified for an account that doesn't exist.
static DUMMY_HASH: LazyLock<String> =
    LazyLock::new(|| argon2id("nobody has this password").unwrap_or_default());

/// Hashes passwords, a few concurrently. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Passwords {
    queue: HashQueue,
    /// The highest cost of stored bcrypt hashes; 0 without any.
    max_cost: Arc<AtomicU32>,
}

/// The result of verifying a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A wrong password, or an account without a password.
    Wrong,
    /// The right password, with a current hash.
    Right,
    /// The right password, with an outdated hash, which must be replaced.
    Outdated,
}

impl Passwords {
    /// With this number of concurrent hashes.
    pub(crate) fn new(threads: usize) -> Self {
        Self { queue: HashQueue::new(threads), max_cost: Arc::default() }
    }

    /// Sets the highest cost of stored bcrypt hashes.
    pub(crate) fn set_max_bcrypt_cost(&self, cost: u32) {
        self.max_cost.store(cost.min(MAX_BCRYPT_COST), Ordering::Relaxed);
    }

    /// Registers an imported hash that is about to be stored.
    pub(crate) fn imported(&self, hash: &str) {
        self.max_cost.fetch_max(cost_of(hash).unwrap_or_default(), Ordering::Relaxed);
    }

    /// The hash of a validated password, in the PHC string format.
    pub(crate) async fn hash(
        &self,
        urgency: Urgency,
        tenant: TenantId,
        password: Zeroizing<String>,
    ) -> Result<String> {
        self.run(urgency, tenant, move || argon2id(&password)).await?
    }

    /// Verifies a password against the stored hash. A wrong one costs the same for any hash, or none.
    pub(crate) async fn verify(
        &self,
        urgency: Urgency,
        tenant: TenantId,
        password: Zeroizing<String>,
        stored: Option<String>,
    ) -> Result<Verdict> {
        // too long to be a valid password, and hashing costs in proportion to its length
        let stored = stored.filter(|_| password.chars().count() <= MAX_LENGTH);
        stored.as_deref().inspect(|hash| self.imported(hash));
        let max_cost = self.max_cost.load(Ordering::Relaxed);
        self.run(urgency, tenant, move || verify(&password, stored.as_deref(), max_cost)).await
    }

    async fn run<T: Send + 'static>(
        &self,
        urgency: Urgency,
        tenant: TenantId,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let permit = self.queue.take(urgency, tenant).await?;
        // the work continues when the client disconnects, so it owns the permit
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(permit);
            result
        });
        done.await.map_err(Error::internal)
    }
}

fn verify(password: &str, stored: Option<&str>, max_cost: u32) -> Verdict {
    let argon2id = |hash: &str| Argon2::default().verify_password(password.as_bytes(), hash).is_ok();
    let spent = match stored {
        Some(hash) if is_bcrypt(hash) => {
            if bcrypt::verify(password.as_bytes(), hash).unwrap_or(false) {
                return Verdict::Outdated;
            }
            _ = Argon2::default().verify_password(b"somebody's", DUMMY_HASH.as_str());
            cost_of(hash)
        }
        Some(hash) if argon2id(hash) => return Verdict::Right,
        Some(_) => None,
        None => {
            _ = Argon2::default().verify_password(b"somebody's", DUMMY_HASH.as_str());
            None
        }
    };
    for cost in padding_costs(spent, max_cost) {
        _ = bcrypt::hash_with_salt(b"somebody's", cost, [0; 16]);
    }
    Verdict::Wrong
}

/// The costs of the bcrypt hashes that, after one of cost `spent`, add up to the work of the highest cost: each step
/// doubles the work, so `n, n, n + 1, …, m - 1` take as long as `m`.
fn padding_costs(spent: Option<u32>, max_cost: u32) -> std::ops::Range<u32> {
    match spent {
        Some(cost) => cost..max_cost,
        None if max_cost >= MIN_BCRYPT_COST => max_cost..max_cost + 1,
        None => 0..0,
    }
}

fn cost_of(hash: &str) -> Option<u32> {
    let parts: bcrypt::HashParts = is_bcrypt(hash).then(|| hash.parse().ok())??;
    Some(parts.get_cost())
}

/// Rejects a password of the wrong length.
pub(crate) fn check(param: &str, password: &str) -> Result<()> {
    match (MIN_LENGTH..=MAX_LENGTH).contains(&password.chars().count()) {
        true => Ok(()),
        false => Err(Error::invalid(param, format!("must be {MIN_LENGTH} to {MAX_LENGTH} characters long"))),
    }
}

fn argon2id(password: &str) -> Result<String> {
    let hash = Argon2::default().hash_password(password.as_bytes());
    hash.map(|hash| hash.to_string()).map_err(|e| Error::internal(e.to_string()))
}

fn is_bcrypt(hash: &str) -> bool {
    ["$2a$", "$2b$", "$2y$"].iter().any(|version| hash.starts_with(version))
}

/// Rejects an imported hash that isn't bcrypt, or one that takes too long to verify.
pub(crate) fn check_imported(param: &str, hash: &str) -> Result<()> {
    let wrong = |message: &str| Err(Error::invalid(param, message));
    let Some(cost) = cost_of(hash).filter(|_| hash.len() == 60) else {
        return wrong("must be a bcrypt hash: `$2b$`, the cost, `$` and 53 characters");
    };
    match cost {
        MIN_BCRYPT_COST..=MAX_BCRYPT_COST => Ok(()),
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

    fn text(password: &str) -> Zeroizing<String> {
        Zeroizing::new(password.to_owned())
    }

    async fn verify(password: &str, stored: Option<String>) -> Verdict {
        let passwords = Passwords::new(1);
        passwords.verify(Urgency::LogIn, TenantId::NIL, text(password), stored).await.unwrap()
    }

    /// The work of a bcrypt hash of this cost.
    fn work(cost: u32) -> u64 {
        1 << cost
    }

    #[tokio::test]
    async fn a_password_is_known_again_by_its_hash_alone() {
        let stored = argon2id("correct horse").unwrap();
        assert!(stored.starts_with("$argon2id$") && !stored.contains("correct"));
        assert_eq!(verify("correct horse", Some(stored.clone())).await, Verdict::Right);
        assert_eq!(verify("wrong horse", Some(stored)).await, Verdict::Wrong);
        assert_eq!(verify("correct horse", None).await, Verdict::Wrong);
    }

    #[tokio::test]
    async fn an_imported_hash_is_outdated_in_all_its_spellings() {
        for version in ["$2a$", "$2b$", "$2y$"] {
            let stored = imported().replacen("$2b$", version, 1);
            assert!(check_imported("password_hash", &stored).is_ok(), "{version}");
            assert_eq!(verify("correct horse", Some(stored.clone())).await, Verdict::Outdated, "{version}");
            assert_eq!(verify("wrong horse", Some(stored)).await, Verdict::Wrong, "{version}");
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

    #[test]
    fn a_wrong_password_costs_the_same_work_whatever_is_kept() {
        for max_cost in [0, 4, 5, 10, 12] {
            let all = |spent: Option<u32>| {
                let rest: u64 = padding_costs(spent, max_cost).map(work).sum();
                spent.map_or(0, work) + rest
            };
            let expected = if max_cost == 0 { 0 } else { work(max_cost) };
            assert_eq!(all(None), expected, "an Argon2id hash or none beside one of cost {max_cost}");
            for cost in 4..=max_cost {
                assert_eq!(
                    all(Some(cost)),
                    expected,
                    "a bcrypt hash of cost {cost} beside one of {max_cost}"
                );
            }
        }
    }

    #[tokio::test]
    async fn the_costliest_hash_that_is_met_counts_from_then_on() {
        let passwords = Passwords::new(1);
        let wrong = |stored| passwords.verify(Urgency::LogIn, TenantId::NIL, text("wrong horse"), stored);
        assert_eq!(wrong(None).await.unwrap(), Verdict::Wrong);
        assert_eq!(passwords.max_cost.load(Ordering::Relaxed), 0);
        wrong(Some(imported())).await.unwrap();
        assert_eq!(passwords.max_cost.load(Ordering::Relaxed), 4);
        passwords.set_max_bcrypt_cost(99);
        assert_eq!(passwords.max_cost.load(Ordering::Relaxed), MAX_BCRYPT_COST);
    }

    #[test]
    fn a_password_that_nobody_should_have_is_refused() {
        assert!(check("password", "long enough").is_ok());
        for wrong in ["short".to_owned(), String::new(), "x".repeat(257)] {
            assert_eq!(check("password", &wrong).unwrap_err().param(), Some("password"));
        }
    }
}
