//! The records in which a function took its time: what finds them without opening a tree.
//!
//! A row a record and function would be most of all that is written. So a row holds, for a function and a minute, all
//! records that were written at once. A record that is written again is named again, and the later row holds.

pub mod entity;

use loam_db::{Bulk, Column, OnConflict};
use loam_kernel::{PerformanceRecordId, ProjectId, RecordFunctionId, TenantId};
use uuid::Uuid;

use chrono::{DateTime, Utc};

use crate::trace;
use entity::Model;

/// What a function took in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The record.
    pub record: PerformanceRecordId,
    /// Calls.
    pub calls: u64,
    /// Microseconds of its own.
    pub self_us: u64,
    /// Microseconds with what it called.
    pub total_us: u64,
}

/// The records of a function and a minute.
pub(crate) fn row(
    (tenant, project): (TenantId, ProjectId),
    function: String,
    minute: DateTime<Utc>,
    shares: &[Share],
    now: DateTime<Utc>,
) -> Model {
    let records = pack(shares);
    let parts = [project.0.as_bytes().as_slice(), function.as_bytes(), &records];
    let id = RecordFunctionId(trace::id(minute, &parts));
    Model { tenant_id: tenant, id, project_id: project, function, minute, records, created_at: now }
}

fn pack(shares: &[Share]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(24 * shares.len());
    for share in shares {
        bytes.extend_from_slice(share.record.0.as_bytes());
        for number in [share.calls, share.self_us, share.total_us] {
            trace::put(&mut bytes, number);
        }
    }
    bytes
}

/// The records of a row, as far as they can be read.
pub(crate) fn unpack(bytes: &[u8]) -> Vec<Share> {
    let mut reader = trace::Reader(bytes);
    let mut next = || {
        let record = PerformanceRecordId(Uuid::from_slice(reader.slice(16)?).ok()?);
        Some(Share { record, calls: reader.number()?, self_us: reader.number()?, total_us: reader.number()? })
    };
    std::iter::from_fn(&mut next).collect()
}

/// Rows to be written.
pub(crate) fn rows(rows: Vec<Model>) -> Bulk {
    let columns = vec![
        ("tenant_id", Column::Uuid(rows.iter().map(|row| Some(row.tenant_id.0)).collect())),
        ("id", Column::Uuid(rows.iter().map(|row| Some(row.id.0)).collect())),
        ("project_id", Column::Uuid(rows.iter().map(|row| Some(row.project_id.0)).collect())),
        ("minute", Column::Time(rows.iter().map(|row| Some(row.minute)).collect())),
        ("created_at", Column::Time(rows.iter().map(|row| Some(row.created_at)).collect())),
        ("function", Column::Text(rows.iter().map(|row| Some(row.function.clone())).collect())),
        ("records", Column::Bytes(rows.into_iter().map(|row| Some(row.records)).collect())),
    ];
    Bulk { table: "record_functions", columns, on_conflict: OnConflict::Merge }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_back_as_they_were_written_and_no_further_than_they_go() {
        let share = |n: u64| Share {
            record: PerformanceRecordId(Uuid::from_u128(u128::from(n) << 70)),
            calls: n,
            self_us: n * 1_000,
            total_us: u64::MAX - n,
        };
        let shares: Vec<Share> = (0..40).map(share).collect();
        let bytes = pack(&shares);
        assert_eq!(unpack(&bytes), shares);
        assert_eq!(unpack(&bytes[..bytes.len() - 1]), shares[..39]);
        assert!(unpack(&[]).is_empty() && unpack(&[0xff; 40]).is_empty());
    }
}
