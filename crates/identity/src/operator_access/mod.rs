//! Operators' access to other tenants, which the tenant's audit trail records.

pub(crate) mod entity;
mod service;

pub(crate) use service::AuditedAccess;
