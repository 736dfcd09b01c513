//! Test fixture: Insight on a freshly bootstrapped database.

use loam_gateway::{CallSettings, Gateway};
use loam_http::client::{Client, Config};
use loam_identity::{BootstrapOptions, Identity};
use loam_kernel::{Actor, Clock, NodeId, Permissions, ProjectId, Scope, TenantId};
use loam_platform::notices::Notices;
use loam_platform::personal::Guard;
use loam_platform::seal::Keyring;
use loam_platform::sketch::Sketch;
use loam_platform::system_config::LiveConfig;
use loam_platform::webhook_deliveries::{DeliverySettings, WebhookDeliveries};
use loam_testkit::Database;
use sea_orm::IntoActiveModel;
use serde_json::json;
use zeroize::Zeroizing;

use crate::alert_rules::AlertSettings;
use crate::analyses::AnalysisSettings;
use crate::rules::Limits;
use crate::stats::{Granularity, endpoints};
use crate::{Insight, Parts};

const KEY: &str = "loam_abcdefghijkmnpqrstuvwxyz23456789abcdefgh";

pub(crate) struct Fixture {
    pub(crate) clock: Clock,
    pub(crate) identity: Identity,
    pub(crate) insight: Insight,
    pub(crate) database: Database,
}

impl Fixture {
    pub(crate) async fn new(database: Database) -> Self {
        Self::with_analysis(database, AnalysisSettings::default()).await
    }

    pub(crate) async fn with_analysis(database: Database, analysis: AnalysisSettings) -> Self {
        let clock = Clock::fixed(Clock::system().now());
        database.db.ensure_partitions(&Scope::system(TenantId::NIL, "test"), clock.now()).await.unwrap();
        let (identity, insight) = handles(&database, &clock, analysis);
        let key = Some(Zeroizing::new(KEY.to_owned()));
        identity.bootstrap(BootstrapOptions { api_key: key, password: None }).await.unwrap();
        Self { clock, identity, insight, database }
    }

    /// A second server on the same database.
    pub(crate) fn second_node(&self) -> Insight {
        handles(&self.database, &self.clock, AnalysisSettings::default()).1
    }

    /// The guard with the tombstones of erased people.
    pub(crate) fn guard(&self) -> Guard {
        let file = self.database.folder().join("master.key");
        Guard::new(Keyring::open(&file, &self.clock, false).unwrap())
    }

    /// A scope with all permissions.
    pub(crate) fn scope(&self) -> Scope {
        Scope::new(self.identity.default_tenant().unwrap(), Actor::CommandLine, Permissions::all())
    }

    pub(crate) async fn project(&self, name: &str) -> ProjectId {
        let new = serde_json::from_value(json!({ "name": name })).unwrap();
        self.identity.create_project(&self.scope(), new).await.unwrap().row.id
    }

    /// Inserts sums of a project's requests for the current bucket.
    pub(crate) async fn endpoint_sum(
        &self,
        project: ProjectId,
        granularity: Granularity,
        fill: impl FnOnce(&mut endpoints::Model),
    ) {
        let now = self.clock.now();
        let mut row = endpoints::Model {
            tenant_id: TenantId::NIL,
            id: self.clock.id(),
            node_id: NodeId(self.clock.id()),
            project_id: project,
            granularity,
            bucket: granularity.bucket(now),
            endpoint: "GET /".to_owned(),
            version: "1".to_owned(),
            requests: 0,
            errors: 0,
            duration_us: 0,
            cpu_us: 0,
            query_count: 0,
            query_us: 0,
            slow_queries: 0,
            cache_hits: 0,
            cache_misses: 0,
            cache_us: 0,
            memory_delta: 0,
            memory_peak: 0,
            calls: 0,
            sketch: Sketch::default().to_bytes(),
            created_at: now,
            updated_at: now,
        };
        fill(&mut row);
        let tx = self.database.db.write(&self.scope()).await.unwrap();
        tx.insert(row.into_active_model()).await.unwrap();
        tx.commit().await.unwrap();
    }
}

fn handles(database: &Database, clock: &Clock, analysis: AnalysisSettings) -> (Identity, Insight) {
    let (db, notices) = (database.db.clone(), Notices::default());
    let file = database.folder().join("master.key");
    let keyring = Keyring::open(&file, clock, !file.is_file()).unwrap();
    let client = Client::new(&Config { allow_loopback: true, ..Config::default() }).unwrap();
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
        settings: LiveConfig::fixed(CallSettings::default()),
    });
    let deliveries =
        WebhookDeliveries::new(db.clone(), clock.clone(), LiveConfig::fixed(DeliverySettings::default()));
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
        alerts: LiveConfig::fixed(AlertSettings::default()),
        otlp: LiveConfig::default(),
        metrics: LiveConfig::default(),
        rules: LiveConfig::fixed(Limits::default()),
        analysis: LiveConfig::fixed(AnalysisSettings { model: Some("nobody/model".to_owned()), ..analysis }),
        storage: LiveConfig::default(),
        ingest: LiveConfig::default(),
    });
    (identity, insight)
}
