//! What was not taken, and why.

use std::collections::BTreeMap;

/// How many were refused, by the reason.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Refused(BTreeMap<&'static str, u64>);

impl Refused {
    /// One more.
    pub(crate) fn add(&mut self, why: &'static str) {
        *self.0.entry(why).or_default() += 1;
    }

    /// How many.
    pub(crate) fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// Why, for whoever sent them; none if all were taken.
    pub(crate) fn message(&self) -> Option<String> {
        let reasons: Vec<String> = self.0.iter().map(|(why, count)| format!("{count}: {why}")).collect();
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }
}
