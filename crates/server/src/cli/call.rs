//! `loam call`

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use loam_gateway::llm_calls::CallState;
use loam_kernel::{ApiKeyId, LlmCallId, ProjectId, UserId};
use serde_json::{Value, json};

use super::admin::{ListArgs, TenantArg, TimeRange};
use super::api::Backend;
use super::output;

#[derive(Subcommand)]
pub(super) enum Command {
    /// List calls, newest first.
    List {
        #[command(flatten)]
        tenant: TenantArg,
        #[command(flatten)]
        list: ListArgs,
        #[command(flatten)]
        filter: Box<CallFilterArgs>,
    },
    /// Show a call with its bodies.
    Show {
        #[command(flatten)]
        tenant: TenantArg,
        /// Call ID.
        id: LlmCallId,
    },
}

/// Filters for calls.
#[derive(Args)]
pub(super) struct CallFilterArgs {
    /// Only calls in this state: open, settled, estimated, failed, orphaned, refused.
    #[arg(long, value_parser = state)]
    state: Option<CallState>,
    /// Only calls of this provider.
    #[arg(long)]
    provider: Option<String>,
    /// Only calls of this model.
    #[arg(long)]
    model: Option<String>,
    /// Only calls of this endpoint, by its recorded path, such as /images/generations.
    #[arg(long)]
    endpoint: Option<String>,
    /// Only calls of this route.
    #[arg(long)]
    route: Option<String>,
    /// Only calls with this API key, by its id.
    #[arg(long)]
    pub(super) api_key: Option<ApiKeyId>,
    /// Only calls of this user.
    #[arg(long)]
    user: Option<UserId>,
    /// Only calls of this end user, by the application's own id.
    #[arg(long)]
    end_user: Option<String>,
    /// Only calls with this tag.
    #[arg(long)]
    tag: Option<String>,
    /// Only calls with these fields in their metadata, as JSON, such as {"plan":"pro"}.
    #[arg(long, value_name = "JSON")]
    metadata: Option<String>,
    /// Only calls of this project.
    #[arg(long)]
    project: Option<ProjectId>,
    /// Only calls of this session.
    #[arg(long)]
    session: Option<String>,
    /// Only calls of this trace.
    #[arg(long)]
    trace: Option<String>,
    /// Only the call of this request.
    #[arg(long)]
    request: Option<String>,
    #[command(flatten)]
    time: TimeRange,
}

impl CallFilterArgs {
    fn query(&self) -> Value {
        json!({
            "state": self.state, "provider": self.provider, "model": self.model, "endpoint": self.endpoint,
            "api_key_id": self.api_key, "route": self.route, "user_id": self.user,
            "project_id": self.project, "session_id": self.session, "end_user": self.end_user,
            "tag": self.tag, "metadata": self.metadata, "trace_id": self.trace, "request_id": self.request,
            "created_after": self.time.from, "created_before": self.time.to,
        })
    }
}

fn state(name: &str) -> Result<CallState> {
    match serde_json::from_value(name.into()) {
        Ok(state) => Ok(state),
        Err(_) => bail!("must be open, settled, estimated, failed, orphaned or refused"),
    }
}

pub(super) async fn run(command: Command, backend: &Backend, json: bool) -> Result<()> {
    match command {
        Command::List { tenant, list, filter } => {
            let api = backend.api(&tenant).await?;
            let rows = api.list("/api/v1/llm_calls", filter.query(), list.limit).await?;
            let fields = [
                "created_at",
                "state",
                "provider",
                "model",
                "status_code",
                "total_tokens",
                "cost_usd",
                "latency_ms",
                "error_message",
                "id",
            ];
            let refused = ["created_at", "refused_calls", "model", "error_message", "refusal", "id"];
            let is_refused = filter.state == Some(CallState::Refused);
            output::rows(json, &rows, if is_refused { &refused[..] } else { &fields })
        }
        Command::Show { tenant, id } => {
            let api = backend.api(&tenant).await?;
            output::one(json, &api.get(&format!("/api/v1/llm_calls/{id}"), json!({})).await?)
        }
    }
}
