//! Continues a response that Loam translated, from the record of its call. Providers that have the Responses API store
//! their responses themselves, and get the id of one as the client sent it.

use bytes::Bytes;
use loam_kernel::{Kind, Result, Scope, run_blocking_limited};
use loam_platform::pack::unpack;
use loam_providers::{
    Endpoint, assemble, call_of_response, continue_response, previous_response_id,
    previous_response_not_found,
};

use super::Proxy;
use crate::hook::CallContext;
use crate::llm_calls::entity::Model;
use crate::llm_calls::read_call;

/// Who may read every call may continue every response.
const READ: &str = "llm_calls:read";

impl Proxy {
    /// The request with the items of the response that it continues, whose id is noted in `context`.
    pub(super) async fn continue_response(
        &self,
        scope: &Scope,
        endpoint: Endpoint,
        request: Bytes,
        context: &mut CallContext,
    ) -> Result<Bytes> {
        if endpoint != Endpoint::Responses {
            return Ok(request);
        }
        let previous = previous_response_id(&request).and_then(|id| Some((call_of_response(&id)?, id)));
        let Some((call, id)) = previous else { return Ok(request) };
        let row = match read_call(&self.0.db, &self.0.ledger, scope, call).await {
            Ok(row) if row.endpoint == Endpoint::Responses.path() && may_continue(scope, &row) => row,
            Err(e) if e.kind() != Kind::NotFound => return Err(e),
            Ok(_) | Err(_) => return Err(previous_response_not_found(&id, "it is not stored")),
        };
        context.previous_response = Some(id.clone());
        run_blocking_limited(scope.tenant(), move || continued(&request, &id, row)).await?
    }
}

/// Whether a call was made by the caller: by the same user, or the same key if that has none.
fn may_continue(scope: &Scope, row: &Model) -> bool {
    let is_own = match row.user_id {
        Some(user) => scope.user == Some(user),
        None => row.api_key_id.is_some() && row.api_key_id == scope.api_key(),
    };
    let is_in_project = scope.project.is_none_or(|project| row.project_id == Some(project));
    scope.permissions().allows(READ) || (is_own && is_in_project)
}

fn continued(request: &Bytes, id: &str, row: Model) -> Result<Bytes> {
    let open = |body: Option<Vec<u8>>| unpack(&body.unwrap_or_default());
    let recorded = open(row.request_data)?.zip(open(row.response_data)?);
    let Some((before, response)) = recorded.filter(|(before, response)| !before.cut && !response.cut) else {
        let why = "its call has no complete record of request and response";
        return Err(previous_response_not_found(id, why));
    };
    let response = match response.events {
        true => assemble(&String::from_utf8_lossy(&response.body)),
        false => serde_json::from_slice(&response.body).unwrap_or_default(),
    };
    continue_response(request, id, &before.body, &response)
}
