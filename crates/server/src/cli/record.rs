//! `loam record`

use anyhow::Result;
use chrono::TimeDelta;
use clap::{Args, Subcommand, ValueEnum};
use loam_kernel::{Clock, PerformanceRecordId, ProjectId};
use serde_json::{Value, json};

use super::admin::{ListArgs, TenantArg, TimeRange};
use super::api::Backend;
use super::output;

const PATH: &str = "/api/v1/performance_records";

#[derive(Subcommand)]
pub(super) enum Command {
    /// List requests of monitored applications, newest first.
    List {
        #[command(flatten)]
        tenant: TenantArg,
        #[command(flatten)]
        list: ListArgs,
        /// Only records of this project.
        #[arg(long)]
        project: Option<ProjectId>,
        #[command(flatten)]
        choice: RecordFilterArgs,
    },
    /// List the slowest requests of a project.
    Slowest {
        #[command(flatten)]
        tenant: TenantArg,
        #[command(flatten)]
        list: ListArgs,
        /// Project ID.
        #[arg(long)]
        project: ProjectId,
        /// Number of days.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=3650))]
        days: u32,
        #[command(flatten)]
        choice: RecordFilterArgs,
    },
    /// Show a request with the rules' findings.
    Show {
        #[command(flatten)]
        tenant: TenantArg,
        /// Record ID.
        id: PerformanceRecordId,
    },
    /// Show the calls of a request, as a tree.
    Calls {
        #[command(flatten)]
        tenant: TenantArg,
        /// Record ID.
        id: PerformanceRecordId,
        /// Maximum number of calls.
        #[arg(long, default_value_t = 1000)]
        limit: u64,
    },
    /// Print a request in another tool's format.
    Export {
        #[command(flatten)]
        tenant: TenantArg,
        /// Record ID.
        id: PerformanceRecordId,
        /// Output format [default: folded; with --json json].
        #[arg(long, value_enum)]
        format: Option<RecordFormat>,
    },
}

/// Filters for records.
#[derive(Args)]
pub(super) struct RecordFilterArgs {
    /// Only records of this endpoint, such as `GET /users/{id}`.
    #[arg(long)]
    endpoint: Option<String>,
    /// Only records of this version of the application.
    #[arg(long, alias = "version")]
    app_version: Option<String>,
    /// Only records of this trace.
    #[arg(long)]
    trace: Option<String>,
    /// Only records in which this function was slow; with `--project`.
    #[arg(long)]
    function: Option<String>,
    /// Only failed requests.
    #[arg(long)]
    errors: bool,
    /// Minimum duration in seconds.
    #[arg(long)]
    min_duration: Option<f64>,
    #[command(flatten)]
    time: TimeRange,
}

/// The format of a printed record.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum RecordFormat {
    /// Folded stacks, one per line, for flame graphs.
    Folded,
    /// Speedscope's file format.
    Speedscope,
    /// The record with all its calls.
    Json,
}

impl RecordFilterArgs {
    fn query(&self, project: Option<ProjectId>) -> Value {
        json!({
            "project_id": project, "endpoint": self.endpoint, "version": self.app_version,
            "trace_id": self.trace, "function": self.function, "is_error": self.errors.then_some(true),
            "min_duration": self.min_duration, "from": self.time.from, "to": self.time.to,
        })
    }
}

/// The columns of a record in a table.
fn line(record: &Value) -> Value {
    let metrics = &record["performance_metrics"];
    json!({
        "timestamp": record["timestamp"], "endpoint": record["endpoint"],
        "status": record["response_info"]["status_code"], "duration": metrics["total_duration"],
        "queries": metrics["database_metrics"]["query_count"],
        "query_time": metrics["database_metrics"]["query_time"],
        "calls": record["call_count"], "score": record["score"],
        "version": record["version_info"]["app_version"], "id": record["id"],
    })
}

const FIELDS: [&str; 10] = [
    "timestamp",
    "endpoint",
    "status",
    "duration",
    "queries",
    "query_time",
    "calls",
    "score",
    "version",
    "id",
];

