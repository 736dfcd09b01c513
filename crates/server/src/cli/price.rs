//! `loam price`

use anyhow::Result;
use clap::Subcommand;
use loam_gateway::model_prices::routes::ModelPriceView;
use loam_gateway::model_prices::service::{ModelPriceCreate, ModelPriceFilter};

use super::admin::{self, ListArgs, TenantArg};
use super::output;
use crate::config::Config;

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
        #[arg(long, allow_negative_numbers = true)]
        input: f64,
        /// Price of cached input tokens [default: as --input].
        #[arg(long, allow_negative_numbers = true)]
        cached_input: Option<f64>,
        /// Price of input tokens that the provider writes to its cache [default: as --input].
        #[arg(long, allow_negative_numbers = true)]
        cache_write: Option<f64>,
        /// Price of output tokens.
        #[arg(long, allow_negative_numbers = true)]
        output: f64,
        /// Price of a character, image, second or search, whichever a call is counted by [default: none].
        #[arg(long, allow_negative_numbers = true)]
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

pub(super) async fn run(command: Command, config: &Config, json: bool) -> Result<()> {
    match command {
        Command::Create { tenant, provider, model, input, cached_input, cache_write, output, per_unit } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let new = ModelPriceCreate {
                provider,
                model,
                input_per_million: input,
                cached_input_per_million: cached_input,
                cache_write_per_million: cache_write,
                output_per_million: output,
                per_unit,
            };
            output::one(json, &ModelPriceView::from(core.gateway.create_price(&scope, new).await?))
        }
        Command::List { tenant, list } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let rows = admin::pages(list.limit, async |page| {
                core.gateway.list_prices(&scope, ModelPriceFilter::default(), &page).await
            });
            let rows: Vec<ModelPriceView> = rows.await?.into_iter().map(ModelPriceView::from).collect();
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
