//! Insight on a fresh database, as after the first start.

use loam_gateway::{CallSettings, Gateway};
use loam_http::client::{Client, Config};
use loam_identity::{Bootstrap, Identity};
use loam_kernel::{Actor, Clock, Permissions, ProjectId, Scope, TenantId};
use loam_platform::notices::Notices;
use loam_platform::seal::Keyring;
use loam_platform::system_config::Live;
use loam_platform::webhook_deliveries::{DeliverySettings, WebhookDeliveries};
use loam_testkit::Database;
use serde_json::json;
use zeroize::Zeroizing;

use crate::alert_rules::AlertSettings;
use crate::analyses::AnalysisSettings;
use crate::rules::Limits;
use crate::{Insight, Parts};

const KEY: &str = "loam_abcdefghijkmnpqrstuvwxyz23456789abcdefgh";

pub(crate) struct Bed {
    pub(crate) clock: Clock,
    pub(crate) identity: Identity,
    pub(crate) insight: Insight,
    pub(crate) database: Database,
}

impl Bed {
    pub(crate) async fn new(database: Database) -> Self {
        let clock = Clock::fixed(Clock::system().now());
        database.db.ensure_partitions(&Scope::system(TenantId::NIL, "test"), clock.now()).await.unwrap();
        let (identity, insight) = node(&database, &clock);
        let key = Some(Zeroizing::new(KEY.to_owned()));
        identity.bootstrap(Bootstrap { key, password: None }).await.unwrap();
        Self { clock, identity, insight, database }
    }

    /// Another server on the same database.
    pub(crate) fn another(&self) -> Insight {
        node(&self.database, &self.clock).1
    }

    /// Somebody who may do everything.
    pub(crate) fn scope(&self) -> Scope {
        Scope::new(self.identity.default_tenant().unwrap(), Actor::CommandLine, Permissions::all())
    }

    pub(crate) async fn project(&self, name: &str) -> ProjectId {
        let new = serde_json::from_value(json!({ "name": name })).unwrap();
        self.identity.create_project(&self.scope(), new).await.unwrap().row.id
    }
}

fn node(database: &Database, clock: &Clock) -> (Identity, Insight) {
    let (db, notices) = (database.db.clone(), Notices::default());
    let file = database.folder().join("master.key");
    let keyring = Keyring::open(&file, clock, !file.is_file()).unwrap();
    let client = Client::new(&Config { allow_loopback: Some(true), ..Config::default() }).unwrap();
    let identity = Identity::new(loam_identity::Parts {
        db: db.clone(),
        clock: clock.clone(),
        notices: notices.clone(),
        keyring: keyring.clone(),
        client: client.clone(),
        config: loam_identity::Config::default(),
    });
    let gateway = Gateway::new(loam_gateway::Parts {
        db: db.clone(),
        clock: clock.clone(),
        notices: notices.clone(),
        identity: identity.clone(),
        keyring: keyring.clone(),
        client: client.clone(),
        timeouts: Config::default().timeouts(),
        journal: None,
        journal_budget: 0,
        config: loam_gateway::Config::default(),
        settings: Live::fixed(CallSettings::default()),
    });
    let deliveries =
        WebhookDeliveries::new(db.clone(), clock.clone(), Live::fixed(DeliverySettings::default()));
    let insight = Insight::new(Parts {
        db,
        clock: clock.clone(),
        notices,
        identity: identity.clone(),
        gateway,
        keyring,
        client,
        journal: None,
        deliveries,
        mailer: None,
        alerts: Live::fixed(AlertSettings::default()),
        otlp: Live::default(),
        metrics: Live::default(),
        rules: Live::fixed(Limits::default()),
        analysis: Live::fixed(AnalysisSettings {
            model: Some("nobody/model".to_owned()),
            ..AnalysisSettings::default()
        }),
        storage: Live::default(),
        ingest: Live::default(),
    });
    (identity, insight)
}
