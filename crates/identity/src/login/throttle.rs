//! Throttling of password guessing: by account and source, by account, and by source. The waiting time doubles with each
//! failure.
//!
//! A single source is throttled by its own failures and never locks others out. Many sources together lock an account,
//! for at most a minute at a time; a known browser of the account's user is still admitted meanwhile, and is throttled
//! only by its own failures.
//!
//! The counters are in memory, on each node. A table would let anybody on the network write to the database without a
//! credential. A restart or a second node allows a few more attempts, each of which still costs a slow hash, of which a
//! node computes only a few at a time.

use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use loam_kernel::{Error, Kind, Result, UserId, digest_of};

use super::failures::{Digest32, Rule, Table};

/// Free failures of an account from all sources, as a multiple of those from one source.
const ACCOUNT_FACTOR: u32 = 4;

/// Counts failures.
pub(crate) struct Throttle {
    /// By account and source.
    pairs: Table,
    accounts: Table,
    addresses: Table,
    devices: Table,
}

/// The account of an attempt.
pub(crate) struct Account<'a> {
    /// The tenant, as given.
    pub(crate) tenant: &'a str,
    /// The user name or e-mail address, as given.
    pub(crate) name: &'a str,
    /// The user, if it exists: all names of a user are one account.
    pub(crate) user: Option<UserId>,
}

/// The source of an attempt.
#[derive(Clone, Copy, Default)]
pub(crate) struct Source<'a> {
    pub(crate) address: Option<IpAddr>,
    /// The known browser.
    pub(crate) device: Option<&'a [u8]>,
}

/// An admitted attempt, which counts as a failure until its outcome is known.
pub(crate) struct Attempt {
    pairs: Vec<Digest32>,
    accounts: Vec<Digest32>,
    address: Option<Digest32>,
    device: Option<Digest32>,
}

impl Throttle {
    /// A throttle with the given numbers of free failures: of an account from one source, and of a source.
    pub(crate) fn new(account_failures: u32, address_failures: u32) -> Self {
        let table = |free, longest, leaks| Table::new(Rule { free, longest, leaks });
        let all_sources = account_failures.saturating_mul(ACCOUNT_FACTOR);
        Self {
            pairs: table(account_failures, TimeDelta::minutes(5), None),
            // one attempt per minute, which one source still has, never accumulates
            accounts: table(all_sources, TimeDelta::minutes(1), Some(TimeDelta::minutes(1))),
            addresses: table(address_failures, TimeDelta::minutes(15), None),
            devices: table(account_failures, TimeDelta::minutes(15), None),
        }
    }

    /// Rejects an address that has to wait, before any query.
    ///
    /// # Errors
    /// `too_many_logins`.
    pub(crate) fn check_address(&self, address: Option<IpAddr>, now: DateTime<Utc>) -> Result<()> {
        refuse(self.addresses.wait(&network(address), now))
    }

    /// Admits an attempt, or returns how long to wait. It is counted before its outcome is known, so that concurrent attempts
    /// don't bypass the limit.
    ///
    /// # Errors
    /// `too_many_logins`, whether the account exists or not.
    pub(crate) fn begin(
        &self,
        account: &Account<'_>,
        source: Source<'_>,
        now: DateTime<Utc>,
    ) -> Result<Attempt> {
        let address = network(source.address);
        let accounts = account.keys();
        let pairs = accounts.iter().map(|account| digest_of([&account[..], &address])).collect();
        let attempt = match source.device {
            Some(device) => {
                let device = Some(digest_of([&b"device"[..], device]));
                Attempt { pairs: Vec::new(), accounts: Vec::new(), address: None, device }
            }
            None => Attempt { pairs, accounts, address: Some(address), device: None },
        };
        self.admit(attempt, now)
    }

    /// The same for a logged-in user who enters the current password again.
    pub(crate) fn begin_reauthentication(&self, user: UserId, now: DateTime<Utc>) -> Result<Attempt> {
        let device = Some(digest_of([&b"logged in"[..], user.0.as_bytes()]));
        self.admit(Attempt { pairs: Vec::new(), accounts: Vec::new(), address: None, device }, now)
    }

    fn admit(&self, attempt: Attempt, now: DateTime<Utc>) -> Result<Attempt> {
        let waits = self.all(&attempt).map(|(table, key)| table.wait(key, now));
        refuse(waits.max().unwrap_or_default())?;
        self.all(&attempt).for_each(|(table, key)| table.count(*key, now));
        Ok(attempt)
    }

