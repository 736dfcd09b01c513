//! What identities contribute to the server.

use std::sync::Arc;
use std::time::Duration;

use loam_db::EntityShape;
use loam_jobs::{Handlers, Schedule};
use loam_kernel::Result;
use loam_platform::domain::{Declarations, Domain};
use loam_platform::personal::PersonalDataStore;
use loam_platform::seal::rows;
use utoipa_axum::router::OpenApiRouter;

use crate::erasures::RunErasure;
use crate::signing_keys::RotateSigningKeys;
use crate::{
    Identity, api_keys, erasures, exports, login, login_sessions, operator_access, personal, projects, roles,
    signing_keys, tenants, token_issuers, tokens, user_preferences, users,
};

impl Domain for Identity {
    fn declarations() -> Declarations {
        Declarations {
            entities: vec![
                EntityShape::of::<tenants::entity::Entity>(),
                EntityShape::of::<users::entity::Entity>(),
                EntityShape::of::<user_preferences::entity::Entity>(),
                EntityShape::of::<roles::entity::Entity>(),
                EntityShape::of::<login_sessions::entity::Entity>(),
                EntityShape::of::<projects::entity::Entity>(),
                EntityShape::of::<projects::retired::Entity>(),
                EntityShape::of::<api_keys::entity::Entity>(),
                EntityShape::of::<token_issuers::entity::Entity>(),
                EntityShape::of::<signing_keys::entity::Entity>(),
                EntityShape::of::<operator_access::entity::Entity>(),
            ],
            sealed: vec![
                rows::<token_issuers::entity::Entity>(),
                rows::<signing_keys::entity::Entity>(),
                rows::<projects::entity::Entity>(),
            ],
            ..Declarations::default()
        }
    }

    fn routes(&self) -> OpenApiRouter {
        OpenApiRouter::new()
            .merge(tenants::routes::router(self.clone()))
            .merge(users::routes::router(self.clone()))
            .merge(user_preferences::routes::router(self.clone()))
            .merge(projects::routes::router(self.clone()))
            .merge(api_keys::routes::router(self.clone()))
            .merge(roles::routes::router(self.clone()))
            .merge(login::routes::router(self.clone()))
            .merge(login_sessions::routes::router(self.clone()))
            .merge(tokens::routes::router(self.clone()))
            .merge(token_issuers::routes::router(self.clone()))
            .merge(signing_keys::routes::router(self.clone()))
            .merge(erasures::routes::router(self.clone()))
            .merge(exports::routes::router(self.clone()))
    }

    fn jobs(&self) -> Result<Handlers> {
        Ok(Handlers::new()
            .with(RunErasure(self.clone()))
            .with(RotateSigningKeys(self.clone()))
            .every(Schedule::new(RotateSigningKeys::KIND, Duration::from_hours(1))?))
    }

    fn personal_data(&self) -> Vec<Arc<dyn PersonalDataStore>> {
        personal::stores()
    }
}
