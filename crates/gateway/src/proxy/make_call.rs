//! A call from its intent to its response, the same for clients and for Loam's own code.

use bytes::Bytes;
use http::HeaderMap;
use loam_kernel::{LlmCallId, Scope};
use loam_providers::Endpoint;

use super::Proxy;
use super::call::Call;
use super::call_response::{CallBody, CallResponse};
use super::detach_on_drop::detach_on_drop;
use super::failure::CallError;
use super::send::ProviderResponse;
use crate::hook::CallContext;
use crate::limits::admission::RateLimitStatus;

/// Makes a call; sets `rate_limits` to what the client is shown. The id is set once the call is recorded.
pub(super) async fn make_call(
    proxy: Proxy,
    scope: &Scope,
    endpoint: Endpoint,
    headers: &HeaderMap,
    body: Bytes,
    mut context: CallContext,
    rate_limits: &mut RateLimitStatus,
) -> (Option<LlmCallId>, Result<CallResponse, CallError>) {
    let body = match proxy.continue_response(scope, endpoint, body, &mut context).await {
        Ok(body) => body,
        Err(e) => return (None, Err(e.into())),
    };
    match proxy.open_call(scope, endpoint, headers, body, context, rate_limits).await {
        Ok(call) => {
            let (id, calls) = (call.open.record.id, proxy.0.calls.clone());
            let running = detach_on_drop(&calls, async move { Ok(run_call(proxy, call).await) });
            (Some(id), running.await.unwrap_or_else(|e| Err(e.into())))
        }
        Err(e) => (None, Err(e.into())),
    }
}

async fn run_call(proxy: Proxy, mut call: Box<Call>) -> Result<CallResponse, CallError> {
    if let Some(cached) = proxy.cached_response(&mut call) {
        return Ok(Box::pin(proxy.respond_from_cache(*call, &cached)).await?);
    }
    match proxy.call_with_failover(&mut call).await {
        Ok(ProviderResponse::Complete { head, response, output }) => {
            Ok(proxy.respond_complete(call, head, response, output).await?)
        }
        Ok(ProviderResponse::Stream { head, first, body, reader }) => {
            let (head, relay) = proxy.respond_streamed(*call, head, first, body, reader);
            Ok(CallResponse { head, body: CallBody::Streamed(relay) })
        }
        Err(CallError { error, headers }) => {
            Err(CallError { error: Box::pin(proxy.fail(*call, error)).await, headers })
        }
    }
}
