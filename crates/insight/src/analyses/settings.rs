//! Live configuration of analyses by a model, global or per tenant.

use std::collections::BTreeMap;

use loam_kernel::{Error, ProjectId, Result};
use loam_platform::system_config::ConfigKey;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Configuration of analyses by a model.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct AnalysisSettings {
    /// The model: a route or `provider/model`. `None`: no model is called, only the rules diagnose.
    pub model: Option<String>,
    /// Daily budget for the analyses of a project, in US dollars (days in UTC).
    pub usd_per_day: f64,
    /// Maximum size of the model's input about a request, in bytes.
    pub max_prompt_bytes: usize,
    /// Maximum number of output tokens.
    pub max_answer_tokens: u64,
    /// Whether to request structured output (`response_format`). The prompt contains the schema in any case.
    pub structured: bool,
    /// Requests with a lower score are analysed automatically, if the project's `auto_analysis` is on.
    pub score_below: i32,
    /// Hours between scheduled analyses; 0 disables them.
    pub scheduled_hours: u32,
    /// Number of a project's slowest endpoints that each scheduled run analyses.
    pub scheduled_endpoints: usize,
    /// Overrides per project ID.
    pub projects: BTreeMap<String, ProjectAnalysis>,
}

/// Overrides for a project; omitted fields use the general value.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ProjectAnalysis {
    /// The model.
    pub model: Option<String>,
    /// Daily budget in US dollars.
    pub usd_per_day: Option<f64>,
}

impl Default for AnalysisSettings {
    fn default() -> Self {
        Self {
            model: None,
            usd_per_day: 1.0,
            max_prompt_bytes: 12_000,
            max_answer_tokens: 2_000,
            structured: true,
            score_below: 50,
            scheduled_hours: 0,
            scheduled_endpoints: 3,
            projects: BTreeMap::new(),
        }
    }
}

impl AnalysisSettings {
    /// The model for a project.
    pub(crate) fn model(&self, project: ProjectId) -> Option<&str> {
        let own = self.projects.get(&project.to_string()).and_then(|own| own.model.as_deref());
        own.or(self.model.as_deref())
    }

    /// Rejects `auto_analysis` for a project without a model.
    pub(crate) fn check_has_model(&self, project: ProjectId) -> Result<()> {
        match self.model(project) {
            Some(_) => Ok(()),
            None => {
                let message = "needs a model: set `model` of the live configuration `insight.analysis` first";
                Err(Error::invalid("config.auto_analysis", message))
            }
        }
    }

    /// Daily budget for a project's analyses, in billionths of a US dollar.
    pub(crate) fn nano_usd_per_day(&self, project: ProjectId) -> i64 {
        let own = self.projects.get(&project.to_string()).and_then(|own| own.usd_per_day);
        #[expect(clippy::cast_possible_truncation, reason = "a cast of a float saturates")]
        let nano = (own.unwrap_or(self.usd_per_day) * 1e9) as i64;
        nano
    }
}

/// The key of [`AnalysisSettings`].
pub const ANALYSIS: ConfigKey<AnalysisSettings> = ConfigKey::new(
    "insight.analysis",
    "insight",
    "analyses of slow requests by a model: the model (null: none), the daily budget per project, the limits of its input and \
     output, which requests are analysed automatically, and how often the slowest endpoints are; `projects` overrides \
     values per project ID",
    || {
        let model = json!({ "type": ["string", "null"], "minLength": 1, "maxLength": 300 });
        let usd = json!({ "type": "number", "minimum": 0, "maximum": 1_000_000 });
        json!({
            "type": "object", "additionalProperties": false,
            "properties": {
                "model": model,
                "usd_per_day": usd,
                "max_prompt_bytes": { "type": "integer", "minimum": 1_000, "maximum": 200_000 },
                "max_answer_tokens": { "type": "integer", "minimum": 100, "maximum": 32_000 },
                "structured": { "type": "boolean" },
                "score_below": { "type": "integer", "minimum": 0, "maximum": 100 },
                "scheduled_hours": { "type": "integer", "minimum": 0, "maximum": 720 },
                "scheduled_endpoints": { "type": "integer", "minimum": 1, "maximum": 20 },
                "projects": {
                    "type": "object", "maxProperties": 1_000,
                    "additionalProperties": {
                        "type": "object", "additionalProperties": false,
                        "properties": { "model": model, "usd_per_day": { "type": ["number", "null"], "minimum": 0 } }
                    }
                }
            }
        })
    },
)
.per_tenant();
