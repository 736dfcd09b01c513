//! What a link of the chain covers.
//!
//! Two versions of a link are verified, and the newer one is written. Version 1 covers every field of the row. Version 2
//! covers its personal parts, who did it from where and what was changed, by commitments instead of their texts: a
//! commitment is the SHA-256 of a random salt and the part. So a part can be erased with its salt: the commitment
//! stays, the chain still verifies, and whoever guesses the text can't try the guess.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::entity::Model;
use super::erase::ERASED;

/// The `previous_hash` of a tenant's first row.
pub(crate) const GENESIS: [u8; 32] = [0; 32];

/// The version of a row that is written now.
pub(crate) const VERSION: i32 = 2;

/// What a row of version 2 begins with, so that it is never taken for one of version 1.
const DOMAIN: &[u8] = b"loam audit row 2\n";

/// Whether a row is what was hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// All that is in it was hashed.
    Whole,
    /// What is in it was hashed; erased parts are vouched for by their commitments.
    Erased,
    /// An erased row of version 1: only its recorded hash says what it was, and that it stands in its place.
    Attested,
    /// It is not what was hashed.
    Changed,
}

/// A personal part of a row, with what vouches for it.
struct Part<'a> {
    content: Value,
    /// What it holds once it was erased.
    blank: Value,
    salt: Option<&'a [u8]>,
    commitment: Option<&'a [u8]>,
}

impl Part<'_> {
    /// Whether the content is what was committed to; a part without a salt was erased, and says nothing.
    fn holds(&self) -> bool {
        let Some(commitment) = self.commitment else { return false };
        self.salt.map_or(self.content == self.blank, |salt| commit(salt, &self.content) == commitment)
    }
}

/// Who did it, and from where.
fn origin(row: &Model) -> Value {
    json!([row.actor, row.ip_address, row.user_agent])
}

fn parts(row: &Model) -> [Part<'_>; 2] {
    let origin = Part {
        content: origin(row),
        blank: json!([ERASED, null, null]),
        salt: row.origin_salt.as_deref(),
        commitment: row.origin_commitment.as_deref(),
    };
    let changes = Part {
        content: row.changes.clone(),
        blank: json!({}),
        salt: row.changes_salt.as_deref(),
        commitment: row.changes_commitment.as_deref(),
    };
    [origin, changes]
}

/// The commitment to a part.
fn commit(salt: &[u8], part: &Value) -> Vec<u8> {
    let mut text = String::new();
    canonical(part, &mut text);
    Sha256::new().chain_update(salt).chain_update(text).finalize().to_vec()
}

/// Commits a new row to its parts with two salts, and hashes it.
pub(crate) fn seal(row: &mut Model, salts: [[u8; 32]; 2]) {
    let [origin_salt, changes_salt] = salts.map(Vec::from);
    row.version = Some(VERSION);
    row.origin_commitment = Some(commit(&origin_salt, &origin(row)));
    row.changes_commitment = Some(commit(&changes_salt, &row.changes));
    row.origin_salt = Some(origin_salt);
    row.changes_salt = Some(changes_salt);
    row.hash = hash_v2(row);
}

/// Checks a row against its own hash.
pub(crate) fn check(row: &Model) -> Proof {
    let erased = row.erased_at.is_some();
    match row.version {
        // its erased part may be any: there is nothing but the mark and the hash
        None | Some(1) if erased => Proof::Attested,
        None | Some(1) if hash_v1(row) == row.hash => Proof::Whole,
        Some(VERSION) => {
            let parts = parts(row);
            let whole = parts.iter().all(|part| part.salt.is_some());
            if whole == erased || hash_v2(row) != row.hash || !parts.iter().all(Part::holds) {
                return Proof::Changed;
            }
            if erased { Proof::Erased } else { Proof::Whole }
        }
        _ => Proof::Changed,
    }
}

/// The hash of a row of version 2: its fields, and the commitments in the place of its personal parts. When it was erased
/// is not among them, as that comes later.
fn hash_v2(row: &Model) -> Vec<u8> {
    let fields = json!([
        VERSION,
        row.tenant_id,
        row.id,
        row.sequence,
        row.action,
        row.resource_type,
        row.resource_id,
        row.request_id,
        row.created_at.timestamp_micros(),
    ]);
    let mut text = String::new();
    canonical(&fields, &mut text);
    let commitment = |commitment: &Option<Vec<u8>>| commitment.clone().unwrap_or_default();
    Sha256::new()
        .chain_update(DOMAIN)
        .chain_update(&row.previous_hash)
        .chain_update(commitment(&row.origin_commitment))
        .chain_update(commitment(&row.changes_commitment))
        .chain_update(text)
        .finalize()
        .to_vec()
}

/// The hash of a row of version 1: everything in it but the hash itself, in a form that both databases give back
/// unchanged.
pub(crate) fn hash_v1(row: &Model) -> Vec<u8> {
    let fields = json!([
        row.tenant_id,
        row.id,
        row.sequence,
        row.action,
        row.resource_type,
        row.resource_id,
        row.actor,
        row.request_id,
        row.ip_address,
        row.user_agent,
        row.created_at.timestamp_micros(),
    ]);
    let mut text = String::new();
    canonical(&fields, &mut text);
    canonical(&row.changes, &mut text);
    Sha256::new().chain_update(&row.previous_hash).chain_update(text).finalize().to_vec()
}

/// JSON with sorted keys and whole numbers written as such: JSONB keeps neither order nor notation.
fn canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut names: Vec<&String> = fields.keys().collect();
            names.sort_unstable();
            text.push('{');
            for name in names {
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                canonical(&fields[name], text);
                text.push(',');
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for item in items {
                canonical(item, text);
                text.push(',');
            }
            text.push(']');
        }
        Value::Number(number) if number.is_f64() => {
            // the shortest form of a float, which is that of an integer when it is whole; JSONB knows no negative zero
            text.push_str(&(number.as_f64().unwrap_or_default() + 0.0).to_string());
        }
        other => text.push_str(&other.to_string()),
    }
}
