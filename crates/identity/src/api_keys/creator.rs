//! The creator of a key, whose permissions limit the key.
//!
//! The creator's current permissions are checked when the key is used: `authenticator::effective`.

use loam_db::{Tenant, Tx};
use loam_kernel::{Actor, ApiKeyId, Error, Kind, Permissions, ProjectId, Result, Scope, TenantId, UserId};

use super::entity::{Entity, Model};
use crate::{Identity, permissions, users};

/// Maximum length of a chain of keys that created each other; each use of the last key checks all of them.
pub(crate) const MAX_DEPTH: usize = 8;

/// The creator of a key. All fields are none for the instance itself: the command line, the first start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Creator {
    pub(crate) tenant: Option<TenantId>,
    pub(crate) user: Option<UserId>,
    pub(crate) key: Option<ApiKeyId>,
}

/// The requested properties of a key that is created or taken over.
pub(crate) struct RequestedKey<'a> {
    pub(crate) scopes: &'a [String],
    pub(crate) user: Option<UserId>,
    pub(crate) project: Option<ProjectId>,
}

impl Creator {
    /// The creator of a row's key.
    pub(crate) fn of(row: &Model) -> Self {
        Self { tenant: row.maker_tenant_id, user: row.maker_user_id, key: row.maker_key_id }
    }

    /// The creator as named in the audit trail.
    pub(crate) fn label(&self) -> Option<String> {
        let key = self.key.map(|id| Actor::ApiKey(id).label());
        key.or_else(|| self.user.map(|id| Actor::User(id).label()))
    }
}

impl Identity {
    /// Rejects a key with more permissions than the caller; returns its creator.
    pub(crate) async fn creator(&self, tx: &Tx<Tenant>, requested: &RequestedKey<'_>) -> Result<Creator> {
        let scope = tx.scope();
        let lacking = |lacking: String| Error::forbidden(&lacking).with_param("scopes");
        scope.permissions().cover(requested.scopes).map_err(lacking)?;
        check_instance(scope, requested, Some(scope.tenant()) == self.default_tenant())?;
        check_own(scope.user, scope.permissions(), requested)?;
        if scope.project.is_some() && scope.project != requested.project {
            let message =
                "this credential is bound to a project, so a key that it creates must be bound to it too";
            return Err(Error::new(Kind::Forbidden, "bound_to_project", message).with_param("project_id"));
        }
        let creator = match scope.actor() {
            Actor::ApiKey(id) | Actor::KeyToken(id) => {
                let here = tx.get::<Entity>(*id).await?;
                if let Some(row) = &here {
                    self.check_depth(tx, row.clone()).await?;
                }
                Creator { tenant: self.home(scope, here.is_some()), user: None, key: Some(*id) }
            }
            Actor::User(id) | Actor::UserToken(id) => {
                let here = tx.get::<users::entity::Entity>(*id).await?.is_some();
                Creator { tenant: self.home(scope, here), user: Some(*id), key: None }
            }
            Actor::CommandLine | Actor::System(_) => Creator::default(),
            Actor::EndUser(_) | Actor::ProjectKey(_) => {
                let message = "create the key with a key or a login session, not with a token of an end user";
                return Err(Error::new(Kind::Forbidden, "not_exchangeable", message));
            }
        };
        Ok(creator)
    }

    /// The home tenant of an operator who acts in another tenant is the default tenant.
    fn home(&self, scope: &Scope, here: bool) -> Option<TenantId> {
        if here { Some(scope.tenant()) } else { self.default_tenant() }
    }

    async fn check_depth(&self, tx: &Tx<Tenant>, mut row: Model) -> Result<()> {
        for _ in 1..MAX_DEPTH {
            let Some(creator) = row.maker_key_id else { return Ok(()) };
            match tx.get::<Entity>(creator).await? {
                Some(next) => row = next,
                None => return Ok(()),
            }
        }
        let message =
            format!("keys can create keys at most {MAX_DEPTH} levels deep; use a key of a higher level");
        Err(Error::new(Kind::Conflict, "too_deep", message))
    }
}

/// Instance-wide permissions: in the default tenant only operators grant them.
fn check_instance(scope: &Scope, requested: &RequestedKey<'_>, home: bool) -> Result<()> {
    let beyond = requested.scopes.iter().find(|name| *name == "*" || permissions::is_instance_wide(name));
    match beyond {
        Some(_) if home && requested.user.is_none() && !scope.is_operator() => {
            Err(Error::forbidden("operator").with_param("scopes"))
        }
        _ => Ok(()),
    }
}

/// Rejects a key that could access all users' rows if its creator can access only their own.
pub(crate) fn check_own(
    creator: Option<UserId>,
    has: &Permissions,
    requested: &RequestedKey<'_>,
) -> Result<()> {
    let Some(creator) = creator.filter(|creator| requested.user != Some(*creator)) else { return Ok(()) };
    match permissions::ownership_violation(has, requested.scopes) {
        None => Ok(()),
        Some((all, scope)) => {
            let message = format!(
                "this credential lacks `{all}`: a key with `{scope}` must be of its own user, `user_id`: `{creator}`"
            );
            Err(Error::new(Kind::Forbidden, "missing_permission", message).with_param("user_id"))
        }
    }
}
