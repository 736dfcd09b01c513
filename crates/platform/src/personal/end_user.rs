//! The application's own end users, as they are called in rows.

use std::borrow::Cow;

use loam_kernel::hex;
use sha2::{Digest, Sha256};

/// Bytes of a name that is stored as it is.
const MAX: usize = 255;

/// What an application's end user is called in rows, and so what to look for: the application's own name. One that is
/// too long, or that a database can't hold, is known by its digest, so that the same name is always the same person.
pub fn end_user_key(name: &str) -> Option<Cow<'_, str>> {
    match name {
        "" => None,
        name if name.len() <= MAX && !name.contains('\0') => Some(Cow::Borrowed(name)),
        name => Some(Cow::Owned(format!("sha256:{}", hex(Sha256::digest(name))))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_bounded_and_always_the_same() {
        assert_eq!(end_user_key("bob-1").as_deref(), Some("bob-1"));
        assert_eq!(end_user_key(""), None);
        let long = end_user_key(&"x".repeat(256)).expect("a name").into_owned();
        assert_eq!((long.len(), &long[..7]), (71, "sha256:"));
        assert_eq!(end_user_key(&long).as_deref(), Some(long.as_str()), "what is shown can be looked for");
        assert!(end_user_key("a\0b").expect("a name").starts_with("sha256:"));
    }
}
