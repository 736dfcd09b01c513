//! A client's request, resolved to a provider and model, and recorded.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use loam_kernel::{Error, Kind, Result, Scope, truncate_chars};
use loam_platform::personal::end_user_key;
use loam_providers::openai::RequestEnvelope;
use loam_providers::{BETAS, Endpoint, Usage};

use super::Proxy;
use super::plan::{MAX_ID, MODEL_NOT_FOUND, Plan};
use super::response_cache::Key;
use crate::catalog::{Destination, Models};
use crate::hook::{CallContext, CompletedCall, ConversationBinding, SESSION};
use crate::limits::admission::{Applied, Candidate, Limited, RateLimitStatus, Reservation, admit};
use crate::limits::entity::SubjectType;
use crate::limits::subject::subjects;
use crate::llm_calls::entity::CallState;
use crate::llm_calls::ledger::{OpenCall, count};
use crate::llm_calls::record::Record;
use crate::llm_calls::refusal::{ExceededLimit, Refusal};
use crate::llm_calls::tags;

/// A resolved and recorded request.
pub(super) struct Call {
    pub(super) plan: Plan,
    pub(super) endpoint: Endpoint,
    pub(super) envelope: RequestEnvelope,
    pub(super) open: OpenCall,
    /// The request body.
    pub(super) request: Bytes,
    /// What is recorded of it: of a form, its fields and the names of its files.
    pub(super) recorded_request: Bytes,
    /// The deadline of the whole call.
    pub(super) deadline: Option<Instant>,
    /// The cache key and TTL of its response.
    pub(super) cache: Option<(Key, Duration)>,
    /// The routes and prices that apply to it.
    pub(super) models: Arc<Models>,
    /// The conversation that it belongs to.
    pub(super) binding: Option<Box<ConversationBinding>>,
    /// Whether the caller takes the decoded output.
    pub(super) keeps_output: bool,
    /// The client's `anthropic-beta`.
    pub(super) betas: Vec<HeaderValue>,
    /// The id of the response that it continues.
    pub(super) previous_response: Option<String>,
    /// The destination that is called.
    destination: Option<Arc<Destination>>,
}

impl Call {
    /// Records the destination that is called: the record names the last one.
    pub(super) fn set_destination(&mut self, destination: &Arc<Destination>) {
        self.destination = Some(destination.clone());
        let OpenCall { record, price, .. } = &mut self.open;
        let (provider, model) = (&destination.provider.name, &destination.model);
        *price = self.models.price(provider, model);
        if record.provider != *provider || record.model != *model {
            record.provider.clone_from(provider);
            record.model.clone_from(model);
        }
    }

    /// Records whether the destination works, for the route's cool-down.
    pub(super) fn record_health(&self, is_healthy: bool, retry_after: Option<Duration>) {
        let Some(health) = self.destination.as_ref().and_then(|one| one.health.as_ref()) else { return };
        if is_healthy {
            health.succeeded();
        } else if let Some(route) = self.plan.route() {
            health.failed(route.cool_down, retry_after, Instant::now());
        }
    }

    /// The completed call for the conversation; none if it belongs to none.
    pub(super) fn completed(
        &mut self,
        response: &[Bytes],
        events: bool,
        usage: Option<Usage>,
    ) -> Option<(Box<ConversationBinding>, CompletedCall)> {
        let binding = self.binding.take()?;
        let record = &self.open.record;
        let completed = CompletedCall {
            call: record.id,
            model: format!("{}/{}", record.provider, record.model),
            endpoint: self.endpoint,
            request: self.recorded_request.clone(),
            response: response.to_vec(),
            events,
            tokens: usage.map(|usage| (usage.prompt_tokens, usage.completion_tokens)),
            error: record.error.clone(),
        };
        Some((binding, completed))
    }

    /// Records the time to the first byte, once.
    pub(super) fn mark_first_byte(&mut self) {
        let since = i64::try_from(self.open.began.elapsed().as_micros()).ok();
        self.open.record.first_token_us = self.open.record.first_token_us.or(since);
    }
}

