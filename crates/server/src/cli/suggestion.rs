//! `loam suggestion`

use anyhow::{Result, bail};
use clap::Subcommand;
use loam_insight::suggestions::entity::SuggestionStatus;
use loam_insight::suggestions::routes::SuggestionView;
use loam_insight::suggestions::service::{SuggestionFilter, SuggestionUpdate};
use loam_kernel::{ExpectedVersion, ProjectId, SuggestionId};

use super::admin::{self, ListArgs, TenantArg};
use super::output;
use crate::config::Config;

#[derive(Subcommand)]
pub(super) enum Command {
    /// List suggestions, newest first.
    List {
        #[command(flatten)]
        tenant: TenantArg,
        #[command(flatten)]
        list: ListArgs,
        /// Only suggestions for this project.
        #[arg(long)]
        project: Option<ProjectId>,
        /// Only suggestions for this endpoint.
        #[arg(long)]
        endpoint: Option<String>,
        /// Only suggestions in this status: open, accepted, dismissed, done.
        #[arg(long, value_parser = status)]
        status: Option<SuggestionStatus>,
    },
    /// Show a suggestion.
    Show {
        #[command(flatten)]
        tenant: TenantArg,
        /// Suggestion ID.
        id: SuggestionId,
    },
    /// Set the status of a suggestion.
    Set {
        #[command(flatten)]
        tenant: TenantArg,
        /// Suggestion ID.
        id: SuggestionId,
        /// The new status: open, accepted, dismissed or done.
        #[arg(value_parser = status)]
        status: SuggestionStatus,
    },
}

fn status(name: &str) -> Result<SuggestionStatus> {
    match serde_json::from_value(name.into()) {
        Ok(status) => Ok(status),
        Err(_) => bail!("must be open, accepted, dismissed or done"),
    }
}

pub(super) async fn run(command: Command, config: &Config, json: bool) -> Result<()> {
    match command {
        Command::List { tenant, list, project, endpoint, status } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let filter =
                SuggestionFilter { project_id: project, endpoint, status, ..SuggestionFilter::default() };
            let rows = admin::pages(list.limit, async |page| {
                core.insight.analyses.list_suggestions(&scope, filter.clone(), &page).await
            });
            let rows: Vec<SuggestionView> = rows.await?.into_iter().map(SuggestionView::from).collect();
            let fields = [
                "endpoint",
                "version",
                "source",
                "priority",
                "status",
                "predicted_gain",
                "measured_gain",
                "title",
                "id",
            ];
            output::rows(json, &rows, &fields)
        }
        Command::Show { tenant, id } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            output::one(json, &SuggestionView::from(core.insight.analyses.get_suggestion(&scope, id).await?))
        }
        Command::Set { tenant, id, status } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let (any, new) = (ExpectedVersion::any(), SuggestionUpdate { status });
            output::one(
                json,
                &SuggestionView::from(core.insight.analyses.update_suggestion(&scope, id, &any, new).await?),
            )
        }
    }
}
