//! Reads the messages of a recorded call.

use bytes::Bytes;
use loam_kernel::{LlmCallId, Result, Scope, TenantId, run_blocking_without_timeout};
use loam_platform::pack::unpack;
use loam_providers::Endpoint;

use crate::Gateway;
use crate::hook::{CompletedCall, ConversationRef, Exchange};
use crate::llm_calls::entity::{CallState, Model};

impl Gateway {
    /// The messages of a call that has ended, read from its record, with the conversation by the name that the record
    /// has; none if the record is truncated or was erased, or the call has no response.
    pub async fn exchange(
        &self,
        tenant: TenantId,
        call: LlmCallId,
        conversation: impl FnOnce(String) -> ConversationRef,
    ) -> Result<Option<Exchange>> {
        let mut row = self.get_call(&Scope::system(tenant, "conversations"), call).await?;
        let Some(conversation) = row.session_id.take().map(conversation) else { return Ok(None) };
        let Some(endpoint) = Endpoint::of_path(&row.endpoint) else { return Ok(None) };
        let Some(completed) = recorded(row, endpoint)? else { return Ok(None) };
        run_blocking_without_timeout(tenant, move || completed.read(conversation)).await.map(Some)
    }
}

fn recorded(row: Model, endpoint: Endpoint) -> Result<Option<CompletedCall>> {
    if !matches!(row.state, CallState::Settled | CallState::Estimated) {
        return Ok(None);
    }
    let request = unpack(&row.request_data.unwrap_or_default())?;
    let Some(request) = request.filter(|stored| !stored.cut) else { return Ok(None) };
    let response = unpack(&row.response_data.unwrap_or_default())?;
    let (response, events) = match response {
        Some(stored) if stored.cut => return Ok(None),
        Some(stored) => (vec![Bytes::from(stored.body)], stored.events),
        None => (Vec::new(), row.streamed),
    };
    let count = |tokens: Option<i64>| tokens.and_then(|tokens| u64::try_from(tokens).ok());
    let tokens = count(row.prompt_tokens).zip(count(row.completion_tokens));
    Ok(Some(CompletedCall {
        call: row.id,
        model: format!("{}/{}", row.provider, row.model),
        endpoint,
        request: request.body.into(),
        response,
        events,
        tokens,
        error: row.error_message,
    }))
}
