//! Calls that Loam refused, on their way to the ledger.
//!
//! Whoever is refused may repeat the call as fast as they can, so a refusal costs no write: it is counted in memory, and
//! the counts are appended to the journal a few times a second. Refusals that agree in everything but their time, of one
//! minute, are one row. A tenant has at most [`MAX_GROUPS`] such rows a minute; what exceeds them is counted in one row
//! for each reason.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use loam_kernel::{ApiKeyId, LimitId, ProjectId, Result, TenantId, UserId};

use super::entity::CallState;
use super::record::Record;

/// Rows per tenant and minute; rows of each reason for the rest come in addition.
const MAX_GROUPS: usize = 50;

/// The refusals that are counted in memory.
#[derive(Default)]
pub(crate) struct Refusals(Mutex<HashMap<TenantId, HashMap<Group, Counted>>>);

/// What the refusals of one row have in common.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Group {
    minute: i64,
    code: String,
    limit: Option<LimitId>,
    api_key: Option<ApiKeyId>,
    user: Option<UserId>,
    project: Option<ProjectId>,
    end_user: Option<String>,
    tags: Vec<String>,
    endpoint: String,
    route: Option<String>,
    provider: String,
    model: String,
}

/// The row of a group.
struct Counted {
    record: Record,
    /// The calls that the journal has.
    written: u32,
}

impl Group {
    fn of(record: &Record) -> Self {
        let refusal = record.refusal.as_ref();
        Self {
            minute: minute_of(record.created_us),
            code: refusal.map(|refusal| refusal.code.clone()).unwrap_or_default(),
            limit: refusal.and_then(|refusal| Some(refusal.limit.as_ref()?.id)),
            api_key: record.api_key,
            user: record.user,
            project: record.project,
            end_user: record.end_user.clone(),
            tags: record.tags.clone(),
            endpoint: record.endpoint.clone(),
            route: record.route.clone(),
            provider: record.provider.clone(),
            model: record.model.clone(),
        }
    }
}

fn minute_of(us: i64) -> i64 {
    us.div_euclid(60_000_000)
}

/// What remains of a refusal beyond the maximum: its reason.
fn without_details(record: Record) -> Record {
    let mut refusal = record.refusal;
    if let Some(refusal) = &mut refusal {
        refusal.limit = None;
    }
    Record {
        tenant: record.tenant,
        id: record.id,
        node: record.node,
        state: record.state,
        endpoint: record.endpoint,
        created_us: record.created_us,
        updated_us: record.updated_us,
        refusal,
        ..Record::default()
    }
}

impl Refusals {
    /// Counts a refused call. The record has its id, its time and its reason.
    pub(crate) fn count(&self, mut record: Record) {
        record.state = CallState::Refused;
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let groups = all.entry(record.tenant).or_default();
        let mut group = Group::of(&record);
        if groups.len() >= MAX_GROUPS && !groups.contains_key(&group) {
            record = without_details(record);
            group = Group::of(&record);
        }
        let at = record.updated_us;
        let counted = groups.entry(group).or_insert(Counted { record, written: 0 });
        counted.record.refused = counted.record.refused.saturating_add(1);
        counted.record.updated_us = at;
    }

    /// Writes what was counted since the last time, and forgets the rows of earlier minutes than `now_us`. What can't be
    /// written stays.
    pub(crate) fn write(&self, now_us: i64, write: impl Fn(&Record) -> Result<()>) -> Result<()> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let this_minute = minute_of(now_us);
        let mut result = Ok(());
        for groups in all.values_mut() {
            groups.retain(|group, counted| {
                let record = &mut counted.record;
                if record.refused > counted.written {
                    record.refused_before = counted.written;
                    match write(record) {
                        Ok(()) => counted.written = record.refused,
                        Err(e) => result = Err(e),
                    }
                }
                group.minute >= this_minute || record.refused > counted.written
            });
        }
        all.retain(|_, groups| !groups.is_empty());
        result
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use loam_kernel::Error;
    use uuid::Uuid;

    use super::super::refusal::Refusal;
    use super::*;

    const MINUTE: i64 = 60_000_000;

    fn refused(model: &str, at: i64) -> Record {
        Record {
            model: model.to_owned(),
            refusal: Some(Refusal { code: "model_not_found".to_owned(), ..Refusal::default() }),
            created_us: at,
            updated_us: at,
            ..Record::default()
        }
    }

    #[test]
    fn equal_refusals_of_a_minute_are_one_row_and_each_is_written_once() {
        let (refusals, written) = (Refusals::default(), RefCell::new(Vec::new()));
        let write = |now| {
            refusals.write(now, |record| {
                written.borrow_mut().push((record.model.clone(), record.refused - record.refused_before));
                Ok(())
            })
        };
        refusals.count(refused("m", 1));
        refusals.count(refused("m", 2));
        refusals.count(refused("n", 3));
        write(4).expect("written");
        refusals.count(refused("m", 5));
        write(6).expect("written");
        write(7).expect("nothing is new");
        let mut all = written.borrow().clone();
        all[..2].sort();
        assert_eq!(all, [("m".to_owned(), 2), ("n".to_owned(), 1), ("m".to_owned(), 1)]);
        write(MINUTE).expect("written");
        assert!(refusals.0.lock().expect("not poisoned").is_empty(), "the minute is over");
    }

    #[test]
    fn what_can_not_be_written_stays() {
        let refusals = Refusals::default();
        refusals.count(refused("m", 1));
        let full = |_: &Record| Err(Error::internal("full"));
        assert!(refusals.write(2 * MINUTE, full).is_err());
        let later = RefCell::new(0);
        let write = |record: &Record| {
            *later.borrow_mut() += record.refused - record.refused_before;
            Ok(())
        };
        refusals.write(3 * MINUTE, write).expect("written");
        assert_eq!(*later.borrow(), 1);
    }

    #[test]
    fn a_tenant_has_a_bounded_number_of_rows() {
        let refusals = Refusals::default();
        let other = Record { tenant: Uuid::from_u128(1).into(), ..refused("m", 1) };
        for number in 0..1000 {
            refusals.count(refused(&format!("m{number}"), 1));
        }
        refusals.count(other);
        let (rows, calls) = (RefCell::new(0), RefCell::new(0));
        let write = |record: &Record| {
            *rows.borrow_mut() += 1;
            *calls.borrow_mut() += record.refused;
            Ok(())
        };
        refusals.write(2, write).expect("written");
        assert_eq!((*rows.borrow(), *calls.borrow()), (MAX_GROUPS + 2, 1001));
    }
}
