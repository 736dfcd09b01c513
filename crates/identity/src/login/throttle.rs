//! Slowing down who tries passwords: by account and by address, twice as long with each failure.
//!
//! Kept in memory, on each node for itself. A table would let everybody on the network write to the database without a
//! credential; what a restart or a second node gives away is a handful of tries, and each still costs a slow hash, of
//! which a node does only a few at a time.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use loam_kernel::{Error, Kind, Result};
use sha2::{Digest, Sha256};

/// Nobody who knows the password is kept out for longer by others' failures.
const LONGEST_ACCOUNT: TimeDelta = TimeDelta::minutes(1);
const LONGEST_ADDRESS: TimeDelta = TimeDelta::minutes(15);
/// Failures are forgotten this long after the last.
const FORGET: TimeDelta = TimeDelta::hours(1);
/// Accounts and addresses that are remembered, each.
const MOST: usize = 50_000;

type Digest32 = [u8; 32];

/// Counts failures.
pub(crate) struct Throttle {
    accounts: Table,
    addresses: Table,
}

struct Table {
    free: u32,
    longest: TimeDelta,
    seen: Mutex<HashMap<Digest32, Failures>>,
}

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    last: DateTime<Utc>,
    until: DateTime<Utc>,
}

/// A try that has been let in, and counts as a failure until it is known better.
pub(crate) struct Try {
    account: Digest32,
    address: Digest32,
}

impl Throttle {
    /// So many failures are free, for an account and for an address.
    pub(crate) fn new(account_failures: u32, address_failures: u32) -> Self {
        let table = |free, longest| Table { free, longest, seen: Mutex::default() };
        Self {
            accounts: table(account_failures, LONGEST_ACCOUNT),
            addresses: table(address_failures, LONGEST_ADDRESS),
        }
    }

    /// Lets a try in, or says how long to wait. It is counted before its outcome is known, so that many at once are no
    /// way around.
    ///
    /// # Errors
    /// `too_many_logins`, whether there is such an account or not.
    pub(crate) fn begin(&self, account: &str, address: Option<IpAddr>, now: DateTime<Utc>) -> Result<Try> {
        let (account, address) = (digest(account.as_bytes()), digest(&network(address)));
        let wait = self.accounts.wait(&account, now).max(self.addresses.wait(&address, now));
        if wait > TimeDelta::zero() {
            let seconds = wait.num_seconds().max(0).unsigned_abs() + 1;
            let message = format!("too many failed log-ins; try again in {seconds} s");
            let error = Error::new(Kind::TooMany, "too_many_logins", message);
            return Err(error.with_retry_after(Duration::from_secs(seconds)));
        }
        self.accounts.count(account, now);
        self.addresses.count(address, now);
        Ok(Try { account, address })
    }

    /// The password was right: the account starts anew, and this try doesn't count against the address.
    pub(crate) fn succeeded(&self, tried: &Try) {
        self.accounts.forget(&tried.account);
        self.addresses.take_back(&tried.address);
    }
}

impl Table {
    fn seen(&self) -> std::sync::MutexGuard<'_, HashMap<Digest32, Failures>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, key: &Digest32, now: DateTime<Utc>) -> TimeDelta {
        self.seen().get(key).map_or(TimeDelta::zero(), |failures| failures.until - now)
    }

    fn count(&self, key: Digest32, now: DateTime<Utc>) {
        let mut seen = self.seen();
        if seen.len() >= MOST && !seen.contains_key(&key) {
            seen.retain(|_, failures| now < failures.last + FORGET);
            if seen.len() >= MOST {
                // those who must wait stay
                seen.retain(|_, failures| now < failures.until);
            }
            if seen.len() >= MOST {
                seen.clear();
            }
        }
        let failures = seen.entry(key).or_insert(Failures { count: 0, last: now, until: now });
        if failures.last + FORGET <= now {
            failures.count = 0;
        }
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
        failures.until = match failures.count.checked_sub(self.free) {
            None => now,
            Some(beyond) => now + TimeDelta::seconds(1_i64 << beyond.min(20)).min(self.longest),
        };
    }

    fn forget(&self, key: &Digest32) {
        self.seen().remove(key);
    }

    fn take_back(&self, key: &Digest32) {
        if let Some(failures) = self.seen().get_mut(key) {
            failures.count = failures.count.saturating_sub(1);
            failures.until = failures.last;
        }
    }
}

fn digest(bytes: &[u8]) -> Digest32 {
    Sha256::digest(bytes).into()
}

/// The part of an address that one customer of a network has: an IPv4 address, or a /64 of IPv6.
fn network(address: Option<IpAddr>) -> Vec<u8> {
    match address.map(|address| address.to_canonical()) {
        Some(IpAddr::V4(address)) => address.octets().to_vec(),
        Some(IpAddr::V6(address)) => address.octets()[..8].to_vec(),
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)));

    fn seconds(n: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(n)
    }

    fn wait(throttle: &Throttle, account: &str, address: Option<IpAddr>, at: i64) -> Option<u64> {
        let refused = throttle.begin(account, address, seconds(at)).err()?;
        assert_eq!((refused.status(), refused.code()), (429, "too_many_logins"));
        refused.retry_after().map(|after| after.as_secs())
    }

    #[test]
    fn an_account_waits_twice_as_long_with_each_failure_up_to_a_minute() {
        let throttle = Throttle::new(3, 1000);
        let mut now = 0;
        let mut waits = Vec::new();
        for _ in 0..12 {
            while let Some(after) = wait(&throttle, "ann", HOME, now) {
                waits.push(after);
                now += i64::try_from(after).unwrap();
            }
        }
        assert_eq!(waits, [2, 3, 5, 9, 17, 33, 61, 61, 61], "each a second after it ends");
        assert_eq!(wait(&throttle, "bob", HOME, now), None, "another account is not kept waiting");
    }

    #[test]
    fn an_address_waits_whatever_the_account() {
        let throttle = Throttle::new(100, 5);
        for n in 0..5 {
            assert_eq!(wait(&throttle, &format!("user-{n}"), HOME, 0), None);
        }
        assert!(wait(&throttle, "one more", HOME, 0).is_some());
        let (near, far) = ("2001:db8::1".parse().ok(), "2001:db8:0:1::1".parse().ok());
        for _ in 0..5 {
            _ = throttle.begin("x", near, seconds(0));
        }
        assert!(wait(&throttle, "y", "2001:db8::2".parse().ok(), 0).is_some(), "the same network");
        assert_eq!(wait(&throttle, "y", far, 0), None);
    }

    #[test]
    fn many_at_once_are_no_way_around() {
        let throttle = Throttle::new(3, 1000);
        let let_in = (0..100).filter(|_| throttle.begin("ann", HOME, seconds(0)).is_ok()).count();
        assert_eq!(let_in, 3);
    }

    #[test]
    fn who_knows_the_password_starts_anew_and_so_does_who_waits_long() {
        let throttle = Throttle::new(3, 3);
        for _ in 0..2 {
            throttle.begin("ann", HOME, seconds(0)).unwrap();
        }
        let tried = throttle.begin("ann", HOME, seconds(0)).unwrap();
        throttle.succeeded(&tried);
        assert_eq!(wait(&throttle, "ann", HOME, 0), None, "neither account nor address is held");
        let throttle = Throttle::new(1, 1);
        _ = throttle.begin("ann", HOME, seconds(0));
        assert!(wait(&throttle, "ann", HOME, 0).is_some());
        assert_eq!(wait(&throttle, "ann", HOME, 3601), None);
        assert_eq!(throttle.accounts.seen().values().next().unwrap().count, 1, "the first again");
    }
}
