//! Reading sums.

use loam_db::TenantEntity;
use loam_kernel::{ProjectId, Result, Scope};
use sea_orm::{ColumnTrait, QueryFilter};

use super::{Range, endpoints, functions, metrics};
use crate::Insight;

/// Sums over stretches of time.
pub(crate) trait Summed: TenantEntity {
    const GRANULARITY: Self::Column;
    const BUCKET: Self::Column;
}

/// Sums by endpoint, or by function.
pub(crate) trait SumTable: Summed {
    const PROJECT: Self::Column;
    /// Endpoint or function.
    const NAME: Self::Column;
    const VERSION: Self::Column;
}

macro_rules! summed {
    ($module:ident) => {
        impl Summed for $module::Entity {
            const GRANULARITY: Self::Column = $module::Column::Granularity;
            const BUCKET: Self::Column = $module::Column::Bucket;
        }
    };
    ($module:ident, $name:ident) => {
        summed!($module);
        impl SumTable for $module::Entity {
            const PROJECT: Self::Column = $module::Column::ProjectId;
            const NAME: Self::Column = $module::Column::$name;
            const VERSION: Self::Column = $module::Column::Version;
        }
    };
}

summed!(endpoints, Endpoint);
summed!(functions, Function);
summed!(metrics);

/// Which sums.
#[derive(Clone, Copy)]
pub(crate) struct Narrow<'a> {
    /// Only of this endpoint or function.
    pub(crate) name: Option<&'a str>,
    /// Only of these versions; all, if none is named.
    pub(crate) versions: &'a [&'a str],
}

impl Insight {
    /// Hands over the sums of a project in a range, a part of the range after the other.
    pub(crate) async fn each_sum<S: SumTable>(
        &self,
        scope: &Scope,
        (project, range): (ProjectId, Range),
        narrow: Narrow<'_>,
        mut take: impl FnMut(S::Model) -> Result<()>,
    ) -> Result<()> {
        let tx = self.0.db.read(scope).await?;
        // those of one endpoint or function are few
        let step =
            if narrow.name.is_some() { range.to - range.from } else { range.granularity.length() * 24 };
        for (from, to) in range.parts(step) {
            let mut find = tx
                .find::<S>()
                .filter(S::PROJECT.eq(project))
                .filter(S::GRANULARITY.eq(range.granularity))
                .filter(S::BUCKET.gte(from))
                .filter(S::BUCKET.lt(to));
            if let Some(name) = narrow.name {
                find = find.filter(S::NAME.eq(name));
            }
            if !narrow.versions.is_empty() {
                find = find.filter(S::VERSION.is_in(narrow.versions.iter().copied()));
            }
            find.all().await?.into_iter().try_for_each(&mut take)?;
        }
        Ok(())
    }
}
