//! Verifying a chain in the database.
//!
//! What can be proven: a row that was changed, removed, added or moved breaks the chain; a tail that was cut off does not
//! end where the head says. Whoever can write to the database can also write the whole chain anew, head included: that is
//! found only against a head that was noted elsewhere, which is why a verification shows it.

use std::str::FromStr;
use std::time::{Duration, Instant};

use loam_db::Db;
use loam_kernel::{Error, Result, Scope, TenantId, from_hex, hex};
use sea_orm::{ColumnTrait, Condition, QueryFilter, QueryOrder, QuerySelect};
use serde::Serialize;
use utoipa::ToSchema;

use super::entity::{Column, Entity, Model};
use super::verifier::{ChainVerifier, Fault};
use super::{chain, head};

/// Rows per read, which limits the memory for a chain of any length.
const PART: u64 = 500;

/// A sequence number in a chain with its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The sequence number.
    pub sequence: i64,
    /// The hash of that row.
    pub hash: Vec<u8>,
}

impl Head {
    /// The head of an empty chain.
    pub(super) fn genesis() -> Self {
        Self { sequence: 0, hash: chain::GENESIS.to_vec() }
    }

    /// The text form: `sequence:hash`.
    pub fn text(&self) -> String {
        format!("{}:{}", self.sequence, hex(&self.hash))
    }
}

/// A previously noted head.
#[derive(Clone, Debug)]
pub struct Expected {
    pub(super) sequence: Option<i64>,
    pub(super) hash: Vec<u8>,
}

impl Expected {
    /// Whether it is this place of a chain.
    pub(super) fn is_at(&self, place: &Head) -> bool {
        self.hash == place.hash && self.sequence.is_none_or(|sequence| sequence == place.sequence)
    }
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
        let hash = from_hex(hash).filter(|hash| hash.len() == chain::GENESIS.len()).ok_or_else(invalid)?;
        Ok(Self { sequence, hash })
    }
}

/// The result of a verification.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Verification {
    /// Whether no fault was found in the verified part.
    pub ok: bool,
    /// Whether the chain was verified to its end.
    pub complete: bool,
    /// The number of verified rows.
    pub rows: u64,
    /// The sequence number of the last verified row.
    pub verified_to: i64,
    /// The head of the chain, as `sequence:hash`. Store it elsewhere: a chain that is rewritten later doesn't contain it.
    pub head: String,
    /// The number of rows from which personal data was erased. Their hashes and positions still verify, and a later row of the
    /// chain records each erasure.
    pub erased: u64,
    /// Erased rows from before hashes covered commitments: only their recorded hash attests their content.
    pub attested: u64,
    /// The first hundred faults of the chain.
    pub faults: Vec<Fault>,
    /// The number of further faults.
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

    /// Verifies the chain after a sequence number (0: from its beginning) to its head, or until the timeout. An expected
    /// head from before that number is compared with its row; it needs its sequence number, as earlier rows aren't read.
    pub async fn verify(
        &self,
        from: i64,
        expected: Option<Expected>,
        timeout: Option<Duration>,
    ) -> Result<Verification> {
        let began = Instant::now();
        let behind = self.place(from).await?;
        let earlier = match &expected {
            Some(Expected { sequence: None, .. }) if from > 0 => {
                let message = "must be `sequence:hash` with `from_sequence`: a hash alone is not found in the rows before it";
                return Err(Error::invalid("expect_head", message));
            }
            Some(Expected { sequence: Some(sequence), .. }) if *sequence < from => {
                self.row(*sequence).await?
            }
            _ => None,
        };
        let (beyond, head) = self.end().await?;
        let mut verifier = ChainVerifier::new(behind, expected);
        if let Some(earlier) = earlier {
            verifier.look_for_expected(&earlier);
        }
        if beyond > head.sequence {
            verifier.fault(
                head.sequence + 1,
                format!(
                    "there are rows after {}, which is the end according to the chain's head",
                    head.sequence
                ),
            );
        }
        let mut cursor = Cursor { sequence: from, id: None };
        loop {
            let rows = self.part(&cursor, head.sequence).await?;
            rows.iter().for_each(|row| verifier.step(row));
            let Some(last) = rows.last() else { break };
            cursor = Cursor { sequence: last.sequence, id: Some(last.id.0) };
            if timeout.is_some_and(|timeout| began.elapsed() > timeout) {
                return Ok(verifier.finish_part(&head));
            }
        }
        verifier.end(&head);
        Ok(verifier.finish(&head))
    }

    /// The trusted row with a sequence number.
    async fn place(&self, sequence: i64) -> Result<Head> {
        self.row(sequence)
            .await?
            .ok_or_else(|| Error::invalid("from_sequence", "the chain has no row with this sequence number"))
    }

    async fn row(&self, sequence: i64) -> Result<Option<Head>> {
        if sequence == 0 {
            return Ok(Some(Head::genesis()));
        }
        let tx = self.db.read(&self.scope).await?;
        let row = tx.find::<Entity>().filter(Column::Sequence.eq(sequence)).one().await?;
        Ok(row.map(|row| Head { sequence: row.sequence, hash: row.hash }))
    }

    /// The place of the last row, and the head. In this order: a row that is added in between comes with its head.
    pub(super) async fn end(&self) -> Result<(i64, Head)> {
        let tx = self.db.read(&self.scope).await?;
        let last = tx.find::<Entity>().order_by_desc(Column::Sequence).limit(1).one().await?;
        let head = tx.get::<head::Entity>(self.scope.tenant()).await?;
        let head = head.map_or_else(Head::genesis, |head| Head { sequence: head.sequence, hash: head.hash });
        Ok((last.map_or(0, |row| row.sequence), head))
    }

    /// The next rows up to a sequence number.
    pub(super) async fn part(&self, after: &Cursor, to: i64) -> Result<Vec<Model>> {
        let tx = self.db.read(&self.scope).await?;
        let mut behind = Condition::any().add(Column::Sequence.gt(after.sequence));
        if let Some(id) = after.id {
            // a duplicate sequence number
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
