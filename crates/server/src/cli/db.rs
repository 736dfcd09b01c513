//! `loam db`

use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use loam_db::{Db, Dialect, compare, data_dictionary, entity_diagram, new_revision, print_schema};
use loam_kernel::{Clock, Scope, TenantId};
use loam_platform::database::DatabaseStatus;
use serde_json::json;

use super::{admin, output, sample};
use crate::config::Config;
use crate::services::entities;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Apply the migrations that are pending, and make the coming months' partitions. `loam serve` does it by itself.
    Migrate,
    /// Show the state of the database: migrations, sizes, how far journals have been drained.
    Status,
    /// Compare the database with what this binary expects of it.
    Check,
    /// Make a data set that reads like a real one: months of conversations in Chinese and English, their calls and costs.
    Sample(sample::SampleArgs),
    /// Remove what `db sample` made, and messages of sessions that don't exist.
    Clean(sample::CleanArgs),
    /// Make what was deleted unreadable in the database's files: SQLite's write-ahead log is truncated, and a file whose deleted content
    /// was not overwritten by an earlier Loam is rebuilt once; on PostgreSQL the tables are vacuumed. Says what stays. A running server overwrites
    /// its journal by itself (`journal.overwrite_seconds`).
    OverwriteDeleted {
        /// Only these tables; on SQLite always all.
        #[arg(long = "table", value_name = "TABLE")]
        tables: Vec<String>,
    },
    /// Print the schema as plain SQL.
    Schema {
        /// `sqlite` or `postgres`.
        #[arg(value_parser = ["sqlite", "postgres"])]
        dialect: String,
    },
    /// Start a migration, in Loam's source tree.
    Revision {
        /// What it does, as lower_case_words.
        name: String,
    },
    /// Write the data dictionary and the entity diagram.
    Docs {
        /// The folder to write to.
        #[arg(default_value = "docs")]
        folder: std::path::PathBuf,
    },
}

pub(super) async fn run(command: Command, config: &Config, json: bool) -> Result<()> {
    match command {
        Command::Migrate => migrate(config, json).await,
        Command::Status => {
            let db = admin::connect(config).await?;
            let status = DatabaseStatus::read(&db, None).await?;
            if json {
                output::json(&status)?
            } else {
                show(&status)?
            }
            Ok(db.schema_status().await?.refuse_newer()?)
        }
        Command::Check => {
            let db = admin::connect(config).await?;
            db.require_current_schema().await?;
            let differences = compare(&db, &entities()).await?;
            if json {
                output::json(&json!({ "differences": differences }))?;
            } else if !differences.is_empty() {
                output::rows(false, &differences, &["table", "what"])?;
            }
            if !differences.is_empty() {
                bail!("the database differs from what this binary expects, in {} places", differences.len());
            }
            output::line(json, "the database is as expected")
        }
        Command::Sample(args) => sample::sample(args, config, json).await,
        Command::Clean(args) => sample::clean(args, config, json).await,
        Command::OverwriteDeleted { tables } => {
            let db = admin::connect(config).await?;
            db.require_current_schema().await?;
            let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
            let done = db.overwrite_deleted(&tables).await?;
            if json {
                output::json(&done)?;
            } else {
                output::rows(false, &done.tables, &["table", "what", "dead_rows"])?;
                for what in &done.remains {
                    output::line(false, &format!("stays: {what}"))?;
                }
            }
            if !done.complete {
                bail!("not everything was done: a reader or a missing right stood in the way; run it again");
            }
            output::line(json, "deleted content is overwritten")
        }
        Command::Schema { dialect } => output::text(&print_schema(dialect.parse::<Dialect>()?)),
        Command::Revision { name } => {
            let path = new_revision(Path::new("."), &name, Clock::system().now())?;
            output::line(json, &format!("wrote {}", path.display()))
        }
        Command::Docs { folder } => {
            for (name, text) in [
                ("DATA-DICTIONARY.md", data_dictionary(&entities())),
                ("ENTITIES.md", entity_diagram(&entities())),
            ] {
                let path = folder.join(name);
                std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
                output::line(json, &format!("wrote {}", path.display()))?;
            }
            Ok(())
        }
    }
}

fn show(status: &DatabaseStatus) -> Result<()> {
    output::line(false, &format!("{} {}, {} bytes", status.backend, status.version, status.size_bytes))?;
    output::rows(false, &status.migrations, &["name", "applied"])?;
    output::line(false, &format!("{} pending", status.pending))?;
    if let Some(containment) = &status.containment {
        let line = match &containment.reason {
            None => "tenants' transactions have a login of their own".to_owned(),
            Some(why) => format!("tenants' transactions have no login of their own: {why}"),
        };
        output::line(false, &line)?;
    }
    if !status.partitions.is_empty() {
        output::rows(false, &status.partitions, &["table", "partition", "rows", "bytes"])?;
    }
    if !status.nodes.is_empty() {
        output::rows(false, &status.nodes, &["node_id", "position", "updated_at"])?;
    }
    Ok(())
}

async fn migrate(config: &Config, json: bool) -> Result<()> {
    if config.database.url.is_none() {
        std::fs::create_dir_all(config.data())
            .with_context(|| format!("cannot make {}", config.data().display()))?;
    }
    let db = Db::connect(&config.database, config.data()).await?;
    let applied = db.migrate().await?;
    db.ensure_partitions(&Scope::system(TenantId::NIL, "migrate"), Clock::system().now()).await?;
    if json {
        return output::json(&json!({ "applied": applied }));
    }
    for name in &applied {
        output::line(false, &format!("applied {name}"))?;
    }
    output::line(false, if applied.is_empty() { "nothing to do" } else { "done" })
}
