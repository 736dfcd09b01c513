//! Texts about incidents for people.

use crate::alert_events::entity::{EventState, Model as Event};
use crate::alert_rules::definition::Definition;
use crate::alert_rules::entity::{AlertMetric, Comparison, Model as Rule};

/// A value with its unit.
pub(super) fn value(metric: AlertMetric, value: f64) -> String {
    let round = |value: f64| format!("{:.4}", value).trim_end_matches('0').trim_end_matches('.').to_owned();
    match metric {
        AlertMetric::ResponseTimeMean
        | AlertMetric::ResponseTimeP50
        | AlertMetric::ResponseTimeP95
        | AlertMetric::ResponseTimeP99 => format!("{} s", round(value)),
        AlertMetric::ErrorRate => format!("{} %", round(value * 100.0)),
        AlertMetric::MemoryUsage => format!("{} MB", round(value)),
        AlertMetric::RequestRate => format!("{} requests per minute", round(value)),
        AlertMetric::Cost => format!("{} US dollars", round(value)),
        AlertMetric::PerformanceMetric => round(value),
    }
}

/// One line about an open incident: `response time (95 %) is 1.52 s, above 1 s`.
pub(super) fn opened(definition: &Definition, observed: f64) -> String {
    sentence(definition, "is", observed)
}

/// One line about a resolved incident: `response time (95 %) was 1.52 s, above 1 s; resolved`.
pub(super) fn resolved(definition: &Definition, observed: f64) -> String {
    sentence(definition, "was", observed) + "; resolved"
}

fn sentence(definition: &Definition, verb: &str, observed: f64) -> String {
    let what = match definition.metric {
        AlertMetric::ResponseTimeMean => "mean response time",
        AlertMetric::ResponseTimeP50 => "median response time",
        AlertMetric::ResponseTimeP95 => "response time (95 %)",
        AlertMetric::ResponseTimeP99 => "response time (99 %)",
        AlertMetric::ErrorRate => "error rate",
        AlertMetric::MemoryUsage => "memory",
        AlertMetric::RequestRate => "traffic",
        AlertMetric::Cost => "cost of model calls",
        AlertMetric::PerformanceMetric => definition.selector.metric_name.as_deref().unwrap_or("metric"),
    };
    let side = match definition.comparison {
        Comparison::Above => "above",
        Comparison::Below => "below",
    };
    let (observed, threshold) =
        (value(definition.metric, observed), value(definition.metric, definition.threshold));
    format!("{what} {verb} {observed}, {side} {threshold}")
}

/// The subject of an e-mail.
pub(super) fn subject(rule: &Rule, event: &Event, project: &str) -> String {
    let label = match event.state {
        EventState::Resolved => "resolved".to_owned(),
        _ => serde_json::to_value(event.severity)
            .ok()
            .and_then(|name| name.as_str().map(str::to_owned))
            .unwrap_or_default(),
    };
    format!("[{label}] {project}: {}", rule.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert_rules::definition::tests::above;

    #[test]
    fn texts_carry_units() {
        let rule = above(1.0, None);
        assert_eq!(opened(&rule, 1.521_04), "response time (95 %) is 1.521 s, above 1 s");
        let errors = Definition { metric: AlertMetric::ErrorRate, threshold: 0.05, ..rule };
        assert_eq!(opened(&errors, 0.5), "error rate is 50 %, above 5 %");
        assert_eq!(resolved(&errors, 0.5), "error rate was 50 %, above 5 %; resolved");
    }
}
