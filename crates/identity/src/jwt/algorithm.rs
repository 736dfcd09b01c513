//! Signature algorithms.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A signature algorithm of tokens. `none` is not supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum Algorithm {
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// ECDSA over P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// ECDSA over P-384 with SHA-384.
    #[serde(rename = "ES384")]
    Es384,
    /// RSA, PKCS#1 1.5, with SHA-256; 2,048 bits at least.
    #[serde(rename = "RS256")]
    Rs256,
    /// RSA-PSS with SHA-256; 2,048 bits at least.
    #[serde(rename = "PS256")]
    Ps256,
    /// HMAC with SHA-256 and a shared secret.
    #[serde(rename = "HS256")]
    Hs256,
}

impl Algorithm {
    /// The algorithms with public keys.
    pub(crate) const PUBLIC: [Self; 5] = [Self::EdDsa, Self::Es256, Self::Es384, Self::Rs256, Self::Ps256];

    /// The name in the header (`alg`).
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Hs256 => "HS256",
        }
    }
}
