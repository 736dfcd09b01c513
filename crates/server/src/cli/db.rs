//! `loam db`

use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use loam_db::{
    Db, Dialect, compare, compare_objects, data_dictionary, entity_diagram, new_revision, print_schema,
};
use loam_kernel::{Clock, Scope, TenantId};
use loam_platform::database::DatabaseStatus;
use serde_json::json;

use super::{admin, output, sample};
use crate::composition::entities;
use crate::config::Config;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Apply pending migrations, and create the partitions of the coming months. `loam serve` does this automatically.
    Migrate,
    /// Show the state of the database: migrations, sizes, journal checkpoints.
    Status,
    /// Compare the database with the schema that this binary expects.
    Check,
    /// Create a realistic data set: months of conversations in Chinese and English with their calls and costs, and two weeks of
    /// monitoring of their applications.
    Sample(sample::SampleArgs),
    /// Remove the data of `db sample`, and messages of sessions that don't exist. The running server deletes the telemetry of removed
    /// projects.
    Clean(sample::CleanArgs),
    /// Overwrite deleted data in the database files. On SQLite the write-ahead log is truncated, and a file from an earlier version that did
    /// not overwrite deleted data is rebuilt once; on PostgreSQL the tables are vacuumed. Reports what remains. A running server overwrites
    /// its journal automatically (`journal.overwrite_seconds`).
    OverwriteDeleted {
        /// Only this table; can be repeated. SQLite always processes all tables.
        #[arg(long = "table", value_name = "TABLE")]
        tables: Vec<String>,
    },
    /// Print the schema as plain SQL.
    Schema {
        /// `sqlite` or `postgres`.
        #[arg(value_parser = ["sqlite", "postgres"])]
        dialect: String,
    },
    /// Create a new migration, in Loam's source tree.
    Revision {
        /// Name of the migration, in lower_case_words.
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
            let mut differences = compare(&db, &entities()).await?;
            differences.extend(compare_objects(&db).await?);
            if json {
                output::json(&json!({ "differences": differences }))?;
            } else if !differences.is_empty() {
                output::rows(false, &differences, &["table", "what"])?;
            }
            if !differences.is_empty() {
                bail!(
                    "the database differs from the schema that this binary expects: {} differences",
                    differences.len()
                );
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
                bail!("incomplete: an open reader or a missing privilege prevented it; run it again");
            }
            output::line(json, "deleted content is overwritten")
        }
        Command::Schema { dialect } => {
            output::refuse_field("a script")?;
            output::text(&print_schema(dialect.parse::<Dialect>()?))
        }
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
            None => "tenants' transactions have their own login".to_owned(),
            Some(why) => format!("tenants' transactions don't have their own login: {why}"),
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
            .with_context(|| format!("cannot create {}", config.data().display()))?;
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
