//! The types that every other crate uses: typed ids, [`Error`], [`Scope`], [`Page`], [`Clock`] and [`FairShare`].
//!
//! Belongs here: values and rules that need no I/O and are used by more than one layer.
//! Does not belong here: anything that opens a file, a socket or a database, and anything that knows one resource.

mod clock;
mod digest;
mod error;
mod fair;
mod field_filter;
mod hex;
mod ids;
mod json;
mod merge_patch;
mod page;
mod scope;
mod text;
mod version;

pub use clock::Clock;
pub use digest::digest_of;
pub use error::{Error, Kind, Result};
pub use fair::{
    Busy, FairLimits, FairPermit, FairShare, FairUse, run_blocking_limited, run_blocking_without_timeout,
};
pub use field_filter::field_filter;
pub use hex::{from_hex, hex};
pub use ids::{
    AiAnalysisResultId, AiProviderId, AlertEventId, AlertRuleId, ApiKeyId, ApiLogId, ApiSpecId, AuditLogId,
    AutoAnalysisId, CallTreeId, ChannelChatId, ChannelEventId, ChannelId, ChannelSenderId, ChatSessionId,
    DocumentVersionId, EndpointStatId, ErasureId, ErrorGroupId, ErrorLogId, FunctionStatId, JobId, LimitId,
    LlmCallId, LoginSessionId, MessageId, MetricStatId, ModelPriceId, ModelRouteId, NodeId,
    PerformanceMetricId, PerformanceRecordId, PrdDocId, ProjectId, QuarantineId, RecordFunctionId,
    RejectedRecordId, RequirementId, RetiredProjectKeyId, RoleId, SessionConfigId, SessionSummaryId,
    SigningKeyId, StatNameId, SuggestionId, SystemConfigId, SystemConfigVersionId, TechDesignId, TenantId,
    TokenIssuerId, ToolCallId, TurnId, UsageStatId, UserId, UserPreferenceId, WebhookDeliveryId, first_id_at,
};
pub use json::{JsonObject, JsonValue, null_or};
pub use merge_patch::{merge_object, merge_patch, merge_typed};
pub use page::{Cursor, MAX_PAGE, Order, OrderQuery, Page, PageQuery};
pub use scope::{Actor, Idempotency, Origin, Permissions, Scope};
pub use text::{bounded, no_nul, slug, truncate_bytes, truncate_chars};
pub use version::{ExpectedVersion, etag, next_version};