impl Proxy {
    /// Counts a call that its caller lacks the permission for. A request that makes no call is ignored.
    pub fn count_denied(&self, scope: &Scope, path: &str, headers: &HeaderMap, error: &Error) {
        let path = path.strip_prefix("/anthropic").unwrap_or(path);
        let Some(endpoint) = path.strip_prefix("/v1").and_then(Endpoint::of_path) else { return };
        // the body is not read, so the model is not known
        let record =
            Record { tags: tags::read(headers).unwrap_or_default(), ..record_of(scope, endpoint, headers) };
        self.count_refusal(record, error, None);
    }
}

impl Proxy {
    /// Resolves a request and records its intent.
    pub(super) async fn open_call(
        &self,
        scope: &Scope,
        endpoint: Endpoint,
        headers: &HeaderMap,
        request: Bytes,
        context: CallContext,
        rate_limits: &mut RateLimitStatus,
    ) -> Result<Box<Call>> {
        let began = Instant::now();
        let mut envelope = RequestEnvelope::of(endpoint, headers.get(CONTENT_TYPE), &request)?;
        let recorded_request =
            envelope.form.as_ref().map_or_else(|| request.clone(), |form| form.summary.clone());
        let CallContext { binding, end_user, keeps_output, previous_response } = context;
        let end_user = envelope.end_user.take().or(end_user);
        let mut record = Record {
            end_user: end_user.as_deref().and_then(end_user_key).map(Cow::into_owned),
            tags: tags::read(headers)?,
            metadata: std::mem::take(&mut envelope.metadata),
            streamed: envelope.stream,
            session: match binding.as_ref().and_then(|binding| binding.conversation.session) {
                // whichever name the client used, calls are found by the session's id
                Some(session) => Some(session.to_string()),
                None => client_id(headers, SESSION)?,
            },
            ..record_of(scope, endpoint, headers)
        };
        let resolve = |models: &Models| Plan::resolve(models, &envelope.model);
        let (models, plan) = match self.0.catalog.find(scope.tenant(), resolve).await {
            Err(e) if e.code() == MODEL_NOT_FOUND => {
                truncate_chars(&envelope.model, MAX_ID).clone_into(&mut record.model);
                self.count_refusal(record, &e, None);
                return Err(e);
            }
            found => found?,
        };
        record.route = plan.route().map(|route| route.alias.clone());
        // the intent names the most likely destination; the settlement, the one that responded
        if let Some(likely) = plan.all().next() {
            record.provider.clone_from(&likely.provider.name);
            record.model.clone_from(&likely.model);
        }
        let (admitted, exceeded) =
            self.admit(&models, &plan, &mut record, (&recorded_request, &envelope), rate_limits).await?;
        let admitted =
            admitted.and_then(|reservation| Ok((reservation, self.0.ledger.permit(record.tenant)?)));
        let admitted = match admitted {
            Ok(admitted) => admitted,
            Err(e) => {
                if e.kind() == Kind::TooMany {
                    self.count_refusal(record, &e, exceeded);
                }
                return Err(e);
            }
        };
        let max_body_bytes = self.max_recorded_body_bytes(scope.tenant());
        let open = self.0.ledger.begin(record, &recorded_request, max_body_bytes, began, admitted)?;
        if self.0.config.strict {
            self.0.ledger.durable(open.intent).await?;
        }
        // boxed, as it is moved several times
        Ok(Box::new(Call {
            plan,
            endpoint,
            envelope,
            open,
            request,
            recorded_request,
            deadline: None,
            cache: None,
            models,
            binding,
            keeps_output,
            betas: headers.get_all(BETAS).iter().cloned().collect(),
            previous_response,
            destination: None,
        }))
    }

    /// Counts a call that is refused before it starts.
    pub(super) fn count_refusal(&self, mut record: Record, error: &Error, exceeded: Option<ExceededLimit>) {
        let (Ok(node), now) = (self.0.ledger.node(), self.0.clock.now()) else { return };
        record.id = self.0.clock.id_at(now).into();
        record.node = node;
        record.created_us = now.timestamp_micros();
        record.updated_us = record.created_us;
        record.error = Some(error.message().to_owned());
        record.refusal = Some(Refusal::new(error, exceeded, now));
        count(CallState::Refused);
        self.0.refusals.count(record);
    }

