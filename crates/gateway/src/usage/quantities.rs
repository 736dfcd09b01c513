//! Sums of what calls are counted by besides tokens, by unit.

use std::collections::BTreeMap;

use loam_kernel::{Error, Result};
use loam_providers::Quantity;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::llm_calls::{CallUnit, of_thousandths};

/// Thousandths by the stored name of the unit, so that sums are exact.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Quantities(BTreeMap<String, i64>);

/// How much of a unit was used.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct UsageQuantity {
    /// What is counted.
    #[schema(value_type = CallUnit)]
    pub unit: String,
    /// How much.
    pub quantity: f64,
}

impl Quantities {
    /// Reads the stored form.
    pub(super) fn read(stored: Option<&Value>) -> Result<Self> {
        let Some(stored) = stored else { return Ok(Self::default()) };
        serde_json::from_value(stored.clone()).map(Self).map_err(Error::internal)
    }

    /// The stored form; none if nothing was ever counted.
    pub(super) fn stored(&self) -> Option<String> {
        (!self.0.is_empty()).then(|| Value::from_iter(self.0.clone()).to_string())
    }

    pub(super) fn add(&mut self, quantity: Option<Quantity>) {
        let Some(Quantity { unit, thousandths }) = quantity else { return };
        *self.0.entry(unit.name().to_owned()).or_default() += i64::try_from(thousandths).unwrap_or(i64::MAX);
    }

    /// Adds others `times` times; subtracts them if `times` is negative.
    pub(super) fn merge(&mut self, other: &Self, times: i64) {
        for (unit, thousandths) in &other.0 {
            *self.0.entry(unit.clone()).or_default() += thousandths * times;
        }
    }

    /// The units of which something was used.
    pub(super) fn shown(self) -> Vec<UsageQuantity> {
        let used = self.0.into_iter().filter(|(_, thousandths)| *thousandths != 0);
        used.map(|(unit, thousandths)| UsageQuantity { unit, quantity: of_thousandths(thousandths) })
            .collect()
    }

    /// What was used of a unit.
    pub(super) fn of(shown: &[UsageQuantity], unit: loam_providers::Unit) -> f64 {
        shown.iter().find(|used| used.unit == unit.name()).map_or(0.0, |used| used.quantity)
    }
}

#[cfg(test)]
mod tests {
    use loam_providers::Unit;

    use super::*;

    #[test]
    fn quantities_are_summed_by_unit_and_read_as_they_are_stored() {
        let mut sums = Quantities::default();
        assert_eq!((sums.stored(), sums.clone().shown()), (None, Vec::new()));
        sums.add(Some(Quantity { unit: Unit::Seconds, thousandths: 8_471 }));
        sums.add(Some(Quantity::whole(Unit::Images, 2)));
        sums.add(None);
        let stored = sums.stored().expect("something");
        let read: Value = serde_json::from_str(&stored).expect("JSON");
        let mut twice = Quantities::read(Some(&read)).expect("readable");
        assert_eq!(twice, sums);
        twice.merge(&sums, 1);
        let shown = twice.clone().shown();
        let used: Vec<(&str, f64)> = shown.iter().map(|used| (used.unit.as_str(), used.quantity)).collect();
        assert_eq!(used, [("images", 4.0), ("seconds", 16.942)]);
        assert_eq!(
            (Quantities::of(&shown, Unit::Images), Quantities::of(&shown, Unit::Searches)),
            (4.0, 0.0)
        );
        twice.merge(&sums, -2);
        assert_eq!(twice.shown(), []);
    }
}
