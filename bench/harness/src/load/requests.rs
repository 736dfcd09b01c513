//! What is sent: one chat completion again and again, or requests from a file in turn.

use std::path::Path;

use serde::Deserialize;

use super::{Args, Target};
use crate::prompt;

/// A line of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    method: String,
    path: String,
    body: Option<serde_json::Value>,
}

/// The bytes of each request that a connection sends in turn.
pub fn requests(args: &Args, target: &Target, number: u64) -> Result<Vec<Vec<u8>>, String> {
    let Some(file) = &args.requests_from else {
        let body = prompt::chat_body(&args.model, args.stream, args.include_usage, args.body_bytes, number);
        return Ok(vec![bytes(args, target, "POST", &target.path, &body)]);
    };
    let mut all = read(args, target, file)?;
    if all.is_empty() {
        return Err(format!("{} holds no request", file.display()));
    }
    // each begins elsewhere, so that they don't all ask for the same at once
    let shift = usize::try_from(number).unwrap_or(0) * all.len() / args.connections.max(1);
    let length = all.len();
    all.rotate_left(shift % length);
    Ok(all)
}

fn read(args: &Args, target: &Target, file: &Path) -> Result<Vec<Vec<u8>>, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| {
            let line: Line = serde_json::from_str(line).map_err(|error| error.to_string())?;
            let body = line.body.map(|body| body.to_string()).unwrap_or_default();
            Ok(bytes(args, target, &line.method, &line.path, body.as_bytes()))
        })
        .collect()
}

fn bytes(args: &Args, target: &Target, method: &str, path: &str, body: &[u8]) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", target.authority);
    if !body.is_empty() {
        head.push_str(&format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len()));
    }
    for (name, value) in &args.headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}
