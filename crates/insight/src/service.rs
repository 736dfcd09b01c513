//! The handle of this crate.

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
use loam_platform::seal::Keyring;
use loam_platform::system_config::LiveConfig;
use loam_platform::webhook_deliveries::WebhookDeliveries;
use uuid::Uuid;

use crate::alert_rules::AlertSettings;
use crate::alerts::{AlertDeliveryHandler, EMAIL, WEBHOOK};
use crate::analyses::AnalysisSettings;
use crate::ingest::settings::IngestSettings;
use crate::ingest::{Activity, Meter};
use crate::otlp::OtlpSettings;
use crate::performance_metrics::{MetricSettings, SeriesLimiter};
use crate::records::{RecordSink, StorageSettings};
use crate::rules::Limits;

/// The handle of insight. Cheap to clone.
#[derive(Clone)]
pub struct Insight(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) notices: Notices,
    pub(crate) changes: Changes,
    pub(crate) identity: Identity,
    pub(crate) gateway: Gateway,
    pub(crate) keyring: Keyring,
    pub(crate) client: Client,
    pub(crate) journal: Option<Journal>,
    /// ID of this node, taken from its journal.
    pub(crate) node: NodeId,
    pub(crate) deliveries: WebhookDeliveries,
    pub(crate) mailer: Option<Mailer>,
    pub(crate) alerts: LiveConfig<AlertSettings>,
    pub(crate) otlp: LiveConfig<OtlpSettings>,
    pub(crate) metrics: LiveConfig<MetricSettings>,
    pub(crate) series: SeriesLimiter,
    pub(crate) rules: LiveConfig<Limits>,
    pub(crate) analysis: LiveConfig<AnalysisSettings>,
    pub(crate) storage: LiveConfig<StorageSettings>,
    pub(crate) ingest: LiveConfig<IngestSettings>,
    pub(crate) meter: Meter,
    pub(crate) activity: Activity,
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
        Self(Arc::new(Inner {
            changes: Changes::new(clock.clone(), notices.clone()),
            clock,
            notices,
            identity,
            gateway,
            keyring,
            client,
            journal,
            node,
            series: SeriesLimiter::new(db.clone()),
            db,
            deliveries,
            mailer,
            alerts,
            otlp,
            metrics,
            rules,
            analysis,
            storage,
            ingest,
            meter: Meter::default(),
            activity: Activity::default(),
        }))
    }

    pub(crate) fn record_sink(&self, node: NodeId) -> RecordSink {
        RecordSink::new(self.0.clock.clone(), node, self.0.storage.clone(), self.0.rules.clone())
    }
}
