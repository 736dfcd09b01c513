//! A request as the journal keeps it.

use loam_journal::Frame;
use loam_kernel::{ApiKeyId, ApiLogId, Error, NodeId, ProjectId, Result, TenantId, UserId};
use serde::{Deserialize, Serialize};

/// The form of the fields below. They are known by their order, so any change to them takes a new number, and a reader
/// for the old one for as long as a journal may still hold it.
const FORM: u8 = 1;

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
    /// Packed.
    pub(super) body: Option<Vec<u8>>,
    /// Packed.
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
        postcard::to_extend(self, vec![FORM]).map_err(Error::internal)
    }

    pub(super) fn read(frame: &Frame) -> Result<Self> {
        match frame.payload.split_first() {
            Some((&FORM, fields)) => postcard::from_bytes(fields).map_err(Error::internal),
            _ => Err(Error::internal("a request's frame has a form that this version doesn't know")),
        }
    }
}
