//! A chain as JSON Lines, and its verification without a database.
//!
//! The first line says whose chain it is, the last how many rows there are, where the chain ends, and the SHA-256 of
//! every byte before it. The digest finds a byte that fell over; whoever changes the file on purpose can change the digest
//! too, and then breaks the chain of the rows, or the head that was noted elsewhere.

use std::io::BufRead;

use bytes::Bytes;
use futures_util::Stream;
use loam_kernel::{Error, Result, TenantId, from_hex, hex};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::verifier::ChainVerifier;
use super::verify::{Audit, Cursor, Expected, Head, Verification};
use super::view::AuditLogView;

/// The second has what rows of version 2 are verified with.
const FORMAT: &str = "loam audit export 2";
/// Exports that were made before are verified as well.
const FORMATS: [&str; 2] = ["loam audit export 1", FORMAT];
/// The longest line that is read: no row of the trail comes near.
const MAX_LINE: usize = 16 << 20;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct First {
    format: String,
    tenant_id: TenantId,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Last {
    rows: u64,
    head_sequence: i64,
    head_hash: String,
    sha256: String,
}

/// A chain on its way out: read part by part, so that any length takes the same memory.
pub struct Export {
    audit: Audit,
    head: Head,
    cursor: Cursor,
    rows: u64,
    digest: Sha256,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    First,
    Rows,
    Done,
}

impl Audit {
    /// Begins an export of the chain as it stands.
    pub async fn export(self) -> Result<Export> {
        let (_, head) = self.end().await?;
        let cursor = Cursor { sequence: 0, id: None };
        Ok(Export { audit: self, head, cursor, rows: 0, digest: Sha256::new(), state: State::First })
    }
}

impl Export {
    /// Where the chain ends.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Rows written so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The next lines; none behind the last.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        let mut lines = Vec::new();
        match self.state {
            State::First => {
                let first = First { format: FORMAT.to_owned(), tenant_id: self.audit.tenant() };
                line(&mut lines, &first)?;
                self.state = State::Rows;
            }
            State::Rows => {
                let rows = self.audit.part(&self.cursor, self.head.sequence).await?;
                match rows.last() {
                    Some(last) => self.cursor = Cursor { sequence: last.sequence, id: Some(last.id.0) },
                    None => return self.last().map(Some),
                }
                self.rows += rows.len() as u64;
                for row in rows {
                    line(&mut lines, &AuditLogView::from(row))?;
                }
            }
            State::Done => return Ok(None),
        }
        self.digest.update(&lines);
        Ok(Some(lines.into()))
    }

    fn last(&mut self) -> Result<Bytes> {
        self.state = State::Done;
        let last = Last {
            rows: self.rows,
            head_sequence: self.head.sequence,
            head_hash: hex(&self.head.hash),
            sha256: hex(self.digest.clone().finalize()),
        };
        let mut lines = Vec::new();
        line(&mut lines, &last)?;
        Ok(lines.into())
    }

    /// As the body of an answer. When the database fails midway the stream breaks off, without its last line.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes>> + Send {
        futures_util::stream::try_unfold(self, async |mut export| {
            Ok(export.next().await?.map(|lines| (lines, export)))
        })
    }
}

fn line(lines: &mut Vec<u8>, value: &impl Serialize) -> Result<()> {
    serde_json::to_writer(&mut *lines, value).map_err(Error::internal)?;
    lines.push(b'\n');
    Ok(())
}

/// Verifies an export, without a database; blocking.
///
/// # Errors
/// When the file can't be read or is no export. What is wrong with the chain is no error, but in the answer.
pub fn verify_export(mut file: impl BufRead, expected: Option<Expected>) -> Result<Verification> {
    let mut text = Vec::new();
    let mut digest = Sha256::new();
    let first: Option<First> =
        if read(&mut file, &mut text)? { serde_json::from_slice(&text).ok() } else { None };
    let first = first.filter(|first| FORMATS.contains(&&*first.format));
    let first = first
        .ok_or_else(|| Error::invalid("file", "is no export of an audit trail: its first line is another"))?;
    let mut verifier = ChainVerifier::new(Head::genesis(), expected);
    let mut last: Option<Last> = None;
    loop {
        digest.update(&text);
        if !read(&mut file, &mut text)? {
            break;
        }
        let place = verifier.last().sequence + 1;
        if last.is_some() {
            verifier.fault(place, "the export goes on behind its last line".to_owned());
            break;
        }
        if let Ok(found) = serde_json::from_slice::<Last>(&text) {
            if found.sha256 != hex(digest.clone().finalize()) {
                verifier
                    .fault(0, "the digest of the export is another: its bytes have been changed".to_owned());
            }
            last = Some(found);
            continue;
        }
        let row =
            serde_json::from_slice::<AuditLogView>(&text).ok().and_then(|view| view.row(first.tenant_id));
        match row {
            Some(row) => verifier.step(&row),
            None => verifier.fault(place, format!("the line of row {place} can't be read")),
        }
    }
    let head = last
        .as_ref()
        .and_then(|last| Some(Head { sequence: last.head_sequence, hash: from_hex(&last.head_hash)? }));
    match (&head, &last) {
        (Some(head), Some(last)) => {
            verifier.end(head);
            if last.rows != verifier.rows() {
                let what =
                    format!("the export says that it has {} rows, and has {}", last.rows, verifier.rows());
                verifier.fault(verifier.last().sequence, what);
            }
        }
        _ => verifier
            .fault(verifier.last().sequence + 1, "the tail is cut: the export has no last line".to_owned()),
    }
    let head = head.unwrap_or_else(|| verifier.last().clone());
    Ok(verifier.finish(&head))
}

/// Reads a line with its end, of bounded length; false at the end of the file.
fn read(file: &mut impl BufRead, text: &mut Vec<u8>) -> Result<bool> {
    text.clear();
    let limit = u64::try_from(MAX_LINE).unwrap_or(u64::MAX);
    let failed = |e: std::io::Error| Error::invalid("file", format!("can't be read: {e}"));
    std::io::Read::take(&mut *file, limit).read_until(b'\n', text).map_err(failed)?;
    if text.len() == MAX_LINE {
        return Err(Error::invalid("file", "is no export of an audit trail: a line is far too long"));
    }
    Ok(!text.is_empty())
}
