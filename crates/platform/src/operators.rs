//! Who manages the instance: the command line, and callers of the default tenant.

use loam_kernel::{Actor, Error, Kind, Result, Scope, TenantId};

/// Knows the tenant whose members are operators.
#[derive(Clone, Copy, Debug)]
pub struct Operators(TenantId);

impl Operators {
    /// `tenant` is the default tenant.
    pub fn new(tenant: TenantId) -> Self {
        Self(tenant)
    }

    /// The tenant on whose audit trail a change of the instance stands.
    pub fn tenant(&self) -> TenantId {
        self.0
    }

    /// Whether the caller is an operator.
    pub fn include(&self, scope: &Scope) -> bool {
        *scope.actor() == Actor::CommandLine || scope.tenant() == self.0
    }

    /// Refuses everybody else; `param` is what asked for the instance.
    pub fn require(&self, scope: &Scope, param: Option<&str>) -> Result<()> {
        if self.include(scope) {
            return Ok(());
        }
        let error = Error::new(
            Kind::Forbidden,
            "not_an_operator",
            "only operators, of the default tenant, may do this",
        );
        Err(match param {
            Some(param) => error.with_param(param),
            None => error,
        })
    }

    /// The scope of the instance's own rows, for an operator alone: not for all of the default tenant, but for those who
    /// may see the other tenants too.
    pub fn instance(&self, scope: &Scope) -> Result<Scope> {
        self.require(scope, Some("instance"))?;
        scope.require("tenants:read")?;
        Ok(scope.in_tenant(TenantId::NIL))
    }
}