    fn all<'a>(&'a self, attempt: &'a Attempt) -> impl Iterator<Item = (&'a Table, &'a Digest32)> {
        let pairs = attempt.pairs.iter().map(|key| (&self.pairs, key));
        let accounts = attempt.accounts.iter().map(|key| (&self.accounts, key));
        let address = attempt.address.iter().map(|key| (&self.addresses, key));
        let device = attempt.device.iter().map(|key| (&self.devices, key));
        pairs.chain(accounts).chain(address).chain(device)
    }

    /// The password was right: resets the account, and removes this attempt from the source's failures.
    pub(crate) fn succeeded(&self, attempt: &Attempt) {
        attempt.pairs.iter().for_each(|key| self.pairs.reset(key));
        attempt.accounts.iter().for_each(|key| self.accounts.reset(key));
        attempt.address.iter().for_each(|key| self.addresses.undo(key));
        attempt.device.iter().for_each(|key| self.devices.reset(key));
    }

    /// The password was not checked: the attempt doesn't count.
    pub(crate) fn undo(&self, attempt: &Attempt) {
        self.all(attempt).for_each(|(table, key)| table.undo(key));
    }
}

impl Account<'_> {
    /// The keys of an account: the user if it exists, and the name up to an `@`. Through the latter a user's name and address
    /// are one account whether or not the user exists; otherwise the throttle would reveal that they belong together.
    fn keys(&self) -> Vec<Digest32> {
        let name = self.name.to_lowercase();
        let short = name.split_once('@').map_or(name.as_str(), |(short, _)| short);
        let named =
            |kind: &str, name: &str| digest_of([kind.as_bytes(), self.tenant.as_bytes(), name.as_bytes()]);
        let account = match self.user {
            Some(user) => digest_of([&b"user"[..], user.0.as_bytes()]),
            None => named("name", &name),
        };
        vec![account, named("short name", short)]
    }
}

fn refuse(wait: TimeDelta) -> Result<()> {
    if wait <= TimeDelta::zero() {
        return Ok(());
    }
    let seconds = wait.num_seconds().max(0).unsigned_abs() + 1;
    let message = format!("too many failed log-ins; try again in {seconds} s");
    let error = Error::new(Kind::TooMany, "too_many_logins", message);
    Err(error.with_retry_after(Duration::from_secs(seconds)))
}

