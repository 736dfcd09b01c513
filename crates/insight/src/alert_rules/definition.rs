//! What a rule measures, and when its threshold is breached.

use std::collections::BTreeMap;

use loam_kernel::{Error, Result, bounded};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::entity::{AlertMetric, Comparison, Model};

/// Permitted window, in seconds.
const WINDOW: std::ops::RangeInclusive<i32> = 60..=7 * 86_400;
/// Largest permitted `for_seconds`.
const MAX_FOR: i32 = 86_400;
const MAX_TEXT: usize = 500;
const MAX_TAGS: usize = 20;

/// Aggregate of the values in a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AlertAggregate)]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    /// Mean.
    #[default]
    Mean,
    /// Sum.
    Sum,
    /// Minimum.
    Min,
    /// Maximum.
    Max,
    /// Last value.
    Last,
    /// 95th percentile.
    P95,
}

/// Restricts what is measured. A field that is left out does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Selector {
    /// Only requests of this endpoint: `GET /users/{id}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub endpoint: Option<String>,
    /// Only requests of this version of the application.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub version: Option<String>,
    /// For `cost`: only calls of this provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub provider: Option<String>,
    /// For `cost`: only calls of this model.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub model: Option<String>,
    /// For `performance_metric`: name of the metric.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub metric_name: Option<String>,
    /// For `performance_metric`: only values with all these tags.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(default = json!(null))]
    pub tags: BTreeMap<String, String>,
    /// For `performance_metric`: aggregate of the values; defaults to `mean`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub aggregate: Option<Aggregate>,
}

impl Selector {
    /// The stored selector of a rule.
    pub(crate) fn of(rule: &Model) -> Result<Self> {
        serde_json::from_value(rule.selector.clone()).map_err(Error::internal)
    }

    fn validate(&self, metric: AlertMetric) -> Result<()> {
        let allowed: &[&str] = match metric {
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
                require_supported_field(name, allowed)?;
                bounded(&format!("selector.{name}"), text, MAX_TEXT)?;
            }
        }
        if !self.tags.is_empty() {
            require_supported_field("tags", allowed)?;
        }
        if self.tags.len() > MAX_TAGS {
            return Err(Error::invalid("selector.tags", format!("must have at most {MAX_TAGS} entries")));
        }
        for text in self.tags.iter().flat_map(|(name, value)| [name, value]) {
            bounded("selector.tags", text, MAX_TEXT)?;
        }
        if self.aggregate.is_some() {
            require_supported_field("aggregate", allowed)?;
        }
        if metric == AlertMetric::PerformanceMetric && self.metric_name.is_none() {
            return Err(Error::invalid("selector.metric_name", "is required for `performance_metric`"));
        }
        Ok(())
    }
}

fn require_supported_field(name: &str, allowed: &[&str]) -> Result<()> {
    if allowed.contains(&name) {
        return Ok(());
    }
    let message = format!("is not supported for this metric; supported: `{}`", allowed.join("`, `"));
    Err(Error::invalid(format!("selector.{name}"), message))
}

/// What a rule measures, and when its threshold is breached.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Definition {
    pub(crate) metric: AlertMetric,
    pub(crate) selector: Selector,
    pub(crate) comparison: Comparison,
    pub(crate) threshold: f64,
    /// Where a breach ends; null: at `threshold`.
    pub(crate) recover_threshold: Option<f64>,
    pub(crate) window_seconds: i32,
    /// How long a breach must last before an incident opens, and a recovery before it ends.
    pub(crate) for_seconds: i32,
    /// With fewer samples there is no value; ignored for `cost` and `request_rate`.
    pub(crate) min_samples: i32,
}

impl Definition {
    /// The definition of a stored rule.
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

