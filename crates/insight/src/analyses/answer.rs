//! What is made of a model's answer.

use jsonschema::Validator;
use loam_kernel::{Error, Result};
use serde_json::{Value, json};

use super::evidence::Evidence;
use super::prompt;
use crate::rules::{Advice, Finding, Severity};

/// Faults that a model is told of at once.
const MAX_FAULTS: usize = 5;
/// What an answer that was valid at once is trusted, before its claims are weighed.
const VALID: f64 = 0.9;
/// The same for one that had to be repaired.
const REPAIRED: f64 = 0.7;
/// The same for what rules alone say, where a model was to say more.
pub(super) const RULES_ALONE: f64 = 0.3;

/// What came of an analysis.
pub(super) struct Results {
    /// `analysis_results`.
    pub(super) results: Value,
    /// What could be done, with the function where, if the model named one.
    pub(super) suggestions: Vec<(Advice, Option<String>)>,
    pub(super) confidence: f64,
    /// Claims on what is not in the record.
    pub(super) dropped: usize,
}

/// Reads an answer; or says what is wrong with it, in words for the model.
pub(super) fn read(text: &str) -> Result<std::result::Result<Value, String>> {
    let validator =
        jsonschema::validator_for(&prompt::schema()).map_err(|e| Error::internal(e.to_string()))?;
    Ok(checked(text, &validator))
}

fn checked(text: &str, validator: &Validator) -> std::result::Result<Value, String> {
    // some models put words or a fence around it
    let object = text.find('{').zip(text.rfind('}')).filter(|(from, to)| from < to);
    let Some((from, to)) = object else { return Err("there is no JSON object in it".to_owned()) };
    let mut answer: Value =
        serde_json::from_str(&text[from..=to]).map_err(|e| format!("it can't be read as JSON: {e}"))?;
    make_storable(&mut answer);
    let faults: Vec<String> = validator
        .iter_errors(&answer)
        .take(MAX_FAULTS)
        .map(|fault| format!("{}: {}", fault.instance_path(), fault.masked_with("the value")))
        .collect();
    if faults.is_empty() { Ok(answer) } else { Err(faults.join("; ")) }
}

/// Drops what an answer claims of functions and calls that are not in the record, and weighs what is left.
pub(super) fn weigh(mut answer: Value, evidence: &Evidence, repaired: bool) -> Results {
    let (mut kept, mut dropped) = (0_usize, 0_usize);
    let mut sift = |list: &mut Value, holds: &dyn Fn(&Value) -> bool| {
        if let Some(list) = list.as_array_mut() {
            let before = list.len();
            list.retain(|claim| holds(claim));
            kept += list.len();
            dropped += before - list.len();
        }
    };
    let names = |claim: &Value, fields: &[&str]| {
        let texts = fields.iter().filter_map(|field| claim[*field].as_str());
        texts.flat_map(mentioned).all(|name| evidence.has_function(name))
    };
    let has_calls = |claim: &Value| {
        let calls = claim["calls"].as_array().into_iter().flatten().filter_map(Value::as_str);
        calls.into_iter().all(|id| evidence.calls.contains(id))
    };
    let has_function =
        |claim: &Value| claim["function"].as_str().is_none_or(|name| evidence.has_function(name));
    sift(&mut answer["bottleneck_analysis"], &|claim| {
        has_function(claim) && has_calls(claim) && names(claim, &["description"])
    });
    sift(&mut answer["optimization_suggestions"], &|claim| {
        has_function(claim) && names(claim, &["title", "description"])
    });
    for risks in ["current_risks", "potential_issues", "recommendations"] {
        sift(&mut answer["risk_assessment"][risks], &|claim| {
            claim.as_str().is_none_or(|text| mentioned(text).all(|name| evidence.has_function(name)))
        });
    }
    let suggestions = answer["optimization_suggestions"].as_array().into_iter().flatten();
    let suggestions = suggestions.filter_map(|one| {
        let advice: Advice = serde_json::from_value(one.clone()).ok()?;
        Some((advice, one["function"].as_str().map(str::to_owned)))
    });
    let suggestions = suggestions.collect();
    let base = if repaired { REPAIRED } else { VALID };
    let confidence =
        base * share(kept, kept + dropped) * (0.5 + 0.5 * agreement(&answer, &evidence.findings));
    Results { results: answer, suggestions, confidence, dropped }
}

/// Functions that a text puts in backticks: `module.function`, or `function()`.
fn mentioned(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2).filter(|quoted| {
        let name = quoted.strip_suffix("()").unwrap_or(quoted);
        let is_name = name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.'));
        let is_function = quoted.ends_with("()") || name.contains('.');
        is_name && is_function && name.starts_with(|c: char| c.is_alphabetic() || c == '_')
    })
}

/// The share of the graver findings of the rules whose function the model names too; 1 where there are none.
fn agreement(answer: &Value, findings: &[Finding]) -> f64 {
    let named = |finding: &&Finding| {
        let claims = answer["bottleneck_analysis"].as_array().into_iter().flatten();
        claims.filter_map(|claim| claim["function"].as_str()).any(|name| {
            name == finding.function
                || finding.function.ends_with(&format!(".{}", name.trim_end_matches("()")))
        })
    };
    let grave: Vec<&Finding> = findings.iter().filter(|one| one.severity >= Severity::Medium).collect();
    share(grave.iter().copied().filter(|finding| named(finding)).count(), grave.len())
}

#[expect(clippy::cast_precision_loss, reason = "a few claims")]
fn share(some: usize, all: usize) -> f64 {
    if all == 0 { 1.0 } else { some as f64 / all as f64 }
}

/// What the rules alone say, in the shape of an answer.
pub(super) fn of_rules(evidence: &Evidence) -> Value {
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
    let grave = findings.iter().filter(|one| one.severity >= Severity::High);
    let mut results = json!({
        "performance_score": evidence.score,
        "bottleneck_analysis": bottlenecks,
        "optimization_suggestions": findings.iter().map(|one| &one.suggestion).collect::<Vec<_>>(),
        "risk_assessment": {
            "current_risks": grave.map(|one| &one.description).collect::<Vec<_>>(),
            "potential_issues": [], "recommendations": [],
        },
    });
    make_storable(&mut results);
    results
}

/// Takes NUL characters out of texts: PostgreSQL can't store them.
fn make_storable(value: &mut Value) {
    match value {
        Value::String(text) if text.contains('\0') => *text = text.replace('\0', "\u{fffd}"),
        Value::Array(items) => items.iter_mut().for_each(make_storable),
        Value::Object(fields) => fields.values_mut().for_each(make_storable),
        _ => {}
    }
}
