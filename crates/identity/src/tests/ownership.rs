//! An owner stays, whatever happens at once.

use futures_util::future::join_all;
use loam_kernel::{ExpectedVersion, UserId};
use loam_testkit::{Database, on_both};

use super::fixture::Fixture;
use crate::roles::service::RoleCreate;
use crate::users::service::UserUpdate;

on_both![of_all_owners_who_leave_at_once_one_stays, a_role_given_while_it_is_deleted_is_not_left_dangling,];

async fn leave(fixture: &Fixture, user: UserId) -> loam_kernel::Result<()> {
    let change = UserUpdate { is_active: Some(false), ..UserUpdate::default() };
    fixture.identity.update_user(&fixture.scope(), user, &ExpectedVersion::any(), change).await.map(drop)
}

async fn of_all_owners_who_leave_at_once_one_stays(database: Database) {
    let fixture = Fixture::new(database).await;
    let mut owners = Vec::new();
    for n in 0..6 {
        owners.push(fixture.user(&format!("owner-{n}"), &["owner", "operator"]).await);
    }
    let first =
        fixture.identity.list_users(&fixture.scope(), Default::default(), &Default::default()).await.unwrap();
    owners.extend(first.data.iter().filter(|user| user.username == "operator").map(|user| user.id));
    let left = join_all(owners.iter().map(|user| leave(&fixture, *user))).await;
    let refused: Vec<_> = left.iter().filter_map(|left| left.as_ref().err()).collect();
    assert_eq!(refused.len(), 1, "{left:?}");
    assert_eq!((refused[0].status(), refused[0].code()), (409, "last_owner"));
}

async fn a_role_given_while_it_is_deleted_is_not_left_dangling(database: Database) {
    let fixture = Fixture::new(database).await;
    let user = fixture.user("ann", &["user"]).await;
    for n in 0..10 {
        let name = format!("role-{n}");
        let permissions = vec!["projects:read".to_owned()];
        let new = RoleCreate { name: name.clone(), description: String::new(), permissions };
        let role = fixture.identity.create_role(&fixture.scope(), new).await.unwrap();
        let change = UserUpdate { roles: Some(vec![name.clone()]), ..UserUpdate::default() };
        let (scope, any) = (fixture.scope(), ExpectedVersion::any());
        let (given, deleted) = tokio::join!(
            fixture.identity.update_user(&scope, user, &any, change),
            fixture.identity.delete_role(&scope, role.id),
        );
        assert!(given.is_ok() != deleted.is_ok(), "either it is given or it is gone: {given:?} {deleted:?}");
        if let Err(refused) = deleted {
            assert_eq!(refused.code(), "in_use");
            assert!(refused.message().contains("`ann`"), "{refused}");
        }
    }
}
