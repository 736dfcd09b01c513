//! `loam erasure`

use anyhow::{Result, bail};
use clap::Subcommand;
use loam_kernel::ErasureId;
use loam_platform::personal::erasure::SubjectType;
use serde_json::json;

use super::admin::{ListArgs, TenantArg};
use super::api::{Backend, set_fields};
use super::output;

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

pub(super) async fn run(command: Command, backend: &Backend, json: bool) -> Result<()> {
    match command {
        Command::Create { tenant, subject_type, id, confirm } => {
            let api = backend.api(&tenant).await?;
            let new =
                set_fields(json!({ "subject": { "type": subject_type, "id": id }, "confirm": confirm }));
            output::one(json, &api.post("/api/v1/erasures", new).await?)
        }
        Command::List { tenant, list } => {
            let rows = backend.api(&tenant).await?.list("/api/v1/erasures", json!({}), list.limit).await?;
            output::rows(
                json,
                &rows,
                &["created_at", "subject_type", "subject_id", "state", "completed_at", "id"],
            )
        }
        Command::Show { tenant, id } => {
            let api = backend.api(&tenant).await?;
            output::one(json, &api.get(&format!("/api/v1/erasures/{id}"), json!({})).await?)
        }
        Command::Receipt { tenant, id } => {
            let api = backend.api(&tenant).await?;
            output::one(json, &api.get(&format!("/api/v1/erasures/{id}/receipt"), json!({})).await?)
        }
    }
}
