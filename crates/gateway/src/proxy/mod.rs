//! The path of a call: from the client's request to the provider and back, with the ledger in between.

mod begin;
mod cached_calls;
mod call;
mod call_response;
mod chat_stream;
mod conversations;
mod detach_on_drop;
mod error_event;
mod estimate;
mod failover;
mod failure;
mod internal_calls;
mod make_call;
mod message_schemas;
pub(crate) mod messages;
pub(crate) mod model_routes;
mod models;
mod non_streamed;
pub(crate) mod pass_through_routes;
mod pass_through_schemas;
mod plan;
mod previous_response;
mod probe;
pub(crate) mod response_cache;
mod response_schemas;
mod route_test;
pub(crate) mod routes;
mod schemas;
mod send;
mod streamed;

pub use chat_stream::{ChatStream, interrupted};
pub use probe::ProviderTest;
pub use route_test::RouteTest;

use std::sync::{Arc, RwLock};
use std::time::Duration;

use loam_db::Db;
use loam_http::client::Client;
use loam_kernel::{Clock, TenantId};
use loam_platform::system_config::LiveConfig;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::catalog::Catalog;
use crate::hook::ConversationHook;
use crate::limits::meters::Meters;
use crate::llm_calls::ledger::Ledger;
use crate::llm_calls::refusals::Refusals;
use crate::{CallSettings, Config};
use response_cache::ResponseCache;

/// How often refused calls are written.
const REFUSALS_INTERVAL: Duration = Duration::from_millis(250);

/// Calls models, for clients and for Loam's own code. Cheap to clone.
#[derive(Clone)]
pub struct Proxy(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) client: Client,
    pub(crate) catalog: Catalog,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) meters: Meters,
    pub(crate) config: Config,
    pub(crate) settings: LiveConfig<CallSettings>,
    pub(crate) response_cache: ResponseCache,
    /// Calls that were refused and are not written yet.
    pub(crate) refusals: Refusals,
    /// Listeners to calls that name a conversation.
    pub(crate) hooks: RwLock<Vec<Arc<dyn ConversationHook>>>,
    /// Calls in progress, which a stopping server waits for.
    pub(crate) calls: TaskTracker,
}

impl Proxy {
    /// The maximum bytes recorded of a body.
    pub fn max_recorded_body_bytes(&self, tenant: TenantId) -> usize {
        let Inner { config, settings, .. } = &*self.0;
        let recorded =
            config.record_bodies && settings.with(tenant, |settings| settings.record_bodies.unwrap_or(true));
        if recorded { config.record_max_bytes } else { 0 }
    }

    /// Tokens reserved for a response that its request doesn't bound.
    fn expected_answer_tokens(&self, tenant: TenantId) -> u64 {
        let tenant_value = self.0.settings.with(tenant, |settings| settings.expected_answer_tokens);
        tenant_value.unwrap_or(self.0.config.expected_answer_tokens)
    }

    /// Writes refused calls, until stopped.
    pub(crate) async fn write_refusals_until(self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(REFUSALS_INTERVAL)).await.is_some() {
            self.write_refusals();
        }
    }

    fn write_refusals(&self) {
        let Inner { refusals, ledger, clock, .. } = &*self.0;
        let now = clock.now().timestamp_micros();
        if let Err(e) = refusals.write(now, |record| ledger.append_refusal(record)) {
            tracing::debug!(error = %e, "refused calls can't be recorded at the moment; retried");
        }
    }

    /// Waits until the calls in progress have ended and are settled, and writes those that were refused.
    pub async fn finish_calls(&self) {
        self.0.calls.close();
        self.0.calls.wait().await;
        self.write_refusals();
    }

    /// The number of calls in progress.
    pub fn open_calls(&self) -> usize {
        self.0.calls.len()
    }
}
