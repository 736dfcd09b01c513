//! Whose jobs come next: tenants in turn, and none with more places than its share.

use std::collections::HashMap;

use loam_kernel::TenantId;

/// Remembers where the last round ended, so that the next goes on behind it.
#[derive(Debug, Default)]
pub(crate) struct Rounds {
    last: Option<TenantId>,
}

impl Rounds {
    /// Divides `room` places among `tenants`, which are in the order of their ids: the next place goes to the one that
    /// has the fewest, what runs already included, and none has more than `each`.
    pub(crate) fn divide(
        &self,
        tenants: &[TenantId],
        running: &HashMap<TenantId, usize>,
        each: usize,
        room: usize,
    ) -> Vec<(TenantId, usize)> {
        let begin = self.last.map_or(0, |last| tenants.partition_point(|tenant| *tenant <= last));
        let (before, behind) = tenants.split_at(begin);
        let has = |tenant: &TenantId| running.get(tenant).copied().unwrap_or(0);
        let mut shares: Vec<(TenantId, usize, usize)> =
            behind.iter().chain(before).map(|tenant| (*tenant, has(tenant), 0)).collect();
        for _ in 0..room {
            // the first of those with the fewest
            let next = shares.iter_mut().min_by_key(|(_, has, given)| has + given);
            match next {
                Some((_, has, given)) if *has + *given < each => *given += 1,
                _ => break,
            }
        }
        let given = shares.into_iter().filter(|(_, _, given)| *given > 0);
        given.map(|(tenant, _, given)| (tenant, given)).collect()
    }

    /// Says that a tenant had its turn.
    pub(crate) fn served(&mut self, tenant: TenantId) {
        self.last = Some(tenant);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn tenant(n: u128) -> TenantId {
        TenantId(Uuid::from_u128(n))
    }

    fn divide(rounds: &Rounds, running: &[(u128, usize)], each: usize, room: usize) -> Vec<(u128, usize)> {
        let running = running.iter().map(|(n, count)| (tenant(*n), *count)).collect();
        let tenants = [1, 2, 3].map(tenant);
        let shares = rounds.divide(&tenants, &running, each, room);
        shares.into_iter().map(|(tenant, given)| (tenant.0.as_u128(), given)).collect()
    }

    #[test]
    fn places_are_divided_evenly_and_rounds_go_on_behind_the_last() {
        let mut rounds = Rounds::default();
        assert_eq!(divide(&rounds, &[], 8, 7), [(1, 3), (2, 2), (3, 2)]);
        assert_eq!(divide(&rounds, &[], 8, 1), [(1, 1)]);
        rounds.served(tenant(1));
        assert_eq!(divide(&rounds, &[], 8, 1), [(2, 1)]);
        rounds.served(tenant(3));
        assert_eq!(divide(&rounds, &[], 8, 2), [(1, 1), (2, 1)]);
    }

    #[test]
    fn what_runs_already_counts_and_nobody_gets_more_than_its_share() {
        let rounds = Rounds::default();
        assert_eq!(divide(&rounds, &[(1, 4)], 8, 4), [(2, 2), (3, 2)]);
        assert_eq!(divide(&rounds, &[(1, 2), (2, 2)], 2, 4), [(3, 2)]);
        assert_eq!(divide(&rounds, &[(1, 2), (2, 2), (3, 2)], 2, 4), []);
    }
}
