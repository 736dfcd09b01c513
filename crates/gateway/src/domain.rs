//! What the gateway contributes to the server.

use std::sync::Arc;

use async_trait::async_trait;
use loam_db::EntityShape;
use loam_jobs::{Handlers, Schedule};
use loam_kernel::{NodeId, Result};
use loam_platform::domain::{Declarations, Domain, Tasks};
use loam_platform::drain::Sink;
use loam_platform::personal::{Guard, PersonalDataStore};
use loam_platform::seal::rows;
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

use crate::ai_providers::prepared::PrepareProviders;
use crate::llm_calls::DeleteOldCalls;
use crate::llm_calls::sink::CallSink;
use crate::{
    CALLS, Gateway, ai_providers, limits, llm_calls, model_prices, model_routes, personal, proxy, tool_calls,
    usage,
};

#[async_trait]
impl Domain for Gateway {
    fn declarations() -> Declarations {
        Declarations {
            entities: vec![
                EntityShape::of::<ai_providers::entity::Entity>(),
                EntityShape::of::<model_prices::entity::Entity>(),
                EntityShape::of::<model_routes::entity::Entity>(),
                EntityShape::of::<limits::entity::Entity>(),
                EntityShape::of::<usage::entity::Entity>(),
                EntityShape::of::<llm_calls::entity::Entity>(),
                EntityShape::of::<tool_calls::entity::Entity>(),
            ],
            sealed: vec![rows::<ai_providers::entity::Entity>()],
            stored_formats: vec![llm_calls::LLM_CALL_FRAME, usage::LATENCY],
            config_keys: vec![CALLS.declare()],
        }
    }

    fn routes(&self) -> OpenApiRouter {
        OpenApiRouter::new()
            .merge(proxy::routes::router(self.0.proxy.clone()))
            .merge(proxy::messages::router(self.0.proxy.clone()))
            .merge(proxy::pass_through_routes::router(self.0.proxy.clone()))
            .merge(proxy::model_routes::router(self.0.proxy.clone()))
            .merge(ai_providers::routes::router(self.clone()))
            .merge(ai_providers::kinds::router())
            .merge(model_prices::routes::router(self.clone()))
            .merge(model_routes::routes::router(self.clone()))
            .merge(usage::routes::router(self.clone()))
            .merge(limits::routes::router(self.clone()))
            .merge(llm_calls::routes::router(self.clone()))
            .merge(tool_calls::routes::router(self.clone()))
    }

    fn jobs(&self) -> Result<Handlers> {
        Ok(Handlers::new()
            .with(PrepareProviders(self.clone()))
            .with(DeleteOldCalls::new(self.clone()))
            .every(Schedule::new(DeleteOldCalls::KIND, DeleteOldCalls::EVERY)?))
    }

    fn sinks(&self) -> Vec<Arc<dyn Sink>> {
        let guard = Guard::new(self.0.keyring.clone());
        vec![Arc::new(CallSink::new(self.0.clock.clone(), guard))]
    }

    fn personal_data(&self) -> Vec<Arc<dyn PersonalDataStore>> {
        personal::stores()
    }

    fn start(&self, tasks: &mut Tasks) {
        tasks.spawn(|stop| self.clone().monitor_capacity(stop));
        tasks.spawn(|stop| self.0.proxy.clone().write_refusals_until(stop));
        let meters = self.0.meters.clone();
        tasks.spawn(|stop| meters.poll_other_nodes(stop));
    }

    async fn recover(&self, node: NodeId, start: Uuid) -> Result<()> {
        self.mark_orphans(node, start).await.map(drop)
    }
}
