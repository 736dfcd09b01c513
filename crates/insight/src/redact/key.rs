//! Patterns of cache keys, without their variable parts.

/// The pattern of a key: `user:123:profile` becomes `user:?:profile`. Of a command, only the command and the key are
/// kept: `SET user:123 …` becomes `SET user:? ?`.
pub(crate) fn key(text: &str) -> String {
    let mut words = text.split_whitespace();
    let (Some(first), second, more) = (words.next(), words.next(), words.next().is_some()) else {
        return String::new();
    };
    match second {
        Some(second) if first.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
            format!("{first} {}{}", pattern(second), if more { " ?" } else { "" })
        }
        Some(_) => format!("{} ?", pattern(first)),
        None => pattern(first),
    }
}

fn pattern(key: &str) -> String {
    let mut clean = String::with_capacity(key.len());
    let mut rest = key;
    loop {
        let end = rest.find([':', '/', '.', '|', '#']).unwrap_or(rest.len());
        clean.push_str(if is_variable(&rest[..end]) { "?" } else { &rest[..end] });
        let Some(mark) = rest[end..].chars().next() else { return clean };
        clean.push(mark);
        rest = &rest[end + mark.len_utf8()..];
    }
}

/// Whether a segment of a key or path is an id rather than a word: a number, UUID, hash, token or address.
pub(crate) fn is_variable(part: &str) -> bool {
    let digits = part.bytes().filter(u8::is_ascii_digit).count();
    let letters = part.bytes().filter(u8::is_ascii_alphabetic).count();
    let hex = part.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let plain =
        part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'=' | b'~'));
    match part.len() {
        0 => false,
        _ if letters == 0 && digits > 0 => true,
        _ if part.contains('@') || part.contains('%') => true,
        8.. if hex && digits > 0 => true,
        16.. if plain && digits > 1 && letters > 0 => true,
        32.. if plain && !part.contains(['-', '_']) => true,
        80.. => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similar_keys_have_the_same_pattern() {
        for (before, after) in [
            ("user:123:profile", "user:?:profile"),
            ("session:9f86d081884c7d659a2feaa0c55ad015", "session:?"),
            ("GET user:42", "GET user:?"),
            ("SET user:42 {\"name\": \"x\"}", "SET user:? ?"),
            ("config", "config"),
            ("", ""),
        ] {
            assert_eq!(key(before), after);
        }
    }

    #[test]
    fn ids_are_distinguished_from_words() {
        for id in [
            "7",
            "0019",
            "2024-01-31",
            "550e8400-e29b-41d4-a716-446655440000",
            "deadbeef0",
            "01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "a@b.example",
        ] {
            assert!(is_variable(id), "{id}");
        }
        for word in
            ["users", "v1", "oauth2", "facade", "user-settings", "organization_members", "{id}", "café"]
        {
            assert!(!is_variable(word), "{word}");
        }
    }
}
