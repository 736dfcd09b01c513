//! Reads a request that is a form (`multipart/form-data`, RFC 7578), without copying its files.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::HeaderValue;
use loam_kernel::{Error, Kind, Result};
use memchr::memmem;
use serde_json::{Value, json};

use super::request::{OutputLimits, RequestEnvelope};

/// Parts that a form may have.
const MAX_PARTS: usize = 100;
/// Bytes that the headers of a part may have.
const MAX_HEADERS: usize = 8 << 10;

/// A part of a form.
struct Part<'a> {
    name: String,
    filename: Option<String>,
    content_type: Option<&'a str>,
    /// Where its content is in the body.
    span: (usize, usize),
}

fn invalid(why: impl Into<String>) -> Error {
    Error::new(Kind::Invalid, "invalid_form", why)
}

/// Reads the envelope of a form. Its other fields and its files are forwarded unchanged.
pub(super) fn read_form(content_type: Option<&HeaderValue>, body: &[u8]) -> Result<RequestEnvelope> {
    let header = content_type.ok_or_else(|| invalid("the body must be `multipart/form-data`"))?;
    let parts = parts(&boundary(header)?, body)?;
    let mut fields: BTreeMap<&str, &str> = BTreeMap::new();
    for part in parts.iter().filter(|part| part.filename.is_none()) {
        let text = std::str::from_utf8(&body[part.span.0..part.span.1])
            .map_err(|_| Error::invalid(&*part.name, "must be valid UTF-8"))?;
        // a provider might take the other one
        if fields.insert(&part.name, text).is_some() && !part.name.ends_with("[]") {
            return Err(Error::invalid(&*part.name, "is there more than once"));
        }
    }
    let model = parts
        .iter()
        .find(|part| part.name == "model")
        .ok_or_else(|| Error::invalid("model", "is missing"))?;
    if parts.iter().any(|part| part.name == "model" && part.filename.is_some()) {
        return Err(Error::invalid("model", "must be a text, not a file"));
    }
    let stream = match fields.get("stream").map(|text| text.trim().to_ascii_lowercase()).as_deref() {
        None | Some("" | "false" | "0") => false,
        Some("true" | "1") => true,
        Some(_) => return Err(Error::invalid("stream", "must be true or false")),
    };
    let mut envelope = RequestEnvelope::of_model(model.span, OutputLimits::default());
    fields["model"].clone_into(&mut envelope.model);
    envelope.stream = stream;
    envelope.end_user = fields.get("user").filter(|user| !user.is_empty()).map(|user| (*user).to_owned());
    envelope.form = Some(Form { content_type: header.clone(), summary: summary(&parts, &fields) });
    Ok(envelope)
}

/// What a request has if it is a form.
#[derive(Debug)]
pub struct Form {
    /// The content type, with the boundary of its parts.
    pub content_type: HeaderValue,
    /// Its fields, and the names and sizes of its files, as JSON.
    pub summary: Bytes,
}

fn summary(parts: &[Part<'_>], fields: &BTreeMap<&str, &str>) -> Bytes {
    let mut all = serde_json::Map::new();
    for (name, text) in fields {
        all.insert((*name).to_owned(), Value::from(*text));
    }
    for part in parts.iter().filter(|part| part.filename.is_some()) {
        let file = json!({
            "filename": part.filename, "content_type": part.content_type, "bytes": part.span.1 - part.span.0,
        });
        all.insert(part.name.clone(), file);
    }
    Value::Object(all).to_string().into()
}

/// The boundary that a content type names.
fn boundary(header: &HeaderValue) -> Result<String> {
    let text = header.to_str().unwrap_or_default();
    let (kind, parameters) = text.split_once(';').unwrap_or((text, ""));
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return Err(invalid("the body must be `multipart/form-data`"));
    }
    let boundary = parameter(parameters, "boundary").filter(|boundary| (1..=70).contains(&boundary.len()));
    boundary.ok_or_else(|| invalid("the content type must name a boundary of 1 to 70 characters"))
}

