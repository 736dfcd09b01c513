//! Passwords, kept as Argon2id hashes.

use argon2::Argon2;
use argon2::password_hash::PasswordHasher;
use loam_kernel::{Error, Result};
use zeroize::Zeroizing;

/// Fewer characters are refused; NIST SP 800-63B asks for eight at least.
const MIN: usize = 8;
/// More are refused, as hashing takes time and memory in proportion.
const MAX: usize = 256;

/// The hash to keep, in PHC's string format. Hashing is slow on purpose, so it runs apart from the server's own threads.
pub(crate) async fn hash(password: String) -> Result<String> {
    let length = password.chars().count();
    if !(MIN..=MAX).contains(&length) {
        return Err(Error::invalid("password", format!("must be {MIN} to {MAX} characters long")));
    }
    let password = Zeroizing::new(password);
    let hashed = tokio::task::spawn_blocking(move || {
        Argon2::default()
            .hash_password(password.as_bytes())
            .map(|hash| hash.to_string())
            .map_err(|e| e.to_string())
    });
    hashed.await.map_err(Error::internal)?.map_err(Error::internal)
}
