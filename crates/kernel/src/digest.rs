//! A digest of several values.

use sha2::{Digest, Sha256};

/// The SHA-256 of parts, each preceded by its length in eight bytes, so that different lists never have the same input,
/// as `["a/b", "c"]` and `["a", "b/c"]` would if they were joined by a separator.
///
/// Ids in databases are derived from it, so its format never changes. Where the number or meaning of the parts varies,
/// the first part is a label of what is hashed.
pub fn digest_of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(parts: &[&str]) -> String {
        crate::hex(digest_of(parts.iter().map(|part| part.as_bytes())))
    }

    #[test]
    fn parts_that_are_cut_elsewhere_have_another_digest() {
        let cut = [&["a/b", "c"][..], &["a", "b/c"], &["a/b/c"], &["a/b", "c", ""], &["", "a/b", "c"], &[]];
        for (i, one) in cut.iter().enumerate() {
            assert!(cut[i + 1..].iter().all(|other| hex(one) != hex(other)), "{one:?}");
        }
    }

    #[test]
    fn the_format_stays_what_it_is() {
        let kept = "561ecb65627b868836edd5280e4cdf4c";
        assert_eq!(&hex(&["user:1", "key"])[..32], kept);
    }
}
