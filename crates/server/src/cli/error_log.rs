//! `loam error-log`

use anyhow::Result;
use clap::{Args, Subcommand};
use loam_kernel::{ErrorLogId, PerformanceRecordId, ProjectId};
use serde_json::{Value, json};

use super::admin::{ListArgs, TenantArg, TimeRange};
use super::api::Backend;
use super::output;

const PATH: &str = "/api/v1/error_logs";

#[derive(Subcommand)]
pub(super) enum Command {
    /// List errors, newest first: failed requests, failed background work, and errors that applications reported.
    List {
        #[command(flatten)]
        tenant: TenantArg,
        #[command(flatten)]
        list: ListArgs,
        #[command(flatten)]
        filter: Box<ErrorLogFilterArgs>,
    },
    /// Show an error with its causes and context.
    Show {
        #[command(flatten)]
        tenant: TenantArg,
        /// ID of the record.
        id: ErrorLogId,
        /// An error of the instance.
        #[arg(long)]
        instance: bool,
    },
    /// List groups of similar errors with their counts, the last seen first.
    Groups {
        #[command(flatten)]
        tenant: TenantArg,
        #[command(flatten)]
        list: ListArgs,
        /// Only groups with an error of this project.
        #[arg(long)]
        project: Option<ProjectId>,
        /// Errors of the instance instead of the tenant's.
        #[arg(long)]
        instance: bool,
    },
}

/// Filters for errors.
#[derive(Args)]
pub(super) struct ErrorLogFilterArgs {
    /// Only errors of this type.
    #[arg(long = "type", value_name = "TYPE")]
    error_type: Option<String>,
    /// Only errors with this fingerprint, as `groups` shows it.
    #[arg(long)]
    fingerprint: Option<String>,
    /// Only errors of this request (`x-request-id`).
    #[arg(long)]
    request: Option<String>,
    /// Only errors of this trace.
    #[arg(long)]
    trace: Option<String>,
    /// Only errors of this endpoint of an application.
    #[arg(long)]
    endpoint: Option<String>,
    /// Only errors of this project.
    #[arg(long)]
    project: Option<ProjectId>,
    /// Only errors of this performance record.
    #[arg(long)]
    record: Option<PerformanceRecordId>,
    #[command(flatten)]
    time: TimeRange,
    /// Errors of the instance instead of the tenant's.
    #[arg(long)]
    instance: bool,
}

impl ErrorLogFilterArgs {
    fn query(&self) -> Value {
        json!({
            "error_type": self.error_type, "fingerprint": self.fingerprint, "request_id": self.request,
            "trace_id": self.trace, "endpoint": self.endpoint, "project_id": self.project,
            "record_id": self.record, "created_after": self.time.from, "created_before": self.time.to,
            "instance": self.instance,
        })
    }
}

pub(super) async fn run(command: Command, backend: &Backend, json: bool) -> Result<()> {
    match command {
        Command::List { tenant, list, filter } => {
            let rows = backend.api(&tenant).await?.list(PATH, filter.query(), list.limit).await?;
            let fields = ["created_at", "error_type", "error_message", "endpoint", "request_id", "id"];
            output::rows(json, &rows, &fields)
        }
        Command::Show { tenant, id, instance } => {
            let api = backend.api(&tenant).await?;
            output::one(json, &api.get(&format!("{PATH}/{id}"), json!({ "instance": instance })).await?)
        }
        Command::Groups { tenant, list, project, instance } => {
            let api = backend.api(&tenant).await?;
            let query = json!({ "project_id": project, "instance": instance });
            let rows = api.list("/api/v1/error_groups", query, list.limit).await?;
            let fields = ["last_seen", "first_seen", "count", "error_type", "error_message", "fingerprint"];
            output::rows(json, &rows, &fields)
        }
    }
}
