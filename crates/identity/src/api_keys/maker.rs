//! Who makes a key, and that it gets no more than its maker has.
//!
//! What a maker has later is looked at when the key is used: `authenticator::bounds`.

use loam_db::{Tenant, Tx};
use loam_kernel::{Actor, ApiKeyId, Error, Kind, Permissions, ProjectId, Result, Scope, TenantId, UserId};

use super::entity::{Entity, Model};
use crate::{Identity, permissions, users};

/// Keys that are made with one another; each use of the last looks at them all.
pub(crate) const MAX_DEPTH: usize = 8;

/// Who made a key. Nothing is known of who is the instance itself: the command line, the first start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Maker {
    pub(crate) tenant: Option<TenantId>,
    pub(crate) user: Option<UserId>,
    pub(crate) key: Option<ApiKeyId>,
}

/// What is asked of a key, made or taken over.
pub(crate) struct Wanted<'a> {
    pub(crate) scopes: &'a [String],
    pub(crate) user: Option<UserId>,
    pub(crate) project: Option<ProjectId>,
}

impl Maker {
    /// Who made the key of a row.
    pub(crate) fn of(row: &Model) -> Self {
        Self { tenant: row.maker_tenant_id, user: row.maker_user_id, key: row.maker_key_id }
    }

    /// The maker as the audit trail names it.
    pub(crate) fn label(&self) -> Option<String> {
        let key = self.key.map(|id| Actor::ApiKey(id).label());
        key.or_else(|| self.user.map(|id| Actor::User(id).label()))
    }
}

impl Identity {
    /// Refuses a key that would have more than the caller, and says who its maker is.
    pub(crate) async fn maker(&self, tx: &Tx<Tenant>, wanted: &Wanted<'_>) -> Result<Maker> {
        let scope = tx.scope();
        let lacking = |lacking: String| Error::forbidden(&lacking).with_param("scopes");
        scope.permissions().cover(wanted.scopes).map_err(lacking)?;
        check_instance(scope, wanted, Some(scope.tenant()) == self.default_tenant())?;
        check_own(scope.user, scope.permissions(), wanted)?;
        if scope.project.is_some() && scope.project != wanted.project {
            let message = "this credential is bound to a project, and so is a key that it makes";
            return Err(Error::new(Kind::Forbidden, "bound_to_project", message).with_param("project_id"));
        }
        let maker = match scope.actor() {
            Actor::ApiKey(id) | Actor::KeyToken(id) => {
                let here = tx.get::<Entity>(*id).await?;
                if let Some(row) = &here {
                    self.check_depth(tx, row.clone()).await?;
                }
                Maker { tenant: self.home(scope, here.is_some()), user: None, key: Some(*id) }
            }
            Actor::User(id) | Actor::UserToken(id) => {
                let here = tx.get::<users::entity::Entity>(*id).await?.is_some();
                Maker { tenant: self.home(scope, here), user: Some(*id), key: None }
            }
            Actor::CommandLine | Actor::System(_) => Maker::default(),
            Actor::EndUser(_) | Actor::ProjectKey(_) => {
                let message =
                    "a key is made with a key or a log-in, not with a token of an application's end user";
                return Err(Error::new(Kind::Forbidden, "not_exchangeable", message));
            }
        };
        Ok(maker)
    }

    /// An operator who has opened a tenant is of the operators' own.
    fn home(&self, scope: &Scope, here: bool) -> Option<TenantId> {
        if here { Some(scope.tenant()) } else { self.default_tenant() }
    }

    async fn check_depth(&self, tx: &Tx<Tenant>, mut row: Model) -> Result<()> {
        for _ in 1..MAX_DEPTH {
            let Some(maker) = row.maker_key_id else { return Ok(()) };
            match tx.get::<Entity>(maker).await? {
                Some(next) => row = next,
                None => return Ok(()),
            }
        }
        let message =
            format!("keys are made with keys {MAX_DEPTH} deep at most; make it with one further up");
        Err(Error::new(Kind::Conflict, "too_deep", message))
    }
}

/// Permissions that reach beyond a tenant: in the operators' tenant only operators hand them on.
fn check_instance(scope: &Scope, wanted: &Wanted<'_>, home: bool) -> Result<()> {
    let beyond = wanted.scopes.iter().find(|name| *name == "*" || permissions::reaches_beyond(name));
    match beyond {
        Some(_) if home && wanted.user.is_none() && !scope.is_operator() => {
            Err(Error::forbidden("operator").with_param("scopes"))
        }
        _ => Ok(()),
    }
}

/// Refuses a key that would see every user's rows where its maker sees their own alone.
pub(crate) fn check_own(maker: Option<UserId>, has: &Permissions, wanted: &Wanted<'_>) -> Result<()> {
    let Some(maker) = maker.filter(|maker| wanted.user != Some(*maker)) else { return Ok(()) };
    match permissions::beyond_own(has, wanted.scopes) {
        None => Ok(()),
        Some((all, scope)) => {
            let message = format!(
                "this credential lacks `{all}`: a key with `{scope}` must be of its own user, `user_id`: `{maker}`"
            );
            Err(Error::new(Kind::Forbidden, "missing_permission", message).with_param("user_id"))
        }
    }
}
