//! A place that may hold something of a person.

use async_trait::async_trait;
use loam_db::{Tenant, Tx};
use loam_kernel::Result;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Who;

/// What was removed of one place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Removed {
    /// Rows that are gone.
    pub deleted: u64,
    /// Rows that stay, without what they said and of whom.
    pub emptied: u64,
}

impl Removed {
    /// Both together.
    pub fn add(&mut self, other: Self) {
        self.deleted += other.deleted;
        self.emptied += other.emptied;
    }

    /// Whether there was nothing.
    pub fn is_nothing(self) -> bool {
        self.deleted + self.emptied == 0
    }
}

/// What was removed of one page: by place, as what belongs to a row goes with it.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// What was removed.
    pub removed: Vec<(&'static str, Removed)>,
    /// Where to go on; none at the end.
    pub next: Option<Cursor>,
}

/// Where to go on in a place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// Which of several ways to find rows.
    pub part: usize,
    /// Behind this row.
    pub after: Uuid,
}

impl Cursor {
    /// Behind a page with this last row: further on in the same way while pages are full, else at the next way.
    pub fn behind(self, last: Option<Uuid>, found: usize, limit: u64) -> Self {
        match last {
            Some(after) if found as u64 == limit => Self { after, ..self },
            _ => Self { part: self.part + 1, after: Uuid::nil() },
        }
    }
}

/// A place that may hold something of a person: mostly a table. Both ways through it go page by page, so that any amount
/// takes the same memory and no transaction is long.
#[async_trait]
pub trait Store: Send + Sync {
    /// Its name: of a table, the table's.
    fn name(&self) -> &'static str;

    /// What stays there of a person, and why; none where nothing does.
    fn stays(&self) -> Option<&'static str> {
        None
    }

    /// Whether every row of the tenant is looked at: for a person's sake, but not for each conversation that is deleted.
    fn looks_at_all(&self) -> bool {
        false
    }

    /// Removes one page, in the caller's transaction; says what, and where to go on. Done again it removes nothing more.
    async fn remove(&self, tx: &Tx<Tenant>, who: &Who, from: Cursor) -> Result<Step>;

    /// One page of what there is, as documents, and where to go on.
    async fn show(&self, tx: &Tx<Tenant>, who: &Who, from: Cursor) -> Result<(Vec<Value>, Option<Cursor>)>;

    /// Adds what else the search is for, as this place knows it.
    async fn resolve(&self, _tx: &Tx<Tenant>, _who: &mut Who) -> Result<()> {
        Ok(())
    }
}
