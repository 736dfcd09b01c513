//! The structured analysis of a requirement.

use std::collections::HashSet;

use loam_kernel::{Error, Result, bounded};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Maximum number of items of a list.
const MAX_ITEMS: usize = 500;
/// Maximum length of an item, in characters.
const MAX_TEXT: usize = 4_000;
/// Maximum length of an id, in characters.
const MAX_ID: usize = 64;

/// What a requirement comes down to.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AiAnalysis {
    /// User stories.
    pub user_stories: Vec<String>,
    /// Features by priority.
    pub features: Features,
    /// Non-functional requirements.
    pub non_functional: Vec<String>,
    /// When the requirement is met. Each has an ID that is unique in the requirement.
    pub acceptance_criteria: Vec<AcceptanceCriterion>,
    /// What is to be clarified.
    pub open_questions: Vec<String>,
}

/// Features by priority (MoSCoW).
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Features {
    /// Without which the requirement is not met.
    pub must: Vec<String>,
    /// Important, but not necessary.
    pub should: Vec<String>,
    /// Desirable.
    pub could: Vec<String>,
    /// Agreed not to be done.
    pub wont: Vec<String>,
}

/// An acceptance criterion in the form of EARS: "Where `feature`, while `state`, when `trigger`, if `unwanted_condition`, then
/// `system` shall `response`". A criterion without conditions holds always.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptanceCriterion {
    /// Its ID, such as `AC-1`: letters, digits, `-`, `_` and `.`.
    pub id: String,
    /// Where: the optional feature that it is about.
    #[serde(default)]
    pub feature: Option<String>,
    /// While: the state in which it holds.
    #[serde(default)]
    pub state: Option<String>,
    /// When: the event that triggers the response.
    #[serde(default)]
    pub trigger: Option<String>,
    /// If: the unwanted condition that the system has to handle.
    #[serde(default)]
    pub unwanted_condition: Option<String>,
    /// The system that responds.
    pub system: String,
    /// What the system shall do.
    pub response: String,
}

impl AiAnalysis {
    /// Rejects what is too long or empty, and ids that are not unique.
    pub(super) fn validate(&self) -> Result<()> {
        let Self { user_stories, features, non_functional, acceptance_criteria, open_questions } = self;
        for (name, items) in [
            ("user_stories", user_stories),
            ("features.must", &features.must),
            ("features.should", &features.should),
            ("features.could", &features.could),
            ("features.wont", &features.wont),
            ("non_functional", non_functional),
            ("open_questions", open_questions),
        ] {
            let name = format!("ai_analysis.{name}");
            check_count(&name, items.len())?;
            for (index, item) in items.iter().enumerate() {
                bounded(&format!("{name}[{index}]"), item, MAX_TEXT)?;
            }
        }
        check_count("ai_analysis.acceptance_criteria", acceptance_criteria.len())?;
        let mut ids = HashSet::new();
        for (index, criterion) in acceptance_criteria.iter().enumerate() {
            let name = format!("ai_analysis.acceptance_criteria[{index}]");
            criterion.validate(&name)?;
            if !ids.insert(&criterion.id) {
                let message = format!("`{}` is the ID of an earlier criterion", criterion.id);
                return Err(Error::invalid(format!("{name}.id"), message));
            }
        }
        Ok(())
    }
}

impl AcceptanceCriterion {
    fn validate(&self, name: &str) -> Result<()> {
        let Self { id, feature, state, trigger, unwanted_condition, system, response } = self;
        bounded(&format!("{name}.id"), id, MAX_ID)?;
        if !id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')) {
            return Err(Error::invalid(format!("{name}.id"), "must be letters, digits, `-`, `_` or `.`"));
        }
        for (field, text) in [
            ("feature", feature.as_ref()),
            ("state", state.as_ref()),
            ("trigger", trigger.as_ref()),
            ("unwanted_condition", unwanted_condition.as_ref()),
            ("system", Some(system)),
            ("response", Some(response)),
        ] {
            text.map_or(Ok(()), |text| bounded(&format!("{name}.{field}"), text, MAX_TEXT))?;
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