    /// The limits that apply to a call.
    async fn limits_of(&self, models: &Models, record: &Record) -> Result<Vec<Applied>> {
        let of_subject = |subject| Some((subject, models.limits.get(&subject)?.clone()));
        let mut limits: Vec<Applied> = subjects(record).filter_map(of_subject).collect();
        if let Some(name) = record.end_user.as_deref().filter(|_| !models.end_user_limits.is_empty()) {
            for scope in [Some(record.tenant.0), record.api_key.map(|id| id.0)].into_iter().flatten() {
                let Some((id, values)) = models.end_user_limits.get(&scope) else { continue };
                let meter = self.0.meters.of_end_user(record.tenant, scope, name).await?;
                limits.push(((SubjectType::EndUser, scope), Limited { id: *id, values: *values, meter }));
            }
        }
        Ok(limits)
    }

    /// Checks the limits that apply to the call; sets `rate_limits` to what the client is shown. Returns the limit that
    /// refuses it, too.
    async fn admit(
        &self,
        models: &Models,
        plan: &Plan,
        record: &mut Record,
        (request, envelope): (&[u8], &RequestEnvelope),
        rate_limits: &mut RateLimitStatus,
    ) -> Result<(Result<Option<Reservation>>, Option<ExceededLimit>)> {
        if models.limits.is_empty() && models.end_user_limits.is_empty() {
            return Ok((Ok(None), None));
        }
        let limits = Box::pin(self.limits_of(models, record)).await?;
        let prices = plan.all().filter_map(|one| models.price(&one.provider.name, &one.model));
        let admission = admit(&Candidate {
            limits: &limits,
            body: request,
            output_limits: envelope.output_limits,
            writes: Endpoint::of_path(&record.endpoint).is_some_and(Endpoint::writes_text),
            quantity: envelope.quantity,
            prices: &prices.collect::<Vec<_>>(),
            default_tokens: self.expected_answer_tokens(record.tenant),
            now: self.0.clock.now(),
        });
        *rate_limits = admission.status;
        record.reserved_nano_usd = admission.reserved;
        Ok((admission.reservation, admission.exceeded))
    }
}

/// The record of a call, with what the caller and the headers tell.
pub(super) fn record_of(scope: &Scope, endpoint: Endpoint, headers: &HeaderMap) -> Record {
    let (trace_id, span_id) = trace_context(headers).unzip();
    Record {
        tenant: scope.tenant(),
        endpoint: endpoint.path().to_owned(),
        api_key: scope.api_key(),
        user: scope.user,
        project: scope.project,
        request_id: scope.origin().request_id.clone(),
        trace_id,
        span_id,
        ..Record::default()
    }
}

/// Reads an ID that a client chose.
pub(crate) fn client_id(headers: &HeaderMap, name: &'static str) -> Result<Option<String>> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    match value.to_str() {
        Ok(text) if (1..=MAX_ID).contains(&text.len()) => Ok(Some(text.to_owned())),
        _ => Err(Error::invalid(name, format!("must be 1 to {MAX_ID} visible ASCII characters"))),
    }
}

/// Trace ID and span ID of a W3C `traceparent`: `00-<32 hex>-<16 hex>-<2 hex>`. A malformed one is ignored, as the
/// standard says.
fn trace_context(headers: &HeaderMap) -> Option<(String, String)> {
    let mut parts = headers.get("traceparent")?.to_str().ok()?.split('-');
    let (_version, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
    let hex = |text: &str, length| {
        text.len() == length && text.bytes().all(|b| b.is_ascii_hexdigit()) && text.bytes().any(|b| b != b'0')
    };
    (hex(trace, 32) && hex(span, 16)).then(|| (trace.to_ascii_lowercase(), span.to_ascii_lowercase()))
}
