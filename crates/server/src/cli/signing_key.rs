//! `loam signing-key`

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;

use super::admin::ListArgs;
use super::api::Backend;
use super::output;

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

pub(super) async fn run(command: Command, backend: &Backend, json: bool) -> Result<()> {
    let api = backend.instance().await?;
    match command {
        Command::List { list } => {
            let rows = api.list("/api/v1/signing_keys", json!({}), list.limit).await?;
            output::rows(json, &rows, &["kid", "algorithm", "created_at", "retired_at"])
        }
        Command::Rotate => output::one(json, &api.post("/api/v1/signing_keys/rotate", None).await?),
    }
}
