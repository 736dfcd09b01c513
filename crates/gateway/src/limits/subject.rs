//! Whose usage is counted.

use loam_kernel::{TenantId, digest_of};
use uuid::Uuid;

use super::entity::SubjectType;
use crate::llm_calls::record::Record;

/// A subject of a tenant.
pub(crate) type Subject = (TenantId, SubjectType, Uuid);

/// The end user of a tenant or of a key; `scope` is the id of either.
pub(super) fn end_user_subject(tenant: TenantId, scope: Uuid, name: &str) -> Subject {
    let digest = digest_of([&scope.as_bytes()[..], name.as_bytes()]);
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    (tenant, SubjectType::EndUser, uuid::Builder::from_custom_bytes(id).into_uuid())
}

/// The subjects whose limits apply to a call.
pub(crate) fn subjects(record: &Record) -> impl Iterator<Item = (SubjectType, Uuid)> {
    [
        Some((SubjectType::Tenant, record.tenant.0)),
        record.project.map(|id| (SubjectType::Project, id.0)),
        record.user.map(|id| (SubjectType::User, id.0)),
        record.api_key.map(|id| (SubjectType::ApiKey, id.0)),
    ]
    .into_iter()
    .flatten()
}
