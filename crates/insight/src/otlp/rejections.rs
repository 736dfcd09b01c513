//! Counts of rejected items, by reason.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::wire::Undecodable;

/// The number of rejected items for each reason.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Rejections(BTreeMap<Cow<'static, str>, u64>);

impl Rejections {
    /// Counts one item.
    pub(crate) fn add(&mut self, reason: &'static str) {
        *self.0.entry(reason.into()).or_default() += 1;
    }

    /// Counts the items that can't be decoded.
    pub(super) fn add_undecodable(&mut self, undecodable: &Undecodable) {
        if let Some(first) = &undecodable.first {
            let reason = format!("a value can't be decoded, first: {first}");
            *self.0.entry(reason.into()).or_default() += undecodable.count;
        }
    }

    /// The total.
    pub(crate) fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// The error message for the sender; none if nothing was rejected.
    pub(crate) fn message(&self) -> Option<String> {
        let reasons: Vec<String> =
            self.0.iter().map(|(reason, count)| format!("{count}: {reason}")).collect();
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }
}