/// The part of an address that identifies one customer of a network: an IPv4 address, or a /64 of IPv6.
fn network(address: Option<IpAddr>) -> Digest32 {
    match address.map(|address| address.to_canonical()) {
        Some(IpAddr::V4(address)) => digest_of([&b"network"[..], &address.octets()]),
        Some(IpAddr::V6(address)) => digest_of([&b"network"[..], &address.octets()[..8]]),
        None => digest_of([&b"network"[..]]),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use uuid::Uuid;

    use super::*;

    fn home() -> Source<'static> {
        at(1)
    }

    fn at(host: u8) -> Source<'static> {
        Source { address: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, host))), device: None }
    }

    fn seconds(n: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(n)
    }

    fn named(name: &str) -> Account<'_> {
        Account { tenant: "acme", name, user: None }
    }

    fn of(user: u128, name: &str) -> Account<'_> {
        Account { user: Some(UserId(Uuid::from_u128(user))), ..named(name) }
    }

    fn wait(throttle: &Throttle, account: &Account<'_>, source: Source<'_>, at: i64) -> Option<u64> {
        let refused = throttle.begin(account, source, seconds(at)).err()?;
        assert_eq!((refused.status(), refused.code()), (429, "too_many_logins"));
        refused.retry_after().map(|after| after.as_secs())
    }

    #[test]
    fn a_source_waits_twice_as_long_with_each_failure_to_an_account() {
        let throttle = Throttle::new(3, 1000);
        let mut now = 0;
        let mut waits = Vec::new();
        for _ in 0..12 {
            while let Some(after) = wait(&throttle, &named("ann"), home(), now) {
                waits.push(after);
                now += i64::try_from(after).unwrap();
            }
        }
        assert_eq!(waits, [2, 3, 5, 9, 17, 33, 65, 129, 257], "each a second after it ends");
        assert_eq!(wait(&throttle, &named("bob"), home(), now), None, "another account is not kept waiting");
        assert_eq!(wait(&throttle, &named("ann"), at(2), now), None, "and neither is another source");
    }

    #[test]
    fn one_source_never_keeps_others_out_and_many_do_for_a_minute_at_most() {
        let throttle = Throttle::new(3, 1_000_000);
        for now in 0..6 * 3600 {
            _ = throttle.begin(&named("ann"), home(), seconds(now));
        }
        assert_eq!(wait(&throttle, &named("ann"), at(2), 6 * 3600), None, "one source, as often as it can");
        let mut longest = 0;
        for now in 0..3600 {
            for host in 10..40 {
                longest = longest.max(wait(&throttle, &named("bob"), at(host), now).unwrap_or_default());
            }
        }
        let strangers = wait(&throttle, &named("bob"), at(99), 3600);
        assert!(strangers.is_some_and(|seconds| seconds <= 61), "many together do: {strangers:?}");
        assert!(longest <= 301);
    }

    #[test]
    fn a_known_device_is_let_in_while_its_account_is_locked_but_may_not_try_for_ever() {
        let throttle = Throttle::new(3, 10);
        for host in 0..100 {
            _ = throttle.begin(&of(1, "ann"), at(host), seconds(0));
            _ = throttle.begin(&named("others"), home(), seconds(0));
        }
        assert!(wait(&throttle, &of(1, "ann"), home(), 0).is_some());
        let mine = Source { device: Some(b"mine"), ..home() };
        for _ in 0..3 {
            throttle.begin(&of(1, "ann"), mine, seconds(0)).unwrap();
        }
        assert!(wait(&throttle, &of(1, "ann"), mine, 0).is_some(), "its own failures count");
        let other = Source { device: Some(b"other"), ..home() };
        assert_eq!(wait(&throttle, &of(1, "ann"), other, 0), None);
    }

    #[test]
    fn a_name_and_an_address_are_one_account_whether_or_not_there_is_one() {
        for user in [None, Some(UserId(Uuid::from_u128(1)))] {
            let throttle = Throttle::new(3, 1000);
            let account = |name| Account { tenant: "acme", name, user };
            for name in ["ann", "Ann@example.com", "ANN"] {
                throttle.begin(&account(name), home(), seconds(0)).unwrap();
            }
            for name in ["ann", "ann@example.com"] {
                assert!(wait(&throttle, &account(name), home(), 0).is_some(), "{name} of {user:?}");
            }
        }
        let throttle = Throttle::new(1, 1000);
        throttle.begin(&of(1, "ann"), home(), seconds(0)).unwrap();
        assert!(wait(&throttle, &of(1, "mail@example.com"), home(), 0).is_some(), "the same user");
    }

    #[test]
    fn parts_of_an_account_that_are_cut_elsewhere_are_another() {
        let throttle = Throttle::new(1, 1000);
        let account = |tenant, name| Account { tenant, name, user: None };
        throttle.begin(&account("acme/x", "y"), home(), seconds(0)).unwrap();
        assert_eq!(wait(&throttle, &account("acme", "x/y"), home(), 0), None);
    }

    #[test]
    fn an_address_waits_whatever_the_account() {
        let throttle = Throttle::new(100, 5);
        for n in 0..5 {
            assert_eq!(wait(&throttle, &named(&format!("user-{n}")), home(), 0), None);
        }
        assert!(wait(&throttle, &named("one more"), home(), 0).is_some());
        assert!(throttle.check_address(home().address, seconds(0)).is_err());
        let from = |address: &str| Source { address: address.parse().ok(), device: None };
        for _ in 0..5 {
            _ = throttle.begin(&named("x"), from("2001:db8::1"), seconds(0));
        }
        assert!(wait(&throttle, &named("y"), from("2001:db8::2"), 0).is_some(), "the same network");
        assert_eq!(wait(&throttle, &named("y"), from("2001:db8:0:1::1"), 0), None);
    }

    #[test]
    fn many_at_once_are_no_way_around() {
        let throttle = Throttle::new(3, 1000);
        let let_in = (0..100).filter(|_| throttle.begin(&named("ann"), home(), seconds(0)).is_ok()).count();
        assert_eq!(let_in, 3);
    }

    #[test]
    fn who_knows_the_password_starts_anew_and_a_try_without_an_outcome_does_not_count() {
        let throttle = Throttle::new(3, 3);
        for _ in 0..2 {
            throttle.begin(&named("ann"), home(), seconds(0)).unwrap();
        }
        let attempt = throttle.begin(&named("ann"), home(), seconds(0)).unwrap();
        throttle.succeeded(&attempt);
        assert_eq!(wait(&throttle, &named("ann"), home(), 0), None, "neither account nor address is held");
        let throttle = Throttle::new(3, 3);
        for _ in 0..50 {
            let busy = throttle.begin(&named("ann"), home(), seconds(0)).unwrap();
            throttle.undo(&busy);
        }
        let known = Source { device: Some(b"mine"), ..home() };
        for _ in 0..50 {
            throttle.undo(&throttle.begin(&named("ann"), known, seconds(0)).unwrap());
        }
    }
}
