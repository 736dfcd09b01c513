//! What a client asks for, resolved: which provider, which model, on whose behalf.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderMap;
use loam_kernel::{Error, Result, Scope};
use loam_platform::personal::known_as;
use loam_providers::openai::{Bounds, Head};
use loam_providers::{Endpoint, Usage};

use super::cached::Key;
use super::plan::Plan;
use crate::catalog::{Destination, Models};
use crate::hook::{PartOf, Place, SESSION, Told};
use crate::limits::admission::{Allowance, Candidate, Hold, admit};
use crate::limits::meters::subjects;
use crate::llm_calls::ledger::OpenCall;
use crate::llm_calls::record::Record;
use crate::service::Inner;

/// Ids that clients send along are theirs, and bounded.
pub(super) const MAX_ID: usize = 255;

/// A request, resolved and on record.
pub(super) struct Call {
    pub(super) plan: Plan,
    pub(super) endpoint: Endpoint,
    pub(super) head: Head,
    pub(super) open: OpenCall,
    /// What the client sent.
    pub(super) request: Bytes,
    /// When it must have ended.
    pub(super) deadline: Option<Instant>,
    /// Where its answer is kept, and for how long.
    pub(super) cache: Option<(Key, Duration)>,
    /// The routes and prices that hold for it.
    pub(super) models: Arc<Models>,
    /// The conversation that it is part of.
    pub(super) place: Option<Box<Place>>,
}

impl Call {
    /// Notes who is asked: the record names the last.
    pub(super) fn answered_by(&mut self, destination: &Destination) {
        let OpenCall { record, price, .. } = &mut self.open;
        let (provider, model) = (&destination.provider.name, &destination.model);
        *price = self.models.price(provider, model);
        if record.provider != *provider || record.model != *model {
            record.provider.clone_from(provider);
            record.model.clone_from(model);
        }
    }

    /// What the conversation is told of a call that ended with this answer; none if it is part of none.
    pub(super) fn told(
        &mut self,
        answer: &[Bytes],
        events: bool,
        usage: Option<Usage>,
    ) -> Option<(Box<Place>, Told)> {
        let place = self.place.take()?;
        let record = &self.open.record;
        let told = Told {
            call: record.id,
            model: format!("{}/{}", record.provider, record.model),
            endpoint: self.endpoint,
            request: self.request.clone(),
            answer: answer.to_vec(),
            events,
            tokens: usage.map(|usage| (usage.prompt_tokens, usage.completion_tokens)),
            error: record.error.clone(),
        };
        Some((place, told))
    }

    /// Notes that the answer begins now, unless it has begun.
    pub(super) fn mark_first(&mut self) {
        let since = i64::try_from(self.open.began.elapsed().as_micros()).ok();
        self.open.record.first_token_us = self.open.record.first_token_us.or(since);
    }
}

impl Inner {
    /// Resolves a request and puts its intent on record.
    pub(super) async fn open_call(
        &self,
        scope: &Scope,
        endpoint: Endpoint,
        headers: &HeaderMap,
        request: Bytes,
        part: PartOf,
        told: &mut Allowance,
    ) -> Result<Box<Call>> {
        let began = Instant::now();
        let mut head = Head::read(&request)?;
        let PartOf { place, end_user } = part;
        let end_user = head.end_user.take().or(end_user);
        let models = self.catalog.get(scope.tenant()).await?;
        let plan = Plan::resolve(&models, &head.model)?;
        let (trace_id, span_id) = trace_context(headers).unzip();
        let mut record = Record {
            tenant: scope.tenant(),
            endpoint: endpoint.path().to_owned(),
            route: plan.route().map(|route| route.alias.clone()),
            api_key: scope.api_key(),
            user: scope.user,
            project: scope.project,
            session: match place.as_ref().and_then(|place| place.named.session) {
                // however the client called it, its calls are found by its id
                Some(session) => Some(session.to_string()),
                None => client_id(headers, SESSION)?,
            },
            end_user: end_user.as_deref().and_then(known_as).map(Cow::into_owned),
            request_id: scope.origin().request_id.clone(),
            trace_id,
            span_id,
            streamed: head.stream,
            ..Record::default()
        };
        // the intent names where the call most likely goes; the settlement, who answered
        if let Some(likely) = plan.all().next() {
            record.provider.clone_from(&likely.provider.name);
            record.model.clone_from(&likely.model);
        }
        let hold = self.admit(&models, &plan, &mut record, (&request, head.bounds), told)?;
        let open = self.ledger.begin(record, &request, self.keep(scope.tenant()), began, hold)?;
        if self.config.strict {
            self.ledger.durable(open.intent).await?;
        }
        // boxed, as it is handed on from one to the next
        Ok(Box::new(Call { plan, endpoint, head, open, request, deadline: None, cache: None, models, place }))
    }

    /// Asks the limits that the call counts against; `told` becomes what the client is told of them.
    fn admit(
        &self,
        models: &Models,
        plan: &Plan,
        record: &mut Record,
        (request, bounds): (&[u8], Bounds),
        told: &mut Allowance,
    ) -> Result<Option<Hold>> {
        if models.limits.is_empty() {
            return Ok(None);
        }
        let prices = plan.all().filter_map(|one| models.price(&one.provider.name, &one.model));
        let admission = admit(
            &models.limits,
            &Candidate {
                subjects: &subjects(record).collect::<Vec<_>>(),
                body: request,
                bounds,
                writes: record.endpoint != Endpoint::Embeddings.path(),
                prices: &prices.collect::<Vec<_>>(),
                default_tokens: self.expected_answer_tokens(record.tenant),
                now: self.clock.now(),
            },
        );
        *told = admission.told;
        record.reserved_nano_usd = admission.reserved;
        admission.hold
    }
}

/// What a client calls something of its own.
pub(crate) fn client_id(headers: &HeaderMap, name: &'static str) -> Result<Option<String>> {
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
