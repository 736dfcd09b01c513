//! Verifying a chain in the database.
//!
//! What can be proven: a row that was changed, removed, added or moved breaks the chain; a tail that was cut off does not
//! end where the head says. Whoever can write to the database can also write the whole chain anew, head included: that is
//! found only against a head that was noted elsewhere, which is why a verification shows it.

use std::str::FromStr;
use std::time::{Duration, Instant};

use loam_db::Db;
use loam_kernel::{Error, Result, Scope, TenantId};
use sea_orm::{ColumnTrait, Condition, QueryFilter, QueryOrder, QuerySelect};
use serde::Serialize;
use utoipa::ToSchema;

use super::entity::{Column, Entity, Model};
use super::view::{hex, unhex};
use super::walk::{Fault, Walk};
use super::{chain, head};

/// Rows read at once: memory stays the same however long the chain is.
const PART: u64 = 500;

/// A place in a chain with its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The place.
    pub sequence: i64,
    /// The hash of the row there.
    pub hash: Vec<u8>,
}

impl Head {
    /// The place before the first row.
    pub(super) fn genesis() -> Self {
        Self { sequence: 0, hash: chain::GENESIS.to_vec() }
    }

    /// As it is noted: `sequence:hash`.
    pub fn text(&self) -> String {
        format!("{}:{}", self.sequence, hex(&self.hash))
    }
}

/// A head that was noted earlier.
#[derive(Clone, Debug)]
pub struct Expected {
    pub(super) sequence: Option<i64>,
    pub(super) hash: Vec<u8>,
}

impl FromStr for Expected {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid =
            || Error::invalid("expect_head", "must be a head as a verification shows it: `sequence:hash`");
        let (sequence, hash) = match text.split_once(':') {
            Some((sequence, hash)) => (Some(sequence.parse().map_err(|_| invalid())?), hash),
            None => (None, text),
        };
        let hash = unhex(hash).filter(|hash| hash.len() == chain::GENESIS.len()).ok_or_else(invalid)?;
        Ok(Self { sequence, hash })
    }
}

/// What a verification found.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Verification {
    /// Whether nothing is wrong, as far as it came.
    pub ok: bool,
    /// Whether it came to the end.
    pub complete: bool,
    /// The rows that were checked.
    pub rows: u64,
    /// The place of the last of them.
    pub verified_to: i64,
    /// The chain's end, as `sequence:hash`. Note it elsewhere: a chain that is later written anew doesn't hold it.
    pub head: String,
    /// Rows from which personal data was erased. Their hashes and places still verify, and a later row of the chain says of
    /// each that it was erased.
    pub erased: u64,
    /// Of these, rows written before hashes covered commitments: nothing but their recorded hash says what they were.
    pub attested: u64,
    /// Where the chain is broken; the first hundred places.
    pub faults: Vec<Fault>,
    /// How many more faults there are.
    pub more_faults: u64,
}

/// A tenant's chain.
pub struct Audit {
    db: Db,
    scope: Scope,
}

impl Audit {
    /// The chain of the scope's tenant.
    pub fn new(db: Db, scope: Scope) -> Self {
        Self { db, scope }
    }

    pub(super) fn tenant(&self) -> TenantId {
        self.scope.tenant()
    }

    /// Walks the chain from behind a place (0: from its beginning) to its head, or for as long as it may take.
    pub async fn verify(
        &self,
        from: i64,
        expected: Option<Expected>,
        patience: Option<Duration>,
    ) -> Result<Verification> {
        let began = Instant::now();
        let behind = self.place(from).await?;
        let (beyond, head) = self.end().await?;
        let mut walk = Walk::new(behind, expected);
        if beyond > head.sequence {
            walk.fault(
                head.sequence + 1,
                format!("there are rows behind {}, where the chain's head says that it ends", head.sequence),
            );
        }
        let mut cursor = Cursor { sequence: from, id: None };
        loop {
            let rows = self.part(&cursor, head.sequence).await?;
            rows.iter().for_each(|row| walk.step(row));
            let Some(last) = rows.last() else { break };
            cursor = Cursor { sequence: last.sequence, id: Some(last.id.0) };
            if patience.is_some_and(|patience| began.elapsed() > patience) {
                return Ok(walk.finish_part(&head));
            }
        }
        walk.end(&head);
        Ok(walk.finish(&head))
    }

    /// The row at a place, which is trusted.
    async fn place(&self, sequence: i64) -> Result<Head> {
        if sequence == 0 {
            return Ok(Head::genesis());
        }
        let tx = self.db.read(&self.scope).await?;
        let row = tx.find::<Entity>().filter(Column::Sequence.eq(sequence)).one().await?;
        let row =
            row.ok_or_else(|| Error::invalid("from_sequence", "there is no row at this place of the chain"))?;
        Ok(Head { sequence: row.sequence, hash: row.hash })
    }

    /// The place of the last row, and the head. In this order: a row that is added in between comes with its head.
    pub(super) async fn end(&self) -> Result<(i64, Head)> {
        let tx = self.db.read(&self.scope).await?;
        let last = tx.find::<Entity>().order_by_desc(Column::Sequence).limit(1).one().await?;
        let head = tx.get::<head::Entity>(self.scope.tenant()).await?;
        let head = head.map_or_else(Head::genesis, |head| Head { sequence: head.sequence, hash: head.hash });
        Ok((last.map_or(0, |row| row.sequence), head))
    }

    /// The next rows up to a place.
    pub(super) async fn part(&self, after: &Cursor, to: i64) -> Result<Vec<Model>> {
        let tx = self.db.read(&self.scope).await?;
        let mut behind = Condition::any().add(Column::Sequence.gt(after.sequence));
        if let Some(id) = after.id {
            // a place that is taken twice
            behind =
                behind.add(Condition::all().add(Column::Sequence.eq(after.sequence)).add(Column::Id.gt(id)));
        }
        let find = tx.find::<Entity>().filter(Column::Sequence.gte(after.sequence)).filter(behind);
        let find =
            find.filter(Column::Sequence.lte(to)).order_by_asc(Column::Sequence).order_by_asc(Column::Id);
        find.limit(PART).all().await
    }
}

/// How far a chain was read.
pub(super) struct Cursor {
    pub(super) sequence: i64,
    pub(super) id: Option<uuid::Uuid>,
}
