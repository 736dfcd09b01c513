//! The user whose preferences a request addresses, and the caller's access to them.

use loam_kernel::{Error, Result, Scope, UserId};
use serde::Deserialize;

/// The permission to read and set all users' preferences.
const ALL: &str = "user_preferences:all";

/// The user of a path: an id, or `me`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum PreferenceOwner {
    /// The caller.
    Me,
    /// This user.
    User(UserId),
}

impl TryFrom<String> for PreferenceOwner {
    type Error = uuid::Error;

    fn try_from(text: String) -> Result<Self, uuid::Error> {
        if text == "me" { Ok(Self::Me) } else { text.parse().map(Self::User) }
    }
}

impl PreferenceOwner {
    /// The user, if the caller has access to their preferences; without access other users appear not to exist. A key without
    /// a user acts for the application.
    pub(crate) fn resolve(self, scope: &Scope) -> Result<UserId> {
        let id = match self {
            Self::Me => scope.user.ok_or_else(|| {
                Error::invalid(
                    "user_id",
                    "this credential belongs to no user; use the user's id instead of `me`",
                )
            })?,
            Self::User(id) => id,
        };
        let own = scope.user.filter(|_| !scope.permissions().allows(ALL));
        if own.is_none_or(|own| own == id) { Ok(id) } else { Err(missing()) }
    }
}

pub(crate) fn missing() -> Error {
    Error::not_found("user")
}

#[cfg(test)]
mod tests {
    use loam_kernel::{Actor, Permissions, TenantId};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn who_lacks_the_permission_sees_their_own_alone() {
        let (mine, other) = (UserId(Uuid::from_u128(1)), UserId(Uuid::from_u128(2)));
        let scope = |user, permissions: &[&str]| {
            let permissions = Permissions::new(permissions.iter().map(|&p| p.to_owned()));
            let mut scope = Scope::new(TenantId::NIL, Actor::CommandLine, permissions);
            scope.user = user;
            scope
        };
        let own = scope(Some(mine), &["user_preferences:read"]);
        assert_eq!(PreferenceOwner::Me.resolve(&own).expect("mine"), mine);
        assert_eq!(PreferenceOwner::User(mine).resolve(&own).expect("mine"), mine);
        assert_eq!(PreferenceOwner::User(other).resolve(&own).expect_err("hidden").status(), 404);
        let all = scope(Some(mine), &["user_preferences:read", ALL]);
        assert_eq!(PreferenceOwner::User(other).resolve(&all).expect("every one's"), other);
        let application = scope(None, &["user_preferences:read"]);
        assert_eq!(PreferenceOwner::User(other).resolve(&application).expect("every one's"), other);
        assert_eq!(PreferenceOwner::Me.resolve(&application).expect_err("nobody's").param(), Some("user_id"));
    }
}
