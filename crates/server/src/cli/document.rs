//! `loam requirement`, `loam prd`, `loam design` and `loam spec`

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand};
use loam_kernel::ProjectId;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::admin::{ListArgs, TenantArg};
use super::api::{Api, Backend, set_fields};
use super::output;

/// A kind of documents.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    collection: &'static str,
    /// The field that names what a document is made from; none: the project.
    parent: Option<&'static str>,
    /// The field with the document; none: a file has all fields.
    content: Option<&'static str>,
    /// Whether that field is JSON, not a text.
    is_json: bool,
    /// The column of its own in a list.
    column: &'static str,
}

pub(super) const REQUIREMENT: Kind = Kind {
    collection: "requirements",
    parent: None,
    content: Some("raw_text"),
    is_json: false,
    column: "confidence_score",
};
pub(super) const PRD: Kind = Kind {
    collection: "prd_docs",
    parent: Some("requirement_id"),
    content: Some("markdown_content"),
    is_json: false,
    column: "requirement_id",
};
pub(super) const DESIGN: Kind = Kind {
    collection: "tech_designs",
    parent: Some("prd_id"),
    content: None,
    is_json: true,
    column: "architecture_type",
};
pub(super) const SPEC: Kind = Kind {
    collection: "api_specs",
    parent: Some("design_id"),
    content: Some("openapi_spec"),
    is_json: true,
    column: "openapi_version",
};

/// What is written.
#[derive(Args)]
pub(super) struct Content {
    /// The document, of a design its fields as JSON; `-` for standard input.
    #[arg(long, short, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The document itself instead of a file.
    #[arg(long, conflicts_with = "file")]
    text: Option<String>,
    /// Title.
    #[arg(long)]
    title: Option<String>,
    /// Why it is saved.
    #[arg(long, short)]
    message: Option<String>,
}

#[derive(Subcommand)]
pub(super) enum Command {
    /// Create a document.
    Add {
        #[command(flatten)]
        tenant: TenantArg,
        /// Project ID, of a requirement, or of a specification without a design.
        #[arg(long)]
        project: Option<ProjectId>,
        /// ID of what it is made from: the requirement of a PRD, the PRD of a design, the design of a specification.
        #[arg(long, value_name = "ID")]
        of: Option<Uuid>,
        #[command(flatten)]
        content: Content,
    },
    /// List documents, newest first.
    List {
        #[command(flatten)]
        tenant: TenantArg,
        #[command(flatten)]
        list: ListArgs,
        /// Only for this project ID.
        #[arg(long)]
        project: Option<ProjectId>,
        /// Only with this status: draft, in_review, approved, superseded.
        #[arg(long)]
        status: Option<String>,
    },
    /// Show a document, or an earlier version of it.
    Show {
        #[command(flatten)]
        tenant: TenantArg,
        /// Document ID.
        id: Uuid,
        /// Number of a version [default: the current one].
        #[arg(long)]
        version: Option<i64>,
    },
    /// Save a changed document as a new version.
    Edit {
        #[command(flatten)]
        tenant: TenantArg,
        /// Document ID.
        id: Uuid,
        /// The version that the change is based on; refused if it isn't the current one.
        #[arg(long)]
        base: i64,
        #[command(flatten)]
        content: Content,
    },
    /// List the versions of a document, newest first.
    Versions {
        #[command(flatten)]
        tenant: TenantArg,
        #[command(flatten)]
        list: ListArgs,
        /// Document ID.
        id: Uuid,
    },
    /// Show what differs between two versions.
    Diff {
        #[command(flatten)]
        tenant: TenantArg,
        /// Document ID.
        id: Uuid,
        /// Number of the version before.
        from: i64,
        /// Number of the version after.
        to: i64,
    },
    /// Make an earlier version the newest.
    Restore {
        #[command(flatten)]
        tenant: TenantArg,
        /// Document ID.
        id: Uuid,
        /// Number of the version to restore.
        version: i64,
        /// The current version; refused if it is another one.
        #[arg(long)]
        base: i64,
    },
    /// Change the status: draft, in_review, approved, superseded.
    Status {
        #[command(flatten)]
        tenant: TenantArg,
        /// Document ID.
        id: Uuid,
        /// The new status.
        status: String,
        /// The version that it applies to; refused if it isn't the current one.
        #[arg(long)]
        base: i64,
    },
    /// Delete a document with its versions, and with what was made from it.
    Delete {
        #[command(flatten)]
        tenant: TenantArg,
        /// Document ID.
        id: Uuid,
    },
}

