//! File descriptors: how many there are, and how many of them clients may have.
//!
//! A call takes two, one of the client and one of the provider. A server that gives them all to clients can't reach a
//! provider any more, and takes that for the provider's fault.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What is kept for files that are opened for a moment, and for connections of jobs.
const RESERVE: usize = 32;
/// Descriptors of a connection to the database: SQLite has three files of each.
const OF_A_DATABASE_CONNECTION: usize = 3;
/// More than anybody needs; some kernels take time for a table of more.
const ENOUGH: u64 = 1 << 20;

/// Raises the soft limit of descriptors to the hard one, and gives what holds then. `None` is no limit.
pub(crate) fn raise_limit() -> Option<usize> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.unwrap_or(ENOUGH).min(ENOUGH);
    let current = match current {
        Some(current) if current < wanted => {
            match setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }) {
                Ok(()) => Some(wanted),
                Err(e) => {
                    tracing::warn!(error = %e, limit = current, "cannot raise the limit of open files");
                    Some(current)
                }
            }
        }
        current => current,
    };
    current.and_then(|current| usize::try_from(current).ok())
}

/// What there is of descriptors, and what is taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Descriptors {
    /// How many the process may have.
    pub(crate) limit: Option<usize>,
    /// How many it has open, before any client came.
    pub(crate) open: usize,
    /// Connections to the database that may be opened yet.
    pub(crate) database: usize,
}

impl Descriptors {
    /// The connections of clients that there is room for, `wanted` at most: half of what is left, as each may need another
    /// one to a provider.
    pub(crate) fn connections(&self, wanted: usize) -> usize {
        let Some(limit) = self.limit else { return wanted };
        let taken = self.open + self.database * OF_A_DATABASE_CONNECTION + RESERVE;
        wanted.min(limit.saturating_sub(taken) / 2).max(1)
    }

    /// Descriptors that the process has open now, as far as the system tells.
    pub(crate) fn open_now() -> usize {
        const UNKNOWN: usize = 64;
        ["/proc/self/fd", "/dev/fd"]
            .iter()
            .find_map(|folder| std::fs::read_dir(folder).ok())
            .map_or(UNKNOWN, Iterator::count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_what_is_left_is_for_clients() {
        let with = |limit| Descriptors { limit, open: 40, database: 8 }.connections(10_000);
        assert_eq!(with(None), 10_000);
        assert_eq!(with(Some(1 << 20)), 10_000);
        assert_eq!(with(Some(1024)), 464);
        assert_eq!(with(Some(256)), 80);
        assert_eq!(with(Some(64)), 1, "it serves as well as it can");
        assert!(Descriptors::open_now() > 2);
        assert!(raise_limit().is_none_or(|limit| limit > 64));
    }
}
