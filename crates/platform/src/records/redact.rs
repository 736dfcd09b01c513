//! Taking secrets out of what is recorded: by the names of fields, and by what secrets look like.

use std::borrow::Cow;

use serde_json::Value;

/// What stands in the place of a secret.
pub const REDACTED: &str = "[redacted]";

/// Parts of names whose values are secrets.
const NAMES: [&str; 14] = [
    "secret",
    "token",
    "password",
    "passwd",
    "passphrase",
    "api_key",
    "apikey",
    "authorization",
    "credential",
    "cookie",
    "private_key",
    "access_key",
    "project_key",
    "signature",
];

/// How keys of well-known makers begin, Loam's own first.
const PREFIXES: [&str; 12] =
    ["loam_", "sk-", "sk_", "pk_", "ghp_", "github_pat_", "gsk_", "xai-", "xox", "hf_", "AKIA", "AIza"];

/// Shorter than this, nothing is taken for a key.
const SHORTEST: usize = 12;

/// Whether a header, field or parameter of this name holds a secret.
pub fn is_secret(name: &str) -> bool {
    // what nearly every request has needs no search
    if matches!(
        name,
        "host"
            | "accept"
            | "accept-encoding"
            | "connection"
            | "content-length"
            | "content-type"
            | "user-agent"
    ) {
        return false;
    }
    let name = name.to_ascii_lowercase().replace('-', "_");
    NAMES.iter().any(|part| name.contains(part)) || name == "auth" || name == "x_api_key"
}

/// A text without what looks like a secret: keys by their beginning, JSON web tokens, passwords in URLs.
pub fn text(text: &str) -> Cow<'_, str> {
    // a password in a URL can be short, but not with its scheme and host
    if text.len() < SHORTEST {
        return Cow::Borrowed(text);
    }
    let mut clean = String::new();
    let mut done = 0;
    for (from, to) in words(text) {
        let word = &text[from..to];
        let hidden = if looks_secret(word) { Some((from, to)) } else { password(text, from, to) };
        if let Some((from, to)) = hidden.filter(|(from, _)| *from >= done) {
            clean.push_str(&text[done..from]);
            clean.push_str(REDACTED);
            done = to;
        }
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    clean.push_str(&text[done..]);
    Cow::Owned(clean)
}

/// A document without secrets.
pub fn json(value: &mut Value) {
    match value {
        Value::String(words) => {
            if let Cow::Owned(clean) = text(words) {
                *words = clean;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(json),
        Value::Object(fields) => {
            for (name, value) in fields {
                // headers are mostly credentials, whatever they are called
                if is_secret(name) || name == "headers" { hide(value) } else { json(value) }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Hides every text of a secret's value. Numbers stay: `max_tokens` is no secret.
fn hide(value: &mut Value) {
    match value {
        Value::String(text) => REDACTED.clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(hide),
        Value::Object(fields) => fields.values_mut().for_each(hide),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The places of what keys can be made of.
fn words(text: &str) -> impl Iterator<Item = (usize, usize)> + '_ {
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let (bytes, mut from) = (text.as_bytes(), 0);
    std::iter::from_fn(move || {
        let begin = from + bytes[from..].iter().position(part)?;
        let end =
            bytes[begin..].iter().position(|byte| !part(byte)).map_or(text.len(), |length| begin + length);
        from = end;
        Some((begin, end))
    })
}

fn looks_secret(word: &str) -> bool {
    let key = word.len() >= SHORTEST
        && PREFIXES.iter().any(|prefix| word.starts_with(prefix))
        && word.bytes().any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase() || word.len() >= 24);
    let web_token = word.len() >= 30 && word.starts_with("eyJ") && word.matches('.').count() >= 2;
    key || web_token
}

/// The password of a URL, `scheme://user:password@host`, whose user is the word given.
fn password(text: &str, from: usize, to: usize) -> Option<(usize, usize)> {
    let rest = text[to..].strip_prefix(':')?;
    if !text[..from].ends_with("://") {
        return None;
    }
    let end = rest.find(|c: char| c == '/' || c == '"' || c.is_whitespace()).unwrap_or(rest.len());
    let at = rest[..end].rfind('@')?;
    Some((to + 1, to + 1 + at))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_known_by_the_name_of_their_field() {
        for name in [
            "Authorization",
            "x-api-key",
            "Set-Cookie",
            "clientSecret",
            "api_key",
            "ACCESS_TOKEN",
            "X-Signature",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["content-type", "model", "key_id", "user-agent", "limit", "author"] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn a_document_loses_its_secrets_and_nothing_else() {
        let mut document = json!({
            "name": "x", "max_tokens": 5, "password": "hunter2", "config": { "api_key": ["a", { "b": "c" }], "note": "sk-0123456789abcdef" },
            "messages": [{ "content": "my key is loam_abcdefghijkmnpqrstuvwxyz23456789, use it" }]
        });
        json(&mut document);
        assert_eq!(
            document,
            json!({
                "name": "x", "max_tokens": 5, "password": "[redacted]",
                "config": { "api_key": ["[redacted]", { "b": "[redacted]" }], "note": "[redacted]" },
                "messages": [{ "content": "my key is [redacted], use it" }]
            })
        );
    }

    #[test]
    fn secrets_are_known_by_what_they_look_like() {
        for (before, after) in [
            ("Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl!", "Bearer [redacted]!"),
            ("postgres://loam:p@ss:word@db:5432/x is away", "postgres://loam:[redacted]@db:5432/x is away"),
            ("sk-proj-0123456789 and ghp_0123456789ab", "[redacted] and [redacted]"),
            ("https://example.com:443/a", "https://example.com:443/a"),
            (
                "task-oriented sk-learn loam_platform::drain ümlaut: 简体",
                "task-oriented sk-learn loam_platform::drain ümlaut: 简体",
            ),
            ("", ""),
        ] {
            assert_eq!(text(before), after);
        }
    }
}
