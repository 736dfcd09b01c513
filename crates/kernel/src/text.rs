//! Checks that every text from outside passes.

use crate::{Error, Result};

/// Refuses a text that is empty, longer than `max` characters, or holds a NUL, which PostgreSQL can't store.
pub fn bounded(param: &str, text: &str, max: usize) -> Result<()> {
    if text.trim().is_empty() {
        return Err(Error::invalid(param, "must not be empty"));
    }
    if text.chars().count() > max {
        return Err(Error::invalid(param, format!("must be at most {max} characters long")));
    }
    no_nul(param, text)
}

/// Refuses a text with a NUL character.
pub fn no_nul(param: &str, text: &str) -> Result<()> {
    if text.contains('\0') { Err(Error::invalid(param, "must not contain a NUL character")) } else { Ok(()) }
}

/// Refuses what can't stand in a URL as it is: a slug is 1 to `max` of `a-z 0-9 . _ -`, beginning with a letter or digit.
pub fn slug(param: &str, text: &str, max: usize) -> Result<()> {
    bounded(param, text, max)?;
    let ok = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    if text.chars().all(ok) && text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        Ok(())
    } else {
        Err(Error::invalid(param, "must be lower-case letters, digits, `-`, `_` or `.`, and begin with a letter or digit"))
    }
}
