//! What conversations contribute to the server.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use loam_db::EntityShape;
use loam_jobs::{Handlers, Schedule};
use loam_kernel::{NodeId, Result};
use loam_platform::domain::{Declarations, Domain, Tasks};
use loam_platform::drain::Sink;
use loam_platform::personal::PersonalDataStore;
use loam_platform::seal::rows;
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

use crate::chat_sessions::delete::{DeleteMessages, DeleteUsersSessions};
use crate::chat_sessions::detach::DetachSessions;
use crate::exchanges::{DEFERRED_EXCHANGE_FRAME, DeferredExchangeSink, RecordExchange};
use crate::messages::purge::PurgeMessage;
use crate::tools::EndOrphanedToolCalls;
use crate::turns::retention::DeleteOldEvents;
use crate::turns::sink::TurnSink;
use crate::turns::stored::{TURN_EVENTS, TURN_EVENTS_FRAME, TURN_STORED_FRAME};
use crate::{
    CONTEXT, Conversation, TURNS, channels, chat_sessions, context, history, messages, personal,
    session_configs, tools, turns,
};

#[async_trait]
impl Domain for Conversation {
    fn declarations() -> Declarations {
        Declarations {
            entities: vec![
                EntityShape::of::<chat_sessions::entity::Entity>(),
                EntityShape::of::<session_configs::entity::Entity>(),
                EntityShape::of::<context::summaries::Entity>(),
                EntityShape::of::<turns::entity::Entity>(),
                EntityShape::of::<turns::part::Entity>(),
                EntityShape::of::<messages::entity::Entity>(),
                EntityShape::of::<channels::entity::Entity>(),
                EntityShape::of::<channels::chats::Entity>(),
                EntityShape::of::<channels::senders::Entity>(),
                EntityShape::of::<channels::events::Entity>(),
            ],
            sealed: vec![rows::<channels::entity::Entity>(), rows::<session_configs::entity::Entity>()],
            stored_formats: vec![TURN_EVENTS, TURN_EVENTS_FRAME, TURN_STORED_FRAME, DEFERRED_EXCHANGE_FRAME],
            config_keys: vec![TURNS.declare(), CONTEXT.declare(), channels::CHANNELS.declare()],
        }
    }

    fn routes(&self) -> OpenApiRouter {
        OpenApiRouter::new()
            .merge(history::routes::router(self.history.clone()))
            .merge(chat_sessions::routes::router(self.sessions.clone()))
            .merge(messages::routes::router(self.messages.clone()))
            .merge(session_configs::routes::router(self.session_configs.clone()))
            .merge(tools::routes::router(self.tools.clone()))
            .merge(turns::routes::router(self.turns.clone()))
            .merge(channels::routes::router(self.channels.clone()))
    }

    fn jobs(&self) -> Result<Handlers> {
        let tools = &self.tools.0;
        let delete_old_events = DeleteOldEvents {
            db: tools.db.clone(),
            clock: tools.clock.clone(),
            gateway: tools.gateway.clone(),
        };
        Ok(channels::jobs::handlers(&self.channels)?
            .with(DeleteMessages(self.sessions.clone()))
            .with(DetachSessions(self.sessions.clone()))
            .with(PurgeMessage(self.messages.clone()))
            .with(DeleteUsersSessions(self.sessions.clone()))
            .with(RecordExchange(self.exchanges.clone()))
            .with(EndOrphanedToolCalls(tools.gateway.clone()))
            .with(delete_old_events)
            .every(Schedule::new(DeleteOldEvents::KIND, DeleteOldEvents::EVERY)?)
            .every(Schedule::new(EndOrphanedToolCalls::KIND, Duration::from_hours(1))?))
    }

    /// These drain turn events, and exchanges whose recording was deferred.
    fn sinks(&self) -> Vec<Arc<dyn Sink>> {
        let clock = &self.sessions.0.clock;
        vec![Arc::new(TurnSink::new(clock.clone())), Arc::new(DeferredExchangeSink(clock.clone()))]
    }

    fn personal_data(&self) -> Vec<Arc<dyn PersonalDataStore>> {
        personal::stores(&self.sessions.0.clock)
    }

    fn start(&self, tasks: &mut Tasks) {
        tasks.spawn(|stop| self.turns.clone().watch_turns(stop));
        tasks.spawn(|stop| self.sessions.clone().keep_warm(stop));
    }

    async fn recover(&self, node: NodeId, start: Uuid) -> Result<()> {
        self.turns.interrupt_turns(node, start).await.map(drop)
    }
}
