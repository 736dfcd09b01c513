//! What the gateway knows of calls that others made.

use loam_kernel::{Result, TenantId};
use loam_providers::Usage;

use crate::Gateway;

impl Gateway {
    /// What a call of a model cost, in nano-dollars, by the tenant's prices; none where the model has none. `provider` is
    /// what the application calls it, `host` where it was reached.
    ///
    /// # Errors
    /// When the database is away and nothing is known of the tenant.
    pub async fn cost_of(
        &self,
        tenant: TenantId,
        (provider, host): (&str, Option<&str>),
        model: &str,
        usage: &Usage,
    ) -> Result<Option<i64>> {
        let models = self.0.catalog.get(tenant).await?;
        Ok(models.price_by(provider, host, model).map(|price| price.cost(usage)))
    }

    /// How many bytes of a call's body are kept of a tenant.
    pub fn kept_of_body(&self, tenant: TenantId) -> usize {
        self.0.keep(tenant)
    }
}
