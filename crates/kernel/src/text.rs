//! Validation of text from clients.

use crate::{Error, Result};

/// Rejects text that is empty, longer than `max` characters, or contains a NUL, which PostgreSQL can't store.
pub fn bounded(param: &str, text: &str, max: usize) -> Result<()> {
    if text.trim().is_empty() {
        return Err(Error::invalid(param, "must not be empty"));
    }
    if text.chars().count() > max {
        return Err(Error::invalid(param, format!("must be at most {max} characters long")));
    }
    no_nul(param, text)
}

/// The beginning of a text, of at most this many bytes.
pub fn truncate_bytes(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

/// The beginning of a text, of at most this many characters.
pub fn truncate_chars(text: &str, max: usize) -> &str {
    // no text has more characters than bytes
    if text.len() <= max {
        return text;
    }
    text.char_indices().nth(max).map_or(text, |(end, _)| &text[..end])
}

/// Rejects text with a NUL character.
pub fn no_nul(param: &str, text: &str) -> Result<()> {
    if text.contains('\0') { Err(Error::invalid(param, "must not contain a NUL character")) } else { Ok(()) }
}

/// Rejects what can't be used in a URL unescaped: a slug is 1 to `max` of `a-z 0-9 . _ -`, starting with a letter or digit.
pub fn slug(param: &str, text: &str, max: usize) -> Result<()> {
    bounded(param, text, max)?;
    let ok = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    if text.chars().all(ok) && text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        Ok(())
    } else {
        Err(Error::invalid(
            param,
            "must be lower-case letters, digits, `-`, `_` or `.`, and begin with a letter or digit",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_measured_in_characters() {
        assert!(bounded("name", &"ü".repeat(10), 10).is_ok());
        assert!(bounded("name", "简体中文", 4).is_ok());
        let error = bounded("name", &"ü".repeat(11), 10).unwrap_err();
        assert!(error.param() == Some("name") && error.message().contains("10"), "{error}");
    }

    #[test]
    fn a_truncated_text_ends_between_characters() {
        assert_eq!((truncate_bytes("aüb", 2), truncate_chars("aüb", 2)), ("a", "aü"));
        assert_eq!((truncate_bytes("aüb", 9), truncate_chars("aüb", 3)), ("aüb", "aüb"));
        assert_eq!((truncate_bytes("ü", 0), truncate_chars("ü", 0)), ("", ""));
    }

    #[test]
    fn an_empty_text_is_refused_and_so_is_a_nul() {
        for text in ["", " ", "\t\n", "\u{3000}", "a\0b", "\0"] {
            assert_eq!(bounded("name", text, 10).unwrap_err().status(), 400, "{text:?}");
        }
        assert!(no_nul("name", "").is_ok());
        assert!(no_nul("name", "a\0").is_err());
    }

    #[test]
    fn a_slug_can_stand_in_a_url() {
        for text in ["a", "0", "a-b_c.d", "gpt-4o.mini_2"] {
            assert!(slug("slug", text, 20).is_ok(), "{text}");
        }
        for text in [
            "",
            "A",
            "a b",
            "a/b",
            "-a",
            ".",
            "..",
            "_a",
            "ü",
            "a\0",
            "a%20",
            "a?b",
            "a#b",
            "abcdefghijklmnopqrstu",
        ] {
            assert!(slug("slug", text, 20).is_err(), "{text:?}");
        }
    }
}
