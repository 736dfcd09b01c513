//! Whose telemetry it is that comes in.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName};
use loam_identity::projects::MonitoredProject;
use loam_identity::projects::entity::MonitoringStatus;
use loam_kernel::{Error, Kind, ProjectId, Result, Scope, TenantId};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::service::Insight;

/// How a key that is bound to no project names the one it sends for, where it can't do so in the address.
const HEADER: HeaderName = HeaderName::from_static("x-loam-project");

/// Whose telemetry it is.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    pub(crate) tenant: TenantId,
    pub(crate) project: Arc<MonitoredProject>,
}

/// The project that a request names.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Named {
    /// The project, where the key is not of one: also as the header `x-loam-project`.
    pub(crate) project: Option<ProjectId>,
}

/// The project that the header `x-loam-project` names.
///
/// # Errors
/// 400 when that is no id.
pub(crate) fn named(headers: &HeaderMap) -> Result<Option<ProjectId>> {
    let Some(value) = headers.get(HEADER) else { return Ok(None) };
    let id = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    let wrong = || Error::invalid(HEADER.as_str(), "must be the id of a project");
    id.map(|id| Some(ProjectId(id))).ok_or_else(wrong)
}

impl Insight {
    /// Whose telemetry it is: the key's project, else the one that is named.
    ///
    /// # Errors
    /// 400 when no project is named; 403 when it isn't the key's, or isn't watched; 404 when there is no such project.
    pub(crate) async fn sender(&self, scope: &Scope, named: Option<ProjectId>) -> Result<Sender> {
        let sender = self.any_sender(scope, named).await?;
        let (code, message) = match sender.project.status {
            MonitoringStatus::Active if sender.project.config.enabled => return Ok(sender),
            MonitoringStatus::Active => {
                ("monitoring_disabled", "monitoring is off for this project: set `enabled` in its config")
            }
            MonitoringStatus::Inactive => (
                "project_inactive",
                "this project is not watched for now: set its monitoring_status to active",
            ),
            MonitoringStatus::Archived => {
                ("project_archived", "this project is archived, and takes no telemetry any more")
            }
        };
        Err(Error::new(Kind::Forbidden, code, message))
    }

    /// The same, whether it is watched or not.
    pub(crate) async fn any_sender(&self, scope: &Scope, named: Option<ProjectId>) -> Result<Sender> {
        let project = match (scope.project, named) {
            (Some(own), Some(named)) if own != named => {
                let message =
                    "this key sends for another project; leave out `project`, or use a key of that one";
                return Err(Error::new(Kind::Forbidden, "other_project", message).with_param("project"));
            }
            (Some(project), _) | (None, Some(project)) => project,
            (None, None) => {
                let message = "use the project's key, or name the project in the header x-loam-project";
                return Err(Error::new(Kind::Invalid, "project_required", message).with_param("project"));
            }
        };
        let tenant = scope.tenant();
        let found = self.0.identity.monitored_project(tenant, project).await?;
        let project = found.ok_or_else(|| Error::not_found("project").with_param("project"))?;
        Ok(Sender { tenant, project })
    }

    /// Counts a request of a sender's, and notes that it was heard of.
    ///
    /// # Errors
    /// 429 when it has sent its share of this minute.
    pub(crate) fn count(&self, sender: &Sender) -> Result<()> {
        let now = self.0.clock.now();
        self.0.ingest.with(sender.tenant, |limits| self.0.meter.request(sender.project.id, now, limits))?;
        self.0.activity.note(sender.tenant, sender.project.id, now);
        Ok(())
    }
}
