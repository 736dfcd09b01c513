//! A call that an application made itself and reports.

use chrono::{DateTime, TimeDelta, Utc};
use loam_kernel::TenantId;
use loam_platform::personal::{RecordSubjects, Subject};

use super::call_identity::CallIdentity;
use super::imported_calls::ImportedCall;

/// The maximum clock skew between an application and Loam.
pub(super) const MAX_CLOCK_SKEW: TimeDelta = TimeDelta::seconds(2);

/// A call that an application reports.
#[derive(Clone, Debug)]
pub struct ReportedCall {
    /// The call. Its id is derived from its trace and span, so that duplicates are counted once.
    pub call: ImportedCall,
    /// The requested model, if another one responded.
    pub requested_model: Option<String>,
    /// Known child spans.
    pub child_span_ids: Vec<String>,
}

impl ReportedCall {
    /// The people whose data it holds, to check whether they have been erased.
    pub fn named(&self, tenant: TenantId) -> RecordSubjects<'_> {
        let end_user = self.call.end_user.as_deref().map(Subject::EndUser);
        let session = self.call.session.as_deref().map(Subject::Session);
        RecordSubjects { tenant, subjects: end_user.into_iter().chain(session).collect(), at: self.call.at }
    }

    /// Removes personal data and content; keeps what the ledger needs.
    pub fn strip(&mut self) {
        let call = &mut self.call;
        (call.request, call.response, call.end_user, call.session) = (None, None, None, None);
        (call.trace_id, call.span_id, call.error) = (None, None, None);
        (call.response_id, call.links) = (None, None);
    }

    pub(super) fn end(&self) -> DateTime<Utc> {
        self.call.at + TimeDelta::microseconds(self.call.latency_us.unwrap_or_default())
    }

    pub(super) fn identity(&self) -> CallIdentity {
        let tokens = |tokens: u64| i64::try_from(tokens).unwrap_or(i64::MAX);
        let call = &self.call;
        CallIdentity {
            span_id: call.span_id.clone(),
            links: call.links.clone().unwrap_or_default(),
            response_id: call.response_id.clone(),
            model: call.model.clone(),
            tokens: call.usage.map(|usage| (tokens(usage.prompt_tokens), tokens(usage.completion_tokens))),
            start: call.at,
            end: self.end(),
        }
    }
}
