//! The handle of this crate: it creates those of its parts.

use std::sync::Arc;

use loam_db::Db;
use loam_gateway::Gateway;
use loam_http::client::Client;
use loam_identity::Identity;
use loam_journal::Journal;
use loam_kernel::{Clock, NodeId};
use loam_platform::changes::Changes;
use loam_platform::mail::Mailer;
use loam_platform::notices::Notices;
use loam_platform::personal::Guard;
use loam_platform::seal::Keyring;
use loam_platform::system_config::LiveConfig;
use loam_platform::webhook_deliveries::WebhookDeliveries;
use uuid::Uuid;

use crate::alert_rules::AlertSettings;
use crate::alerts::{self, AlertDeliveryHandler, Alerts, EMAIL, WEBHOOK};
use crate::analyses::{self, Analyses, AnalysisSettings};
use crate::ingest::settings::IngestSettings;
use crate::ingest::{self, Ingest};
use crate::otlp::OtlpSettings;
use crate::performance_metrics::MetricSettings;
use crate::records::{RecordSink, StorageSettings};
use crate::rules::Limits;
use crate::stats::{self, Stats};

/// Telemetry: a handle for each part, which holds what that part uses. Cheap to clone.
#[derive(Clone)]
pub struct Insight {
    /// Stored requests and their sums.
    pub stats: Stats,
    /// Alert rules and incidents.
    pub alerts: Alerts,
    /// Analyses and suggestions.
    pub analyses: Analyses,
    pub(crate) ingest: Ingest,
    /// ID of this node, taken from its journal.
    pub(crate) node: NodeId,
}

/// The dependencies of [`Insight`].
pub struct Parts {
    /// The database.
    pub db: Db,
    /// Time and ids.
    pub clock: Clock,
    /// Change notifications between nodes.
    pub notices: Notices,
    /// Users, projects and permissions.
    pub identity: Identity,
    /// Calls to models, for analyses.
    pub gateway: Gateway,
    /// Encrypts the signing secrets of alert webhooks.
    pub keyring: Keyring,
    /// HTTP client for alert webhooks.
    pub client: Client,
    /// The journal for ingested telemetry; `None` for the command line, which ingests nothing.
    pub journal: Option<Journal>,
    /// Delivery queue of alert notifications.
    pub deliveries: WebhookDeliveries,
    /// E-mail; `None` if the operator configured no mail server.
    pub mailer: Option<Mailer>,
    /// Configuration of alert evaluation.
    pub alerts: LiveConfig<AlertSettings>,
    /// Configuration of OTLP ingest.
    pub otlp: LiveConfig<OtlpSettings>,
    /// Limits of metrics per project.
    pub metrics: LiveConfig<MetricSettings>,
    /// Thresholds of the diagnosis rules.
    pub rules: LiveConfig<Limits>,
    /// Configuration of analyses by a model.
    pub analysis: LiveConfig<AnalysisSettings>,
    /// Storage and retention.
    pub storage: LiveConfig<StorageSettings>,
    /// Limits of ingest.
    pub ingest: LiveConfig<IngestSettings>,
}

impl Insight {
    /// Creates a handle on a migrated database.
    pub fn new(parts: Parts) -> Self {
        let Parts {
            db,
            clock,
            notices,
            identity,
            gateway,
            keyring,
            client,
            journal,
            deliveries,
            mailer,
            alerts,
            otlp,
            metrics,
            rules,
            analysis,
            storage,
            ingest,
        } = parts;
        let node = NodeId(Uuid::from_bytes(journal.as_ref().map_or([0; 16], Journal::id)));
        let handler = AlertDeliveryHandler {
            db: db.clone(),
            clock: clock.clone(),
            keyring: keyring.clone(),
            client: client.clone(),
            mailer: mailer.clone(),
            identity: identity.clone(),
        };
        deliveries.register(WEBHOOK, handler.clone());
        deliveries.register(EMAIL, handler);
        let settings = analysis.clone();
        identity.set_auto_analysis_check(Box::new(move |tenant, project| {
            settings.with(tenant, |settings| settings.check_has_model(project))
        }));
        let changes = Changes::new(clock.clone(), notices.clone());
        let stats = Stats(Arc::new(stats::Inner {
            db: db.clone(),
            clock: clock.clone(),
            identity: identity.clone(),
            storage: storage.clone(),
            rules: rules.clone(),
        }));
        let analyses = Analyses(Arc::new(analyses::Inner {
            db: db.clone(),
            clock: clock.clone(),
            changes: changes.clone(),
            identity: identity.clone(),
            gateway: gateway.clone(),
            analysis,
            rules,
            storage,
            stats: stats.clone(),
        }));
        let ingest = Ingest::new(ingest::Parts {
            db: db.clone(),
            clock: clock.clone(),
            changes: changes.clone(),
            identity: identity.clone(),
            gateway: gateway.clone(),
            journal,
            settings: ingest,
            otlp,
            metrics,
        });
        let alerts = Alerts(Arc::new(alerts::Inner {
            db,
            clock,
            notices,
            changes,
            identity,
            gateway,
            keyring,
            client,
            deliveries,
            mailer,
            settings: alerts,
        }));
        Self { stats, alerts, analyses, ingest, node }
    }

    pub(crate) fn record_sink(&self, node: NodeId) -> RecordSink {
        let stats = &self.stats.0;
        let (storage, rules) = (stats.storage.clone(), stats.rules.clone());
        RecordSink::new(stats.clock.clone(), node, self.guard(), storage, rules)
    }

    /// Keeps late records of erased people out.
    pub(crate) fn guard(&self) -> Guard {
        Guard::new(self.alerts.0.keyring.clone())
    }
}
