//! What a rule measures, and when that is bad.

use std::collections::BTreeMap;

use loam_kernel::{Error, Result, bounded};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::entity::{AlertMetric, Comparison, Model};

/// Seconds: the shortest and the longest time that is measured together.
const WINDOW: std::ops::RangeInclusive<i32> = 60..=7 * 86_400;
/// Seconds that something has to last at most.
const LONGEST_FOR: i32 = 86_400;
const MAX_TEXT: usize = 500;
const MAX_TAGS: usize = 20;

/// What of the values in a window counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    /// Their mean.
    #[default]
    Mean,
    /// Their sum.
    Sum,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// The last.
    Last,
    /// What 95 of 100 don't exceed.
    P95,
}

/// Of what. What is left out is not told apart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Selector {
    /// Requests of this endpoint: `GET /users/{id}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Requests of this version of the application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// `cost`: calls of this provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// `cost`: calls of this model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// `performance_metric`: its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric_name: Option<String>,
    /// `performance_metric`: values with all these tags.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// `performance_metric`: what of the values counts; `mean` unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aggregate: Option<Aggregate>,
}

impl Selector {
    /// What is kept of a rule.
    pub(crate) fn of(rule: &Model) -> Result<Self> {
        serde_json::from_value(rule.selector.clone()).map_err(Error::internal)
    }

    fn check(&self, metric: AlertMetric) -> Result<()> {
        let takes: &[&str] = match metric {
            AlertMetric::Cost => &["provider", "model"],
            AlertMetric::PerformanceMetric => &["metric_name", "tags", "aggregate"],
            _ => &["endpoint", "version"],
        };
        let texts = [
            ("endpoint", &self.endpoint),
            ("version", &self.version),
            ("provider", &self.provider),
            ("model", &self.model),
            ("metric_name", &self.metric_name),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                of_metric(name, takes)?;
                bounded(&format!("selector.{name}"), text, MAX_TEXT)?;
            }
        }
        if !self.tags.is_empty() {
            of_metric("tags", takes)?;
        }
        if self.tags.len() > MAX_TAGS {
            return Err(Error::invalid("selector.tags", format!("must be at most {MAX_TAGS}")));
        }
        for text in self.tags.iter().flat_map(|(name, value)| [name, value]) {
            bounded("selector.tags", text, MAX_TEXT)?;
        }
        if self.aggregate.is_some() {
            of_metric("aggregate", takes)?;
        }
        if metric == AlertMetric::PerformanceMetric && self.metric_name.is_none() {
            return Err(Error::invalid("selector.metric_name", "must name the metric"));
        }
        Ok(())
    }
}

fn of_metric(name: &str, takes: &[&str]) -> Result<()> {
    if takes.contains(&name) {
        return Ok(());
    }
    let message = format!("means nothing for this metric; it takes `{}`", takes.join("`, `"));
    Err(Error::invalid(format!("selector.{name}"), message))
}

/// When what is measured is bad.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Definition {
    pub(crate) metric: AlertMetric,
    pub(crate) selector: Selector,
    pub(crate) comparison: Comparison,
    pub(crate) threshold: f64,
    pub(crate) recover_threshold: Option<f64>,
    pub(crate) window_seconds: i32,
    pub(crate) for_seconds: i32,
    pub(crate) min_samples: i32,
}

impl Definition {
    /// As a rule has it.
    pub(crate) fn of(rule: &Model) -> Result<Self> {
        Ok(Self {
            metric: rule.metric,
            selector: Selector::of(rule)?,
            comparison: rule.comparison,
            threshold: rule.threshold,
            recover_threshold: rule.recover_threshold,
            window_seconds: rule.window_seconds,
            for_seconds: rule.for_seconds,
            min_samples: rule.min_samples,
        })
    }

