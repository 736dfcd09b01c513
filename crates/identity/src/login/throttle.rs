//! Slowing down who tries passwords: by account and source together, by account, and by source, twice as long with each
//! failure.
//!
//! One source alone is kept from an account by its own failures, and never keeps others from it. Many sources together
//! do, for a minute at most at a time; who comes from a browser in which the account's user was logged in before is let in
//! meanwhile, and is slowed down by its own failures alone.
//!
//! Kept in memory, on each node for itself. A table would let everybody on the network write to the database without a
//! credential; what a restart or a second node gives away is a handful of tries, and each still costs a slow hash, of
//! which a node does only a few at a time.

use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use loam_kernel::{Error, Kind, Result, UserId, digest_of};

use super::failures::{Digest32, Rule, Table};

/// Failures to an account from all sources that are free, for each that is free from one.
const SOURCES: u32 = 4;

/// Counts failures.
pub(crate) struct Throttle {
    /// By account and source.
    pairs: Table,
    accounts: Table,
    addresses: Table,
    devices: Table,
}

/// Whose password is tried.
pub(crate) struct Account<'a> {
    /// The tenant, as it was named.
    pub(crate) tenant: &'a str,
    /// The name or the address, as it was given.
    pub(crate) name: &'a str,
    /// The user, if there is one of that name: all of a user's names are one account.
    pub(crate) user: Option<UserId>,
}

/// From where it is tried.
#[derive(Clone, Copy, Default)]
pub(crate) struct Source<'a> {
    pub(crate) address: Option<IpAddr>,
    /// The browser in which the user was logged in before.
    pub(crate) device: Option<&'a [u8]>,
}

/// A try that has been let in, and counts as a failure until it is known better.
pub(crate) struct Try {
    pairs: Vec<Digest32>,
    accounts: Vec<Digest32>,
    address: Option<Digest32>,
    device: Option<Digest32>,
}

impl Throttle {
    /// So many failures are free, for an account from one source, and for a source.
    pub(crate) fn new(account_failures: u32, address_failures: u32) -> Self {
        let table = |free, longest, leaks| Table::new(Rule { free, longest, leaks });
        let all_sources = account_failures.saturating_mul(SOURCES);
        Self {
            pairs: table(account_failures, TimeDelta::minutes(5), None),
            // a try a minute, which one source still has, never adds up
            accounts: table(all_sources, TimeDelta::minutes(1), Some(TimeDelta::minutes(1))),
            addresses: table(address_failures, TimeDelta::minutes(15), None),
            devices: table(account_failures, TimeDelta::minutes(15), None),
        }
    }

    /// Refuses an address that has to wait, before anything is looked up for it.
    ///
    /// # Errors
    /// `too_many_logins`.
    pub(crate) fn check_address(&self, address: Option<IpAddr>, now: DateTime<Utc>) -> Result<()> {
        refuse(self.addresses.wait(&network(address), now))
    }

    /// Lets a try in, or says how long to wait. It is counted before its outcome is known, so that many at once are no
    /// way around.
    ///
    /// # Errors
    /// `too_many_logins`, whether there is such an account or not.
    pub(crate) fn begin(&self, account: &Account<'_>, source: Source<'_>, now: DateTime<Utc>) -> Result<Try> {
        let address = network(source.address);
        let accounts = account.keys();
        let pairs = accounts.iter().map(|account| digest_of([&account[..], &address])).collect();
        let tried = match source.device {
            Some(device) => {
                let device = Some(digest_of([&b"device"[..], device]));
                Try { pairs: Vec::new(), accounts: Vec::new(), address: None, device }
            }
            None => Try { pairs, accounts, address: Some(address), device: None },
        };
        self.admit(tried, now)
    }

    /// The same for somebody who is logged in, and gives the present password again.
    pub(crate) fn begin_again(&self, user: UserId, now: DateTime<Utc>) -> Result<Try> {
        let device = Some(digest_of([&b"logged in"[..], user.0.as_bytes()]));
        self.admit(Try { pairs: Vec::new(), accounts: Vec::new(), address: None, device }, now)
    }

    fn admit(&self, tried: Try, now: DateTime<Utc>) -> Result<Try> {
        let waits = self.all(&tried).map(|(table, key)| table.wait(key, now));
        refuse(waits.max().unwrap_or_default())?;
        self.all(&tried).for_each(|(table, key)| table.count(*key, now));
        Ok(tried)
    }

    fn all<'a>(&'a self, tried: &'a Try) -> impl Iterator<Item = (&'a Table, &'a Digest32)> {
        let pairs = tried.pairs.iter().map(|key| (&self.pairs, key));
        let accounts = tried.accounts.iter().map(|key| (&self.accounts, key));
        let address = tried.address.iter().map(|key| (&self.addresses, key));
        let device = tried.device.iter().map(|key| (&self.devices, key));
        pairs.chain(accounts).chain(address).chain(device)
    }

    /// The password was right: the account starts anew, and this try doesn't count against the source.
    pub(crate) fn succeeded(&self, tried: &Try) {
        tried.pairs.iter().for_each(|key| self.pairs.forget(key));
        tried.accounts.iter().for_each(|key| self.accounts.forget(key));
        tried.address.iter().for_each(|key| self.addresses.take_back(key));
        tried.device.iter().for_each(|key| self.devices.forget(key));
    }

    /// Whether the password was right has not been found out: the try doesn't count.
    pub(crate) fn take_back(&self, tried: &Try) {
        self.all(tried).for_each(|(table, key)| table.take_back(key));
    }
}

impl Account<'_> {
    /// What the account is counted by: the user if there is one, and the name up to an `@`. By the latter a user's name
    /// and address are one account whether or not there is such a user: otherwise it would show that they belong together.
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

/// The part of an address that one customer of a network has: an IPv4 address, or a /64 of IPv6.
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
        let tried = throttle.begin(&named("ann"), home(), seconds(0)).unwrap();
        throttle.succeeded(&tried);
        assert_eq!(wait(&throttle, &named("ann"), home(), 0), None, "neither account nor address is held");
        let throttle = Throttle::new(3, 3);
        for _ in 0..50 {
            let busy = throttle.begin(&named("ann"), home(), seconds(0)).unwrap();
            throttle.take_back(&busy);
        }
        let known = Source { device: Some(b"mine"), ..home() };
        for _ in 0..50 {
            throttle.take_back(&throttle.begin(&named("ann"), known, seconds(0)).unwrap());
        }
    }
}
