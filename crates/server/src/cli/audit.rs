//! `loam audit`

use std::fs::File;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand};
use loam_kernel::AuditLogId;
use loam_platform::audit_logs::{Audit, Expected, verify_export};
use serde_json::{Value, json};

use super::admin::{ListArgs, TenantArg, TimeRange};
use super::api::{Api, Backend};
use super::output;

const PATH: &str = "/api/v1/audit_logs";

#[derive(Subcommand)]
pub(super) enum Command {
    /// List changes, newest first.
    List {
        #[command(flatten)]
        tenant: TenantArg,
        #[command(flatten)]
        list: ListArgs,
        #[command(flatten)]
        filter: AuditFilterArgs,
    },
    /// Show a change.
    Show {
        #[command(flatten)]
        tenant: TenantArg,
        /// ID of the change.
        id: AuditLogId,
    },
    /// Verify that no row of the audit trail was changed, removed, added or moved. Exit code 1 if one was.
    Verify {
        /// Slug of a tenant [default: every tenant].
        #[arg(long, conflicts_with = "file")]
        tenant: Option<String>,
        /// Verify an export file instead, without a database.
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// A previously noted head (`sequence:hash`) that must be in the chain; for one tenant or file.
        #[arg(long, value_name = "HEAD", value_parser = head)]
        expect_head: Option<String>,
    },
    /// Write a tenant's audit trail to a file, as JSON Lines with its hashes.
    Export {
        #[command(flatten)]
        tenant: TenantArg,
        /// The file, which must not exist.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// Filters for changes.
#[derive(Args)]
pub(super) struct AuditFilterArgs {
    /// Only changes of this type of resource, such as `users`.
    #[arg(long, value_name = "TYPE")]
    resource_type: Option<String>,
    /// Only changes of the resource with this id.
    #[arg(long, value_name = "ID")]
    resource: Option<String>,
    /// Only changes with this action, such as `update`.
    #[arg(long)]
    action: Option<String>,
    /// Only changes by this actor: `user:ID`, `api_key:ID`, `command_line`.
    #[arg(long)]
    actor: Option<String>,
    #[command(flatten)]
    time: TimeRange,
}

fn head(text: &str) -> Result<String> {
    text.parse::<Expected>()?;
    Ok(text.to_owned())
}

pub(super) async fn run(command: Command, backend: &Backend, json: bool) -> Result<()> {
    match command {
        Command::List { tenant, list, filter } => {
            let query = json!({
                "resource_type": filter.resource_type, "resource_id": filter.resource,
                "action": filter.action, "actor": filter.actor, "created_after": filter.time.from,
                "created_before": filter.time.to,
            });
            let rows = backend.api(&tenant).await?.list(PATH, query, list.limit).await?;
            output::rows(
                json,
                &rows,
                &["created_at", "actor", "action", "resource_type", "resource_id", "id"],
            )
        }
        Command::Show { tenant, id } => {
            let api = backend.api(&tenant).await?;
            output::one(json, &api.get(&format!("{PATH}/{id}"), json!({})).await?)
        }
        Command::Verify { tenant: None, file: None, expect_head: Some(_) } => {
            bail!("--expect-head applies to one chain: add --tenant or --file")
        }
        Command::Verify { file: Some(file), expect_head, .. } => {
            let open = File::open(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let expected = expect_head.as_deref().map(str::parse::<Expected>).transpose()?;
            let verification = json!(verify_export(BufReader::new(open), expected)?);
            show(json, vec![(file.display().to_string(), verification)])
        }
        Command::Verify { tenant, file: None, expect_head } => {
            let api = backend.tenants().await?;
            let slugs = match tenant {
                Some(slug) => vec![slug],
                None => slugs(&api).await?,
            };
            let mut found = Vec::new();
            for slug in slugs {
                let verification = verify(&api.in_tenant(&slug).await?, expect_head.as_deref()).await?;
                found.push((slug, verification));
            }
            show(json, found)
        }
        Command::Export { tenant, out } => {
            let api = backend.api(&tenant).await?;
            let mut file = new_file(&out)?;
            let cannot_write = || format!("cannot write {}", out.display());
            let last = api
                .lines(&format!("{PATH}/export"), json!({}), |lines| {
                    file.write_all(lines).with_context(cannot_write)
                })
                .await?;
            file.sync_all().with_context(cannot_write)?;
            let text = |name: &str| last[name].as_str().unwrap_or_default();
            let (rows, head) = (&last["rows"], format!("{}:{}", last["head_sequence"], text("head_hash")));
            if json {
                return output::json(&json!({ "file": out, "rows": rows, "head": head }));
            }
            output::line(false, &format!("wrote {rows} rows to {}; head {head}", out.display()))
        }
    }
}

/// An audit trail is confidential, so other users of the machine must not read it.
fn new_file(path: &Path) -> Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).with_context(|| format!("cannot make {}", path.display()))
}

async fn slugs(api: &Api) -> Result<Vec<String>> {
    let rows = api.list("/api/v1/tenants", json!({}), u64::MAX).await?;
    Ok(rows.iter().filter_map(|row| row["slug"].as_str()).map(str::to_owned).collect())
}

/// Verifies the chain of a tenant.
async fn verify(api: &Api, expect_head: Option<&str>) -> Result<Value> {
    if let Api::Local(local) = api {
        // without the time limit of a request, so in one pass: it also finds an erasure that no row records
        let (core, scope) = local.parts();
        let expected = expect_head.map(str::parse::<Expected>).transpose()?;
        let audit = Audit::new(core.db.clone(), scope.clone());
        return Ok(json!(audit.verify(0, expected, None).await?));
    }
    let path = format!("{PATH}/verify");
    let mut whole = api.get(&path, json!({ "expect_head": expect_head })).await?;
    while whole["complete"] == false {
        let verified_to = whole["verified_to"].as_i64().unwrap_or_default();
        let sequence =
            |head: &str| head.split_once(':').and_then(|(sequence, _)| sequence.parse::<i64>().ok());
        ensure!(
            expect_head.is_none_or(|head| sequence(head).is_some()),
            "this chain is verified in parts: --expect-head must be `sequence:hash`"
        );
        // an earlier part has looked for a head before this one
        let expected = expect_head.filter(|head| sequence(head) >= Some(verified_to));
        let query = json!({ "from_sequence": verified_to, "expect_head": expected });
        let part = api.get(&path, query).await?;
        append(&mut whole, part);
    }
    Ok(whole)
}

/// Appends the verification of the next part of a chain.
fn append(whole: &mut Value, mut part: Value) {
    for name in ["rows", "erased", "attested", "more_faults"] {
        whole[name] = (whole[name].as_u64().unwrap_or(0) + part[name].as_u64().unwrap_or(0)).into();
    }
    whole["ok"] = (whole["ok"] == true && part["ok"] == true).into();
    if let (Some(all), Some(faults)) = (whole["faults"].as_array_mut(), part["faults"].as_array_mut()) {
        all.append(faults);
    }
    for name in ["complete", "verified_to", "head"] {
        whole[name] = part[name].take();
    }
}

/// Shows the result for each chain, by the slug of its tenant or by its file.
fn show(json: bool, found: Vec<(String, Value)>) -> Result<()> {
    let broken = found.iter().filter(|(_, verification)| verification["ok"] != true).count();
    let chains = found.len();
    if json {
        let named = |(name, verification): (String, Value)| {
            let mut row = json!({ "trail": name });
            if let (Some(row), Value::Object(fields)) = (row.as_object_mut(), verification) {
                row.extend(fields);
            }
            row
        };
        output::json(&found.into_iter().map(named).collect::<Vec<_>>())?;
    } else {
        for (name, verification) in &found {
            let state = if verification["ok"] == true { "intact" } else { "BROKEN" };
            let head = verification["head"].as_str().unwrap_or_default();
            output::line(false, &format!("{name}: {state}, {} rows, head {head}", verification["rows"]))?;
            for fault in verification["faults"].as_array().into_iter().flatten() {
                let what = fault["what"].as_str().unwrap_or_default();
                output::line(false, &format!("  at {}: {what}", fault["sequence"]))?;
            }
            if verification["more_faults"] != 0 {
                output::line(false, &format!("  and {} more faults", verification["more_faults"]))?;
            }
        }
    }
    match broken {
        0 => Ok(()),
        _ => bail!("{broken} of {chains} audit trails are broken"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_chain_add_up() {
        let part = |complete: bool, to: u64, faults: Value| {
            json!({
                "ok": faults == json!([]), "complete": complete, "rows": 2, "verified_to": to, "head": "4:ab",
                "erased": 1, "attested": 0, "faults": faults, "more_faults": 0,
            })
        };
        let mut whole = part(false, 2, json!([{ "sequence": 1, "what": "x" }]));
        append(&mut whole, part(true, 4, json!([])));
        assert_eq!(
            whole,
            json!({
                "ok": false, "complete": true, "rows": 4, "verified_to": 4, "head": "4:ab", "erased": 2,
                "attested": 0, "faults": [{ "sequence": 1, "what": "x" }], "more_faults": 0,
            })
        );
    }
}
