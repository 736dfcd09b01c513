//! What insight contributes to the server.

use std::sync::Arc;
use std::time::Duration;

use loam_db::EntityShape;
use loam_jobs::{Handlers, Schedule};
use loam_kernel::Result;
use loam_platform::domain::{Declarations, Domain, Tasks};
use loam_platform::drain::Sink;
use loam_platform::personal::PersonalDataStore;
use loam_platform::seal::rows;
use utoipa_axum::router::OpenApiRouter;

use crate::alert_rules::ManageRules;
use crate::alerts::Evaluate;
use crate::analyses::{self, SCHEDULED};
use crate::comparisons::{self, MeasureGains};
use crate::otlp::{self, CallSink, ReportedErrorSink};
use crate::performance_metrics::{self, MetricSink};
use crate::records::{DeleteOld, DeleteTelemetry, Finalise};
use crate::rejected_records::{self, DeleteOldRejected};
use crate::suggestions::{self, COLLECT, Collect};
use crate::{
    INGEST, Insight, METRICS, OTLP, STORAGE, alert_events, alert_rules, call_trees, function_calls, ingest,
    performance_records, personal, record_functions, rules, stats, trace,
};

impl Domain for Insight {
    fn declarations() -> Declarations {
        let mut entities = vec![
            EntityShape::of::<performance_records::entity::Entity>(),
            EntityShape::of::<call_trees::entity::Entity>(),
            EntityShape::of::<record_functions::entity::Entity>(),
            EntityShape::of::<performance_metrics::entity::Entity>(),
            EntityShape::of::<rejected_records::entity::Entity>(),
            EntityShape::of::<stats::endpoints::Entity>(),
            EntityShape::of::<stats::functions::Entity>(),
            EntityShape::of::<stats::metrics::Entity>(),
            EntityShape::of::<stats::names::Entity>(),
            EntityShape::of::<alert_rules::entity::Entity>(),
            EntityShape::of::<alert_events::entity::Entity>(),
            EntityShape::of::<suggestions::entity::Entity>(),
        ];
        entities.extend(analyses::entities());
        Declarations {
            entities,
            sealed: vec![rows::<alert_rules::entity::Entity>()],
            stored_formats: vec![
                trace::TRACE_CHUNK,
                trace::TRACE_CHUNK_FRAME,
                record_functions::RECORD_SHARES,
                otlp::REPORTED_CALLS_FRAME,
                otlp::REPORTED_ERRORS_FRAME,
                performance_metrics::METRIC_POINTS_FRAME,
            ],
            config_keys: vec![
                alert_rules::ALERT_RULES.declare(),
                rules::RULES.declare(),
                analyses::ANALYSIS.declare(),
                OTLP.declare(),
                METRICS.declare(),
                STORAGE.declare(),
                INGEST.declare(),
            ],
        }
    }

    fn routes(&self) -> OpenApiRouter {
        OpenApiRouter::new()
            .merge(alert_rules::routes::router(self.alerts.clone()))
            .merge(alert_events::routes::router(self.alerts.clone()))
            .merge(otlp::routes::router(self.ingest.clone()))
            .merge(performance_metrics::routes::router(self.ingest.clone()))
            .merge(analyses::routes::router(self.analyses.clone()))
            .merge(suggestions::routes::router(self.analyses.clone()))
            .merge(performance_records::routes::router(self.stats.clone()))
            .merge(function_calls::routes::router(self.stats.clone()))
            .merge(stats::routes::router(self.stats.clone()))
            .merge(ingest::routes::router(self.ingest.clone()))
            .merge(rejected_records::routes::router(self.ingest.clone()))
            .merge(comparisons::routes::router(self.stats.clone()))
    }

    fn jobs(&self) -> Result<Handlers> {
        Ok(Handlers::new()
            .with(Evaluate(self.alerts.clone()))
            .every(Schedule::new(Evaluate::KIND, Evaluate::EVERY)?)
            .with(ManageRules(self.alerts.clone()))
            .with(MeasureGains(self.stats.clone()))
            .every(Schedule::new(MeasureGains::KIND, MeasureGains::EVERY)?)
            .with(analyses::Run(self.analyses.clone()))
            .with(analyses::Scheduled(self.analyses.clone()))
            .every(Schedule::new(SCHEDULED, Duration::from_hours(1))?)
            .with(Collect(self.analyses.clone()))
            .every(Schedule::new(COLLECT, Duration::from_mins(1))?)
            .with(Finalise(self.stats.clone()))
            .every(Schedule::new(Finalise::KIND, Finalise::EVERY)?)
            .with(DeleteTelemetry(self.stats.clone()))
            .with(DeleteOld(self.stats.clone()))
            .every(Schedule::new(DeleteOld::KIND, DeleteOld::EVERY)?)
            .with(DeleteOldRejected(self.ingest.clone()))
            .every(Schedule::new(DeleteOldRejected::KIND, Duration::from_hours(1))?))
    }

    /// These drain telemetry.
    fn sinks(&self) -> Vec<Arc<dyn Sink>> {
        let (clock, node, guard) = (&self.stats.0.clock, self.node, self.guard());
        vec![
            Arc::new(self.record_sink(node)),
            Arc::new(CallSink::new(clock.clone(), node, guard.clone())),
            Arc::new(MetricSink::new(clock.clone(), node, guard.clone())),
            Arc::new(ReportedErrorSink::new(clock.clone(), node, guard)),
        ]
    }

    fn personal_data(&self) -> Vec<Arc<dyn PersonalDataStore>> {
        personal::stores()
    }

    fn start(&self, tasks: &mut Tasks) {
        tasks.spawn(|stop| self.ingest.clone().write_activity_periodically(stop));
    }
}
