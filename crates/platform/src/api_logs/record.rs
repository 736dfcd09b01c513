//! A request record as stored in the journal.

use loam_journal::Frame;
use loam_kernel::{ApiKeyId, ApiLogId, Error, NodeId, ProjectId, Result, TenantId, UserId};
use serde::{Deserialize, Serialize};

/// The version of the fields below. They are encoded by their order, so any change needs a new version, and a reader for
/// the old one as long as a journal may still contain it.
const FORMAT_VERSION: u8 = 1;

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
        postcard::to_extend(self, vec![FORMAT_VERSION]).map_err(Error::internal)
    }

    pub(super) fn read(frame: &Frame) -> Result<Self> {
        match frame.payload.split_first() {
            Some((&FORMAT_VERSION, fields)) => postcard::from_bytes(fields).map_err(Error::internal),
            _ => Err(Error::internal("a request's frame has an unknown format version")),
        }
    }
}
