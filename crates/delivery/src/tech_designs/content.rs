//! What is versioned of a technical design.

use chrono::{DateTime, Utc};
use loam_kernel::{Error, Result, bounded, no_nul};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::entity::ArchitectureType;
use crate::documents::{Content, check_title};

/// Maximum number of components, and of decisions.
const MAX_ITEMS: usize = 500;
/// Maximum length of a name, in characters.
const MAX_NAME: usize = 200;
/// Maximum length of a text, in characters.
const MAX_TEXT: usize = 10_000;
/// Maximum length of a diagram, in characters.
const MAX_DIAGRAM: usize = 500_000;

/// What is versioned of a technical design.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct DesignContent {
    pub(crate) title: Option<String>,
    pub(crate) architecture: Option<Architecture>,
    pub(crate) plantuml_code: Option<String>,
    pub(crate) decision_log: Vec<Decision>,
    pub(crate) risk_assessment: Option<RiskAssessment>,
}

/// The architecture of an application.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Architecture {
    /// `microservices`, `monolith` or `serverless`.
    #[serde(rename = "type")]
    pub kind: ArchitectureType,
    /// Its components.
    #[serde(default)]
    pub components: Vec<ArchitectureComponent>,
}

/// A component of an architecture.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ArchitectureComponent {
    /// Name.
    pub name: String,
    /// Technology.
    pub technology: String,
}

/// A decision.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// When it was made.
    pub timestamp: DateTime<Utc>,
    /// What was chosen.
    pub option: String,
    /// What was considered besides.
    #[serde(default)]
    pub alternatives: Vec<String>,
    /// Why.
    pub rationale: String,
}

/// The risks of a design, each 0 (none) to 10.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RiskAssessment {
    /// Performance.
    pub performance: Option<f64>,
    /// Security.
    pub security: Option<f64>,
    /// Maintainability.
    pub maintainability: Option<f64>,
    /// Why each is as it is.
    pub reasons: RiskReasons,
}

/// The reasons of a risk assessment.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RiskReasons {
    /// Performance.
    pub performance: Option<String>,
    /// Security.
    pub security: Option<String>,
    /// Maintainability.
    pub maintainability: Option<String>,
}

impl Content for DesignContent {
    fn validate(&self) -> Result<()> {
        check_title(self.title.as_deref())?;
        if let Some(code) = &self.plantuml_code {
            no_nul("plantuml_code", code)?;
            if code.chars().count() > MAX_DIAGRAM {
                let message = format!("must be at most {MAX_DIAGRAM} characters long");
                return Err(Error::invalid("plantuml_code", message));
            }
        }
        let components = self.architecture.as_ref().map_or(&[][..], |architecture| &architecture.components);
        check_count("architecture.components", components.len())?;
        for (index, component) in components.iter().enumerate() {
            let name = format!("architecture.components[{index}]");
            bounded(&format!("{name}.name"), &component.name, MAX_NAME)?;
            bounded(&format!("{name}.technology"), &component.technology, MAX_NAME)?;
        }
        check_count("decision_log", self.decision_log.len())?;
        for (index, decision) in self.decision_log.iter().enumerate() {
            let name = format!("decision_log[{index}]");
            bounded(&format!("{name}.option"), &decision.option, MAX_TEXT)?;
            bounded(&format!("{name}.rationale"), &decision.rationale, MAX_TEXT)?;
            check_count(&format!("{name}.alternatives"), decision.alternatives.len())?;
            for (index, text) in decision.alternatives.iter().enumerate() {
                bounded(&format!("{name}.alternatives[{index}]"), text, MAX_TEXT)?;
            }
        }
        self.risk_assessment.as_ref().map_or(Ok(()), RiskAssessment::validate)
    }
}

impl RiskAssessment {
    fn validate(&self) -> Result<()> {
        let reasons = &self.reasons;
        for (name, risk, reason) in [
            ("performance", self.performance, &reasons.performance),
            ("security", self.security, &reasons.security),
            ("maintainability", self.maintainability, &reasons.maintainability),
        ] {
            if risk.is_some_and(|risk| !(0.0..=10.0).contains(&risk)) {
                return Err(Error::invalid(format!("risk_assessment.{name}"), "must be between 0 and 10"));
            }
            let name = format!("risk_assessment.reasons.{name}");
            reason.as_deref().map_or(Ok(()), |reason| bounded(&name, reason, MAX_TEXT))?;
        }
        Ok(())
    }
}

fn check_count(name: &str, count: usize) -> Result<()> {
    match count {
        0..=MAX_ITEMS => Ok(()),
        _ => Err(Error::invalid(name, format!("must have at most {MAX_ITEMS} items"))),
    }
}
