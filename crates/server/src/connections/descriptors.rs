//! File descriptors, and the number of client connections that they allow.
//!
//! A call needs two, one for the client and one for the provider. A server that uses all of them for clients can't reach a
//! provider any more, and would attribute that to the provider.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors reserved for short-lived files and for connections of jobs.
const RESERVE: usize = 32;
/// Descriptors per database connection: SQLite opens three files.
const PER_DATABASE_CONNECTION: usize = 3;
/// Maximum limit to set; some kernels are slow with larger tables.
const MAX_DESCRIPTORS: u64 = 1 << 20;

/// Raises the soft limit of descriptors to the hard one, and returns the effective limit. `None`: unlimited.
pub(crate) fn raise_limit() -> Option<usize> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.unwrap_or(MAX_DESCRIPTORS).min(MAX_DESCRIPTORS);
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

/// Available and used descriptors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Descriptors {
    /// The limit of the process.
    pub(crate) limit: Option<usize>,
    /// Open descriptors before any client connects.
    pub(crate) open: usize,
    /// Database connections that may still be opened.
    pub(crate) database: usize,
}

impl Descriptors {
    /// The number of client connections, at most `wanted`: half of the remaining descriptors, as each connection may need a
    /// second one to a provider.
    pub(crate) fn connections(&self, wanted: usize) -> usize {
        let Some(limit) = self.limit else { return wanted };
        let taken = self.open + self.database * PER_DATABASE_CONNECTION + RESERVE;
        wanted.min(limit.saturating_sub(taken) / 2).max(1)
    }

    /// Descriptors that the process has open now, if the system reports them.
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
