//! `loam alert`

use anyhow::Result;
use clap::Subcommand;
use loam_insight::alert_events::entity::EventState;
use loam_insight::alert_events::routes::AlertEventView;
use loam_insight::alert_events::service::AlertEventFilter;
use loam_insight::alert_rules::routes::AlertRuleView;
use loam_insight::alert_rules::service::AlertRuleFilter;
use loam_kernel::{AlertEventId, ProjectId};

use super::admin::{self, ListArgs, TenantArg};
use super::output;
use crate::config::Config;

#[derive(Subcommand)]
pub(super) enum Command {
    /// List alert rules with their states.
    Rules {
        #[command(flatten)]
        tenant: TenantArg,
        #[command(flatten)]
        list: ListArgs,
        /// Only for this project ID.
        #[arg(long)]
        project: Option<ProjectId>,
    },
    /// List incidents, newest first.
    Events {
        #[command(flatten)]
        tenant: TenantArg,
        #[command(flatten)]
        list: ListArgs,
        /// Only for this project ID.
        #[arg(long)]
        project: Option<ProjectId>,
        /// Only open incidents that nobody has acknowledged.
        #[arg(long)]
        open: bool,
    },
    /// Acknowledge an incident.
    Ack {
        #[command(flatten)]
        tenant: TenantArg,
        /// Incident ID.
        id: AlertEventId,
    },
    /// Resolve an incident.
    Resolve {
        #[command(flatten)]
        tenant: TenantArg,
        /// Incident ID.
        id: AlertEventId,
    },
}

pub(super) async fn run(command: Command, config: &Config, json: bool) -> Result<()> {
    match command {
        Command::Rules { tenant, list, project } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let rows = admin::pages(list.limit, async |page| {
                let filter = AlertRuleFilter { project_id: project, ..AlertRuleFilter::default() };
                core.insight.alerts.list_alert_rules(&scope, filter, &page).await
            });
            let rows: Vec<AlertRuleView> = rows.await?.into_iter().map(AlertRuleView::from).collect();
            let fields =
                ["name", "metric", "comparison", "threshold", "last_value", "state", "is_active", "id"];
            output::rows(json, &rows, &fields)
        }
        Command::Events { tenant, list, project, open } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let rows = admin::pages(list.limit, async |page| {
                let state = open.then_some(EventState::Open);
                let filter = AlertEventFilter { project_id: project, state, ..AlertEventFilter::default() };
                core.insight.alerts.list_alert_events(&scope, filter, &page).await
            });
            let rows: Vec<AlertEventView> = rows.await?.into_iter().map(AlertEventView::from).collect();
            if json {
                return output::json(&rows);
            }
            let with_rule = |row: &AlertEventView| {
                let mut row = serde_json::to_value(row)?;
                row["rule"] = row["context"]["rule"]["name"].take();
                Ok(row)
            };
            let rows = rows.iter().map(with_rule).collect::<Result<Vec<_>>>()?;
            let fields =
                ["rule", "opened_at", "state", "severity", "value", "acknowledged_by", "resolved_at", "id"];
            output::rows(json, &rows, &fields)
        }
        Command::Ack { tenant, id } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let event = core.insight.alerts.acknowledge_alert_event(&scope, id).await?;
            output::one(json, &AlertEventView::from(event))
        }
        Command::Resolve { tenant, id } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            output::one(
                json,
                &AlertEventView::from(core.insight.alerts.resolve_alert_event(&scope, id).await?),
            )
        }
    }
}
