//! Divides job slots among tenants: round-robin, with a maximum per tenant.

use std::collections::HashMap;

use loam_kernel::TenantId;

/// Remembers where the last round ended.
#[derive(Debug, Default)]
pub(crate) struct RoundRobin {
    last: Option<TenantId>,
}

impl RoundRobin {
    /// Divides `room` slots among `tenants`, which are sorted by id: each slot goes to the tenant with the
    /// fewest, running jobs included, and none gets more than `each`.
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
            // The first of those with the fewest.
            let next = shares.iter_mut().min_by_key(|(_, has, given)| has + given);
            match next {
                Some((_, has, given)) if *has + *given < each => *given += 1,
                _ => break,
            }
        }
        let given = shares.into_iter().filter(|(_, _, given)| *given > 0);
        given.map(|(tenant, _, given)| (tenant, given)).collect()
    }

    /// Records that a tenant was served.
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

    fn divide(
        round_robin: &RoundRobin,
        running: &[(u128, usize)],
        each: usize,
        room: usize,
    ) -> Vec<(u128, usize)> {
        let running = running.iter().map(|(n, count)| (tenant(*n), *count)).collect();
        let tenants = [1, 2, 3].map(tenant);
        let shares = round_robin.divide(&tenants, &running, each, room);
        shares.into_iter().map(|(tenant, given)| (tenant.0.as_u128(), given)).collect()
    }

    #[test]
    fn places_are_divided_evenly_and_rounds_go_on_behind_the_last() {
        let mut round_robin = RoundRobin::default();
        assert_eq!(divide(&round_robin, &[], 8, 7), [(1, 3), (2, 2), (3, 2)]);
        assert_eq!(divide(&round_robin, &[], 8, 1), [(1, 1)]);
        round_robin.served(tenant(1));
        assert_eq!(divide(&round_robin, &[], 8, 1), [(2, 1)]);
        round_robin.served(tenant(3));
        assert_eq!(divide(&round_robin, &[], 8, 2), [(1, 1), (2, 1)]);
    }

    #[test]
    fn running_jobs_count_and_no_tenant_exceeds_its_limit() {
        let round_robin = RoundRobin::default();
        assert_eq!(divide(&round_robin, &[(1, 4)], 8, 4), [(2, 2), (3, 2)]);
        assert_eq!(divide(&round_robin, &[(1, 2), (2, 2)], 2, 4), [(3, 2)]);
        assert_eq!(divide(&round_robin, &[(1, 2), (2, 2), (3, 2)], 2, 4), []);
    }
}
