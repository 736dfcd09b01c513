//! Index from functions to performance records, which avoids unpacking traces.
//!
//! One row per record and function would dominate the written rows. So a row holds all records of a function and a
//! minute that were written in one batch. A record that is written again is listed again; later rows take precedence.

pub mod entity;

use loam_db::{Bulk, Column, OnConflict};
use loam_kernel::{PerformanceRecordId, ProjectId, RecordFunctionId, TenantId};
use uuid::Uuid;

use chrono::{DateTime, Utc};

use crate::trace;
use entity::Model;

/// The time of a function in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The record.
    pub record: PerformanceRecordId,
    /// Number of calls.
    pub calls: u64,
    /// Self time in microseconds.
    pub self_us: u64,
    /// Total time in microseconds, including callees.
    pub total_us: u64,
}

/// Builds the row of a function and a minute.
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
            trace::put_varint(&mut bytes, number);
        }
    }
    bytes
}

/// The records of a row. Stops at the first that can't be decoded.
pub(crate) fn unpack(bytes: &[u8]) -> Vec<Share> {
    let mut reader = trace::Reader(bytes);
    let mut next = || {
        let record = PerformanceRecordId(Uuid::from_slice(reader.slice(16)?).ok()?);
        Some(Share { record, calls: reader.varint()?, self_us: reader.varint()?, total_us: reader.varint()? })
    };
    std::iter::from_fn(&mut next).collect()
}

/// Upserts rows.
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
    Bulk::of::<entity::Entity>(columns, OnConflict::Merge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_round_trip_and_truncated_bytes_end_the_list() {
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