/// A parameter of a header, a token or a quoted string; none if it is there more than once.
fn parameter(parameters: &str, wanted: &str) -> Option<String> {
    let (mut rest, mut found) = (parameters, None);
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim_start_matches([';', ' ', '\t']).trim_end();
        let value;
        (value, rest) = match after.strip_prefix('"') {
            None => {
                let end = after.find(';').unwrap_or(after.len());
                (after[..end].trim().to_owned(), &after[end..])
            }
            Some(quoted) => unquote(quoted)?,
        };
        if name.eq_ignore_ascii_case(wanted) && found.replace(value).is_some() {
            return None;
        }
    }
    found
}

/// The content of a quoted string, and what follows it.
fn unquote(quoted: &str) -> Option<(String, &str)> {
    let mut content = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((content, &quoted[at + 1..])),
            '\\' => content.push(characters.next()?.1),
            other => content.push(other),
        }
    }
    None
}

/// The parts of a form. One that a provider might divide otherwise is refused: it could name another model there.
fn parts<'a>(boundary: &str, body: &'a [u8]) -> Result<Vec<Part<'a>>> {
    let delimiter = format!("\r\n--{boundary}");
    let first = &delimiter.as_bytes()[2..];
    let incomplete = || invalid("the form is incomplete: it does not end with its boundary");
    // a form may begin with its boundary, without a line before it
    let mut at = match body.starts_with(first) {
        true => first.len(),
        false => memmem::find(body, delimiter.as_bytes()).ok_or_else(incomplete)? + delimiter.len(),
    };
    let mut all = Vec::new();
    while !body[at..].starts_with(b"--") {
        let rest = &body[at..];
        let line_end = memmem::find(rest, b"\r\n").ok_or_else(incomplete)?;
        let start = at + line_end + 2;
        let headers_len = memmem::find(&body[start..], b"\r\n\r\n").ok_or_else(incomplete)?;
        if all.len() == MAX_PARTS || headers_len > MAX_HEADERS {
            return Err(invalid(format!(
                "a form has at most {MAX_PARTS} parts, each with at most {MAX_HEADERS} bytes of headers"
            )));
        }
        let headers = std::str::from_utf8(&body[start..start + headers_len])
            .map_err(|_| invalid("the headers of a part must be valid UTF-8"))?;
        let content = start + headers_len + 4;
        let length = memmem::find(&body[content..], delimiter.as_bytes()).ok_or_else(incomplete)?;
        let is_blank = rest[..line_end].iter().all(|byte| matches!(byte, b' ' | b'\t'));
        if !is_blank {
            return Err(invalid("a boundary must be a line of its own"));
        }
        all.push(part(headers, (content, content + length))?);
        at = content + length + delimiter.len();
    }
    match memmem::find_iter(body, first).count() == all.len() + 1 {
        true => Ok(all),
        false => Err(invalid("the boundary must not occur within a part")),
    }
}

