//! Sessions over time, and over several nodes.

use axum::http::HeaderMap;
use chrono::TimeDelta;
use loam_kernel::{Error, LoginSessionId, Scope, TenantId};
use loam_platform::notices::Notice;
use loam_testkit::{Database, on_both};

use super::fixture::{Fixture, PASSWORD, origin};
use crate::login_sessions::entity::Entity;
use crate::{Authenticator, RequestedAccess};

on_both![
    a_session_lasts_while_it_is_used_on_any_node,
    a_session_ends_at_its_time_however_much_it_is_used,
    what_another_node_revoked_is_refused_once_its_notice_is_here,
    a_reset_password_holds_for_three_days,
    ended_sessions_are_forgotten_after_a_month,
];

async fn use_it(node: &Authenticator, token: &str) -> Result<Scope, Error> {
    node.authenticate_session(token, &HeaderMap::new(), true, RequestedAccess::Read, origin()).await
}

async fn a_session_lasts_while_it_is_used_on_any_node(database: Database) {
    let fixture = Fixture::new(database).await;
    let (here, there) =
        (fixture.authenticator().await, Authenticator::start(&fixture.another().await).await.unwrap());
    let token = fixture.log_in("operator", PASSWORD).await.unwrap().token;
    use_it(&here, &token).await.unwrap();
    for _ in 0..4 {
        // twelve hours are over in two of these
        fixture.clock.advance(TimeDelta::hours(7));
        use_it(&there, &token).await.unwrap();
        there.write_last_used().await.unwrap();
    }
    use_it(&here, &token).await.expect("it was used on the other node meanwhile");
    fixture.clock.advance(TimeDelta::hours(12));
    for node in [&here, &there] {
        assert_eq!(use_it(node, &token).await.unwrap_err().code(), "invalid_session");
    }
}

async fn a_session_ends_at_its_time_however_much_it_is_used(database: Database) {
    let fixture = Fixture::new(database).await;
    let node = fixture.authenticator().await;
    let token = fixture.log_in("operator", PASSWORD).await.unwrap().token;
    for _ in 0..14 {
        use_it(&node, &token).await.unwrap();
        fixture.clock.advance(TimeDelta::hours(12) - TimeDelta::seconds(1));
    }
    fixture.clock.advance(TimeDelta::seconds(14));
    assert_eq!(use_it(&node, &token).await.unwrap_err().status(), 401);
}

async fn what_another_node_revoked_is_refused_once_its_notice_is_here(database: Database) {
    let fixture = Fixture::new(database).await;
    let node = fixture.authenticator().await;
    let made = fixture.log_in("operator", PASSWORD).await.unwrap();
    use_it(&node, &made.token).await.unwrap();
    fixture.another().await.revoke_login_session(&fixture.scope(), made.session.id).await.unwrap();
    use_it(&node, &made.token).await.expect("nobody has told this node yet");
    let topic = "login_sessions".to_owned();
    fixture.identity.notices.publish(&Notice {
        tenant: fixture.scope().tenant(),
        topic,
        subject: made.session.id.0,
        owner: None,
        id: None,
    });
    assert_eq!(use_it(&node, &made.token).await.unwrap_err().code(), "invalid_session");
}

async fn a_reset_password_holds_for_three_days(database: Database) {
    let fixture = Fixture::new(database).await;
    let user = fixture.user("ann", &["user"]).await;
    let password = fixture.identity.reset_password(&fixture.scope(), user).await.unwrap();
    fixture.clock.advance(TimeDelta::days(3) - TimeDelta::seconds(1));
    assert!(fixture.log_in("ann", &password).await.is_ok());
    fixture.clock.advance(TimeDelta::seconds(1));
    assert_eq!(fixture.log_in("ann", &password).await.err().unwrap().code(), "wrong_credentials");
}

async fn ended_sessions_are_forgotten_after_a_month(database: Database) {
    let fixture = Fixture::new(database).await;
    let old = fixture.log_in("operator", PASSWORD).await.unwrap().session.id;
    fixture.clock.advance(TimeDelta::days(20));
    let new = fixture.log_in("operator", PASSWORD).await.unwrap().session.id;
    let kept = async |fixture: &Fixture| -> Vec<LoginSessionId> {
        fixture.identity.delete_old_sessions(&Scope::system(TenantId::NIL, "test")).await.unwrap();
        let rows =
            fixture.identity.db.read(&fixture.scope()).await.unwrap().find::<Entity>().all().await.unwrap();
        rows.into_iter().map(|row| row.id).collect()
    };
    assert_eq!(kept(&fixture).await.len(), 2);
    // a week of life, a month of record
    fixture.clock.advance(TimeDelta::days(18));
    assert_eq!(kept(&fixture).await, [new], "{old} is gone");
}
