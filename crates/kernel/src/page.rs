//! Keyset paging: a page starts after an id, never at an offset, so that its cost does not grow with what lies before.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{Error, Result};

/// The most rows a page can hold.
pub const MAX_PAGE: u64 = 200;

const DEFAULT_PAGE: u64 = 50;
const VERSION: u8 = 1;

/// The paging parameters of every list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// How many rows at most, 1 to 200; 50 unless given.
    pub limit: Option<u64>,
    /// Where to go on: `next_cursor` of the page before.
    pub cursor: Option<String>,
}

impl PageQuery {
    /// The number of rows asked for.
    pub fn limit(&self) -> Result<u64> {
        match self.limit {
            None => Ok(DEFAULT_PAGE),
            Some(limit @ 1..=MAX_PAGE) => Ok(limit),
            Some(_) => Err(Error::invalid("limit", format!("must be between 1 and {MAX_PAGE}"))),
        }
    }

    /// The id after which the page starts.
    pub fn after(&self) -> Result<Option<Uuid>> {
        self.cursor.as_deref().map(|text| Cursor::parse(text).map(|cursor| cursor.0)).transpose()
    }
}

/// The place where the next page starts. Opaque to the caller; what it can reach is still bound to the tenant.
#[derive(Clone, Copy, Debug)]
pub struct Cursor(pub Uuid);

impl Cursor {
    /// The text that a client sends back.
    pub fn encode(self) -> String {
        let mut bytes = [VERSION; 17];
        bytes[1..].copy_from_slice(self.0.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads the text back; anything that this server didn't make is refused.
    pub fn parse(text: &str) -> Result<Self> {
        let invalid = || Error::invalid("cursor", "is not a cursor of this server; use `next_cursor` of a page as it is");
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| invalid())?;
        match bytes.split_first() {
            Some((&VERSION, id)) => Uuid::from_slice(id).map(Self).map_err(|_| invalid()),
            _ => Err(invalid()),
        }
    }
}

/// One page of a list, newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The rows.
    pub data: Vec<T>,
    /// Send this back as `cursor` for the next page; null on the last.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// Builds a page from up to `limit + 1` rows: the one too many tells that there is a next page.
    pub fn from_rows(mut rows: Vec<T>, limit: u64, id: impl Fn(&T) -> Uuid) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = if more { rows.last().map(|row| Cursor(id(row)).encode()) } else { None };
        Self { data: rows, next_cursor }
    }

    /// The same page with every row turned into something else.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page { data: self.data.into_iter().map(f).collect(), next_cursor: self.next_cursor }
    }
}
