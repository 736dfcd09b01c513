//! What a call is counted by, besides tokens.

use serde::{Deserialize, Serialize};

/// What a [`Quantity`] counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Characters of a text that is spoken.
    Characters,
    /// Generated images.
    Images,
    /// Seconds of audio that are transcribed.
    Seconds,
    /// Searches: lists of documents that are ranked for a query.
    Searches,
}

impl Unit {
    /// The stored name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Characters => "characters",
            Self::Images => "images",
            Self::Seconds => "seconds",
            Self::Searches => "searches",
        }
    }
}

/// An amount that providers charge for, where that isn't tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantity {
    /// What is counted.
    pub unit: Unit,
    /// Thousandths of the unit, so that sums are exact.
    pub thousandths: u64,
}

/// No request has more, and every sum fits into the database.
const MAX_AMOUNT: f64 = 1e12;

impl Quantity {
    /// A whole amount.
    pub fn whole(unit: Unit, amount: u64) -> Self {
        Self { unit, thousandths: amount.saturating_mul(1000) }
    }

    /// An amount that may have a fraction; none if it is no sensible amount.
    pub(crate) fn of(unit: Unit, amount: f64) -> Option<Self> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in the range")]
        (0.0..=MAX_AMOUNT)
            .contains(&amount)
            .then(|| Self { unit, thousandths: (amount * 1000.0).round() as u64 })
    }
}
