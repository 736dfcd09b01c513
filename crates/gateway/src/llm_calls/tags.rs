//! The tags of a call: names that a client gives, by which calls are found and summed up.

use http::HeaderMap;
use loam_kernel::{Error, Result};

/// The header with the tags, separated by commas.
pub(crate) const TAGS: &str = "x-loam-tags";
/// Tags of a call, and characters of each.
const MAX_TAGS: usize = 8;
const MAX_CHARS: usize = 64;

/// Reads the tags of a request: sorted, each once.
pub(crate) fn read(headers: &HeaderMap) -> Result<Vec<String>> {
    let mut tags = Vec::new();
    for value in headers.get_all(TAGS) {
        let invalid = || Error::invalid(TAGS, "must be text in UTF-8, without control characters");
        let text = std::str::from_utf8(value.as_bytes()).map_err(|_| invalid())?;
        if text.chars().any(char::is_control) {
            return Err(invalid());
        }
        tags.extend(text.split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned));
    }
    tags.sort_unstable();
    tags.dedup();
    if tags.len() > MAX_TAGS || tags.iter().any(|tag| tag.chars().count() > MAX_CHARS) {
        let message = format!("must be at most {MAX_TAGS} tags of at most {MAX_CHARS} characters each");
        return Err(Error::invalid(TAGS, message));
    }
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn tags(values: &[&str]) -> Result<Vec<String>> {
        let value = |text: &&str| HeaderValue::from_bytes(text.as_bytes()).expect("a header");
        read(&values.iter().map(|text| (http::HeaderName::from_static(TAGS), value(text))).collect())
    }

    #[test]
    fn tags_are_separated_by_commas_and_bounded() {
        assert_eq!(tags(&[]).expect("none"), Vec::<String>::new());
        assert_eq!(tags(&[" b , a,,a", "搜索"]).expect("three"), ["a", "b", "搜索"]);
        assert_eq!(tags(&["a,b,c,d,e,f,g,h"]).expect("eight").len(), 8);
        for wrong in ["a,b,c,d,e,f,g,h,i", &"x".repeat(65), "a\tb"] {
            let error = tags(&[wrong]).expect_err(wrong);
            assert_eq!((error.status(), error.param()), (400, Some(TAGS)));
        }
    }
}
