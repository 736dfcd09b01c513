//! The trail as a place that has something of a person.

use async_trait::async_trait;
use loam_db::{Tenant, Tx};
use loam_kernel::{Clock, Result};
use serde_json::{Value, json};
use uuid::Uuid;

use super::erase::{ErasureTarget, PART, erase_rows};
use super::view::AuditLogView;
use crate::personal::{Cursor, PersonQuery, PersonalDataStore, Removed, Step};

/// Ids of conversations in one condition.
const CHUNK: usize = 200;
/// What the row that speaks of an erasure names: the erasure itself is on the trail with its id.
const ABOUT: &str = "erasure";

/// The audit trail: its rows stay, without who and what.
pub struct AuditTrail(pub Clock);

#[async_trait]
impl PersonalDataStore for AuditTrail {
    fn name(&self) -> &'static str {
        "audit_logs"
    }

    fn scans_tenant(&self) -> bool {
        true
    }

    async fn remove(&self, tx: &Tx<Tenant>, who: &PersonQuery, from: Cursor) -> Result<Step> {
        let search = Search::new(who, from.part);
        let target = search.target();
        let rows = target.page(tx, sequence_of(from)).await?;
        let next = search.next(from, rows.last().map(|row| row.sequence), rows.len());
        let erased = erase_rows(tx, &self.0, &target, rows, ABOUT).await?;
        Ok(Step { removed: vec![(self.name(), Removed { deleted: 0, emptied: erased.rows })], next })
    }

    async fn show(
        &self,
        tx: &Tx<Tenant>,
        who: &PersonQuery,
        from: Cursor,
    ) -> Result<(Vec<Value>, Option<Cursor>)> {
        let search = Search::new(who, from.part);
        let target = search.target();
        let rows = target.page(tx, sequence_of(from)).await?;
        let next = search.next(from, rows.last().map(|row| row.sequence), rows.len());
        let matching = rows.into_iter().filter(|row| target.parts(row) != (false, false));
        Ok((matching.map(|row| json!(AuditLogView::from(row))).collect(), next))
    }
}

/// Whether the changes on record name the person.
type NamedIn<'a> = Box<dyn Fn(&Value) -> bool + Sync + Send + 'a>;

/// One of the ways through the trail: by the person's actors, keys and names, then by some of the conversations at a time.
struct Search<'a> {
    who: &'a PersonQuery,
    actors: Vec<String>,
    resources: Vec<String>,
    parts: usize,
    part: usize,
    named: NamedIn<'a>,
}

impl<'a> Search<'a> {
    fn new(who: &'a PersonQuery, part: usize) -> Self {
        let parts = 1 + who.sessions.len().div_ceil(CHUNK);
        let sessions = |part: usize| who.sessions.iter().skip((part - 1) * CHUNK).take(CHUNK);
        let (actors, resources, named): (_, _, NamedIn<'a>) = match part {
            0 => {
                let users = who.users.iter().map(ToString::to_string);
                let keys = who.keys.iter().map(ToString::to_string);
                (
                    who.actors(),
                    users.chain(keys).collect(),
                    Box::new(move |changes: &Value| who.matches_json(changes)),
                )
            }
            part => {
                (Vec::new(), sessions(part).map(ToString::to_string).collect(), Box::new(|_: &Value| false))
            }
        };
        Self { who, actors, resources, parts, part, named }
    }

    fn target(&self) -> ErasureTarget<'_> {
        let texts = match self.part {
            0 => {
                let ids = self.who.users.iter().map(ToString::to_string);
                ids.chain(self.who.end_users.iter().cloned()).chain(self.who.names.iter().cloned()).collect()
            }
            _ => Vec::new(),
        };
        ErasureTarget { actors: &self.actors, resources: &self.resources, texts, named: &*self.named }
    }

    fn next(&self, from: Cursor, last: Option<i64>, found: usize) -> Option<Cursor> {
        match last {
            Some(last) if found as u64 == PART => {
                Some(Cursor { after: Uuid::from_u128(u128::try_from(last).unwrap_or_default()), ..from })
            }
            _ if from.part + 1 < self.parts => Some(Cursor { part: from.part + 1, after: Uuid::nil() }),
            _ => None,
        }
    }
}

/// A place in the chain is a number; a cursor has room for it.
fn sequence_of(cursor: Cursor) -> i64 {
    i64::try_from(cursor.after.as_u128()).unwrap_or(i64::MAX)
}
