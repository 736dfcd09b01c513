//! Deterministic ids: the same input gives the same id, so that duplicates are recognised. An id starts with the time
//! of what it identifies, so that it is found in the partition of that month.

use chrono::{DateTime, Utc};
use loam_kernel::{CallTreeId, PerformanceRecordId, ProjectId, digest_of, first_id_at};
use uuid::{Builder, Uuid};

/// The id of the performance record of a server span.
pub fn record_id(
    project: ProjectId,
    trace_id: &str,
    call_id: &str,
    at: DateTime<Utc>,
) -> PerformanceRecordId {
    PerformanceRecordId(id(at, &[project.0.as_bytes(), trace_id.as_bytes(), call_id.as_bytes()]))
}

/// The id of a chunk of a trace, from its content.
pub fn tree_id(project: ProjectId, trace_id: &str, content: &[u8], at: DateTime<Utc>) -> CallTreeId {
    CallTreeId(id(at, &[project.0.as_bytes(), trace_id.as_bytes(), content]))
}

/// A UUID version 7 with this timestamp, whose random bits are a hash of `parts`.
pub(crate) fn id(at: DateTime<Utc>, parts: &[&[u8]]) -> Uuid {
    let time = first_id_at(at).into_bytes();
    let mut rest = [0; 10];
    rest.copy_from_slice(&hash(parts)[..10]);
    let millis = u64::from_be_bytes([0, 0, time[0], time[1], time[2], time[3], time[4], time[5]]);
    Builder::from_unix_timestamp_millis(millis, &rest).into_uuid()
}

/// The first 16 bytes of a SHA-256 digest over length-delimited parts.
pub(crate) fn hash(parts: &[&[u8]]) -> [u8; 16] {
    let mut beginning = [0; 16];
    beginning.copy_from_slice(&digest_of(parts.iter().copied())[..16]);
    beginning
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_stay_what_they_are() {
        let at = DateTime::from_timestamp_millis(1_790_000_000_123).unwrap();
        let id = record_id(Uuid::from_u128(1).into(), "trace", "call", at);
        assert_eq!(id.0.to_string(), "01a0c450-6c7b-766c-b3db-ddaaa3d60a41");
    }
}
