//! Reading sums.

use loam_db::TenantEntity;
use loam_kernel::{ProjectId, Result, Scope};
use sea_orm::{ColumnTrait, QueryFilter};

use super::{Range, endpoints, functions, metrics};
use crate::stats::Stats;

/// A table with sums per time bucket.
pub(crate) trait Bucketed: TenantEntity {
    const GRANULARITY: Self::Column;
    const BUCKET: Self::Column;
}

/// A table with sums per endpoint, or per function.
pub(crate) trait SumTable: Bucketed {
    const PROJECT: Self::Column;
    /// Endpoint or function.
    const NAME: Self::Column;
    const VERSION: Self::Column;
}

macro_rules! bucketed {
    ($module:ident) => {
        impl Bucketed for $module::Entity {
            const GRANULARITY: Self::Column = $module::Column::Granularity;
            const BUCKET: Self::Column = $module::Column::Bucket;
        }
    };
    ($module:ident, $name:ident) => {
        bucketed!($module);
        impl SumTable for $module::Entity {
            const PROJECT: Self::Column = $module::Column::ProjectId;
            const NAME: Self::Column = $module::Column::$name;
            const VERSION: Self::Column = $module::Column::Version;
        }
    };
}

bucketed!(endpoints, Endpoint);
bucketed!(functions, Function);
bucketed!(metrics);

/// Restricts the sums that are read.
#[derive(Clone, Copy)]
pub(crate) struct Filter<'a> {
    /// Only this endpoint or function.
    pub(crate) name: Option<&'a str>,
    /// Only these versions; all if empty.
    pub(crate) versions: &'a [&'a str],
}

impl Stats {
    /// Passes every row of a project in a range to `visit`, reading the range in parts to bound memory.
    pub(crate) async fn for_each_sum<S: SumTable>(
        &self,
        scope: &Scope,
        (project, range): (ProjectId, Range),
        filter: Filter<'_>,
        mut visit: impl FnMut(S::Model) -> Result<()>,
    ) -> Result<()> {
        let tx = self.0.db.read(scope).await?;
        // the rows of one endpoint or function are few: one part suffices
        let step =
            if filter.name.is_some() { range.to - range.from } else { range.granularity.length() * 24 };
        for (from, to) in range.parts(step) {
            let mut find = tx
                .find::<S>()
                .filter(S::PROJECT.eq(project))
                .filter(S::GRANULARITY.eq(range.granularity))
                .filter(S::BUCKET.gte(from))
                .filter(S::BUCKET.lt(to));
            if let Some(name) = filter.name {
                find = find.filter(S::NAME.eq(name));
            }
            if !filter.versions.is_empty() {
                find = find.filter(S::VERSION.is_in(filter.versions.iter().copied()));
            }
            find.all().await?.into_iter().try_for_each(&mut visit)?;
        }
        Ok(())
    }
}
