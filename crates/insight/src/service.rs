//! The handle of this crate.

use std::sync::Arc;
use std::time::Duration;

use loam_db::Db;
use loam_gateway::Gateway;
use loam_http::client::Client;
use loam_identity::Identity;
use loam_jobs::{Handlers, Schedule};
use loam_journal::Journal;
use loam_kernel::{Clock, NodeId, Result};
use loam_platform::changes::Changes;
use loam_platform::drain::Sink;
use loam_platform::mail::Mailer;
use loam_platform::notices::Notices;
use loam_platform::personal::Guard;
use loam_platform::seal::Keyring;
use loam_platform::system_config::LiveConfig;
use loam_platform::webhook_deliveries::WebhookDeliveries;
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

use crate::alert_rules::{self, AlertSettings};
use crate::alerts::{AlertDeliveryHandler, EMAIL, Evaluate, WEBHOOK};
use crate::analyses::{self, AnalysisSettings, SCHEDULED};
use crate::comparisons::MeasureGains;
use crate::ingest::settings::IngestSettings;
use crate::ingest::{self, Activity, Meter};
use crate::otlp::{self, CallSink, OtlpSettings};
use crate::performance_metrics::{self, MetricSettings, MetricSink, SeriesLimiter};
use crate::records::{DeleteOld, Finalise, RecordSink, StorageSettings};
use crate::rejected_records;
use crate::rules::Limits;
use crate::suggestions::{self, COLLECT, Collect};
use crate::{alert_events, comparisons, function_calls, performance_records, stats};

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

    /// The routes of this crate.
    pub fn router(&self) -> OpenApiRouter {
        OpenApiRouter::new()
            .merge(alert_rules::routes::router(self.clone()))
            .merge(alert_events::routes::router(self.clone()))
            .merge(otlp::routes::router(self.clone()))
            .merge(performance_metrics::routes::router(self.clone()))
            .merge(analyses::routes::router(self.clone()))
            .merge(suggestions::routes::router(self.clone()))
            .merge(performance_records::routes::router(self.clone()))
            .merge(function_calls::routes::router(self.clone()))
            .merge(stats::routes::router(self.clone()))
            .merge(ingest::routes::router(self.clone()))
            .merge(rejected_records::routes::router(self.clone()))
            .merge(comparisons::routes::router(self.clone()))
    }

    /// The jobs of this crate.
    pub fn jobs(&self, handlers: Handlers) -> Result<Handlers> {
        let evaluate = Schedule::new(Evaluate::KIND, Evaluate::EVERY)?;
        let gains = Schedule::new(MeasureGains::KIND, MeasureGains::EVERY)?;
        let handlers = handlers.with(Evaluate(self.clone())).every(evaluate);
        let handlers = handlers.with(MeasureGains(self.clone())).every(gains);
        let collect = Schedule::new(COLLECT, Duration::from_mins(1))?;
        let scheduled = Schedule::new(SCHEDULED, Duration::from_hours(1))?;
        let handlers = handlers.with(analyses::Run(self.clone())).with(analyses::Scheduled(self.clone()));
        let handlers = handlers.with(Collect(self.clone())).every(collect).every(scheduled);
        let handlers = handlers.with(Finalise(self.clone())).with(DeleteOld(self.clone()));
        let finalise = Schedule::new(Finalise::KIND, Finalise::EVERY)?;
        let handlers = handlers.every(finalise).every(Schedule::new(DeleteOld::KIND, DeleteOld::EVERY)?);
        let sweep = Schedule::new(rejected_records::DeleteOldRejected::KIND, Duration::from_hours(1))?;
        Ok(handlers.with(rejected_records::DeleteOldRejected(self.clone())).every(sweep))
    }

    /// The sinks that write journaled telemetry to the database.
    pub fn sinks(&self) -> Vec<Arc<dyn Sink>> {
        vec![
            Arc::new(self.record_sink(self.0.node)),
            Arc::new(CallSink::new(self.0.clock.clone(), self.0.node, Guard::new(self.0.keyring.clone()))),
            Arc::new(MetricSink::new(self.0.clock.clone(), self.0.node)),
        ]
    }

    pub(crate) fn record_sink(&self, node: NodeId) -> RecordSink {
        RecordSink::new(self.0.clock.clone(), node, self.0.storage.clone(), self.0.rules.clone())
    }
}
