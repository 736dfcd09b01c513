//! `loam signing-key`

use anyhow::Result;
use clap::Subcommand;
use loam_identity::signing_keys::routes::SigningKeyView;

use super::admin::{self, ListArgs, TenantArg};
use super::output;
use crate::config::Config;

#[derive(Subcommand)]
pub(super) enum Command {
    /// List the keys, newest first.
    List {
        #[command(flatten)]
        list: ListArgs,
    },
    /// Rotate the signing key. Tokens of the previous key stay valid until they expire.
    Rotate,
}

pub(super) async fn run(command: Command, config: &Config, json: bool) -> Result<()> {
    // the keys belong to the instance; changes are recorded in the default tenant's audit trail
    let home = TenantArg { tenant: "default".to_owned() };
    let (core, scope) = admin::in_tenant(config, &home).await?;
    match command {
        Command::List { list } => {
            let rows =
                admin::pages(list.limit, async |page| core.identity.list_signing_keys(&scope, &page).await);
            let rows: Vec<SigningKeyView> = rows.await?.into_iter().map(SigningKeyView::from).collect();
            output::rows(json, &rows, &["kid", "algorithm", "created_at", "retired_at"])
        }
        Command::Rotate => {
            output::one(json, &SigningKeyView::from(core.identity.rotate_signing_key(&scope).await?))
        }
    }
}
