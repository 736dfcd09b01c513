//! The secrets of a tool, its header values and its signing secret: sealed in the database, masked in
//! responses.

use std::collections::BTreeMap;

use loam_db::Find;
use loam_kernel::{ChatSessionId, Clock, Error, Result};
use loam_platform::origin;
use loam_platform::seal::{Keyring, SealedRows, Visit, masked, visit_json};
use sea_orm::{ColumnTrait, QueryFilter};
use serde_json::Value;
use zeroize::Zeroizing;

use super::check::is_masked;
use super::declaration::{Execution, HttpExecution, KEY, ToolDeclaration};
use crate::session_configs::entity::{Column, Entity, Model};

/// The path that a sealed secret is bound to.
fn seal_path(session: ChatSessionId, tool: &str, name: &str) -> String {
    format!("session_configs/{session}/tools.{tool}.{name}")
}

impl SealedRows for Entity {
    const SEALED: &'static [Column] = &[Column::Value];

    fn filter(find: Find<'_, Self>) -> Find<'_, Self> {
        find.filter(Column::Key.eq(KEY))
    }

    fn each(row: &mut Model, visit: Visit<'_>) -> Result<()> {
        let session = row.session_id;
        // The value of any other setting is the caller's data, whatever it looks like.
        let tools = if row.key == KEY { row.value.as_array_mut() } else { None };
        for tool in tools.into_iter().flatten() {
            let name = tool["function"]["name"].as_str().unwrap_or_default().to_owned();
            let Some(execution) = tool.get_mut("execution") else { continue };
            let headers = execution.get_mut("headers").and_then(Value::as_object_mut);
            for (header, value) in headers.into_iter().flatten() {
                visit_json(&seal_path(session, &name, &format!("headers.{header}")), value, visit)?;
            }
            if let Some(secret) = execution.get_mut("secret") {
                visit_json(&seal_path(session, &name, "secret"), secret, visit)?;
            }
        }
        Ok(())
    }
}

/// Replaces each secret of a tool; `change` gets its field name.
fn each(tool: &mut ToolDeclaration, mut change: impl FnMut(&str, &Value) -> Result<Value>) -> Result<()> {
    let Execution::Http(request) = &mut tool.execution else { return Ok(()) };
    for (name, value) in &mut request.headers {
        *value = change(&format!("headers.{name}"), value)?;
    }
    if let Some(value) = &mut request.secret {
        *value = change("secret", value)?;
    }
    Ok(())
}

/// Seals the secrets of validated tools. A masked secret keeps the stored value if the tool of that name
/// still sends it to the same server: permission to change a tool must not reveal its secrets.
pub(super) fn seal(
    keyring: &Keyring,
    clock: &Clock,
    session: ChatSessionId,
    before: &[ToolDeclaration],
    tools: &mut [ToolDeclaration],
) -> Result<()> {
    for (i, tool) in tools.iter_mut().enumerate() {
        let (name, url) = (tool.name().to_owned(), url(tool).map(str::to_owned));
        let old = before.iter().find(|old| old.name() == name);
        each(tool, |field, value| {
            let param = || format!("tools[{i}].execution.{field}");
            match value.as_str() {
                Some(secret) => keyring.seal_json(clock, &seal_path(session, &name, field), secret),
                None if is_masked(value) => {
                    let stored = old.and_then(|old| stored_secret(old, field));
                    let stored = stored.ok_or_else(|| {
                        Error::invalid(param(), "has no stored value; send the secret itself")
                    })?;
                    origin::check_same_origin(param(), old.and_then(self::url), url.as_deref())?;
                    Ok(stored.clone())
                }
                None => Err(Error::invalid(param(), "must be a string")),
            }
        })?;
    }
    Ok(())
}

fn stored_secret<'a>(tool: &'a ToolDeclaration, field: &str) -> Option<&'a Value> {
    let Execution::Http(request) = &tool.execution else { return None };
    match field.strip_prefix("headers.") {
        Some(header) => request.headers.get(header),
        None => request.secret.as_ref(),
    }
}

/// The URL of a tool's requests.
fn url(tool: &ToolDeclaration) -> Option<&str> {
    let Execution::Http(request) = &tool.execution else { return None };
    Some(&request.url)
}

/// The tool with masked secrets.
pub(super) fn mask(mut tool: ToolDeclaration) -> ToolDeclaration {
    // Masking can't fail.
    _ = each(&mut tool, |_, value| Ok(masked(value)));
    tool
}

/// The opened secrets of a tool.
pub(super) struct ToolSecrets {
    pub(super) headers: BTreeMap<String, Zeroizing<String>>,
    pub(super) secret: Option<Zeroizing<String>>,
}

/// Opens the secrets of a tool declared in this session.
pub(super) fn open(
    keyring: &Keyring,
    session: ChatSessionId,
    tool: &str,
    request: &HttpExecution,
) -> Result<ToolSecrets> {
    let open = |field: &str, value: &Value| keyring.open_json(&seal_path(session, tool, field), value);
    let headers = request.headers.iter().map(|(name, value)| {
        let value = open(&format!("headers.{name}"), value)?;
        Ok((name.clone(), value))
    });
    let secret = request.secret.as_ref().map(|value| open("secret", value)).transpose()?;
    Ok(ToolSecrets { headers: headers.collect::<Result<_>>()?, secret })
}
