//! A fixture: an [`Identity`] on a fresh database, after the first start.

use std::sync::Arc;

use loam_http::client::Client;
use loam_kernel::{Actor, Clock, Origin, Permissions, Scope, TenantId, UserId};
use loam_platform::notices::Notices;
use loam_platform::seal::Keyring;
use loam_testkit::Database;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::login::service::{LogIn, LoggedIn};
use crate::users::service::UserCreate;
use crate::{Authenticator, BootstrapOptions, Config, Identity, Parts};

pub(super) const PASSWORD: &str = "a-long-enough-password";
/// The first key.
pub(super) const KEY: &str = "loam_abcdefghijkmnpqrstuvwxyz23456789abcdefgh";

pub(super) struct Fixture {
    pub(super) clock: Clock,
    pub(super) identity: Identity,
    database: Database,
}

impl Fixture {
    pub(super) async fn new(database: Database) -> Self {
        let clock = Clock::fixed(Clock::system().now());
        database.db.ensure_partitions(&Scope::system(TenantId::NIL, "test"), clock.now()).await.unwrap();
        let identity = node(&database, &clock);
        let given = BootstrapOptions {
            api_key: Some(Zeroizing::new(KEY.to_owned())),
            password: Some(Zeroizing::new(PASSWORD.to_owned())),
        };
        identity.bootstrap(given).await.unwrap();
        Self { clock, identity, database }
    }

    /// Another node on the same database, which receives no notices by itself.
    pub(super) async fn another(&self) -> Identity {
        let identity = node(&self.database, &self.clock);
        identity.learn_default_tenant().await.unwrap();
        identity
    }

    pub(super) async fn authenticator(&self) -> Arc<Authenticator> {
        Authenticator::start(&self.identity).await.unwrap()
    }

    /// The scope of the command line, in the default tenant.
    pub(super) fn scope(&self) -> Scope {
        let home = self.identity.default_tenant().unwrap();
        Scope::new(home, Actor::CommandLine, Permissions::all())
    }

    pub(super) async fn user(&self, name: &str, roles: &[&str]) -> UserId {
        let new = UserCreate {
            username: name.to_owned(),
            email: format!("{name}@example.com"),
            password: Some(PASSWORD.to_owned()),
            password_hash: None,
            full_name: None,
            roles: Some(roles.iter().map(|role| (*role).to_owned()).collect()),
            external_id: None,
            is_active: None,
            metadata: Map::new(),
        };
        self.identity.create_user(&self.scope(), new).await.unwrap().id
    }

    pub(super) async fn log_in(&self, username: &str, password: &str) -> loam_kernel::Result<LoggedIn> {
        let who = LogIn {
            tenant: None,
            username: Some(username.to_owned()),
            email: None,
            password: Zeroizing::new(password.to_owned()),
        };
        self.identity.log_in(Arc::default(), &http::HeaderMap::new(), who).await
    }
}

fn node(database: &Database, clock: &Clock) -> Identity {
    let first = !database.folder().join("master.key").is_file();
    let keyring = Keyring::open(&database.folder().join("master.key"), clock, first).unwrap();
    Identity::new(Parts {
        db: database.db.clone(),
        clock: clock.clone(),
        notices: Notices::default(),
        keyring,
        client: Client::new(&loam_http::client::Config::default()).unwrap(),
        config: Config::default(),
    })
}

pub(super) fn origin() -> Arc<Origin> {
    Arc::default()
}

/// The claims of a token, unverified.
pub(super) fn claims(token: &str) -> Value {
    use base64::Engine;
    let part = token.split('.').nth(1).unwrap();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap();
    serde_json::from_slice(&bytes).unwrap_or(json!(null))
}
