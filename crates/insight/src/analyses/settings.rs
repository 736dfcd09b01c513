//! Settings of analyses by a model, which can be changed while the server runs, for all or for one tenant.

use std::collections::BTreeMap;

use loam_kernel::ProjectId;
use loam_platform::system_config::ConfigKey;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// How models are asked why requests are slow.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct AnalysisSettings {
    /// Who is asked: a route or `provider/model`. None: nobody, and rules alone diagnose.
    pub model: Option<String>,
    /// US dollars that the analyses of one project may cost a day (UTC).
    pub usd_per_day: f64,
    /// Bytes that a model is told at most about a request.
    pub max_prompt_bytes: usize,
    /// Tokens that its answer may have.
    pub max_answer_tokens: u64,
    /// Whether the provider is asked to hold the answer to the schema (`response_format`). The schema is told in words
    /// anyway.
    pub structured: bool,
    /// A request with a lower score is analysed by itself, where a project's `auto_analysis` is on.
    pub score_below: i32,
    /// Hours between scheduled analyses; 0: none.
    pub scheduled_hours: u32,
    /// How many of a project's slowest endpoints are then analysed.
    pub scheduled_endpoints: usize,
    /// What differs for a project, by its id.
    pub projects: BTreeMap<String, ProjectAnalysis>,
}

/// What differs for a project; what is left out is as for all.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ProjectAnalysis {
    /// Who is asked.
    pub model: Option<String>,
    /// US dollars a day.
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
    /// Who is asked about a project.
    pub(crate) fn model(&self, project: ProjectId) -> Option<&str> {
        let own = self.projects.get(&project.to_string()).and_then(|own| own.model.as_deref());
        own.or(self.model.as_deref())
    }

    /// Billionths of a US dollar that a project's analyses may cost a day.
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
    "who is asked why requests are slow (null: nobody), what that may cost a project a day, how much the model is told and \
     may answer, which requests are analysed by themselves, and how often the slowest endpoints are; `projects` has what \
     differs for a project, by its id",
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
