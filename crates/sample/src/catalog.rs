//! The projects, providers and prices of the sample. They are created through the services, then backdated.

use chrono::{DateTime, Utc};
use fastrand::Rng;
use loam_db::Db;
use loam_gateway::Gateway;
use loam_gateway::ai_providers::entity as providers;
use loam_gateway::ai_providers::service::AiProviderCreate;
use loam_gateway::model_prices::Price;
use loam_gateway::model_prices::service::ModelPriceCreate;
use loam_identity::Identity;
use loam_identity::projects::entity as projects;
use loam_identity::projects::service::ProjectCreate;
use loam_kernel::{AiProviderId, ProjectId, Result, Scope};
use sea_orm::{ColumnTrait, QueryFilter};
use serde_json::{Map, Value, json};

use crate::model_profile::ModelProfile;
use crate::topics::Language;

/// The field of `metadata` that marks sample data.
pub(crate) const MARK: &str = "sample";

/// Domain of its topics, name, and framework.
const PROJECTS: [(&str, &str, &str); 5] = [
    ("support", "Support desk (sample)", "fastapi"),
    ("shop", "Shopping assistant (sample)", "django"),
    ("code", "Pair programmer (sample)", "axum"),
    ("travel", "Trip planner (sample)", "flask"),
    ("study", "Tutor (sample)", "fastapi"),
];

const OPENAI: &str = "sample-openai";
const OLLAMA: &str = "sample-ollama";

/// Provider, model, dollars per million tokens (input, cached input, output), tokens per second, microseconds to the first
/// token, and the share of Chinese and of English conversations.
type ModelLine = (&'static str, &'static str, Option<(f64, f64, f64)>, f64, f64, [f64; 2]);
const MODELS: [ModelLine; 4] = [
    (OPENAI, "gpt-4o-mini", Some((0.15, 0.075, 0.6)), 85.0, 420_000.0, [0.25, 0.5]),
    (OPENAI, "gpt-4o", Some((2.5, 1.25, 10.0)), 70.0, 560_000.0, [0.1, 0.25]),
    (OLLAMA, "qwen2.5:7b", None, 38.0, 310_000.0, [0.55, 0.05]),
    (OLLAMA, "llama3.1:8b", None, 34.0, 330_000.0, [0.1, 0.2]),
];

/// A model of a provider.
#[derive(Clone, Debug)]
pub(crate) struct ModelChoice {
    pub(crate) provider_id: AiProviderId,
    pub(crate) provider: &'static str,
    pub(crate) model: &'static str,
    pub(crate) profile: ModelProfile,
    shares: [f64; 2],
}

/// All projects and models.
#[derive(Clone, Debug)]
pub(crate) struct Catalog {
    projects: Vec<(&'static str, ProjectId)>,
    models: Vec<ModelChoice>,
}

impl Catalog {
    /// The project of a domain.
    pub(crate) fn project(&self, domain: &str) -> Option<ProjectId> {
        self.projects.iter().find(|(name, _)| *name == domain).map(|(_, id)| *id)
    }

    /// The IDs of all projects.
    pub(crate) fn project_ids(&self) -> Vec<ProjectId> {
        self.projects.iter().map(|(_, id)| *id).collect()
    }

    /// A random model for a language.
    pub(crate) fn model(&self, language: Language, rng: &mut Rng) -> &ModelChoice {
        let column = usize::from(language == Language::En);
        let mut rest = rng.f64();
        let chosen = self.models.iter().find(|model| {
            rest -= model.shares[column];
            rest < 0.0
        });
        chosen.unwrap_or(&self.models[0])
    }

    /// Numbers of projects and providers.
    pub(crate) fn count(&self) -> (u64, u64) {
        (self.projects.len() as u64, 2)
    }
}

/// Whether metadata marks sample data.
pub(crate) fn is_marked(metadata: &Value) -> bool {
    metadata[MARK] == true
}

fn mark() -> Map<String, Value> {
    Map::from_iter([(MARK.to_owned(), json!(true))])
}

/// Creates projects, providers and prices, backdated to `from`.
pub(crate) async fn create(
    db: &Db,
    identity: &Identity,
    gateway: &Gateway,
    scope: &Scope,
    from: DateTime<Utc>,
) -> Result<Catalog> {
    let mut projects = Vec::new();
    for (domain, name, framework) in PROJECTS {
        let new = ProjectCreate {
            name: name.to_owned(),
            description: Some(format!("sample data: conversations about {domain}")),
            framework: Some(framework.to_owned()),
            owner_id: None,
            config: Default::default(),
            tech_stack: Map::new(),
            timeline: Map::new(),
            deadline: None,
            metadata: mark(),
        };
        projects.push((domain, identity.create_project(scope, new).await?.row.id));
    }
    let openai = provider(gateway, scope, OPENAI, "openai", "https://openai.example.com/v1").await?;
    // the kind's own default is this machine, which the configuration of outgoing requests may forbid
    let ollama = provider(gateway, scope, OLLAMA, "ollama", "http://ollama.example.com:11434").await?;
    let mut models = Vec::new();
    for (provider, model, price, speed, first_token_us, shares) in MODELS {
        let price = match price {
            Some((input, cached, output)) => {
                let new = ModelPriceCreate {
                    provider: provider.to_owned(),
                    model: model.to_owned(),
                    input_per_million: input,
                    cached_input_per_million: Some(cached),
                    cache_write_per_million: None,
                    output_per_million: output,
                    per_unit: None,
                };
                Some(Price::from(&gateway.create_price(scope, new).await?))
            }
            None => None,
        };
        let provider_id = if provider == OPENAI { openai } else { ollama };
        let profile = ModelProfile { price, speed, first_token_us, caches: price.is_some() };
        models.push(ModelChoice { provider_id, provider, model, profile, shares });
    }
    let tx = db.write(scope).await?;
    let ids = projects.iter().map(|(_, id)| *id);
    let update = tx.update_many::<projects::Entity>().set(projects::Column::CreatedAt, from);
    update.filter(projects::Column::Id.is_in(ids)).exec().await?;
    let update = tx.update_many::<providers::Entity>().set(providers::Column::CreatedAt, from);
    update.filter(providers::Column::Id.is_in([openai, ollama])).exec().await?;
    tx.commit().await?;
    Ok(Catalog { projects, models })
}

/// Creates a provider that cannot be called: it is inactive and has no secret.
async fn provider(
    gateway: &Gateway,
    scope: &Scope,
    name: &str,
    kind: &str,
    base_url: &str,
) -> Result<AiProviderId> {
    let models: Vec<&str> = MODELS.iter().filter(|line| line.0 == name).map(|line| line.1).collect();
    let new = AiProviderCreate {
        name: name.to_owned(),
        kind: kind.to_owned(),
        display_name: None,
        config: json!({ "base_url": base_url, "models": models }),
        is_active: Some(false),
        metadata: mark(),
    };
    Ok(gateway.create_provider(scope, new).await?.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topics;

    #[test]
    fn every_domain_has_a_project_and_shares_of_models_add_up() {
        for topic in topics::all() {
            assert!(PROJECTS.iter().any(|(domain, _, _)| *domain == topic.domain), "{}", topic.domain);
        }
        for column in 0..2 {
            let sum: f64 = MODELS.iter().map(|line| line.5[column]).sum();
            assert!((sum - 1.0).abs() < 1e-9);
        }
    }
}
