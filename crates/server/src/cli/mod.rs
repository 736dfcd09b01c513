//! The command line. Commands use the resource API: on the database, with or without a running server, where the audit
//! trail records them as `command_line`; or with `--server` at a server, with an API key. A few work only on this machine.

mod admin;
mod alert;
mod analysis;
mod api;
mod api_log;
mod audit;
mod call;
mod compare;
mod config;
mod db;
mod document;
mod erasure;
mod error_log;
mod export;
mod failure;
mod key;
mod limit;
mod login_session;
mod message;
mod output;
mod price;
mod project;
mod provider;
mod record;
mod role;
mod route;
mod sample;
mod secret;
mod session;
mod signing_key;
mod stats;
mod suggestion;
mod table;
mod tenant;
mod usage;
mod user;

use std::ffi::OsStr;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use figment::providers::Env;
use loam_http::client::Network;
use tracing_subscriber::filter::LevelFilter;

use api::{Backend, Remote, ServerArgs};

use crate::config::{Config, DatabaseFlags, Flags, OutgoingFlags};
use crate::{docs, file_modes, logging, serve};

/// The backend for AI applications: a gateway to every model, stored conversations, and diagnosis of slow requests.
#[derive(Parser)]
#[command(name = "loam", version)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Args, Clone)]
struct Global {
    /// Configuration file (TOML).
    #[arg(long, global = true, env = "LOAM_CONFIG", value_name = "FILE")]
    config_file: Option<PathBuf>,
    /// Folder for all data on this machine [default: data].
    #[arg(long, global = true, env = "LOAM_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    /// `postgres://user:password@host/name` [default: an SQLite file in the data folder].
    #[arg(long, global = true, env = "LOAM_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: Option<String>,
    /// A private or loopback network that outgoing requests may reach, such as `127.0.0.0/8` or `10.1.0.0/16`; can be repeated.
    /// Replaces `allow_networks` of `[outgoing]`.
    #[arg(long, global = true, value_name = "NETWORK")]
    allow_network: Vec<Network>,
    #[command(flatten)]
    server: ServerArgs,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
    /// Print only this field, a line for each row, such as `id` or `api_key.key`.
    #[arg(long, global = true, value_name = "NAME", conflicts_with = "json")]
    field: Option<String>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server: the API, and the console at /console/.
    Serve {
        /// Address to listen on [default: 127.0.0.1:8790].
        #[arg(long, env = "LOAM_LISTEN", value_name = "ADDRESS")]
        listen: Option<SocketAddr>,
        /// Begin with an empty PostgreSQL database, although the data folder holds the data of an earlier start on SQLite.
        #[arg(long)]
        fresh: bool,
    },
    /// Manage the database: migrations, checks, schema, sample data.
    #[command(subcommand)]
    Db(db::Command),
    /// Manage tenants.
    #[command(subcommand)]
    Tenant(tenant::Command),
    /// Manage a tenant's users.
    #[command(subcommand)]
    User(user::Command),
    /// Manage a tenant's roles.
    #[command(subcommand)]
    Role(role::Command),
    /// Manage login sessions.
    #[command(subcommand)]
    LoginSession(login_session::Command),
    /// Manage the signing keys of tokens.
    #[command(subcommand)]
    SigningKey(signing_key::Command),
    /// Manage the master keys that seal secrets.
    #[command(subcommand)]
    Secret(secret::Command),
    /// Erase all data about a subject.
    #[command(subcommand)]
    Erasure(erasure::Command),
    /// Export all data about a subject, as JSON Lines.
    Export(export::Command),
    /// Manage a tenant's API keys.
    #[command(subcommand)]
    Key(key::Command),
    /// Manage a tenant's projects.
    #[command(subcommand)]
    Project(project::Command),
    /// Requirements of applications, with their versions.
    #[command(subcommand)]
    Requirement(document::Command),
    /// Product requirements documents (PRDs), with their versions.
    #[command(subcommand)]
    Prd(document::Command),
    /// Technical designs, with their versions.
    #[command(subcommand)]
    Design(document::Command),
    /// API specifications, with their versions.
    #[command(subcommand)]
    Spec(document::Command),
    /// Manage a tenant's model providers.
    #[command(subcommand)]
    Provider(provider::Command),
    /// Manage prices of models.
    #[command(subcommand)]
    Price(price::Command),
    /// Manage routes: aliases and their target models.
    #[command(subcommand)]
    Route(route::Command),
    /// Manage limits of tenants, projects, users, keys and end users.
    #[command(subcommand)]
    Limit(limit::Command),
    /// Show usage and cost.
    #[command(subcommand)]
    Usage(usage::Command),
    /// Show model calls.
    #[command(subcommand)]
    Call(call::Command),
    /// Manage conversations.
    #[command(subcommand)]
    Session(session::Command),
    /// Show messages of conversations.
    #[command(subcommand)]
    Message(message::Command),
    /// Analyses by a model of why requests are slow.
    #[command(subcommand)]
    Analysis(analysis::Command),
    /// Suggested improvements of slow endpoints.
    #[command(subcommand)]
    Suggestion(suggestion::Command),
    /// Show requests of monitored applications, with their calls.
    #[command(subcommand)]
    Record(record::Command),
    /// Statistics of endpoints, functions and versions of monitored applications.
    #[command(subcommand)]
    Stats(stats::Command),
    /// Compare two versions of an application: what got slower or faster, with confidence intervals.
    Compare(compare::Command),
    /// Alert rules and incidents.
    #[command(subcommand)]
    Alert(alert::Command),
    /// Manage the live configuration.
    #[command(subcommand)]
    Config(config::Command),
    /// Show, verify and export the audit trail.
    #[command(subcommand)]
    Audit(audit::Command),
    /// Show requests to Loam.
    #[command(subcommand)]
    ApiLog(api_log::Command),
    /// Show errors of Loam, and those that applications reported.
    #[command(subcommand)]
    ErrorLog(error_log::Command),
    /// Print the OpenAPI document.
    Openapi,
    /// Print shell completions.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// Runs the command line of this process. Exit codes: 0 success, 1 failure, 2 usage error.
pub fn main() -> ExitCode {
    file_modes::set_umask();
    let words = ignore_empty_variables(Cli::command()).get_matches();
    let mut cli = Cli::from_arg_matches(&words).unwrap_or_else(|error| error.exit());
    if let Err(error) = place(&mut cli, &words) {
        error.exit();
    }
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        // who reads the output has read enough, as `head` does
        Err(error) if failure::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // if standard error is closed there is nowhere to report it
            _ = writeln!(std::io::stderr(), "loam: {}", failure::reason(&error));
            ExitCode::FAILURE
        }
    }
}

