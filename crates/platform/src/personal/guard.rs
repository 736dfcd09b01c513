//! Keeping late records of an erased person out.
//!
//! A call may be under way while its person is erased, and a node that was away may come back with a journal from
//! before. What drains records asks here, in the transaction that writes them. As long as nobody of a batch's tenants was
//! erased lately that costs one small query; whom a record is of is compared by keyed digests.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use loam_db::{System, Tx};
use loam_kernel::{Result, TenantId, UserId};
use sea_orm::{ColumnTrait, FromQueryResult, QueryFilter, QuerySelect};

use super::{erased, erasure};
use crate::seal::Keyring;

/// Digests in one statement.
const CHUNK: usize = 400;

/// What a record calls somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// A user.
    User(UserId),
    /// An end user of the application.
    EndUser(&'a str),
    /// Somebody by another name: the one to log in with, an e-mail address.
    Name(&'a str),
    /// A conversation, by its id as a text.
    Session(&'a str),
}

/// A record that is about to be written: whose it is, and when it was made.
#[derive(Clone, Debug)]
pub struct RecordSubjects<'a> {
    /// The tenant.
    pub tenant: TenantId,
    /// What it calls its person.
    pub subjects: Vec<Subject<'a>>,
    /// When it was made.
    pub at: DateTime<Utc>,
}

/// Knows who has been erased. Cheap to clone.
#[derive(Clone)]
pub struct Guard(Keyring);

#[derive(FromQueryResult)]
struct Guarded {
    tenant_id: TenantId,
}

impl Guard {
    /// How long records that come late are looked for: longer than any node is away with frames that it has not drained.
    pub const RETENTION: TimeDelta = TimeDelta::days(90);

    /// By the keys of a ring.
    pub fn new(keyring: Keyring) -> Self {
        Self(keyring)
    }

    /// What is remembered of somebody who is erased.
    pub fn digest(&self, tenant: TenantId, subject: Subject<'_>) -> Vec<u8> {
        self.digests(tenant, subject).into_iter().next().unwrap_or_default()
    }

    /// Under each key of the ring, the current one first.
    fn digests(&self, tenant: TenantId, subject: Subject<'_>) -> Vec<Vec<u8>> {
        let (kind, name) = match subject {
            Subject::User(id) => ("user", id.to_string()),
            Subject::EndUser(name) => ("end_user", name.to_owned()),
            Subject::Name(name) => ("name", name.to_owned()),
            Subject::Session(id) => ("session", id.to_owned()),
        };
        self.0.digests(&[b"erased subjects", tenant.0.as_bytes(), kind.as_bytes(), name.as_bytes()])
    }

    /// For each record, whether it is of somebody who was erased after it was made.
    ///
    /// # Errors
    /// What the database says.
    pub async fn erased(
        &self,
        tx: &Tx<System>,
        now: DateTime<Utc>,
        records: &[RecordSubjects<'_>],
    ) -> Result<Vec<bool>> {
        let guarded = tx.find_any::<erasure::Entity>().filter(erasure::Column::GuardedUntil.gt(now));
        let guarded = guarded.select_only().column(erasure::Column::TenantId).distinct();
        let guarded: HashSet<TenantId> =
            guarded.into::<Guarded>().await?.into_iter().map(|row| row.tenant_id).collect();
        let mut wanted: HashMap<Vec<u8>, Vec<usize>> = HashMap::new();
        for (place, record) in
            records.iter().enumerate().filter(|(_, record)| guarded.contains(&record.tenant))
        {
            for subject in &record.subjects {
                for digest in self.digests(record.tenant, *subject) {
                    wanted.entry(digest).or_default().push(place);
                }
            }
        }
        let mut erased = vec![false; records.len()];
        let digests: Vec<&Vec<u8>> = wanted.keys().collect();
        for chunk in digests.chunks(CHUNK) {
            let found = tx
                .find_any::<erased::Entity>()
                .filter(erased::Column::TenantId.is_in(guarded.iter().copied()))
                .filter(erased::Column::Digest.is_in(chunk.iter().map(|digest| (*digest).clone())));
            for row in found.all().await? {
                for place in wanted.get(&row.digest).into_iter().flatten() {
                    let record = &records[*place];
                    erased[*place] |=
                        record.tenant == row.tenant_id && row.before.is_none_or(|before| record.at <= before);
                }
            }
        }
        Ok(erased)
    }
}

/// The tenants that have been erased, or are being: nothing of theirs is written any more.
///
/// # Errors
/// What the database says.
pub async fn erased_tenants(tx: &Tx<System>, now: DateTime<Utc>) -> Result<HashSet<TenantId>> {
    let find = tx.find_any::<erasure::Entity>().filter(erasure::Column::GuardedUntil.gt(now));
    let find = find.filter(erasure::Column::SubjectType.eq(erasure::SubjectType::Tenant));
    let rows = find.all().await?;
    Ok(rows.iter().filter_map(|row| row.subject_id.as_deref()?.parse().ok()).collect())
}
