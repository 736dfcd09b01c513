//! Keys: each type of key accepts only its own algorithms, so a public key can never be used as a shared secret.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use loam_kernel::{Error, Result};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, Ed25519KeyPair, KeyPair,
    RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
    VerificationAlgorithm,
};
use ring::{hmac, rand};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::Algorithm;

/// A JSON Web Key (RFC 7517), as far as its fields are used.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Jwk {
    pub(crate) kty: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) kid: Option<String>,
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) purpose: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) alg: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    crv: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    x: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    y: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    n: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    e: Option<String>,
}

/// A key that verifies signatures.
pub(crate) enum VerifyingKey {
    /// Ed25519.
    Ed25519(Vec<u8>),
    /// P-256, as an uncompressed point.
    P256(Vec<u8>),
    /// P-384, as an uncompressed point.
    P384(Vec<u8>),
    /// RSA.
    Rsa {
        /// The modulus.
        n: Vec<u8>,
        /// The exponent.
        e: Vec<u8>,
    },
    /// A shared secret.
    Secret(hmac::Key),
}

impl VerifyingKey {
    /// A shared secret.
    pub(crate) fn secret(secret: &[u8]) -> Self {
        Self::Secret(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// A public key; `None` for an unsupported type, or one that is not for signatures.
    pub(crate) fn public(jwk: &Jwk) -> Option<Self> {
        if jwk.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let bytes = |field: &Option<String>| URL_SAFE_NO_PAD.decode(field.as_deref()?).ok();
        let point = || Some([&[4][..], &bytes(&jwk.x)?, &bytes(&jwk.y)?].concat());
        match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("OKP", Some("Ed25519")) => Some(Self::Ed25519(bytes(&jwk.x)?)),
            ("EC", Some("P-256")) => Some(Self::P256(point()?)),
            ("EC", Some("P-384")) => Some(Self::P384(point()?)),
            ("RSA", _) => Some(Self::Rsa { n: bytes(&jwk.n)?, e: bytes(&jwk.e)? }),
            _ => None,
        }
    }

    /// Whether the signature is valid for this key and algorithm.
    pub(crate) fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let by = |key: &[u8], algorithm: &'static dyn VerificationAlgorithm| {
            UnparsedPublicKey::new(algorithm, key).verify(message, signature).is_ok()
        };
        match (self, algorithm) {
            (Self::Ed25519(key), Algorithm::EdDsa) => by(key, &ED25519),
            (Self::P256(key), Algorithm::Es256) => by(key, &ECDSA_P256_SHA256_FIXED),
            (Self::P384(key), Algorithm::Es384) => by(key, &ECDSA_P384_SHA384_FIXED),
            (Self::Rsa { n, e }, Algorithm::Rs256) => RsaPublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
                .is_ok(),
            (Self::Rsa { n, e }, Algorithm::Ps256) => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PSS_2048_8192_SHA256, message, signature).is_ok()
            }
            (Self::Secret(key), Algorithm::Hs256) => hmac::verify(key, message, signature).is_ok(),
            _ => false,
        }
    }
}

/// The key that signs Loam's own tokens: Ed25519.
pub(crate) struct Signer {
    pub(crate) kid: String,
    pair: Ed25519KeyPair,
}

impl Signer {
    /// A new key, as PKCS#8.
    pub(crate) fn generate() -> Result<Zeroizing<Vec<u8>>> {
        let document = Ed25519KeyPair::generate_pkcs8(&rand::SystemRandom::new());
        let document = document.map_err(|_| Error::internal("cannot make a signing key"))?;
        Ok(Zeroizing::new(document.as_ref().to_vec()))
    }

    /// A key from PKCS#8.
    pub(crate) fn open(kid: String, pkcs8: &[u8]) -> Result<Self> {
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|e| Error::internal(e.to_string()))?;
        Ok(Self { kid, pair })
    }

    /// The public half.
    pub(crate) fn public(&self) -> Jwk {
        Jwk {
            kty: "OKP".to_owned(),
            kid: Some(self.kid.clone()),
            purpose: Some("sig".to_owned()),
            alg: Some(Algorithm::EdDsa.name().to_owned()),
            crv: Some("Ed25519".to_owned()),
            x: Some(URL_SAFE_NO_PAD.encode(self.pair.public_key().as_ref())),
            y: None,
            n: None,
            e: None,
        }
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }
}
