//! `loam price`

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;

use super::admin::{self, ListArgs, TenantArg};
use super::api::{Backend, set_fields};
use super::output;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Set a price, in US dollars per million tokens and per unit.
    Create {
        #[command(flatten)]
        tenant: TenantArg,
        /// Name of the provider.
        #[arg(long)]
        provider: String,
        /// Name of the model at the provider; `*` for all models without their own price.
        #[arg(long)]
        model: String,
        /// Price of input tokens.
        #[arg(long, allow_negative_numbers = true, value_parser = admin::finite)]
        input: f64,
        /// Price of cached input tokens [default: as --input].
        #[arg(long, allow_negative_numbers = true, value_parser = admin::finite)]
        cached_input: Option<f64>,
        /// Price of input tokens that the provider writes to its cache [default: as --input].
        #[arg(long, allow_negative_numbers = true, value_parser = admin::finite)]
        cache_write: Option<f64>,
        /// Price of output tokens.
        #[arg(long, allow_negative_numbers = true, value_parser = admin::finite)]
        output: f64,
        /// Price of a character, image, second or search, whichever a call is counted by [default: none].
        #[arg(long, allow_negative_numbers = true, value_parser = admin::finite)]
        per_unit: Option<f64>,
    },
    /// List prices, newest first.
    List {
        #[command(flatten)]
        tenant: TenantArg,
        #[command(flatten)]
        list: ListArgs,
    },
}

pub(super) async fn run(command: Command, backend: &Backend, json: bool) -> Result<()> {
    match command {
        Command::Create { tenant, provider, model, input, cached_input, cache_write, output, per_unit } => {
            let api = backend.api(&tenant).await?;
            let new = set_fields(json!({
                "provider": provider,
                "model": model,
                "input_per_million": input,
                "cached_input_per_million": cached_input,
                "cache_write_per_million": cache_write,
                "output_per_million": output,
                "per_unit": per_unit,
            }));
            output::one(json, &api.post("/api/v1/model_prices", new).await?)
        }
        Command::List { tenant, list } => {
            let rows =
                backend.api(&tenant).await?.list("/api/v1/model_prices", json!({}), list.limit).await?;
            let fields = [
                "provider",
                "model",
                "input_per_million",
                "cached_input_per_million",
                "cache_write_per_million",
                "output_per_million",
                "per_unit",
                "id",
            ];
            output::rows(json, &rows, &fields)
        }
    }
}
