//! The log: on standard error, one line per event; as JSON if it is not a terminal.

use std::io::IsTerminal;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::error_tap::ErrorTap;

/// Starts logging. `LOAM_LOG` is the filter, such as `loam_gateway=debug,info`; defaults to `info`.
pub(crate) fn start(default: LevelFilter) {
    // the data layer logs statements itself, without their values
    let quiet = ["sqlx=warn", "sea_orm=warn"];
    let mut filter =
        EnvFilter::builder().with_default_directive(default.into()).with_env_var("LOAM_LOG").from_env_lossy();
    for directive in quiet {
        if let Ok(directive) = directive.parse() {
            filter = filter.add_directive(directive);
        }
    }
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let log =
        if std::io::stderr().is_terminal() { log.boxed() } else { log.json().flatten_event(true).boxed() };
    let tap = ErrorTap.with_filter(LevelFilter::ERROR);
    // a second start in the same process, as in tests, keeps the first subscriber
    _ = tracing_subscriber::registry().with(log.with_filter(filter)).with(tap).try_init();
}
