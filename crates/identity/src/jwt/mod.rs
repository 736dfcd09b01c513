//! JSON Web Tokens in compact form (RFC 7515, 7519): parsed strictly, trusted only after verification.
//!
//! `ring` verifies the signatures. The parser is our own: the format is three parts of Base64 and two of JSON, and the
//! checks must use [`Clock`](loam_kernel::Clock) and report which one failed.

mod algorithm;
mod key;
#[cfg(test)]
mod tests;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use loam_kernel::{Error, Kind, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub(crate) use algorithm::Algorithm;
pub(crate) use key::{Jwk, Signer, VerifyingKey};

/// Longer tokens are rejected without parsing.
const MAX_LENGTH: usize = 8 << 10;
/// Allowed clock skew in seconds.
const LEEWAY: f64 = 30.0;

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// Critical extensions, of which none is supported.
    crit: Option<Value>,
}

/// The claims of a token, which must not be trusted before [`Token::verify`].
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Claims {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) iss: Option<String>,
    #[serde(default)]
    pub(crate) aud: Audience,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) exp: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) nbf: Option<f64>,
    #[serde(flatten)]
    pub(crate) more: Map<String, Value>,
}

/// The audience of a token: one, or several.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Default for Audience {
    fn default() -> Self {
        Self::Several(Vec::new())
    }
}

impl Audience {
    pub(crate) fn holds(&self, wanted: &str) -> bool {
        match self {
            Self::One(one) => one == wanted,
            Self::Several(several) => several.iter().any(|one| one == wanted),
        }
    }
}

/// A parsed token that is not verified yet.
pub(crate) struct Token<'a> {
    algorithm: String,
    pub(crate) kid: Option<String>,
    pub(crate) claims: Claims,
    signed: &'a str,
    signature: Vec<u8>,
}

impl<'a> Token<'a> {
    /// Parses a token.
    ///
    /// # Errors
    /// `invalid_token`: it is malformed, or its header is not supported.
    pub(crate) fn read(text: &'a str) -> Result<Self> {
        if text.len() > MAX_LENGTH {
            return Err(invalid("the token is too long"));
        }
        let malformed = || invalid("this is not a JWT: it must be three parts of Base64, separated by dots");
        let (signed, signature) = text.rsplit_once('.').ok_or_else(malformed)?;
        let (header, claims) = signed.split_once('.').ok_or_else(malformed)?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| malformed());
        let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| malformed())?;
        if header.crit.is_some() {
            return Err(invalid("the token's header has `crit`, but no critical extension is supported"));
        }
        let claims: Claims = serde_json::from_slice(&decode(claims)?).map_err(|_| malformed())?;
        let signature = decode(signature)?;
        Ok(Self { algorithm: header.alg, kid: header.kid, claims, signed, signature })
    }

    /// The algorithm, if it is allowed. `none` never is.
    ///
    /// # Errors
    /// `algorithm_not_allowed`.
    pub(crate) fn algorithm(&self, allowed: &[Algorithm]) -> Result<Algorithm> {
        let known = allowed.iter().find(|algorithm| algorithm.name() == self.algorithm);
        known.copied().ok_or_else(|| {
            let names: Vec<&str> = allowed.iter().map(|algorithm| algorithm.name()).collect();
            let message =
                format!("the token's algorithm is not allowed here; use `{}`", names.join("` or `"));
            refused("algorithm_not_allowed", message)
        })
    }

    /// Verifies the token: the signature, then the times.
    ///
    /// # Errors
    /// `invalid_token`, `expired_token`, `token_not_yet_valid`.
    pub(crate) fn verify(&self, key: &VerifyingKey, algorithm: Algorithm, now: DateTime<Utc>) -> Result<()> {
        if !key.verify(algorithm, self.signed.as_bytes(), &self.signature) {
            return Err(invalid("the token's signature doesn't match"));
        }
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^52")]
        let now = now.timestamp() as f64;
        match self.claims.exp {
            None => return Err(invalid("the token has no `exp`: tokens without an expiry are not accepted")),
            // NaN must be rejected too
            Some(exp) if exp + LEEWAY > now => {}
            Some(_) => return Err(refused("expired_token", "the token has expired; get a new one")),
        }
        match self.claims.nbf {
            Some(nbf) if nbf - LEEWAY > now => Err(refused(
                "token_not_yet_valid",
                "the token is not valid yet; compare your clock with Loam's",
            )),
            _ => Ok(()),
        }
    }

    /// The expiry time.
    pub(crate) fn expires_at(&self) -> Option<DateTime<Utc>> {
        #[expect(clippy::cast_possible_truncation, reason = "a cast of a float saturates")]
        self.claims.exp.and_then(|exp| DateTime::from_timestamp((exp + LEEWAY) as i64, 0))
    }

    /// A claim that is a text.
    pub(crate) fn text(&self, claim: &str) -> Option<&str> {
        self.claims.more.get(claim).and_then(Value::as_str).filter(|text| !text.is_empty())
    }
}

/// Whether a bearer credential looks like a JWT rather than an API key.
pub(crate) fn is_jwt(text: &str) -> bool {
    text.starts_with("eyJ") && text.bytes().filter(|byte| *byte == b'.').count() == 2
}

/// Signs a token.
pub(crate) fn sign(signer: &Signer, claims: &impl Serialize) -> Result<String> {
    let header = serde_json::json!({ "alg": Algorithm::EdDsa.name(), "typ": "JWT", "kid": signer.kid });
    let encode = |value: Vec<u8>| URL_SAFE_NO_PAD.encode(value);
    let header = encode(serde_json::to_vec(&header).map_err(Error::internal)?);
    let signed = format!("{header}.{}", encode(serde_json::to_vec(claims).map_err(Error::internal)?));
    let signature = encode(signer.sign(signed.as_bytes()));
    Ok(format!("{signed}.{signature}"))
}

pub(crate) fn refused(code: &'static str, message: impl Into<String>) -> Error {
    Error::new(Kind::Unauthenticated, code, message)
}

pub(crate) fn invalid(message: impl Into<String>) -> Error {
    refused("invalid_token", message)
}
