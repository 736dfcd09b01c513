//! The secrets of a tool, the values of its headers and what its requests are signed with: sealed where they are kept,
//! masked where they are read.

use std::collections::BTreeMap;

use http::Uri;
use loam_kernel::{ChatSessionId, Clock, Error, Result};
use loam_platform::seal::{Keyring, masked};
use serde_json::Value;
use zeroize::Zeroizing;

use super::check::is_kept;
use super::declaration::{Execution, HttpExecution, ToolDeclaration};

/// Where a secret is kept, to which its sealing is bound.
fn place(session: ChatSessionId, tool: &str, name: &str) -> String {
    format!("session_configs/{session}/tools.{tool}.{name}")
}

/// Changes each secret of a tool, given its name.
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

/// Seals the secrets of tools that have been checked. One that is given as it is read stays as it was, if the tool of that
/// name still sends it to the same server: who may change a tool may not thereby learn what it is trusted with.
pub(super) fn seal(
    keyring: &Keyring,
    clock: &Clock,
    session: ChatSessionId,
    before: &[ToolDeclaration],
    tools: &mut [ToolDeclaration],
) -> Result<()> {
    for (i, tool) in tools.iter_mut().enumerate() {
        let (name, origin) = (tool.name().to_owned(), origin(tool));
        let old = before.iter().find(|old| old.name() == name);
        each(tool, |field, value| {
            let param = || format!("tools[{i}].execution.{field}");
            match value.as_str() {
                Some(secret) => keyring.seal_json(clock, &place(session, &name, field), secret),
                None if is_kept(value) => {
                    let kept = old.and_then(|old| kept(old, field));
                    let kept =
                        kept.ok_or_else(|| Error::invalid(param(), "is not kept; send the value itself"))?;
                    match old.and_then(self::origin) == origin {
                        true => Ok(kept.clone()),
                        false => Err(Error::invalid(param(), "goes to another server now; send it again")),
                    }
                }
                None => Err(Error::invalid(param(), "must be a string")),
            }
        })?;
    }
    Ok(())
}

fn kept<'a>(tool: &'a ToolDeclaration, field: &str) -> Option<&'a Value> {
    let Execution::Http(request) = &tool.execution else { return None };
    match field.strip_prefix("headers.") {
        Some(header) => request.headers.get(header),
        None => request.secret.as_ref(),
    }
}

/// The server that a tool's requests go to: scheme, host and port.
fn origin(tool: &ToolDeclaration) -> Option<(String, String)> {
    let Execution::Http(request) = &tool.execution else { return None };
    let uri: Uri = request.url.parse().ok()?;
    Some((uri.scheme_str()?.to_owned(), uri.authority()?.as_str().to_ascii_lowercase()))
}

/// A tool as a reader sees it.
pub(super) fn mask(mut tool: ToolDeclaration) -> ToolDeclaration {
    // masking can't fail
    _ = each(&mut tool, |_, value| Ok(masked(value)));
    tool
}

/// The secrets of a request, opened.
pub(super) struct Opened {
    pub(super) headers: BTreeMap<String, Zeroizing<String>>,
    pub(super) secret: Option<Zeroizing<String>>,
}

/// Opens the secrets of a tool that was declared in this session.
pub(super) fn open(
    keyring: &Keyring,
    session: ChatSessionId,
    tool: &str,
    request: &HttpExecution,
) -> Result<Opened> {
    let open = |field: &str, value: &Value| keyring.open_json(&place(session, tool, field), value);
    let headers = request.headers.iter().map(|(name, value)| {
        let value = open(&format!("headers.{name}"), value)?;
        Ok((name.clone(), value))
    });
    let secret = request.secret.as_ref().map(|value| open("secret", value)).transpose()?;
    Ok(Opened { headers: headers.collect::<Result<_>>()?, secret })
}
