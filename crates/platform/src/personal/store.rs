//! A location that may store personal data.

use async_trait::async_trait;
use loam_db::{Tenant, Tx};
use loam_kernel::Result;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::PersonQuery;

/// The removed data of one location.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Removed {
    /// Deleted rows.
    pub deleted: u64,
    /// Rows that remain without their content and subject.
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

/// The removed data of one page, by location, as dependent rows are deleted with a row.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// What was removed.
    pub removed: Vec<(&'static str, Removed)>,
    /// Where to continue; none at the end.
    pub next: Option<Cursor>,
}

/// A position within a location.
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

/// A location that may store personal data, usually a table. It is processed page by page, so that memory is constant and
/// transactions are short.
#[async_trait]
pub trait PersonalDataStore: Send + Sync {
    /// Its name: of a table, the table's.
    fn name(&self) -> &'static str;

    /// What remains of a person, and why; none if nothing does.
    fn retained(&self) -> Option<&'static str> {
        None
    }

    /// Whether it scans every row of the tenant, which is done for a person, but not for each deleted conversation.
    fn scans_tenant(&self) -> bool {
        false
    }

    /// Removes one page, in the caller's transaction; returns what was removed and where to continue. It is idempotent.
    async fn remove(&self, tx: &Tx<Tenant>, who: &PersonQuery, from: Cursor) -> Result<Step>;

    /// One page of the data as JSON documents, and where to continue.
    async fn show(
        &self,
        tx: &Tx<Tenant>,
        who: &PersonQuery,
        from: Cursor,
    ) -> Result<(Vec<Value>, Option<Cursor>)>;

    /// Adds further search criteria that this location knows.
    async fn resolve(&self, _tx: &Tx<Tenant>, _who: &mut PersonQuery) -> Result<()> {
        Ok(())
    }
}
