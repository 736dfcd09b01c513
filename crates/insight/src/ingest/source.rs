//! The project that telemetry is ingested for.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName};
use loam_identity::projects::MonitoredProject;
use loam_identity::projects::MonitoringStatus;
use loam_kernel::{Error, Kind, ProjectId, Result, Scope, TenantId};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::ingest::Ingest;

/// Selects the project if the API key is not bound to one and the URL can't carry a query parameter.
const PROJECT_HEADER: HeaderName = HeaderName::from_static("x-loam-project");

/// The tenant and project that telemetry is ingested for.
#[derive(Clone, Debug)]
pub(crate) struct IngestSource {
    pub(crate) tenant: TenantId,
    pub(crate) project: Arc<MonitoredProject>,
}

/// The project selected by the query string.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ProjectSelector {
    /// Project ID, if the API key is not bound to a project. Also accepted as the header `x-loam-project`.
    pub(crate) project: Option<ProjectId>,
}

/// The project selected by the header `x-loam-project`.
///
/// # Errors
/// 400 if it is not an id.
pub(super) fn project_header(headers: &HeaderMap) -> Result<Option<ProjectId>> {
    let Some(value) = headers.get(PROJECT_HEADER) else { return Ok(None) };
    let id = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    let wrong = || Error::invalid(PROJECT_HEADER.as_str(), "must be the id of a project");
    id.map(|id| Some(ProjectId(id))).ok_or_else(wrong)
}

impl Ingest {
    /// The project that telemetry is ingested for: that of the API key, otherwise the selected one.
    ///
    /// # Errors
    /// 400 if no project is selected; 403 if it isn't that of the key, or isn't monitored; 404 if it doesn't exist.
    pub(crate) async fn ingest_source(
        &self,
        scope: &Scope,
        selected: Option<ProjectId>,
    ) -> Result<IngestSource> {
        let ingest_source = self.ingest_source_in_any_state(scope, selected).await?;
        let (code, message) = match ingest_source.project.status {
            MonitoringStatus::Active if ingest_source.project.config.enabled => return Ok(ingest_source),
            MonitoringStatus::Active => {
                ("monitoring_disabled", "monitoring is off for this project: set `enabled` in its config")
            }
            MonitoringStatus::Inactive => {
                ("project_inactive", "this project is inactive: set its monitoring_status to active")
            }
            MonitoringStatus::Archived => {
                ("project_archived", "this project is archived and accepts no telemetry")
            }
        };
        Err(Error::new(Kind::Forbidden, code, message))
    }

    /// The same, whether or not the project is monitored.
    pub(crate) async fn ingest_source_in_any_state(
        &self,
        scope: &Scope,
        selected: Option<ProjectId>,
    ) -> Result<IngestSource> {
        let project = match (scope.project, selected) {
            (Some(own), Some(selected)) if own != selected => {
                let message = "this API key belongs to another project; leave out `project`, or use a key of that project";
                return Err(Error::new(Kind::Forbidden, "other_project", message).with_param("project"));
            }
            (Some(project), _) | (None, Some(project)) => project,
            (None, None) => {
                let message = "use an API key of the project, or set the header x-loam-project to its id";
                return Err(Error::new(Kind::Invalid, "project_required", message).with_param("project"));
            }
        };
        let tenant = scope.tenant();
        let found = self.0.identity.monitored_project(tenant, project).await?;
        let project = found.ok_or_else(|| Error::not_found("project").with_param("project"))?;
        Ok(IngestSource { tenant, project })
    }
}
