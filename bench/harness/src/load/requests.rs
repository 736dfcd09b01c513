//! What is sent: one chat completion again and again, requests from a file in turn, or traces, each once.

use std::path::Path;

use serde::Deserialize;

use super::{Args, Target, traces::Traces};
use crate::prompt;

const JSON: &str = "application/json";

/// A line of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    method: String,
    path: String,
    body: Option<serde_json::Value>,
}

/// What a connection sends.
pub enum Requests {
    /// These in turn; never none.
    InTurn(Vec<Vec<u8>>, usize),
    /// Each once.
    Traces(Box<Traces>),
}

impl Requests {
    /// The bytes of the next request.
    pub fn next(&mut self) -> &[u8] {
        match self {
            Self::InTurn(all, next) => {
                let request = &all[*next];
                *next = (*next + 1) % all.len();
                request
            }
            Self::Traces(traces) => traces.next(),
        }
    }
}

/// What the connection of this number sends.
pub fn requests(args: &Args, target: &Target, number: u64) -> Result<Requests, String> {
    if let Some(shape) = args.traces {
        let request = |body: &[u8]| bytes(args, target, "POST", &target.path, "application/x-protobuf", body);
        return Ok(Requests::Traces(Box::new(Traces::new(shape, args.spread, number, request))));
    }
    in_turn(args, target, number).map(|all| Requests::InTurn(all, 0))
}

fn in_turn(args: &Args, target: &Target, number: u64) -> Result<Vec<Vec<u8>>, String> {
    let Some(file) = &args.requests_from else {
        let body = prompt::chat_body(&args.model, args.stream, args.include_usage, args.body_bytes, number);
        return Ok(vec![bytes(args, target, "POST", &target.path, JSON, &body)]);
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
            Ok(bytes(args, target, &line.method, &line.path, JSON, body.as_bytes()))
        })
        .collect()
}

fn bytes(args: &Args, target: &Target, method: &str, path: &str, kind: &str, body: &[u8]) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", target.authority);
    if !body.is_empty() {
        head.push_str(&format!("content-type: {kind}\r\ncontent-length: {}\r\n", body.len()));
    }
    for (name, value) in &args.headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}