    /// Rejects values outside their permitted range.
    pub(crate) fn validate(&self) -> Result<()> {
        self.selector.validate(self.metric)?;
        if !self.threshold.is_finite() {
            return Err(Error::invalid("threshold", "must be finite"));
        }
        if self.metric != AlertMetric::PerformanceMetric && self.threshold < 0.0 {
            return Err(Error::invalid("threshold", "must not be negative for this metric"));
        }
        if self.metric == AlertMetric::ErrorRate && !(0.0..=1.0).contains(&self.threshold) {
            return Err(Error::invalid("threshold", "must be 0 to 1, the share of requests that fail"));
        }
        if let Some(recover) = self.recover_threshold {
            let (valid, message) = match self.comparison {
                Comparison::Above => (recover <= self.threshold, "must be at most `threshold`"),
                Comparison::Below => (recover >= self.threshold, "must be at least `threshold`"),
            };
            if !valid {
                return Err(Error::invalid("recover_threshold", message));
            }
        }
        if !WINDOW.contains(&self.window_seconds) {
            let message = "must be 60 to 604,800: a minute to a week";
            return Err(Error::invalid("window_seconds", message));
        }
        if !(0..=MAX_FOR).contains(&self.for_seconds) {
            return Err(Error::invalid("for_seconds", "must be 0 to 86,400, a day"));
        }
        if self.min_samples < 0 {
            return Err(Error::invalid("min_samples", "must be at least 0"));
        }
        Ok(())
    }

    /// Whether a value breaches the threshold.
    pub(crate) fn is_breach(&self, value: f64) -> bool {
        match self.comparison {
            Comparison::Above => value > self.threshold,
            Comparison::Below => value < self.threshold,
        }
    }

    /// Whether a value has recovered far enough to end an incident.
    pub(crate) fn is_recovered(&self, value: f64) -> bool {
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
    fn between_the_thresholds_it_is_neither_breach_nor_recovery() {
        let rule = above(2.0, Some(1.0));
        assert!(rule.is_breach(2.1) && !rule.is_breach(2.0));
        assert!(rule.is_recovered(1.0) && !rule.is_recovered(1.5));
        let below = Definition { comparison: Comparison::Below, ..above(1.0, Some(2.0)) };
        assert!(
            below.is_breach(0.9)
                && !below.is_breach(1.5)
                && !below.is_recovered(1.5)
                && below.is_recovered(2.0)
        );
        let plain = above(2.0, None);
        assert!(plain.is_recovered(2.0) && plain.is_breach(2.1));
    }

    #[test]
    fn invalid_definitions_are_rejected_with_the_field_name() {
        let valid = above(2.0, Some(1.0));
        valid.validate().expect("valid");
        let with = |selector: Selector| Definition { selector, ..valid.clone() };
        let text = |name: &str| Some(name.to_owned());
        let invalid = [
            ("recover_threshold", Definition { recover_threshold: Some(3.0), ..valid.clone() }),
            ("threshold", Definition { threshold: f64::NAN, recover_threshold: None, ..valid.clone() }),
            ("threshold", Definition { metric: AlertMetric::ErrorRate, ..valid.clone() }),
            ("window_seconds", Definition { window_seconds: 59, ..valid.clone() }),
            ("for_seconds", Definition { for_seconds: -1, ..valid.clone() }),
            ("min_samples", Definition { min_samples: -1, ..valid.clone() }),
            ("selector.model", with(Selector { model: text("gpt"), ..Selector::default() })),
            ("selector.endpoint", with(Selector { endpoint: text(" "), ..Selector::default() })),
            ("selector.metric_name", Definition { metric: AlertMetric::PerformanceMetric, ..valid.clone() }),
        ];
        for (param, rule) in invalid {
            assert_eq!(rule.validate().expect_err(param).param(), Some(param));
        }
    }

    #[test]
    fn database_and_api_use_the_same_metric_names() {
        use sea_orm::{ActiveEnum, Iterable};
        for metric in AlertMetric::iter() {
            assert_eq!(serde_json::json!(metric), serde_json::json!(metric.to_value()));
        }
    }
}
