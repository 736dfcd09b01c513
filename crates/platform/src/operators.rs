//! Access checks for operators of the instance.

use loam_kernel::{Error, Kind, Result, Scope, TenantId};

/// Refuses everybody but operators; `param` is what asked for the instance.
pub(crate) fn require(scope: &Scope, param: Option<&str>) -> Result<()> {
    if scope.is_operator() {
        return Ok(());
    }
    let error =
        Error::new(Kind::Forbidden, "not_an_operator", "only operators (of the default tenant) may do this");
    Err(match param {
        Some(param) => error.with_param(param),
        None => error,
    })
}

/// The scope of the instance's own rows, for an operator who may see the other tenants too.
pub(crate) fn instance(scope: &Scope) -> Result<Scope> {
    require(scope, Some("instance"))?;
    scope.require("tenants:read")?;
    Ok(scope.in_tenant(TenantId::NIL))
}
