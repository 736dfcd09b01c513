//! Whose preferences are meant, and whether the caller may.

use loam_kernel::{Error, Result, Scope, UserId};
use serde::Deserialize;

/// The permission to see and set every user's preferences.
const ALL: &str = "user_preferences:all";

/// The user of a path: an id, or `me`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum Whose {
    /// The caller's own.
    Me,
    /// This user's.
    User(UserId),
}

impl TryFrom<String> for Whose {
    type Error = uuid::Error;

    fn try_from(text: String) -> Result<Self, uuid::Error> {
        if text == "me" { Ok(Self::Me) } else { text.parse().map(Self::User) }
    }
}

impl Whose {
    /// The user, if the caller may see their preferences; another one doesn't exist to who may see their own alone. A key
    /// of nobody's acts for the application.
    pub(crate) fn resolve(self, scope: &Scope) -> Result<UserId> {
        let id = match self {
            Self::Me => scope.user.ok_or_else(|| {
                Error::invalid("user_id", "this credential belongs to no user; name the user by id")
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
        let (mine, theirs) = (UserId(Uuid::from_u128(1)), UserId(Uuid::from_u128(2)));
        let scope = |user, permissions: &[&str]| {
            let permissions = Permissions::new(permissions.iter().map(|&p| p.to_owned()));
            let mut scope = Scope::new(TenantId::NIL, Actor::CommandLine, permissions);
            scope.user = user;
            scope
        };
        let own = scope(Some(mine), &["user_preferences:read"]);
        assert_eq!(Whose::Me.resolve(&own).expect("mine"), mine);
        assert_eq!(Whose::User(mine).resolve(&own).expect("mine"), mine);
        assert_eq!(Whose::User(theirs).resolve(&own).expect_err("hidden").status(), 404);
        let all = scope(Some(mine), &["user_preferences:read", ALL]);
        assert_eq!(Whose::User(theirs).resolve(&all).expect("every one's"), theirs);
        let application = scope(None, &["user_preferences:read"]);
        assert_eq!(Whose::User(theirs).resolve(&application).expect("every one's"), theirs);
        assert_eq!(Whose::Me.resolve(&application).expect_err("nobody's").param(), Some("user_id"));
    }
}
