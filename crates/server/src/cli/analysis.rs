//! `loam analysis`

use anyhow::{Result, bail};
use clap::Subcommand;
use loam_insight::analyses::entity::AnalysisStatus;
use loam_insight::analyses::routes::AnalysisView;
use loam_insight::analyses::service::{AnalysisCreate, AnalysisFilter};
use loam_kernel::{AiAnalysisResultId, PerformanceRecordId, ProjectId};

use super::admin::{self, ListArgs, TenantArg};
use super::output;
use crate::config::Config;

#[derive(Subcommand)]
pub(super) enum Command {
    /// List analyses, newest first.
    List {
        #[command(flatten)]
        tenant: TenantArg,
        #[command(flatten)]
        list: ListArgs,
        /// Only analyses of this project.
        #[arg(long)]
        project: Option<ProjectId>,
        /// Only analyses of this endpoint.
        #[arg(long)]
        endpoint: Option<String>,
        /// Only analyses in this status: pending, completed, failed.
        #[arg(long, value_parser = status)]
        status: Option<AnalysisStatus>,
    },
    /// Show an analysis with its input and output.
    Show {
        #[command(flatten)]
        tenant: TenantArg,
        /// Analysis ID.
        id: AiAnalysisResultId,
    },
    /// Request a model's analysis of a slow request. A running server performs it.
    Run {
        #[command(flatten)]
        tenant: TenantArg,
        /// Record ID of the request.
        #[arg(long, conflicts_with_all = ["project", "endpoint"], required_unless_present = "endpoint")]
        record: Option<PerformanceRecordId>,
        /// Project ID; with --endpoint its slowest request is analysed.
        #[arg(long, requires = "endpoint")]
        project: Option<ProjectId>,
        /// The endpoint.
        #[arg(long, requires = "project")]
        endpoint: Option<String>,
        /// Only a request of this version of the application.
        #[arg(long)]
        app_version: Option<String>,
        /// Model: a route or `provider/model` [default: from `insight.analysis`].
        #[arg(long)]
        model: Option<String>,
    },
}

fn status(name: &str) -> Result<AnalysisStatus> {
    match serde_json::from_value(name.into()) {
        Ok(status) => Ok(status),
        Err(_) => bail!("must be pending, completed or failed"),
    }
}

pub(super) async fn run(command: Command, config: &Config, json: bool) -> Result<()> {
    match command {
        Command::List { tenant, list, project, endpoint, status } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let filter =
                AnalysisFilter { project_id: project, endpoint, status, ..AnalysisFilter::default() };
            let rows = admin::pages(list.limit, async |page| {
                core.insight.analyses.list_analyses(&scope, filter.clone(), &page).await
            });
            let rows: Vec<AnalysisView> = rows.await?.into_iter().map(AnalysisView::list_item).collect();
            let fields =
                ["created_at", "analysis_type", "status", "endpoint", "version", "error_message", "id"];
            output::rows(json, &rows, &fields)
        }
        Command::Show { tenant, id } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            output::one(json, &AnalysisView::from(core.insight.analyses.get_analysis(&scope, id).await?))
        }
        Command::Run { tenant, record, project, endpoint, app_version, model } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let new = AnalysisCreate {
                record_id: record,
                project_id: project,
                endpoint,
                version: app_version,
                model,
            };
            let begun = core.insight.analyses.create_analysis(&scope, new).await?;
            let id = begun.id;
            output::one(json, &AnalysisView::from(begun))?;
            output::line(json, &format!("\nA running server performs it: see `loam analysis show {id}`"))
        }
    }
}
