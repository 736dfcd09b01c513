//! `loam call`

use anyhow::{Result, bail};
use clap::Subcommand;
use loam_gateway::llm_calls::CallState;
use loam_gateway::llm_calls::routes::{LlmCallFilter, LlmCallView};
use loam_kernel::LlmCallId;

use super::admin::{self, ListArgs, TenantArg};
use super::output;
use crate::config::Config;

#[derive(Subcommand)]
pub(super) enum Command {
    /// List calls, newest first.
    List {
        #[command(flatten)]
        tenant: TenantArg,
        #[command(flatten)]
        list: ListArgs,
        /// Only calls in this state: open, settled, estimated, failed, orphaned.
        #[arg(long, value_parser = state)]
        state: Option<CallState>,
        /// Only calls of this provider.
        #[arg(long)]
        provider: Option<String>,
        /// Only calls of this model.
        #[arg(long)]
        model: Option<String>,
        /// Only calls of this end user, by the application's own id.
        #[arg(long)]
        end_user: Option<String>,
    },
    /// Show a call with its bodies.
    Show {
        #[command(flatten)]
        tenant: TenantArg,
        /// Call ID.
        id: LlmCallId,
    },
}

fn state(name: &str) -> Result<CallState> {
    match serde_json::from_value(name.into()) {
        Ok(state) => Ok(state),
        Err(_) => bail!("must be open, settled, estimated, failed or orphaned"),
    }
}

pub(super) async fn run(command: Command, config: &Config, json: bool) -> Result<()> {
    match command {
        Command::List { tenant, list, state, provider, model, end_user } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let filter = LlmCallFilter { state, provider, model, end_user, ..LlmCallFilter::default() };
            let rows = admin::pages(list.limit, async |page| {
                core.gateway.list_calls(&scope, filter.clone(), &page).await
            });
            let rows: Vec<LlmCallView> = rows.await?.into_iter().map(LlmCallView::from).collect();
            let fields = [
                "created_at",
                "state",
                "provider",
                "model",
                "status_code",
                "total_tokens",
                "cost_usd",
                "latency_ms",
                "id",
            ];
            output::rows(json, &rows, &fields)
        }
        Command::Show { tenant, id } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            output::one(json, &LlmCallView::from(core.gateway.get_call(&scope, id).await?))
        }
    }
}