async fn list(backend: &Backend, tenant: &TenantArg, query: Value, limit: u64, json: bool) -> Result<()> {
    let rows = backend.api(tenant).await?.list(PATH, query, limit).await?;
    if json {
        return output::json(&rows);
    }
    output::rows(false, &rows.iter().map(line).collect::<Vec<_>>(), &FIELDS)
}

pub(super) async fn run(command: Command, backend: &Backend, json: bool) -> Result<()> {
    match command {
        Command::List { tenant, list: args, project, choice } => {
            list(backend, &tenant, choice.query(project), args.limit, json).await
        }
        Command::Slowest { tenant, list: args, project, days, choice } => {
            let mut query = choice.query(Some(project));
            query["order"] = "duration".into();
            if choice.time.from.is_none() {
                let to = choice.time.to.unwrap_or_else(|| Clock::system().now());
                query["from"] = json!(to - TimeDelta::days(i64::from(days)));
            }
            list(backend, &tenant, query, args.limit, json).await
        }
        Command::Show { tenant, id } => {
            let record = backend.api(&tenant).await?.get(&format!("{PATH}/{id}"), json!({})).await?;
            if json { output::json(&record) } else { show(record) }
        }
        Command::Calls { tenant, id, limit } => {
            let api = backend.api(&tenant).await?;
            let calls = api.list("/api/v1/function_calls", json!({ "record_id": id }), limit).await?;
            if json {
                return output::json(&calls);
            }
            let lines: Vec<Value> = calls.iter().map(branch).collect();
            output::rows(false, &lines, &["call", "at", "duration", "self_time", "tags", "detail"])
        }
        Command::Export { tenant, id, format } => {
            let api = backend.api(&tenant).await?;
            let default = if json { RecordFormat::Json } else { RecordFormat::Folded };
            let (format, content_type) = match format.unwrap_or(default) {
                RecordFormat::Folded => ("folded", "text/plain"),
                RecordFormat::Speedscope => ("speedscope", "application/json"),
                RecordFormat::Json => ("json", "application/json"),
            };
            let path = format!("{PATH}/{id}/export");
            let query = json!({ "format": format });
            if format == "json" {
                let exported = api.text(&path, query, content_type).await?;
                return output::json(&serde_json::from_str::<Value>(&exported)?);
            }
            output::refuse_field("this format")?;
            output::text(&api.text(&path, query, content_type).await?)
        }
    }
}

/// Prints a request, then its findings and errors, one per line. Its calls have their own command.
fn show(mut record: Value) -> Result<()> {
    let mut part = |name: &str| record.as_object_mut().and_then(|record| record.remove(name));
    let rows = |part: Option<Value>| part.as_ref().and_then(Value::as_array).cloned().unwrap_or_default();
    let (findings, errors) = (rows(part("findings")), rows(part("errors")));
    drop(part("function_calls"));
    output::one(false, &record)?;
    if !findings.is_empty() {
        output::text("\n")?;
        output::rows(false, &findings, &["rule", "severity", "function", "impact", "count", "description"])?;
    }
    if !errors.is_empty() {
        output::text("\n")?;
        output::rows(false, &errors, &["error_type", "error_message", "function", "call_id"])?;
    }
    Ok(())
}

/// The external operation of a call: a statement, or the requested host.
fn detail(call: &Value) -> Option<&str> {
    let detail = call.get("detail")?;
    ["statement", "target"].iter().find_map(|name| detail.get(*name)?.as_str())
}

/// A call in a tree, indented by dots.
fn branch(call: &Value) -> Value {
    let depth = call["call_context"]["depth"].as_u64().unwrap_or_default().min(40);
    let dots = "· ".repeat(usize::try_from(depth).unwrap_or_default());
    let info = &call["function_info"];
    let name = [&info["module"], &info["class_name"], &info["name"]];
    let name: Vec<&str> = name.into_iter().filter_map(Value::as_str).collect();
    json!({
        "call": format!("{dots}{}", name.join(".")),
        "at": call["execution_info"]["start_time"],
        "duration": call["execution_info"]["duration"],
        "self_time": call["execution_info"]["self_time"],
        "tags": call["performance_tags"],
        "detail": detail(call),
    })
}
