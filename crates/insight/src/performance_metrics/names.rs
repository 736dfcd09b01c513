//! The names of a project's metrics, from the statistics alone.

use chrono::{DateTime, Utc};
use loam_kernel::{ProjectId, Result, Scope};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::kind::MetricKind;
use crate::ingest::Ingest;
use crate::stats::Granularity;
use crate::stats::metrics::{Column, Entity};

/// Maximum number of names in a response.
const MAX_NAMES: usize = 500;

/// Parameters of a list of names.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct MetricNamesQuery {
    /// Project ID.
    project_id: ProjectId,
    /// Only names after this one: the last name of the previous response.
    after: Option<String>,
}

/// A metric of a project.
#[derive(Serialize, ToSchema)]
pub(super) struct MetricName {
    metric_name: String,
    /// Kind of its last value.
    kind: MetricKind,
    /// Time of its last value.
    last_at: DateTime<Utc>,
}

impl Ingest {
    /// The metrics of a project, by name; at most [`MAX_NAMES`].
    pub(super) async fn metric_names(
        &self,
        scope: &Scope,
        query: MetricNamesQuery,
    ) -> Result<Vec<MetricName>> {
        let tx = self.0.db.read(scope).await?;
        let MetricNamesQuery { project_id, mut after } = query;
        let mut names = Vec::new();
        // one step of the index for each name: a project has many rows of few names
        while names.len() < MAX_NAMES {
            let of_project = tx.find::<Entity>().filter(Column::ProjectId.eq(project_id));
            let next = match &after {
                Some(name) => of_project.filter(Column::MetricName.gt(name)),
                None => of_project,
            };
            let Some(first) = next.order_by_asc(Column::MetricName).limit(1).one().await? else { break };
            let newest = tx.find::<Entity>().filter(Column::ProjectId.eq(project_id));
            let newest = newest.filter(Column::MetricName.eq(&first.metric_name));
            let newest = newest.filter(Column::Granularity.eq(Granularity::Hour));
            let newest = newest.order_by_desc(Column::Bucket).order_by_desc(Column::LastAt);
            let newest = newest.limit(1).one().await?.unwrap_or(first);
            after = Some(newest.metric_name.clone());
            let (kind, last_at) = (newest.kind, newest.last_at);
            names.push(MetricName { metric_name: newest.metric_name, kind, last_at });
        }
        Ok(names)
    }
}
