//! Fingerprints of errors, by which similar errors are grouped.

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The digest of an error's type and message, without variable parts.
pub(super) fn fingerprint(kind: &str, message: &str) -> [u8; 16] {
    let digest =
        Sha256::new().chain_update(kind).chain_update([0]).chain_update(normalised(message)).finalize();
    let mut short = [0; 16];
    short.copy_from_slice(&digest[..16]);
    short
}

/// The id of the group with this fingerprint: the same on every node.
pub(super) fn group_id(fingerprint: [u8; 16]) -> Uuid {
    uuid::Builder::from_custom_bytes(fingerprint).into_uuid()
}

/// A message without ids, numbers and quotations.
fn normalised(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    let mut rest = message;
    let mut before = ' ';
    while let Some(c) = rest.chars().next() {
        let quoted = matches!(c, '"' | '`' | '\'').then(|| rest[1..].find(c)).flatten();
        // an apostrophe within a word is not a quotation mark
        let taken = if let (Some(end), false) = (quoted, before.is_alphanumeric()) {
            out.push('?');
            end + 2
        } else if is_word(c) {
            let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            let word = &rest[..end];
            out.push_str(if word.contains(|c: char| c.is_ascii_digit()) { "#" } else { word });
            end
        } else {
            if !(c.is_whitespace() && out.ends_with(' ')) {
                out.push(if c.is_whitespace() { ' ' } else { c });
            }
            c.len_utf8()
        };
        before = rest[..taken].chars().next_back().unwrap_or(' ');
        rest = &rest[taken..];
    }
    out
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_varies_makes_no_difference() {
        for (message, common) in [
            (
                "job 0192aabb-ccdd-7eee-8fff-001122334455 failed after 3 attempts",
                "job # failed after # attempts",
            ),
            ("no column \"user_name\" in `users`", "no column ? in ?"),
            ("can't reach 10.0.0.1:5432:  don't wait", "can't reach #.#.#.#:#: don't wait"),
            ("an open \" quotation", "an open \" quotation"),
            ("简体 12 \u{1f980}", "简体 # \u{1f980}"),
        ] {
            assert_eq!(normalised(message), common);
        }
    }

    #[test]
    fn errors_are_told_apart_by_type_and_message() {
        let of = fingerprint;
        assert_eq!(of("a", "took 5 ms"), of("a", "took 612 ms"));
        assert_ne!(of("a", "took 5 ms"), of("b", "took 5 ms"));
        assert_ne!(of("a", "took 5 ms"), of("a", "takes 5 ms"));
        assert_eq!(group_id(of("a", "x")), group_id(of("a", "x")));
    }
}
