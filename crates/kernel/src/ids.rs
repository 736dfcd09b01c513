//! Typed ids. A tenant's id can't be passed where a user's is meant, and each is a UUIDv7, so it sorts by time.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use sea_orm::{DbErr, DeriveValueType, TryFromU64};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, DeriveValueType, ToSchema)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// The id with all bits zero, which belongs to nobody.
            pub const NIL: Self = Self(Uuid::nil());
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(s: &str) -> Result<Self, Self::Err> {
                Uuid::try_parse(s).map(Self)
            }
        }

        impl TryFromU64 for $name {
            /// No database numbers these ids.
            fn try_from_u64(_: u64) -> Result<Self, DbErr> {
                Err(DbErr::ConvertFromU64(stringify!($name)))
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    )*};
}

/// An id of a moment, below every id that is made then: a range of times is a range of ids, and so of partitions. A
/// moment that no id can have counts as the nearest that one can.
pub fn first_id_at(at: DateTime<Utc>) -> Uuid {
    let millis = u128::try_from(at.timestamp_millis()).unwrap_or(0).min((1 << 48) - 1);
    Uuid::from_u128(millis << 80)
}

ids! {
    /// A tenant: one customer, whose rows no other customer sees. [`TenantId::NIL`] marks rows of no tenant.
    TenantId,
    /// A user of one tenant.
    UserId,
    /// An application of a tenant.
    ProjectId,
    /// A key of a project that another has taken the place of.
    RetiredProjectKeyId,
    /// An API key.
    ApiKeyId,
    /// A role that a tenant made.
    RoleId,
    /// A log-in in a browser.
    LoginSessionId,
    /// A key that tokens are signed with.
    SigningKeyId,
    /// An application that vouches for its end users.
    TokenIssuerId,
    /// A configured model provider.
    AiProviderId,
    /// The price of a model.
    ModelPriceId,
    /// An alias and the models it leads to.
    ModelRouteId,
    /// What a tenant, project, user or key may use.
    LimitId,
    /// What was used in a stretch of time.
    UsageStatId,
    /// One model call.
    LlmCallId,
    /// A conversation.
    ChatSessionId,
    /// One message of a conversation.
    MessageId,
    /// One question and its answer.
    TurnId,
    /// What the beginning of a conversation came to.
    SessionSummaryId,
    /// A setting of a conversation.
    SessionConfigId,
    /// A preference of a user.
    UserPreferenceId,
    /// Where messages come from and replies go to.
    ChannelId,
    /// A conversation on another platform.
    ChannelChatId,
    /// Somebody on another platform.
    ChannelSenderId,
    /// A message from another platform, as it came.
    ChannelEventId,
    /// Something that is sent to somebody's server until it is taken.
    WebhookDeliveryId,
    /// One use of a tool.
    ToolCallId,
    /// One request that a watched application served.
    PerformanceRecordId,
    /// Some calls of a trace, packed.
    CallTreeId,
    /// What a function took in a record.
    RecordFunctionId,
    /// Sums over the requests of an endpoint.
    EndpointStatId,
    /// Sums over the calls of a function.
    FunctionStatId,
    /// A name that sums tell apart.
    StatNameId,
    /// What ingest refused.
    RejectedRecordId,
    /// A diagnosis by a model.
    AiAnalysisResultId,
    /// An automatic diagnosis that has been begun.
    AutoAnalysisId,
    /// Something to change, and what it is worth.
    SuggestionId,
    /// What an alert is raised for.
    AlertRuleId,
    /// One incident.
    AlertEventId,
    /// One value of a metric.
    PerformanceMetricId,
    /// Sums over the values of a metric.
    MetricStatId,
    /// A durable background job.
    JobId,
    /// A row of the audit trail.
    AuditLogId,
    /// A journal frame that the database refused.
    QuarantineId,
    /// A value of the live configuration.
    SystemConfigId,
    /// A version of such a value.
    SystemConfigVersionId,
    /// A request on record.
    ApiLogId,
    /// An error on record.
    ErrorLogId,
    /// Errors that are alike.
    ErrorGroupId,
    /// A person, conversation or tenant that is erased.
    ErasureId,
    /// One running Loam, known by its journal.
    NodeId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_that_no_id_can_have_counts_as_the_nearest() {
        let at = |text: &str| first_id_at(text.parse::<DateTime<Utc>>().expect("a time"));
        assert!(at("2026-01-01T00:00:00Z") < at("2026-01-01T00:00:00.001Z"));
        assert_eq!(first_id_at(DateTime::<Utc>::MIN_UTC), Uuid::nil());
        assert!(first_id_at(DateTime::<Utc>::MAX_UTC) < Uuid::max());
        assert_eq!(at("+10895-01-01T00:00:00Z"), first_id_at(DateTime::<Utc>::MAX_UTC));
    }
}
