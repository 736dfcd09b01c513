//! What a preflight request can be told: it names an origin, but carries no credential.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use loam_kernel::{Error, Result};
use loam_platform::cache::CacheSpec;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, QueryFilter};

use super::Authenticator;
use crate::projects::service::MonitoringConfig;
use crate::{api_keys, projects, web_origins};

/// The origins of all credentials.
pub(super) const CACHE: CacheSpec = CacheSpec {
    name: "web_origins",
    capacity: 1,
    ttl: Duration::from_mins(30),
    topics: &["api_keys", "projects"],
};

impl Authenticator {
    /// Whether any credential can be used by pages of this origin. Which one is checked when it is used.
    pub async fn any_allows_web_origin(&self, origin: &str) -> Result<bool> {
        let all = self.allowed_origins.get((), async || self.read_allowed_origins().await).await?;
        Ok(web_origins::allows(&all, origin))
    }

    async fn read_allowed_origins(&self) -> Result<Arc<[String]>> {
        use api_keys::entity::{Column, Entity};
        let tx = self.system_read().await?;
        let keys = tx.find_any::<Entity>().filter(Column::AllowedOrigins.is_not_null());
        let keys = keys.filter(Column::RevokedAt.is_null()).all().await?;
        let projects = tx.find_any::<projects::entity::Entity>();
        // few have a list
        let with_list = Expr::cust("CAST(config AS text) LIKE '%\"allowed_origins\"%'");
        let projects = projects.filter(with_list).all().await?;
        let mut all = HashSet::new();
        for origins in keys.into_iter().filter_map(|key| key.allowed_origins) {
            all.extend(serde_json::from_value::<Vec<String>>(origins).map_err(Error::internal)?);
        }
        for project in projects {
            let config: MonitoringConfig = serde_json::from_value(project.config).map_err(Error::internal)?;
            all.extend(config.allowed_origins.into_iter().flatten());
        }
        Ok(all.into_iter().collect())
    }
}
