//! What a client asks for, resolved: which provider, which model, on whose behalf.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::HeaderMap;
use loam_kernel::{Actor, Error, Kind, Result, Scope};
use loam_providers::Endpoint;
use loam_providers::openai::Head;

use crate::catalog::{Models, Provider};
use crate::llm_calls::ledger::OpenCall;
use crate::llm_calls::record::Record;
use crate::service::Inner;

/// Ids that clients send along are theirs, and bounded.
const MAX_ID: usize = 255;

/// A request, resolved and on record.
pub(super) struct Call {
    pub(super) provider: Arc<Provider>,
    pub(super) endpoint: Endpoint,
    pub(super) open: OpenCall,
    /// What goes to the provider.
    pub(super) body: Bytes,
    /// What the client sent, for an estimate.
    pub(super) request: Bytes,
    pub(super) stream: bool,
    /// The usage of the stream was asked for by Loam, not by the client.
    pub(super) hide_usage: bool,
}

impl Inner {
    /// Resolves a request and puts its intent on record.
    pub(super) async fn open_call(
        &self,
        scope: &Scope,
        endpoint: Endpoint,
        headers: &HeaderMap,
        request: Bytes,
        began: Instant,
    ) -> Result<Call> {
        let head = Head::read(&request)?;
        let models = self.catalog.get(scope.tenant()).await?;
        let (provider, model) = resolve(&models, &head.model)?;
        let body = head.rewrite(&request, model);
        let (trace_id, span_id) = trace_context(headers).unzip();
        let record = Record {
            tenant: scope.tenant(),
            provider: provider.name.clone(),
            model: model.to_owned(),
            endpoint: endpoint.path().to_owned(),
            api_key: match scope.actor() {
                Actor::ApiKey(id) => Some(*id),
                _ => None,
            },
            user: scope.user,
            project: scope.project,
            session: client_id(headers, "x-loam-session-id")?,
            request_id: scope.origin().request_id.clone(),
            trace_id,
            span_id,
            streamed: head.stream,
            ..Record::default()
        };
        let price = models.price(&provider.name, model);
        let provider = provider.clone();
        let open = self.ledger.begin(record, price, &request, self.keep(), began)?;
        if self.config.strict {
            self.ledger.durable(open.intent).await?;
        }
        let hide_usage = head.stream && !head.wants_usage;
        Ok(Call { provider, endpoint, open, body, request, stream: head.stream, hide_usage })
    }

    /// How many bytes of a body are kept.
    pub(super) fn keep(&self) -> usize {
        if self.config.record_bodies { self.config.record_max_bytes } else { 0 }
    }
}

fn resolve<'a>(models: &'a Models, address: &'a str) -> Result<(&'a Arc<Provider>, &'a str)> {
    let unknown =
        |message: String| Error::new(Kind::NotFound, "model_not_found", message).with_param("model");
    let Some((name, model)) =
        address.split_once('/').filter(|(name, model)| !name.is_empty() && !model.is_empty())
    else {
        let message = format!(
            "model `{address}` must be addressed as `provider/model`; GET /v1/models lists what there is"
        );
        return Err(unknown(message));
    };
    let provider = models.providers.get(name).filter(|provider| provider.is_active).ok_or_else(|| {
        let state = if models.providers.contains_key(name) { "is not active" } else { "does not exist" };
        unknown(format!("provider `{name}` of model `{address}` {state}; GET /v1/models lists what there is"))
    })?;
    if model.len() > MAX_ID
        || !(provider.models.is_empty() || provider.models.iter().any(|known| known == model))
    {
        return Err(unknown(format!(
            "provider `{name}` has no model `{model}`; GET /v1/models lists what there is"
        )));
    }
    Ok((provider, model))
}

fn client_id(headers: &HeaderMap, name: &'static str) -> Result<Option<String>> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    match value.to_str() {
        Ok(text) if (1..=MAX_ID).contains(&text.len()) => Ok(Some(text.to_owned())),
        _ => Err(Error::invalid(name, format!("must be 1 to {MAX_ID} visible ASCII characters"))),
    }
}

/// Trace and span of a W3C `traceparent`: `00-<32 hex>-<16 hex>-<2 hex>`. A malformed one is ignored, as the standard says.
fn trace_context(headers: &HeaderMap) -> Option<(String, String)> {
    let mut parts = headers.get("traceparent")?.to_str().ok()?.split('-');
    let (_version, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
    let hex = |text: &str, length| {
        text.len() == length && text.bytes().all(|b| b.is_ascii_hexdigit()) && text.bytes().any(|b| b != b'0')
    };
    (hex(trace, 32) && hex(span, 16)).then(|| (trace.to_ascii_lowercase(), span.to_ascii_lowercase()))
}
