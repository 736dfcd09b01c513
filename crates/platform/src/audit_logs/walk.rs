//! Walking a chain, row by row, as an auditor does: the same for a database and for an export.

use std::collections::BTreeSet;

use serde::Serialize;
use utoipa::ToSchema;

use super::chain::{self, Proof};
use super::entity::Model;
use super::erase;
use super::verify::{Expected, Head, Verification};
use super::view::hex;

/// Faults that are listed; more are only counted.
const MAX_FAULTS: usize = 100;

/// Where a chain is broken, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Fault {
    /// The place in the chain.
    pub sequence: i64,
    /// What is wrong there.
    pub what: String,
}

/// How far a chain was walked, and what was found.
pub(super) struct Walk {
    /// The last row.
    last: Head,
    rows: u64,
    erased: u64,
    attested: u64,
    /// Erased rows of which no later row has said so yet.
    unannounced: BTreeSet<i64>,
    faults: Vec<Fault>,
    more_faults: u64,
    expected: Option<Expected>,
    expected_found: bool,
}

impl Walk {
    /// Begins behind a place; at the beginning of the chain behind nothing.
    pub(super) fn new(behind: Head, expected: Option<Expected>) -> Self {
        let mut walk = Self {
            last: behind,
            rows: 0,
            erased: 0,
            attested: 0,
            unannounced: BTreeSet::new(),
            faults: Vec::new(),
            more_faults: 0,
            expected,
            expected_found: false,
        };
        walk.look_for_expected();
        walk
    }

    /// The next row in the order of its place.
    pub(super) fn step(&mut self, row: &Model) {
        self.rows += 1;
        let wanted = self.last.sequence + 1;
        if row.sequence > wanted {
            let what = match row.sequence - wanted {
                1 => format!("row {wanted} is missing"),
                _ => format!("rows {wanted} to {} are missing", row.sequence - 1),
            };
            self.fault(wanted, what);
        } else if row.sequence < wanted {
            self.fault(
                row.sequence,
                format!("row {} does not stand in its place, or is there twice", row.sequence),
            );
        } else if row.previous_hash != self.last.hash {
            self.fault(row.sequence, format!("row {} does not follow the row before it", row.sequence));
        }
        let proof = chain::check(row);
        match proof {
            Proof::Whole => {}
            Proof::Changed => {
                self.fault(row.sequence, format!("row {} ({}) has been changed", row.sequence, row.id));
            }
            Proof::Erased | Proof::Attested => {
                self.erased += 1;
                self.attested += u64::from(proof == Proof::Attested);
                self.unannounced.insert(row.sequence);
            }
        }
        if proof != Proof::Changed {
            for (from, to) in erase::announced(row) {
                // only what stands before it
                let to = to.min(row.sequence - 1);
                let places =
                    if from <= to { self.unannounced.range(from..=to).copied().collect() } else { vec![] };
                places.iter().for_each(|place| _ = self.unannounced.remove(place));
            }
        }
        self.last = Head { sequence: row.sequence.max(self.last.sequence), hash: row.hash.clone() };
        self.look_for_expected();
    }

    /// The end of the chain, as the head says.
    pub(super) fn end(&mut self, head: &Head) {
        let (last, wanted) = (self.last.sequence, head.sequence);
        if last < wanted {
            self.fault(last + 1, format!("the tail is cut: rows {} to {wanted} are missing", last + 1));
        } else if last > wanted {
            self.fault(
                wanted + 1,
                format!("there are rows behind {wanted}, where the chain's head says that it ends"),
            );
        } else if self.last.hash != head.hash {
            self.fault(wanted, format!("row {wanted} is not the one that the chain's head says"));
        }
    }

    /// Any other fault.
    pub(super) fn fault(&mut self, sequence: i64, what: String) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(Fault { sequence, what });
        } else {
            self.more_faults += 1;
        }
    }

    /// What was found in the whole chain.
    pub(super) fn finish(mut self, head: &Head) -> Verification {
        for sequence in std::mem::take(&mut self.unannounced) {
            let what = format!("row {sequence} is marked as erased, and no later row says that it was");
            self.fault(sequence, what);
        }
        if let Some(expected) = self.expected.take().filter(|_| !self.expected_found) {
            let hash = hex(&expected.hash);
            let what = format!(
                "the head noted earlier, {hash}, is not in the chain: its rows have been written anew"
            );
            self.fault(expected.sequence.unwrap_or_default(), what);
        }
        Verification { complete: true, ..self.finish_part(head) }
    }

    /// What was found in a part of it.
    pub(super) fn finish_part(self, head: &Head) -> Verification {
        Verification {
            ok: self.faults.is_empty(),
            complete: false,
            rows: self.rows,
            verified_to: self.last.sequence,
            head: head.text(),
            erased: self.erased,
            attested: self.attested,
            faults: self.faults,
            more_faults: self.more_faults,
        }
    }

    pub(super) fn last(&self) -> &Head {
        &self.last
    }

    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    fn look_for_expected(&mut self) {
        self.expected_found |= self.expected.as_ref().is_some_and(|expected| {
            expected.hash == self.last.hash
                && expected.sequence.is_none_or(|sequence| sequence == self.last.sequence)
        });
    }
}
