//! What the gateway provides for calls that applications made themselves.

use loam_kernel::{Result, TenantId};
use loam_providers::Usage;

use crate::Gateway;

impl Gateway {
    /// The cost of a call in nano-dollars, by the tenant's prices; none if the model has no price. `provider` is the
    /// application's name for the provider, `host` the host that it was reached at.
    ///
    /// # Errors
    /// When the database is unavailable and the tenant's prices are not cached.
    pub async fn cost_of(
        &self,
        tenant: TenantId,
        (provider, host): (&str, Option<&str>),
        model: &str,
        usage: &Usage,
    ) -> Result<Option<i64>> {
        let models = self.0.catalog.get(tenant).await?;
        Ok(models.price_by(provider, host, model).map(|price| price.cost_of_tokens(usage)))
    }
}