pub(super) async fn run(kind: Kind, command: Command, backend: &Backend, json: bool) -> Result<()> {
    let collection = format!("/api/v1/{}", kind.collection);
    match command {
        Command::Add { tenant, project, of, content } => {
            let mut new = content.fields(kind)?;
            new.insert("project_id".to_owned(), json!(project));
            match (kind.parent, of) {
                (Some(parent), of) => _ = new.insert(parent.to_owned(), json!(of)),
                (None, Some(_)) => bail!("--of is for what is made from another document"),
                (None, None) => {}
            }
            let api = backend.api(&tenant).await?;
            output::one(json, &api.post(&collection, set_fields(new.into())).await?)
        }
        Command::List { tenant, list, project, status } => {
            let query = json!({ "project_id": project, "status": status });
            let rows = backend.api(&tenant).await?.list(&collection, query, list.limit).await?;
            output::rows(json, &rows, &["title", "status", "version", kind.column, "updated_at", "id"])
        }
        Command::Show { tenant, id, version } => {
            let path = match version {
                Some(version) => format!("{collection}/{id}/versions/{version}"),
                None => format!("{collection}/{id}"),
            };
            output::one(json, &backend.api(&tenant).await?.get(&path, json!({})).await?)
        }
        Command::Edit { tenant, id, base, content } => {
            let mut change = content.fields(kind)?;
            ensure!(!change.is_empty(), "say what changes: --file, --text or --title");
            change.insert("base_version".to_owned(), json!(base));
            let api = backend.api(&tenant).await?;
            output::one(json, &api.patch(&format!("{collection}/{id}"), set_fields(change.into())).await?)
        }
        Command::Versions { tenant, list, id } => {
            let api = backend.api(&tenant).await?;
            let rows = api.list(&format!("{collection}/{id}/versions"), json!({}), list.limit).await?;
            output::rows(json, &rows, &["number", "created_at", "author", "model", "message"])
        }
        Command::Diff { tenant, id, from, to } => {
            let api = backend.api(&tenant).await?;
            let query = json!({ "from": from, "to": to });
            let mut found = api.get(&format!("{collection}/{id}/compare"), query).await?;
            if json {
                return output::json(&found);
            }
            let changes = found["changes"].as_array_mut().map(std::mem::take).unwrap_or_default();
            output::rows(json, &changes, &["op", "path", "from", "to"])
        }
        Command::Restore { tenant, id, version, base } => {
            let api = backend.api(&tenant).await?;
            act(
                &api,
                &format!("{collection}/{id}/versions/{version}/restore"),
                json!({ "base_version": base }),
                json,
            )
            .await
        }
        Command::Status { tenant, id, status, base } => {
            let api = backend.api(&tenant).await?;
            let to = json!({ "status": status, "base_version": base });
            act(&api, &format!("{collection}/{id}/transition"), to, json).await
        }
        Command::Delete { tenant, id } => {
            backend.api(&tenant).await?.delete(&format!("{collection}/{id}")).await?;
            output::line(json, &format!("deleted {id}"))
        }
    }
}

async fn act(api: &Api, path: &str, body: Value, json: bool) -> Result<()> {
    output::one(json, &api.post(path, body).await?)
}

impl Content {
    /// The fields of the request.
    fn fields(self, kind: Kind) -> Result<Map<String, Value>> {
        let Self { file, text, title, message } = self;
        let text = match file {
            Some(file) => Some(read(&file)?),
            None => text,
        };
        let mut fields = Map::new();
        if let Some(text) = text {
            let value = match kind.is_json {
                true => serde_json::from_str(&text).context("the document is not JSON")?,
                false => Value::String(text),
            };
            match (kind.content, value) {
                (Some(name), value) => _ = fields.insert(name.to_owned(), value),
                (None, Value::Object(all)) => fields = all,
                (None, _) => bail!("the document is not a JSON object"),
            }
        }
        for (name, value) in [("title", title), ("message", message)] {
            if let Some(value) = value {
                fields.insert(name.to_owned(), value.into());
            }
        }
        Ok(fields)
    }
}

fn read(file: &Path) -> Result<String> {
    let mut text = String::new();
    if file.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
        return Ok(text);
    }
    fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}
