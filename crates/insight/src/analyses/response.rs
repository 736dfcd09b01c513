//! Parsing and validation of a model's response.

use jsonschema::Validator;
use loam_kernel::{Error, Result};
use serde_json::{Value, json};

use super::evidence::Evidence;
use super::prompt;
use crate::rules::{Advice, Finding, Severity};

/// Maximum number of schema violations reported to the model at once.
const MAX_VIOLATIONS: usize = 5;
/// Base confidence of a response that was valid at the first attempt.
const VALID_CONFIDENCE: f64 = 0.9;
/// Base confidence of a response that had to be repaired.
const REPAIRED_CONFIDENCE: f64 = 0.7;
/// Confidence of results from rules only, if the model failed.
pub(super) const RULES_ONLY_CONFIDENCE: f64 = 0.3;

/// The results of an analysis.
pub(super) struct Results {
    /// `analysis_results`.
    pub(super) results: Value,
    /// Suggestions, each with the function that it applies to, if the model named one.
    pub(super) suggestions: Vec<(Advice, Option<String>)>,
    pub(super) confidence: f64,
    /// Number of claims about functions or calls that are not in the record.
    pub(super) dropped: usize,
}

/// Parses a response. The inner error describes the violations for the model.
pub(super) fn parse(text: &str) -> Result<std::result::Result<Value, String>> {
    let validator =
        jsonschema::validator_for(&prompt::schema()).map_err(|e| Error::internal(e.to_string()))?;
    Ok(parse_with(text, &validator))
}

fn parse_with(text: &str, validator: &Validator) -> std::result::Result<Value, String> {
    // some models surround the object with text or a code fence
    let object = text.find('{').zip(text.rfind('}')).filter(|(from, to)| from < to);
    let Some((from, to)) = object else { return Err("it contains no JSON object".to_owned()) };
    let mut response: Value =
        serde_json::from_str(&text[from..=to]).map_err(|e| format!("it cannot be parsed as JSON: {e}"))?;
    replace_nul(&mut response);
    let violations: Vec<String> = validator
        .iter_errors(&response)
        .take(MAX_VIOLATIONS)
        .map(|violation| format!("{}: {}", violation.instance_path(), violation.masked_with("the value")))
        .collect();
    if violations.is_empty() { Ok(response) } else { Err(violations.join("; ")) }
}

/// Drops claims about functions and calls that are not in the record, and computes the confidence of the rest.
pub(super) fn validate_claims(mut response: Value, evidence: &Evidence, repaired: bool) -> Results {
    let (mut kept, mut dropped) = (0_usize, 0_usize);
    let mut retain_valid = |list: &mut Value, is_valid: &dyn Fn(&Value) -> bool| {
        if let Some(list) = list.as_array_mut() {
            let before = list.len();
            list.retain(|claim| is_valid(claim));
            kept += list.len();
            dropped += before - list.len();
        }
    };
    let has_named_functions = |claim: &Value, fields: &[&str]| {
        let texts = fields.iter().filter_map(|field| claim[*field].as_str());
        texts.flat_map(mentioned_functions).all(|name| evidence.has_function(name))
    };
    let has_calls = |claim: &Value| {
        let calls = claim["calls"].as_array().into_iter().flatten().filter_map(Value::as_str);
        calls.into_iter().all(|id| evidence.calls.contains(id))
    };
    let has_function =
        |claim: &Value| claim["function"].as_str().is_none_or(|name| evidence.has_function(name));
    retain_valid(&mut response["bottleneck_analysis"], &|claim| {
        has_function(claim) && has_calls(claim) && has_named_functions(claim, &["description"])
    });
    retain_valid(&mut response["optimization_suggestions"], &|claim| {
        has_function(claim) && has_named_functions(claim, &["title", "description"])
    });
    for risks in ["current_risks", "potential_issues", "recommendations"] {
        retain_valid(&mut response["risk_assessment"][risks], &|claim| {
            claim
                .as_str()
                .is_none_or(|text| mentioned_functions(text).all(|name| evidence.has_function(name)))
        });
    }
    let suggestions = response["optimization_suggestions"].as_array().into_iter().flatten();
    let suggestions = suggestions.filter_map(|one| {
        let mut advice: Advice = serde_json::from_value(one.clone()).ok()?;
        // only rules have topics
        advice.topic.clear();
        Some((advice, one["function"].as_str().map(str::to_owned)))
    });
    let suggestions = suggestions.collect();
    let base = if repaired { REPAIRED_CONFIDENCE } else { VALID_CONFIDENCE };
    let confidence =
        base * share(kept, kept + dropped) * (0.5 + 0.5 * agreement(&response, &evidence.findings));
    Results { results: response, suggestions, confidence, dropped }
}

/// Function names in backticks in a text: `module.function`, or `function()`.
fn mentioned_functions(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2).filter(|quoted| {
        let name = quoted.strip_suffix("()").unwrap_or(quoted);
        let is_name = name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.'));
        let is_function = quoted.ends_with("()") || name.contains('.');
        is_name && is_function && name.starts_with(|c: char| c.is_alphabetic() || c == '_')
    })
}

/// Share of the rules' findings of severity medium or above whose function the model names too; 1 if there are none.
fn agreement(response: &Value, findings: &[Finding]) -> f64 {
    let named = |finding: &&Finding| {
        let claims = response["bottleneck_analysis"].as_array().into_iter().flatten();
        claims.filter_map(|claim| claim["function"].as_str()).any(|name| {
            name == finding.function
                || finding.function.ends_with(&format!(".{}", name.trim_end_matches("()")))
        })
    };
    let severe: Vec<&Finding> = findings.iter().filter(|one| one.severity >= Severity::Medium).collect();
    share(severe.iter().copied().filter(|finding| named(finding)).count(), severe.len())
}

#[expect(clippy::cast_precision_loss, reason = "a few claims")]
fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

/// Results from the rules only, in the schema of a model's response.
pub(super) fn from_rules(evidence: &Evidence) -> Value {
    let findings = &evidence.findings;
    let bottlenecks: Vec<Value> = findings
        .iter()
        .map(|one| {
            json!({
                "type": one.kind, "severity": one.severity, "function": one.function, "description": one.description,
                "impact": one.impact, "calls": one.calls,
            })
        })
        .collect();
    let severe = findings.iter().filter(|one| one.severity >= Severity::High);
    let mut results = json!({
        "performance_score": evidence.score,
        "bottleneck_analysis": bottlenecks,
        "optimization_suggestions": findings.iter().map(|one| &one.suggestion).collect::<Vec<_>>(),
        "risk_assessment": {
            "current_risks": severe.map(|one| &one.description).collect::<Vec<_>>(),
            "potential_issues": [], "recommendations": [],
        },
    });
    replace_nul(&mut results);
    results
}

/// Replaces NUL characters in texts: PostgreSQL cannot store them.
fn replace_nul(value: &mut Value) {
    match value {
        Value::String(text) if text.contains('\0') => *text = text.replace('\0', "\u{fffd}"),
        Value::Array(items) => items.iter_mut().for_each(replace_nul),
        Value::Object(fields) => fields.values_mut().for_each(replace_nul),
        _ => {}
    }
}
