//! Versions of the bytes that are stored: in the journal, and in columns that hold bytes.
//!
//! Each kind of stored bytes is a [`StoredFormat`], a constant beside the code that encodes and decodes it, and a line in
//! its domain's declarations. A change of the bytes is a new version, and the readers of all earlier versions stay.
//! Types of the product don't define stored bytes: what is encoded is a struct that exists for it, and enums have a
//! [`stored_enum`](crate::stored_enum). Golden files (`loam_testkit::check_golden`) pin the bytes of each version, and
//! docs/FORMATS.md lists all kinds.

mod fields;
#[cfg(test)]
mod tests;

use std::ops::RangeInclusive;

use loam_kernel::{Error, Result};
use serde::{Deserialize, Serialize};

pub use fields::{StoredAs, StoredOption};

/// Precedes the version of kinds whose version 1 has no version byte: the number zero as a varint of two bytes instead of
/// one, which no encoder writes. So it begins no payload of version 1.
const MARK: [u8; 2] = [0x80, 0x00];

/// A kind of stored bytes, with the versions that this server reads.
#[derive(Clone, Copy, Debug)]
pub struct StoredFormat {
    kind: &'static str,
    oldest: u8,
    version: u8,
    is_marked: bool,
}

impl StoredFormat {
    /// A kind whose payloads begin with a byte for the version. `version` is the one that is written.
    #[must_use]
    pub const fn new(kind: &'static str, version: u8) -> Self {
        Self { kind, oldest: 1, version, is_marked: false }
    }

    /// Earlier versions than this one are not read: they existed before Loam's first release.
    #[must_use]
    pub const fn since(self, oldest: u8) -> Self {
        Self { oldest, ..self }
    }

    /// Version 1 has no version byte; later versions begin with a mark and the version. No payload of version 1 may begin
    /// with the mark.
    #[must_use]
    pub const fn first_unversioned(self) -> Self {
        Self { is_marked: true, ..self }
    }

    /// The name of the kind.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// The version that is written.
    pub const fn version(&self) -> u8 {
        self.version
    }

    /// The versions that are read.
    pub fn versions(&self) -> RangeInclusive<u8> {
        self.oldest..=self.version
    }

    /// A buffer with room for `capacity` bytes, which begins with the version.
    pub fn begin(&self, capacity: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(MARK.len() + 1 + capacity);
        if self.is_marked {
            bytes.extend_from_slice(&MARK);
        }
        bytes.push(self.version);
        bytes
    }

    /// Encodes fields in their order.
    #[expect(clippy::disallowed_methods, reason = "the version precedes the fields")]
    pub fn encode(&self, fields: &(impl Serialize + ?Sized)) -> Result<Vec<u8>> {
        postcard::to_extend(fields, self.begin(64)).map_err(Error::internal)
    }

    /// Encodes fields in their order, for a part within a payload.
    #[expect(clippy::disallowed_methods, reason = "the payload has the version")]
    pub fn encode_part(&self, fields: &(impl Serialize + ?Sized)) -> Result<Vec<u8>> {
        postcard::to_allocvec(fields).map_err(Error::internal)
    }

    /// The version of a payload, which is one of [`StoredFormat::versions`], and what follows it.
    ///
    /// # Errors
    /// When the version is unknown; the message names kind and version.
    pub fn open<'a>(&self, payload: &'a [u8]) -> Result<(u8, &'a [u8])> {
        let versioned = if self.is_marked {
            let Some(versioned) = payload.strip_prefix(&MARK) else { return Ok((1, payload)) };
            versioned
        } else {
            payload
        };
        let (&version, body) = versioned.split_first().ok_or_else(|| self.damaged())?;
        self.check(version)?;
        Ok((version, body))
    }

    /// Checks a version that is stored elsewhere than at the beginning.
    ///
    /// # Errors
    /// When it is unknown.
    pub fn check(&self, version: u8) -> Result<()> {
        if self.versions().contains(&version) {
            return Ok(());
        }
        let Self { kind, oldest, version: newest, .. } = self;
        let message = format!(
            "stored `{kind}` has format version {version}; this server reads versions {oldest} to {newest}"
        );
        Err(Error::internal(message))
    }

    /// Decodes the fields of a body, which they must fill.
    ///
    /// # Errors
    /// When the body is damaged.
    pub fn decode<'a, T: Deserialize<'a>>(&self, body: &'a [u8]) -> Result<T> {
        match self.decode_prefix(body)? {
            (fields, []) => Ok(fields),
            _ => Err(self.damaged()),
        }
    }

    /// Decodes the fields at the beginning of a body, and returns what follows them.
    ///
    /// # Errors
    /// When the body is damaged.
    #[expect(clippy::disallowed_methods, reason = "the version is checked by `open`")]
    pub fn decode_prefix<'a, T: Deserialize<'a>>(&self, body: &'a [u8]) -> Result<(T, &'a [u8])> {
        postcard::take_from_bytes(body).map_err(|_| self.damaged())
    }

    /// The error for bytes that are not of this format.
    pub fn damaged(&self) -> Error {
        Error::internal(format!("stored `{}` is damaged", self.kind))
    }
}