fn part(headers: &str, span: (usize, usize)) -> Result<Part<'_>> {
    let mut lines = headers.split("\r\n");
    if lines.any(|line| line.starts_with([' ', '\t']) || line.contains(['\r', '\n'])) {
        return Err(invalid("each header of a part must be one line"));
    }
    let values = |wanted: &str| {
        let lines = headers.split("\r\n").filter_map(|line| line.split_once(':'));
        let found = lines.filter(|(name, _)| name.trim().eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value.trim()).collect::<Vec<_>>()
    };
    let [disposition] = values("content-disposition")[..] else {
        return Err(invalid("every part of a form must have one `Content-Disposition`"));
    };
    let (_, parameters) = disposition.split_once(';').unwrap_or_default();
    let name =
        parameter(parameters, "name").ok_or_else(|| invalid("every part of a form must have a name"))?;
    let filename = parameter(parameters, "filename").or_else(|| parameter(parameters, "filename*"));
    Ok(Part { name, filename, content_type: values("content-type").first().copied(), span })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content_type: &'static str, body: &str) -> Result<RequestEnvelope> {
        read_form(Some(&HeaderValue::from_static(content_type)), body.as_bytes())
    }

    const FORM: &str = "multipart/form-data; boundary=xyz";
    const BODY: &str = "--xyz\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\np/whisper-1\r\n\
        --xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a \\\"b\\\".mp3\"\r\n\
        Content-Type: audio/mpeg\r\n\r\nID3\r\n--xy\r\n\r\n--xyz\r\nContent-Disposition: form-data; name=stream\r\n\r\ntrue\r\n--xyz--\r\n";

    #[test]
    fn only_the_model_changes_and_every_other_byte_stays() {
        let envelope = read(FORM, BODY).expect("a form");
        assert_eq!((envelope.model.as_str(), envelope.stream), ("p/whisper-1", true));
        let sent = envelope.with_model(BODY.as_bytes(), "large", None);
        assert_eq!(&sent[..], BODY.replace("p/whisper-1", "large").as_bytes());
        let summary: Value = serde_json::from_slice(&envelope.form.expect("a form").summary).expect("JSON");
        let file = json!({"filename": "a \"b\".mp3", "content_type": "audio/mpeg", "bytes": 11});
        assert_eq!(summary, json!({"model": "p/whisper-1", "stream": "true", "file": file}));
        let quoted = BODY.replace("\r\n--xyz", "\r\n--x'z").replacen("--xyz", "preamble\r\n--x'z", 1);
        assert!(read("Multipart/Form-Data; charset=utf-8; boundary=\"x'z\"", &quoted).is_ok());
    }

    #[test]
    fn an_invalid_form_is_refused_with_the_reason() {
        let code =
            |content_type, body: &str| read(content_type, body).expect_err("refused").code().to_owned();
        for body in
            ["", "model=x", "--xyz", "--xyz\r\n", &BODY[..BODY.len() - 8], &BODY.replace("name=", "nome=")]
        {
            assert_eq!(code(FORM, body), "invalid_form", "{body}");
        }
        for content_type in ["application/json", "multipart/form-data", "multipart/form-data; boundary=\"x"] {
            assert_eq!(code(content_type, BODY), "invalid_form", "{content_type}");
        }
        assert_eq!(read_form(None, BODY.as_bytes()).expect_err("refused").code(), "invalid_form");
        let param = |body: &str| read(FORM, body).expect_err("refused").param().map(str::to_owned);
        assert_eq!(param(&BODY.replace("\"model\"", "\"modal\"")), Some("model".to_owned()));
        assert_eq!(param(&BODY.replace("=stream", "=model")), Some("model".to_owned()));
        assert_eq!(param(&BODY.replace("\r\ntrue\r\n", "\r\nmaybe\r\n")), Some("stream".to_owned()));
        for within in [
            "\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n--xyz",
            "\n--xyz\n",
            "--xyz",
            "\r\n--xyzx\r\n",
        ] {
            assert_eq!(code(FORM, &BODY.replace("ID3", within)), "invalid_form", "{within}");
        }
        for disposition in ["name=\"model\"; name=\"x\"", "name=\"model\"\r\n x=y", "name=\"model\"\nx: y"] {
            let body = BODY.replacen("name=\"model\"", disposition, 1);
            assert_eq!(code(FORM, &body), "invalid_form", "{disposition}");
        }
        let file = BODY.replace("name=\"file\"", "name=\"model\"").replacen("\"model\"", "\"x\"", 1);
        assert_eq!(param(&file), Some("model".to_owned()));
        let empty = "--xyz\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n\r\n--xyz--";
        assert_eq!(read(FORM, empty).expect("a form").model, "");
    }
}
