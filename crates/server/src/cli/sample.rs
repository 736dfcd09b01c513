//! `loam db sample` and `loam db clean`

use std::io::{IsTerminal, Write};
use std::time::Instant;

use anyhow::{Result, bail};
use chrono::{DateTime, DurationRound, NaiveDate, TimeDelta, Utc};
use clap::Args;
use loam_sample::{Options, Parts, Size};
use serde_json::json;

use super::admin::{self, TenantArg};
use super::output;
use crate::composition::Core;
use crate::config::Config;

/// The sample data to create.
#[derive(Args)]
pub(super) struct SampleArgs {
    #[command(flatten)]
    tenant: TenantArg,
    /// Number of sessions [default: 1000].
    #[arg(long, conflicts_with = "messages", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    sessions: Option<u64>,
    /// Number of messages, instead of sessions.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    messages: Option<u64>,
    /// Number of months.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=60))]
    months: u32,
    /// The last day, such as 2026-11-01 [default: today].
    #[arg(long)]
    until: Option<NaiveDate>,
    /// Seed of the random data; the same seed and --until produce the same conversations.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// The sample data to remove.
#[derive(Args)]
pub(super) struct CleanArgs {
    #[command(flatten)]
    tenant: TenantArg,
    /// Don't ask for confirmation.
    #[arg(long)]
    yes: bool,
}

pub(super) async fn sample(args: SampleArgs, config: &Config, json: bool) -> Result<()> {
    let (core, scope) = admin::in_tenant(config, &args.tenant).await?;
    let now = core.clock.now();
    let until = args.until.map_or(now, |day| day.and_time(chrono::NaiveTime::MIN).and_utc());
    if until > now {
        bail!("--until must not be later than today");
    }
    let size = match args.messages {
        Some(messages) => Size::Messages(messages),
        None => Size::Sessions(args.sessions.unwrap_or(1000)),
    };
    let options = Options { size, months: args.months, until: whole_hour(until), seed: args.seed };
    let begun = Instant::now();
    let (parts, mut bar) = (parts(core), Bar::new());
    let made = loam_sample::fill(&parts, &scope, &options, |done, all| {
        bar.show(&format!("{done} of {all} messages, {:.0} a second", rate(done, begun)));
    });
    let made = made.await;
    bar.end();
    let made = made?;
    if json {
        let mut told = serde_json::to_value(made)?;
        told["seconds"] = json!(begun.elapsed().as_secs_f64());
        return output::json(&told);
    }
    output::one(false, &made)?;
    output::line(false, "remove it with `loam db clean`")
}

pub(super) async fn clean(args: CleanArgs, config: &Config, json: bool) -> Result<()> {
    let slug = args.tenant.tenant.as_deref().unwrap_or(admin::DEFAULT_TENANT);
    let (core, scope) = admin::in_tenant(config, &args.tenant).await?;
    if !args.yes {
        ask(&format!(
            "This removes the sample data of the tenant `{slug}`, with everything that was added to its conversations. Go on?"
        ))?;
    }
    let (parts, mut bar) = (parts(core), Bar::new());
    let cleaned = loam_sample::clean(&parts, &scope, |gone| bar.show(&format!("{gone} removed"))).await;
    bar.end();
    let cleaned = cleaned?;
    output::one(json, &cleaned)
}

fn parts(core: Core) -> Parts {
    Parts {
        db: core.db,
        clock: core.clock,
        identity: core.identity,
        gateway: core.gateway,
        insight: core.insight,
    }
}

/// The beginning of the hour, so that data created within an hour is the same.
fn whole_hour(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_trunc(TimeDelta::hours(1)).unwrap_or(at)
}

fn rate(done: u64, since: Instant) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let done = done as f64;
    done / since.elapsed().as_secs_f64().max(0.001)
}

/// Asks for confirmation at a terminal; without a terminal nothing is removed.
fn ask(question: &str) -> Result<()> {
    if !std::io::stdin().is_terminal() {
        bail!("there is no terminal for confirmation: add --yes");
    }
    write!(std::io::stderr(), "{question} [y/N] ")?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => bail!("nothing was removed"),
    }
}

/// A progress line on a terminal.
struct Bar {
    watched: bool,
    width: usize,
}

impl Bar {
    fn new() -> Self {
        Self { watched: std::io::stderr().is_terminal(), width: 0 }
    }

    fn show(&mut self, text: &str) {
        if self.watched {
            // nothing depends on it
            _ = write!(std::io::stderr(), "\r{text:<width$}", width = self.width);
            self.width = text.len();
        }
    }

    fn end(&self) {
        if self.width > 0 {
            _ = writeln!(std::io::stderr());
        }
    }
}
