//! `loam api-log`

use anyhow::Result;
use clap::{Args, Subcommand};
use loam_kernel::{ApiKeyId, ApiLogId, ProjectId, UserId};
use serde_json::{Value, json};

use super::admin::{ListArgs, TenantArg, TimeRange};
use super::api::Backend;
use super::output;

const PATH: &str = "/api/v1/api_logs";

#[derive(Subcommand)]
pub(super) enum Command {
    /// List requests to Loam, newest first.
    List {
        #[command(flatten)]
        tenant: TenantArg,
        #[command(flatten)]
        list: ListArgs,
        #[command(flatten)]
        filter: Box<ApiLogFilterArgs>,
    },
    /// Show a request with its headers, and its bodies if they are recorded.
    Show {
        #[command(flatten)]
        tenant: TenantArg,
        /// ID of the record.
        id: ApiLogId,
        /// A request of no tenant.
        #[arg(long)]
        instance: bool,
    },
}

/// Filters for requests.
#[derive(Args)]
pub(super) struct ApiLogFilterArgs {
    /// Only requests with this status.
    #[arg(long)]
    status: Option<i32>,
    /// Only requests with this status or above: 400 for failures.
    #[arg(long, value_name = "STATUS")]
    min_status: Option<i32>,
    /// Only requests with this method.
    #[arg(long)]
    method: Option<String>,
    /// Only paths with this prefix.
    #[arg(long, value_name = "PREFIX")]
    path: Option<String>,
    /// Only the request with this id (`x-request-id`).
    #[arg(long)]
    request: Option<String>,
    /// Only requests of this project.
    #[arg(long)]
    project: Option<ProjectId>,
    /// Only requests about this session.
    #[arg(long)]
    session: Option<String>,
    /// Only requests of this user.
    #[arg(long)]
    user: Option<UserId>,
    /// Only requests with this API key, by its id.
    #[arg(long)]
    api_key: Option<ApiKeyId>,
    #[command(flatten)]
    time: TimeRange,
    /// Requests of no tenant, such as those without a valid key.
    #[arg(long)]
    instance: bool,
}

impl ApiLogFilterArgs {
    fn query(&self) -> Value {
        json!({
            "status_code": self.status, "min_status_code": self.min_status, "method": self.method,
            "path_prefix": self.path, "request_id": self.request, "project_id": self.project,
            "session_id": self.session, "user_id": self.user, "api_key_id": self.api_key,
            "created_after": self.time.from, "created_before": self.time.to, "instance": self.instance,
        })
    }
}

pub(super) async fn run(command: Command, backend: &Backend, json: bool) -> Result<()> {
    match command {
        Command::List { tenant, list, filter } => {
            let rows = backend.api(&tenant).await?.list(PATH, filter.query(), list.limit).await?;
            let fields = ["created_at", "method", "path", "status_code", "latency_ms", "request_id", "id"];
            output::rows(json, &rows, &fields)
        }
        Command::Show { tenant, id, instance } => {
            let api = backend.api(&tenant).await?;
            output::one(json, &api.get(&format!("{PATH}/{id}"), json!({ "instance": instance })).await?)
        }
    }
}
