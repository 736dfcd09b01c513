//! What delivery contributes to the server.

use std::sync::Arc;

use loam_db::EntityShape;
use loam_platform::domain::{Declarations, Domain};
use loam_platform::personal::PersonalDataStore;
use utoipa_axum::router::OpenApiRouter;

use crate::{Delivery, api_specs, document_versions, personal, prd_docs, requirements, tech_designs};

impl Domain for Delivery {
    fn declarations() -> Declarations {
        Declarations {
            entities: vec![
                EntityShape::of::<requirements::entity::Entity>(),
                EntityShape::of::<prd_docs::entity::Entity>(),
                EntityShape::of::<tech_designs::entity::Entity>(),
                EntityShape::of::<api_specs::entity::Entity>(),
                EntityShape::of::<document_versions::entity::Entity>(),
            ],
            stored_formats: vec![document_versions::DOCUMENT_VERSION],
            ..Declarations::default()
        }
    }

    fn routes(&self) -> OpenApiRouter {
        OpenApiRouter::new()
            .merge(requirements::routes::router())
            .merge(prd_docs::routes::router())
            .merge(tech_designs::routes::router())
            .merge(api_specs::routes::router())
            .with_state(self.clone())
    }

    fn personal_data(&self) -> Vec<Arc<dyn PersonalDataStore>> {
        personal::stores()
    }
}
