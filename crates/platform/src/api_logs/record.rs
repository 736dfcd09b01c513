//! A request record as stored in the journal.

use loam_journal::Frame;
use loam_kernel::{ApiKeyId, ApiLogId, NodeId, ProjectId, Result, TenantId, UserId};
use serde::{Deserialize, Serialize};

use crate::stored_format::StoredFormat;

/// The payload of a frame. The order of the fields below is the format.
pub(crate) const API_LOG_FRAME: StoredFormat = StoredFormat::new("api_log_frame", 1);

/// A request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(super) tenant: TenantId,
    pub(super) id: ApiLogId,
    pub(super) node: NodeId,
    pub(super) request_id: String,
    pub(super) method: String,
    pub(super) path: String,
    /// JSON.
    pub(super) query_params: Option<String>,
    /// JSON.
    pub(super) headers: Option<String>,
    /// Compressed.
    pub(super) body: Option<Vec<u8>>,
    /// Compressed.
    pub(super) response_body: Option<Vec<u8>>,
    pub(super) status: u16,
    pub(super) response_bytes: u64,
    pub(super) latency_us: i64,
    pub(super) session: Option<String>,
    pub(super) user: Option<UserId>,
    pub(super) api_key: Option<ApiKeyId>,
    pub(super) project: Option<ProjectId>,
    pub(super) user_agent: Option<String>,
    pub(super) ip_address: Option<String>,
    /// Microseconds since 1970.
    pub(super) created_us: i64,
}

impl Record {
    pub(super) fn frame(&self) -> Result<Vec<u8>> {
        API_LOG_FRAME.encode(self)
    }

    pub(super) fn read(frame: &Frame) -> Result<Self> {
        let (_, body) = API_LOG_FRAME.open(&frame.payload)?;
        API_LOG_FRAME.decode(body)
    }
}

#[cfg(test)]
mod tests {
    use loam_journal::Position;
    use loam_testkit::check_golden;
    use uuid::Uuid;

    use super::*;
    use crate::records::API_LOG;

    #[test]
    fn all_versions_are_read() {
        let id = Uuid::from_u128;
        let text = |text: &str| Some(text.to_owned());
        let record = Record {
            tenant: id(1).into(),
            id: id(2).into(),
            node: id(3).into(),
            request_id: "r".to_owned(),
            method: "POST".to_owned(),
            path: "/api/v1/projects".to_owned(),
            query_params: text("{}"),
            headers: text("[]"),
            body: Some(b"\0{}".to_vec()),
            response_body: Some(b"\0[]".to_vec()),
            status: 201,
            response_bytes: 70_000,
            latency_us: 300,
            session: text("s"),
            user: Some(id(4).into()),
            api_key: Some(id(5).into()),
            project: Some(id(6).into()),
            user_agent: text("curl"),
            ip_address: text("10.0.0.9"),
            created_us: 1_790_000_000_123_456,
        };
        check_golden(API_LOG_FRAME.kind(), API_LOG_FRAME.versions(), &record.frame().unwrap(), |payload| {
            let frame =
                Frame { kind: API_LOG, key: [0; 16], position: Position(1), payload: payload.to_vec() };
            format!("{:#?}", Record::read(&frame).unwrap())
        });
    }
}
