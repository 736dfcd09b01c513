//! Taking secrets out of what is recorded: by the names of fields, and by what secrets look like.

use std::borrow::Cow;

use serde_json::Value;

pub use super::names::{is_secret, is_secret_attribute, is_secret_parameter};

/// What stands in the place of a secret.
pub const REDACTED: &str = "[redacted]";

/// How keys of well-known makers begin, Loam's own first.
const PREFIXES: [&str; 12] =
    ["loam_", "sk-", "sk_", "pk_", "ghp_", "github_pat_", "gsk_", "xai-", "xox", "hf_", "AKIA", "AIza"];

/// Shorter than this, nothing is taken for a key.
const SHORTEST: usize = 12;

/// A text without what looks like a secret: keys by their beginning, JSON web tokens, passwords in URLs.
pub fn text(text: &str) -> Cow<'_, str> {
    // a password in a URL can be short, but not with its scheme and host
    if text.len() < SHORTEST {
        return Cow::Borrowed(text);
    }
    let mut spans: Vec<(usize, usize)> =
        words(text)
            .filter_map(|(from, to)| {
                if looks_secret(&text[from..to]) { Some((from, to)) } else { password(text, from, to) }
            })
            .collect();
    if text.contains(['?', '&']) {
        spans.extend(parameters(text));
    }
    if text.contains("://") {
        spans.extend(paths(text));
    }
    if spans.is_empty() {
        return Cow::Borrowed(text);
    }
    spans.sort_unstable();
    let mut clean = String::with_capacity(text.len());
    let mut done = 0;
    for (from, to) in spans {
        if from >= done {
            clean.push_str(&text[done..from]);
            clean.push_str(REDACTED);
        }
        done = done.max(to);
    }
    clean.push_str(&text[done..]);
    Cow::Owned(clean)
}

/// The beginning of what another server answered, for people to see: without control characters, without the secrets that
/// it was sent and may have repeated, and without what looks like one.
#[must_use]
pub fn excerpt(answer: &str, max: usize, sent: &[&str]) -> String {
    // room for a secret that the end of the excerpt would cut in half
    let longest = sent.iter().map(|secret| secret.len()).max().unwrap_or(0);
    let mut shown: String = answer.chars().take(max + longest).collect();
    for secret in sent.iter().filter(|secret| !secret.is_empty()) {
        shown = shown.replace(secret, REDACTED);
    }
    let shown = text(&shown);
    let mut plain: String =
        shown.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).take(max).collect();
    if shown.chars().nth(max).is_some() || answer.chars().nth(max + longest).is_some() {
        plain.push('…');
    }
    plain
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
        // a secret as readers see it: that there is one, and how it ends
        Value::Object(fields) if fields.get("sealed") == Some(&Value::Bool(true)) && fields.len() <= 2 => {}
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

/// The values of secret parameters in what may be a URL: `?token=…`.
fn parameters(text: &str) -> impl Iterator<Item = (usize, usize)> + '_ {
    text.match_indices(['?', '&']).filter_map(|(at, _)| {
        let rest = &text[at + 1..];
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '[' | ']');
        let length = rest.find(|c| !is_name(c))?;
        let value = rest[length..].strip_prefix('=')?;
        let end = value.find(['&', '#', '"', '\'', '<', '>', '`', ',', ')']).unwrap_or(value.len());
        let end = value[..end].find(char::is_whitespace).unwrap_or(end);
        let from = at + 1 + length + 1;
        (end > 0 && is_secret_parameter(&rest[..length])).then_some((from, from + end))
    })
}

/// What is secret in the path of a URL: all behind a host or a part of the path that takes hooks, as whoever knows the
/// address may post there; and the token of a bot of Telegram's.
fn paths(text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (at, mark) in text.match_indices("://") {
        let begin = at + mark.len();
        let ends =
            |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '`' | '?' | '#' | ',' | ')');
        let end = text[begin..].find(ends).map_or(text.len(), |length| begin + length);
        let Some(slash) = text[begin..end].find('/').map(|length| begin + length) else { continue };
        let mut hook = text[begin..slash].contains("hook");
        let mut from = slash + 1;
        for part in text[slash + 1..end].split('/') {
            let to = from + part.len();
            let is_bot = part
                .strip_prefix("bot")
                .is_some_and(|rest| rest.contains(':') && rest.starts_with(|c: char| c.is_ascii_digit()));
            if is_bot || (hook && is_random(part)) {
                found.push((from, to));
            }
            hook |= part.contains("hook");
            from = to + 1;
        }
    }
    found
}

/// Whether a part of a path looks as if it had been drawn, rather than named.
fn is_random(part: &str) -> bool {
    let has_digit = part.bytes().any(|byte| byte.is_ascii_digit());
    part.len() >= 24 || (part.len() >= 8 && has_digit)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_excerpt_repeats_no_secret_that_was_sent() {
        assert_eq!(excerpt("wrong key hunter2-hunter2", 100, &["hunter2-hunter2"]), "wrong key [redacted]");
        assert_eq!(excerpt("wrong key hunter2-hunter2", 14, &["hunter2-hunter2"]), "wrong key [red…");
        assert_eq!(excerpt("a\0b\u{1b}[31mc\nd", 100, &[""]), "a b [31mc\nd");
        assert_eq!(excerpt(&"x".repeat(50), 10, &[]), format!("{}…", "x".repeat(10)));
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
                "https://hooks.slack.com/services/T00000000/B00000000/abcdefghijklmnopqrstuvwx failed",
                "https://hooks.slack.com/services/[redacted]/[redacted]/[redacted] failed",
            ),
            (
                "https://open.feishu.cn/open-apis/bot/v2/hook/1e5e-4d2a",
                "https://open.feishu.cn/open-apis/bot/v2/hook/[redacted]",
            ),
            ("https://bots.example.com/webhooks/loam", "https://bots.example.com/webhooks/loam"),
            (
                "POST https://api.telegram.org/bot123456:AAHdqTcvCH1vGWJxf/sendMessage",
                "POST https://api.telegram.org/[redacted]/sendMessage",
            ),
            (
                "https://oapi.example.com/robot/send?access_token=abc&page=2#x",
                "https://oapi.example.com/robot/send?access_token=[redacted]&page=2#x",
            ),
            ("GET /a?max_tokens=5&key=abc%20d is slow", "GET /a?max_tokens=5&key=[redacted] is slow"),
            ("what? this & that = nothing", "what? this & that = nothing"),
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
