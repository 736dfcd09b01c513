//! Ids of tool calls, for Anthropic and its clients: they accept letters, digits, `_` and `-` only, while other
//! providers send ids such as `functions.Bash:0`. An id is mapped so that it can be mapped back: the provider that
//! made it recognizes it, and a call and its result stay alike.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What a mapped id begins with.
const MAPPED: &str = "id64_";

/// The id as Anthropic accepts it.
pub(super) fn to_anthropic(id: &str) -> Cow<'_, str> {
    let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !id.is_empty() && id.bytes().all(is_valid) && !id.starts_with(MAPPED) {
        return Cow::Borrowed(id);
    }
    Cow::Owned(format!("{MAPPED}{}", URL_SAFE_NO_PAD.encode(id)))
}

/// The id that [`to_anthropic`] mapped; others are unchanged.
pub(super) fn from_anthropic(id: &str) -> Cow<'_, str> {
    let decoded = id.strip_prefix(MAPPED).and_then(|encoded| URL_SAFE_NO_PAD.decode(encoded).ok());
    match decoded.map(String::from_utf8) {
        Some(Ok(original)) => Cow::Owned(original),
        _ => Cow::Borrowed(id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_mapped_only_if_anthropic_would_refuse_it_and_can_be_mapped_back() {
        for id in ["toolu_01A-b", "call_0"] {
            assert_eq!(to_anthropic(id), id);
        }
        for id in ["functions.Bash:0", "functions.Bash:1", "Grüße", "", "id64_x"] {
            let mapped = to_anthropic(id);
            assert!(mapped.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)), "{mapped}");
            assert_eq!((from_anthropic(&mapped).as_ref(), mapped == id), (id, false));
        }
        assert_eq!(from_anthropic("id64_ä"), "id64_ä");
    }
}
