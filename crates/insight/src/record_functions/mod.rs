//! Index from functions to performance records, which avoids unpacking traces.
//!
//! One row per record and function would dominate the written rows. So a row holds all records of a function and a
//! minute that were written in one batch. A record that is written again is listed again; later rows take precedence.

pub mod entity;

use loam_kernel::{PerformanceRecordId, ProjectId, RecordFunctionId, Result, TenantId};
use loam_platform::stored_format::StoredFormat;
use loam_platform::varint::{Reader, put_varint};
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

/// The column `record_functions.records`. Version 1 has no version byte, and begins with the first byte of a UUIDv7.
pub(crate) const RECORD_SHARES: StoredFormat = StoredFormat::new("record_shares", 2).first_unversioned();

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
    let mut bytes = RECORD_SHARES.begin(24 * shares.len());
    for share in shares {
        bytes.extend_from_slice(share.record.0.as_bytes());
        for number in [share.calls, share.self_us, share.total_us] {
            put_varint(&mut bytes, number);
        }
    }
    bytes
}

/// The records of a row.
///
/// # Errors
/// When the version is unknown, or the bytes are damaged.
pub(crate) fn unpack(bytes: &[u8]) -> Result<Vec<Share>> {
    // version 1 has the same content
    let (_, body) = RECORD_SHARES.open(bytes)?;
    let mut reader = Reader(body);
    let next = |reader: &mut Reader<'_>| {
        let record = PerformanceRecordId(Uuid::from_slice(reader.slice(16)?).ok()?);
        Some(Share { record, calls: reader.varint()?, self_us: reader.varint()?, total_us: reader.varint()? })
    };
    let mut shares = Vec::new();
    while !reader.0.is_empty() {
        shares.push(next(&mut reader).ok_or_else(|| RECORD_SHARES.damaged())?);
    }
    Ok(shares)
}

#[cfg(test)]
mod tests {
    use loam_testkit::check_golden;

    use super::*;

    fn share(n: u64) -> Share {
        Share {
            record: PerformanceRecordId(Uuid::from_u128((u128::from(n) << 70) | (0x0198_u128 << 112))),
            calls: n,
            self_us: n * 1_000,
            total_us: u64::MAX - n,
        }
    }

    #[test]
    fn truncated_bytes_are_refused() {
        let shares: Vec<Share> = (0..40).map(share).collect();
        let bytes = pack(&shares);
        assert_eq!(unpack(&bytes).unwrap(), shares);
        assert!(unpack(&bytes[..bytes.len() - 1]).is_err() && unpack(&[0xff; 40]).is_err());
    }

    #[test]
    fn all_versions_are_read() {
        let bytes = pack(&[share(1), share(300)]);
        check_golden(RECORD_SHARES.kind(), RECORD_SHARES.versions(), &bytes, |bytes| {
            format!("{:#?}", unpack(bytes).unwrap())
        });
    }
}
