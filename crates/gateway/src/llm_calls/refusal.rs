//! Why Loam refused a call.

use chrono::{DateTime, Utc};
use loam_kernel::{Error, LimitId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::limits::entity::SubjectType;
use crate::model_prices::Price;

/// Why a call was refused, as it is in the journal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Refusal {
    /// The code of the client's error.
    pub(crate) code: String,
    /// When the call may be accepted, in seconds since 1970; none if waiting doesn't help.
    pub(crate) free_at: Option<i64>,
    pub(crate) limit: Option<ExceededLimit>,
}

/// The limit that a call would have exceeded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ExceededLimit {
    pub(crate) id: LimitId,
    pub(crate) subject_type: String,
    pub(crate) subject_id: Uuid,
    /// `usd`, whose numbers are nano-dollars here, or what is counted.
    pub(crate) unit: String,
    pub(crate) limit: i64,
    pub(crate) needed: i64,
    pub(crate) left: i64,
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LimitUnit {
    /// Calls per minute.
    Requests,
    /// Tokens per minute.
    Tokens,
    /// Concurrent calls.
    Calls,
    /// US dollars per day or month.
    Usd,
}

/// Why a call was refused. Fields of a limit are null if the reason is another.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CallRefusal {
    /// The code of the client's error, such as `budget_day`, `model_not_found` or `missing_permission`.
    code: String,
    /// When a call may be accepted again; null if waiting doesn't help.
    free_at: Option<DateTime<Utc>>,
    limit_id: Option<LimitId>,
    subject_type: Option<SubjectType>,
    /// ID of the subject; of an end user's limit the tenant or key to which it applies.
    subject_id: Option<Uuid>,
    unit: Option<LimitUnit>,
    /// The limit.
    limit: Option<f64>,
    /// What the call needed at most.
    needed: Option<f64>,
    /// What was left.
    left: Option<f64>,
}

impl Refusal {
    pub(crate) fn new(error: &Error, limit: Option<ExceededLimit>, now: DateTime<Utc>) -> Self {
        let after = error.retry_after().and_then(|after| i64::try_from(after.as_secs()).ok());
        let free_at = after.map(|after| now.timestamp() + after);
        Self { code: error.code().to_owned(), free_at, limit }
    }

    /// As it is stored in the row and shown.
    pub(crate) fn view(&self) -> Value {
        let limit = self.limit.as_ref();
        let read = |text: &str| Value::from(text);
        let amount = |field: fn(&ExceededLimit) -> i64| {
            #[expect(clippy::cast_precision_loss, reason = "limits are below 2^53")]
            limit.map(|limit| match limit.unit.as_str() {
                "usd" => Price::to_usd(field(limit)),
                _ => field(limit) as f64,
            })
        };
        json!(CallRefusal {
            code: self.code.clone(),
            free_at: self.free_at.and_then(|at| DateTime::from_timestamp(at, 0)),
            limit_id: limit.map(|limit| limit.id),
            subject_type: limit.and_then(|limit| serde_json::from_value(read(&limit.subject_type)).ok()),
            subject_id: limit.map(|limit| limit.subject_id),
            unit: limit.and_then(|limit| serde_json::from_value(read(&limit.unit)).ok()),
            limit: amount(|limit| limit.limit),
            needed: amount(|limit| limit.needed),
            left: amount(|limit| limit.left),
        })
    }
}
