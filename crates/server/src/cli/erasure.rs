//! `loam erasure`

use anyhow::{Result, bail};
use clap::Subcommand;
use loam_identity::erasures::routes::ErasureView;
use loam_identity::erasures::service::{ErasureCreate, ErasureFilter, ErasureSubject};
use loam_kernel::ErasureId;
use loam_platform::personal::erasure::SubjectType;

use super::admin::{self, ListArgs, TenantArg};
use super::output;
use crate::config::Config;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Erase a user, an end user, a session or a tenant. A running server performs it. This can't be undone.
    Create {
        #[command(flatten)]
        tenant: TenantArg,
        /// Type of the subject: user, end_user, session, tenant.
        #[arg(value_parser = subject_type)]
        subject_type: SubjectType,
        /// ID of the subject; for an end user the application's own id.
        id: String,
        /// Slug of the tenant, if it is not archived.
        #[arg(long)]
        confirm: Option<String>,
    },
    /// List erasures, newest first.
    List {
        #[command(flatten)]
        tenant: TenantArg,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Show an erasure and its progress.
    Show {
        #[command(flatten)]
        tenant: TenantArg,
        /// Erasure ID.
        id: ErasureId,
    },
    /// Print the signed receipt of a completed erasure.
    Receipt {
        #[command(flatten)]
        tenant: TenantArg,
        /// Erasure ID.
        id: ErasureId,
    },
}

fn subject_type(name: &str) -> Result<SubjectType> {
    match serde_json::from_value(name.into()) {
        Ok(subject_type) => Ok(subject_type),
        Err(_) => bail!("must be user, end_user, session or tenant"),
    }
}

pub(super) async fn run(command: Command, config: &Config, json: bool) -> Result<()> {
    match command {
        Command::Create { tenant, subject_type, id, confirm } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let subject = ErasureSubject { subject_type, id };
            let erasure = core.identity.create_erasure(&scope, ErasureCreate { subject, confirm }).await?;
            output::one(json, &ErasureView::from(erasure))
        }
        Command::List { tenant, list } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let rows = admin::pages(list.limit, async |page| {
                core.identity.list_erasures(&scope, ErasureFilter::default(), &page).await
            });
            let rows: Vec<ErasureView> = rows.await?.into_iter().map(ErasureView::from).collect();
            output::rows(
                json,
                &rows,
                &["created_at", "subject_type", "subject_id", "state", "completed_at", "id"],
            )
        }
        Command::Show { tenant, id } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            output::one(json, &ErasureView::from(core.identity.get_erasure(&scope, id).await?))
        }
        Command::Receipt { tenant, id } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            output::one(json, &core.identity.erasure_receipt(&scope, id).await?)
        }
    }
}
