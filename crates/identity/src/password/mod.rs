//! Passwords: kept as Argon2id hashes, and imported ones as bcrypt's until their owner logs in.
//!
//! Hashing is slow on purpose. It runs apart from the serving threads, a few at a time, and those who wait for it take
//! turns by tenant: a flood of log-ins takes neither the processors nor the memory from the calls.
//!
//! A password that is wrong costs the same work whatever is kept of the account, if there is one at all: an Argon2id hash,
//! and as much of bcrypt as the costliest imported hash needs. Work rather than a pause, so that it holds under load too,
//! and those who wait for the same thread learn nothing from how long they wait.

mod turns;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use loam_kernel::{Error, Result, TenantId};
use zeroize::Zeroizing;

use turns::Turns;
pub(crate) use turns::Urgency;

/// Fewer characters are refused; NIST SP 800-63B asks for eight at least.
const MIN: usize = 8;
/// More are refused, as hashing takes time and memory in proportion.
const MAX: usize = 256;
/// bcrypt knows no less.
const MIN_BCRYPT_COST: u32 = 4;
/// bcrypt doubles its work with each step of cost; 14 takes about a second.
const MAX_BCRYPT_COST: u32 = 14;

/// What is checked for an account that isn't there.
static NOBODY: LazyLock<String> = LazyLock::new(|| argon2id("nobody has this password").unwrap_or_default());

/// Hashes passwords, a few at a time. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Passwords {
    turns: Turns,
    /// The cost of the costliest bcrypt hash that is kept; 0 without any.
    costliest: Arc<AtomicU32>,
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
        Self { turns: Turns::new(threads), costliest: Arc::default() }
    }

    /// Says which bcrypt hash is the costliest of those that are kept.
    pub(crate) fn set_costliest(&self, cost: u32) {
        self.costliest.store(cost.min(MAX_BCRYPT_COST), Ordering::Relaxed);
    }

    /// Takes note of an imported hash that is about to be kept.
    pub(crate) fn imported(&self, hash: &str) {
        self.costliest.fetch_max(cost_of(hash).unwrap_or_default(), Ordering::Relaxed);
    }

    /// The hash to keep, in PHC's string format, of a password that has been checked.
    pub(crate) async fn hash(
        &self,
        urgency: Urgency,
        tenant: TenantId,
        password: Zeroizing<String>,
    ) -> Result<String> {
        self.run(urgency, tenant, move || argon2id(&password)).await?
    }

    /// Checks a password against what is kept. One that is wrong costs the same whatever that is, and without it.
    pub(crate) async fn verify(
        &self,
        urgency: Urgency,
        tenant: TenantId,
        password: Zeroizing<String>,
        kept: Option<String>,
    ) -> Result<Verdict> {
        // nobody has such a password, and checking it costs in proportion to its length
        let kept = kept.filter(|_| password.chars().count() <= MAX);
        kept.as_deref().inspect(|hash| self.imported(hash));
        let costliest = self.costliest.load(Ordering::Relaxed);
        self.run(urgency, tenant, move || verify(&password, kept.as_deref(), costliest)).await
    }

    async fn run<T: Send + 'static>(
        &self,
        urgency: Urgency,
        tenant: TenantId,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let turn = self.turns.take(urgency, tenant).await?;
        // the work goes on when the client hangs up, and so must its turn
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(turn);
            result
        });
        done.await.map_err(Error::internal)
    }
}

fn verify(password: &str, kept: Option<&str>, costliest: u32) -> Verdict {
    let argon2id = |hash: &str| Argon2::default().verify_password(password.as_bytes(), hash).is_ok();
    let spent = match kept {
        Some(hash) if is_bcrypt(hash) => {
            if bcrypt::verify(password.as_bytes(), hash).unwrap_or(false) {
                return Verdict::Outdated;
            }
            _ = Argon2::default().verify_password(b"somebody's", NOBODY.as_str());
            cost_of(hash)
        }
        Some(hash) if argon2id(hash) => return Verdict::Right,
        Some(_) => None,
        None => {
            _ = Argon2::default().verify_password(b"somebody's", NOBODY.as_str());
            None
        }
    };
    for cost in rest_of_work(spent, costliest) {
        _ = bcrypt::hash_with_salt(b"somebody's", cost, [0; 16]);
    }
    Verdict::Wrong
}

/// The costs of bcrypt hashes that take, after one of cost `spent`, as long together as one of the costliest: each step
/// doubles the work, so `n, n, n + 1, …, m - 1` take as long as `m`.
fn rest_of_work(spent: Option<u32>, costliest: u32) -> std::ops::Range<u32> {
    match spent {
        Some(cost) => cost..costliest,
        None if costliest >= MIN_BCRYPT_COST => costliest..costliest + 1,
        None => 0..0,
    }
}

fn cost_of(hash: &str) -> Option<u32> {
    let parts: bcrypt::HashParts = is_bcrypt(hash).then(|| hash.parse().ok())??;
    Some(parts.get_cost())
}

/// Refuses a password that nobody should have.
pub(crate) fn check(param: &str, password: &str) -> Result<()> {
    match (MIN..=MAX).contains(&password.chars().count()) {
        true => Ok(()),
        false => Err(Error::invalid(param, format!("must be {MIN} to {MAX} characters long"))),
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

    async fn verify(password: &str, kept: Option<String>) -> Verdict {
        let passwords = Passwords::new(1);
        passwords.verify(Urgency::LogIn, TenantId::NIL, text(password), kept).await.unwrap()
    }

    /// The work of a bcrypt hash of this cost.
    fn work(cost: u32) -> u64 {
        1 << cost
    }

    #[tokio::test]
    async fn a_password_is_known_again_by_its_hash_alone() {
        let kept = argon2id("correct horse").unwrap();
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

    #[test]
    fn a_wrong_password_costs_the_same_work_whatever_is_kept() {
        for costliest in [0, 4, 5, 10, 12] {
            let all = |spent: Option<u32>| {
                let rest: u64 = rest_of_work(spent, costliest).map(work).sum();
                spent.map_or(0, work) + rest
            };
            let expected = if costliest == 0 { 0 } else { work(costliest) };
            assert_eq!(all(None), expected, "an Argon2id hash or none beside one of cost {costliest}");
            for cost in 4..=costliest {
                assert_eq!(
                    all(Some(cost)),
                    expected,
                    "a bcrypt hash of cost {cost} beside one of {costliest}"
                );
            }
        }
    }

    #[tokio::test]
    async fn the_costliest_hash_that_is_met_counts_from_then_on() {
        let passwords = Passwords::new(1);
        let wrong = |kept| passwords.verify(Urgency::LogIn, TenantId::NIL, text("wrong horse"), kept);
        assert_eq!(wrong(None).await.unwrap(), Verdict::Wrong);
        assert_eq!(passwords.costliest.load(Ordering::Relaxed), 0);
        wrong(Some(imported())).await.unwrap();
        assert_eq!(passwords.costliest.load(Ordering::Relaxed), 4);
        passwords.set_costliest(99);
        assert_eq!(passwords.costliest.load(Ordering::Relaxed), MAX_BCRYPT_COST);
    }

    #[test]
    fn a_password_that_nobody_should_have_is_refused() {
        assert!(check("password", "long enough").is_ok());
        for wrong in ["short".to_owned(), String::new(), "x".repeat(257)] {
            assert_eq!(check("password", &wrong).unwrap_err().param(), Some("password"));
        }
    }
}
