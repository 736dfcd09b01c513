//! The log: on standard error, one line an event; as JSON when nobody looks.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Starts logging. `LOAM_LOG` chooses what: `info` unless set, or `loam_gateway=debug,info`.
pub(crate) fn start(default: LevelFilter) {
    // statements are logged by the data layer itself, without their values
    let quiet = ["sqlx=warn", "sea_orm=warn"];
    let mut filter =
        EnvFilter::builder().with_default_directive(default.into()).with_env_var("LOAM_LOG").from_env_lossy();
    for directive in quiet {
        if let Ok(directive) = directive.parse() {
            filter = filter.add_directive(directive);
        }
    }
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // a second start within one process, as in tests, keeps the first
    _ = if std::io::stderr().is_terminal() {
        log.try_init()
    } else {
        log.json().flatten_event(true).try_init()
    };
}
