//! The stored forms of the enums and numbers of calls, in journal frames.

use loam_platform::stored_enum;
use loam_providers::{Quantity, Unit, Usage};
use serde::{Deserialize, Serialize};

use super::entity::{CacheUse, CallState};
use super::source::Source;

stored_enum! {
    /// The state of a call.
    pub StoredCallState of CallState { Open, Settled, Estimated, Failed, Orphaned, Refused }
}

stored_enum! {
    /// The use of the response cache.
    pub(crate) StoredCacheUse of CacheUse { Hit, Miss }
}

stored_enum! {
    /// The source of a call.
    pub StoredSource of Source { Gateway, Otlp }
}

/// The usage of a call.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct StoredUsage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    cached_tokens: u64,
    cache_write_tokens: u64,
}

impl From<Usage> for StoredUsage {
    fn from(usage: Usage) -> Self {
        let Usage {
            prompt_tokens, completion_tokens, total_tokens, cached_tokens, cache_write_tokens, ..
        } = usage;
        Self { prompt_tokens, completion_tokens, total_tokens, cached_tokens, cache_write_tokens }
    }
}

impl From<StoredUsage> for Usage {
    fn from(stored: StoredUsage) -> Self {
        let StoredUsage { prompt_tokens, completion_tokens, total_tokens, cached_tokens, cache_write_tokens } =
            stored;
        Self {
            prompt_tokens,
            completion_tokens,
            total_tokens,
            cached_tokens,
            cache_write_tokens,
            reasoning_tokens: 0,
        }
    }
}

stored_enum! {
    /// What a quantity counts.
    pub(crate) StoredUnit of Unit { Characters, Images, Seconds, Searches }
}

/// The quantity of a call.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct StoredQuantity {
    unit: StoredUnit,
    thousandths: u64,
}

impl From<Quantity> for StoredQuantity {
    fn from(quantity: Quantity) -> Self {
        Self { unit: quantity.unit.into(), thousandths: quantity.thousandths }
    }
}

impl From<StoredQuantity> for Quantity {
    fn from(stored: StoredQuantity) -> Self {
        Self { unit: stored.unit.into(), thousandths: stored.thousandths }
    }
}