    /// Refuses what could never be raised, or never be over.
    pub(crate) fn check(&self) -> Result<()> {
        self.selector.check(self.metric)?;
        if !self.threshold.is_finite() {
            return Err(Error::invalid("threshold", "must be a number"));
        }
        if self.metric != AlertMetric::PerformanceMetric && self.threshold < 0.0 {
            return Err(Error::invalid("threshold", "must not be below zero for this metric"));
        }
        if self.metric == AlertMetric::ErrorRate && !(0.0..=1.0).contains(&self.threshold) {
            return Err(Error::invalid("threshold", "must be 0 to 1, the share of requests that fail"));
        }
        if let Some(recover) = self.recover_threshold {
            let (sound, message) = match self.comparison {
                Comparison::Above => (recover <= self.threshold, "must be at most `threshold`"),
                Comparison::Below => (recover >= self.threshold, "must be at least `threshold`"),
            };
            if !sound {
                return Err(Error::invalid("recover_threshold", message));
            }
        }
        if !WINDOW.contains(&self.window_seconds) {
            let message = "must be 60 to 604,800: a minute to a week";
            return Err(Error::invalid("window_seconds", message));
        }
        if !(0..=LONGEST_FOR).contains(&self.for_seconds) {
            return Err(Error::invalid("for_seconds", "must be 0 to 86,400, a day"));
        }
        if self.min_samples < 0 {
            return Err(Error::invalid("min_samples", "must be at least 0"));
        }
        Ok(())
    }

    /// Whether a value is bad.
    pub(crate) fn is_bad(&self, value: f64) -> bool {
        match self.comparison {
            Comparison::Above => value > self.threshold,
            Comparison::Below => value < self.threshold,
        }
    }

    /// Whether a value is well enough for an incident to be over.
    pub(crate) fn is_well(&self, value: f64) -> bool {
        let recover = self.recover_threshold.unwrap_or(self.threshold);
        match self.comparison {
            Comparison::Above => value <= recover,
            Comparison::Below => value >= recover,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn above(threshold: f64, recover_threshold: Option<f64>) -> Definition {
        Definition {
            metric: AlertMetric::ResponseTimeP95,
            selector: Selector::default(),
            comparison: Comparison::Above,
            threshold,
            recover_threshold,
            window_seconds: 300,
            for_seconds: 60,
            min_samples: 10,
        }
    }

    #[test]
    fn between_the_thresholds_it_is_neither_bad_nor_well() {
        let rule = above(2.0, Some(1.0));
        assert!(rule.is_bad(2.1) && !rule.is_bad(2.0));
        assert!(rule.is_well(1.0) && !rule.is_well(1.5));
        let below = Definition { comparison: Comparison::Below, ..above(1.0, Some(2.0)) };
        assert!(below.is_bad(0.9) && !below.is_bad(1.5) && !below.is_well(1.5) && below.is_well(2.0));
        let plain = above(2.0, None);
        assert!(plain.is_well(2.0) && plain.is_bad(2.1));
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        let good = above(2.0, Some(1.0));
        good.check().expect("good");
        let with = |selector: Selector| Definition { selector, ..good.clone() };
        let named = |name: &str| Some(name.to_owned());
        let wrong = [
            ("recover_threshold", Definition { recover_threshold: Some(3.0), ..good.clone() }),
            ("threshold", Definition { threshold: f64::NAN, recover_threshold: None, ..good.clone() }),
            ("threshold", Definition { metric: AlertMetric::ErrorRate, ..good.clone() }),
            ("window_seconds", Definition { window_seconds: 59, ..good.clone() }),
            ("for_seconds", Definition { for_seconds: -1, ..good.clone() }),
            ("min_samples", Definition { min_samples: -1, ..good.clone() }),
            ("selector.model", with(Selector { model: named("gpt"), ..Selector::default() })),
            ("selector.endpoint", with(Selector { endpoint: named(" "), ..Selector::default() })),
            ("selector.metric_name", Definition { metric: AlertMetric::PerformanceMetric, ..good.clone() }),
        ];
        for (param, rule) in wrong {
            assert_eq!(rule.check().expect_err(param).param(), Some(param));
        }
    }

    #[test]
    fn a_name_is_the_same_in_the_database_and_in_the_api() {
        use sea_orm::{ActiveEnum, Iterable};
        for metric in AlertMetric::iter() {
            assert_eq!(serde_json::json!(metric), serde_json::json!(metric.to_value()));
        }
    }
}
