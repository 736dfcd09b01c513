//! A project with its tenant.

use loam_kernel::{ProjectId, TenantId};

/// A tenant and its project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProjectRef {
    pub(crate) tenant: TenantId,
    pub(crate) project: ProjectId,
}
