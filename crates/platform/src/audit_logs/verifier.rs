//! Verifies a chain row by row, both for a database and for an export.

use std::collections::BTreeSet;

use serde::Serialize;
use utoipa::ToSchema;

use super::chain::{self, Proof};
use super::entity::Model;
use super::erase;
use super::verify::{Expected, Head, Verification};
use loam_kernel::hex;

/// Maximum number of listed faults; further ones are only counted.
const MAX_FAULTS: usize = 100;

/// A fault of a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Fault {
    /// The sequence number.
    pub sequence: i64,
    /// Description of the fault.
    pub what: String,
}

/// The state of a verification.
pub(super) struct ChainVerifier {
    /// The last row.
    last: Head,
    rows: u64,
    erased: u64,
    attested: u64,
    /// Erased rows whose erasure no later row has recorded yet.
    unannounced: BTreeSet<i64>,
    faults: Vec<Fault>,
    more_faults: u64,
    expected: Option<Expected>,
    expected_found: bool,
}

impl ChainVerifier {
    /// Starts after a row, or at the beginning of the chain.
    pub(super) fn new(behind: Head, expected: Option<Expected>) -> Self {
        let mut verifier = Self {
            last: behind.clone(),
            rows: 0,
            erased: 0,
            attested: 0,
            unannounced: BTreeSet::new(),
            faults: Vec::new(),
            more_faults: 0,
            expected,
            expected_found: false,
        };
        verifier.look_for_expected(&behind);
        verifier
    }

    /// Verifies the next row in sequence.
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
            self.fault(row.sequence, format!("row {} is out of sequence or a duplicate", row.sequence));
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
                // only rows before it
                let to = to.min(row.sequence - 1);
                let places =
                    if from <= to { self.unannounced.range(from..=to).copied().collect() } else { vec![] };
                places.iter().for_each(|place| _ = self.unannounced.remove(place));
            }
        }
        self.last = Head { sequence: row.sequence.max(self.last.sequence), hash: row.hash.clone() };
        self.expected_found |= self.expected.as_ref().is_some_and(|expected| expected.is_at(&self.last));
    }

    /// Compares the end of the chain with the head.
    pub(super) fn end(&mut self, head: &Head) {
        let (last, wanted) = (self.last.sequence, head.sequence);
        if last < wanted {
            self.fault(last + 1, format!("the tail is cut: rows {} to {wanted} are missing", last + 1));
        } else if last > wanted {
            self.fault(
                wanted + 1,
                format!("there are rows after {wanted}, which is the end according to the chain's head"),
            );
        } else if self.last.hash != head.hash {
            self.fault(wanted, format!("row {wanted} does not match the chain's head"));
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

    /// The result for the whole chain.
    pub(super) fn finish(mut self, head: &Head) -> Verification {
        for sequence in std::mem::take(&mut self.unannounced) {
            let what = format!("row {sequence} is marked as erased, but no later row records the erasure");
            self.fault(sequence, what);
        }
        self.report_missing_head();
        Verification { complete: true, ..self.result(head) }
    }

    /// The result for a part of it, in which an expected head must be if its sequence number is.
    pub(super) fn finish_part(mut self, head: &Head) -> Verification {
        let sequence = self.expected.as_ref().and_then(|expected| expected.sequence);
        if sequence.is_some_and(|sequence| sequence <= self.last.sequence) {
            self.report_missing_head();
        }
        self.result(head)
    }

    fn report_missing_head(&mut self) {
        if let Some(expected) = self.expected.take().filter(|_| !self.expected_found) {
            let hash = hex(&expected.hash);
            let what =
                format!("the previously noted head {hash} is not in the chain: its rows were rewritten");
            self.fault(expected.sequence.unwrap_or_default(), what);
        }
    }

    fn result(self, head: &Head) -> Verification {
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

    /// Compares the expected head with a place of the chain.
    pub(super) fn look_for_expected(&mut self, place: &Head) {
        self.expected_found |= self.expected.as_ref().is_some_and(|expected| expected.is_at(place));
    }
}