/// An empty variable counts as not set.
fn ignore_empty_variables(command: clap::Command) -> clap::Command {
    let set = |arg: clap::Arg| {
        let value = arg.get_env().and_then(OsStr::to_str).and_then(Env::var);
        if value.is_some_and(|value| value.is_empty()) { arg.env(None::<&'static str>) } else { arg }
    };
    command.mut_args(set).mut_subcommands(ignore_empty_variables)
}

/// Checks that the options for a server and the command agree.
fn place(cli: &mut Cli, words: &ArgMatches) -> Result<(), clap::Error> {
    let wrong = |message: &str| Err(Cli::command().error(ErrorKind::ArgumentConflict, message));
    let args = &mut cli.global.server;
    if let Command::Call(call::Command::List { filter, .. }) = &mut cli.command
        && filter.api_key.is_none()
        && let Some(id) = args.key.as_ref().and_then(|key| key.parse().ok())
    {
        // an id is never a key: this is the filter `--api-key`, by its earlier name
        (filter.api_key, args.key) = (Some(id), None);
    }
    if args.server.is_none() {
        let is_named = |name| words.value_source(name) == Some(ValueSource::CommandLine);
        if args.key.is_some() && is_named("server_key") || args.key_file.is_some() {
            return wrong("--key and --key-file are for commands with --server");
        }
        if let Command::Route(route::Command::Test { .. }) = &cli.command {
            return wrong(
                "`loam route test` needs a running server, which makes the call: give --server (LOAM_SERVER)",
            );
        }
        return Ok(());
    }
    match &cli.command {
        Command::Serve { .. } => wrong("`loam serve` runs on this machine; leave out --server (LOAM_SERVER)"),
        Command::Db(_) => {
            wrong("`loam db` works on a database of this machine; leave out --server (LOAM_SERVER)")
        }
        Command::Secret(_) => {
            wrong("`loam secret` works on the key file of this machine; leave out --server (LOAM_SERVER)")
        }
        Command::Audit(audit::Command::Verify { file: Some(_), .. }) => {
            wrong("`loam audit verify --file` reads a file of this machine; leave out --server (LOAM_SERVER)")
        }
        Command::Openapi => wrong(
            "`loam openapi` prints the document of this binary; a server's is at /openapi.json: leave out --server \
             (LOAM_SERVER)",
        ),
        _ => Ok(()),
    }
}

fn run(cli: Cli) -> Result<()> {
    let Global { config_file, data, database_url, allow_network, server, json, field } = cli.global;
    let json = json || field.is_some();
    output::choose_field(field);
    let listen = if let Command::Serve { listen, .. } = &cli.command { *listen } else { None };
    let outgoing = (!allow_network.is_empty()).then_some(OutgoingFlags { allow_networks: allow_network });
    let flags = Flags { listen, data, database: database_url.map(|url| DatabaseFlags { url }), outgoing };
    match cli.command {
        Command::Openapi => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let _inside = runtime.enter();
            output::refuse_field("a document")?;
            return output::text(&docs::openapi_text()?);
        }
        Command::Completions { shell } => {
            output::refuse_field("a script")?;
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "loam", &mut script);
            return output::text(&String::from_utf8(script)?);
        }
        _ => {}
    }
    let config = Config::load(config_file.as_deref(), &flags)?;
    if let Command::Serve { fresh, .. } = cli.command {
        logging::start(LevelFilter::INFO);
        return serve::serve(&config, fresh);
    }
    logging::start(LevelFilter::WARN);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let command = match cli.command {
            Command::Db(command) => return db::run(command, &config, json).await,
            Command::Secret(command) => return secret::run(command, &config, json).await,
            other => other,
        };
        let backend = &match &server.server {
            Some(url) => Backend::Server(Remote::new(url, &server, &config)?),
            None => Backend::Database(Box::new(config)),
        };
        match command {
            Command::Tenant(command) => tenant::run(command, backend, json).await,
            Command::User(command) => user::run(command, backend, json).await,
            Command::Role(command) => role::run(command, backend, json).await,
            Command::LoginSession(command) => login_session::run(command, backend, json).await,
            Command::SigningKey(command) => signing_key::run(command, backend, json).await,
            Command::Erasure(command) => erasure::run(command, backend, json).await,
            Command::Export(command) => export::run(command, backend, json).await,
            Command::Key(command) => key::run(command, backend, json).await,
            Command::Project(command) => project::run(command, backend, json).await,
            Command::Requirement(command) => {
                document::run(document::REQUIREMENT, command, backend, json).await
            }
            Command::Prd(command) => document::run(document::PRD, command, backend, json).await,
            Command::Design(command) => document::run(document::DESIGN, command, backend, json).await,
            Command::Spec(command) => document::run(document::SPEC, command, backend, json).await,
            Command::Provider(command) => provider::run(command, backend, json).await,
            Command::Price(command) => price::run(command, backend, json).await,
            Command::Route(command) => route::run(command, backend, json).await,
            Command::Limit(command) => limit::run(command, backend, json).await,
            Command::Usage(command) => usage::run(command, backend, json).await,
            Command::Call(command) => call::run(command, backend, json).await,
            Command::Session(command) => session::run(command, backend, json).await,
            Command::Message(command) => message::run(command, backend, json).await,
            Command::Analysis(command) => analysis::run(command, backend, json).await,
            Command::Suggestion(command) => suggestion::run(command, backend, json).await,
            Command::Record(command) => record::run(command, backend, json).await,
            Command::Stats(command) => stats::run(command, backend, json).await,
            Command::Compare(command) => compare::run(command, backend, json).await,
            Command::Alert(command) => alert::run(command, backend, json).await,
            Command::Config(command) => config::run(command, backend, json).await,
            Command::Audit(command) => audit::run(command, backend, json).await,
            Command::ApiLog(command) => api_log::run(command, backend, json).await,
            Command::ErrorLog(command) => error_log::run(command, backend, json).await,
            Command::Serve { .. }
            | Command::Openapi
            | Command::Completions { .. }
            | Command::Db(_)
            | Command::Secret(_) => Ok(()),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_commands_own_option_is_in_the_way_of_one_that_all_have() {
        Cli::command().debug_assert();
        let words =
            ["loam", "provider", "create", "--name", "x", "--config", "{}", "--config-file", "loam.toml"];
        let cli = Cli::try_parse_from(words).expect("valid");
        assert_eq!(cli.global.config_file.as_deref(), Some(std::path::Path::new("loam.toml")));
    }
}
