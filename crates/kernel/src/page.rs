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
        let invalid = || {
            Error::invalid("cursor", "is not a cursor of this server; use `next_cursor` of a page as it is")
        };
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

#[cfg(test)]
mod tests {
    use super::*;

    fn query(limit: Option<u64>, cursor: Option<&str>) -> PageQuery {
        PageQuery { limit, cursor: cursor.map(str::to_owned) }
    }

    #[test]
    fn a_cursor_comes_back_as_it_was_given() {
        for id in [Uuid::nil(), Uuid::max(), Uuid::from_u128(0x0192_aabb_ccdd_7eee_8fff_0011_2233_4455)] {
            let text = Cursor(id).encode();
            assert!(
                text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'),
                "it fits a URL: {text}"
            );
            assert_eq!(query(None, Some(&text)).after().unwrap(), Some(id));
        }
        assert_eq!(query(None, None).after().unwrap(), None);
    }

    #[test]
    fn a_forged_cursor_is_refused_by_name() {
        let good = Cursor(Uuid::max()).encode();
        let of_version_2 = URL_SAFE_NO_PAD.encode([2; 17]);
        let padded = good.clone() + "=";
        let forged = [
            "",
            "x",
            "0",
            "../..",
            "ü",
            &good[1..],
            &good[..20],
            &of_version_2,
            &padded,
            &good.repeat(2),
            "\0",
        ];
        for text in forged {
            let error = query(None, Some(text)).after().unwrap_err();
            assert_eq!((error.status(), error.param()), (400, Some("cursor")), "{text:?}");
        }
    }

    #[test]
    fn a_limit_is_within_bounds_or_refused() {
        assert_eq!(query(None, None).limit().unwrap(), DEFAULT_PAGE);
        for limit in [1, 50, MAX_PAGE] {
            assert_eq!(query(Some(limit), None).limit().unwrap(), limit);
        }
        for limit in [0, MAX_PAGE + 1, u64::MAX] {
            let error = query(Some(limit), None).limit().unwrap_err();
            assert_eq!((error.status(), error.param()), (400, Some("limit")), "{limit}");
        }
    }

    #[test]
    fn the_row_too_many_makes_the_cursor_and_is_left_out() {
        let rows = |count: u128| (1..=count).rev().map(Uuid::from_u128).collect::<Vec<_>>();
        let page = Page::from_rows(rows(4), 3, |id| *id);
        assert_eq!(page.data, [4, 3, 2].map(Uuid::from_u128));
        assert_eq!(
            page.next_cursor,
            Some(Cursor(Uuid::from_u128(2)).encode()),
            "the next page starts behind the last row"
        );
        for count in [0, 1, 3] {
            assert_eq!(Page::from_rows(rows(count), 3, |id| *id).next_cursor, None, "{count} rows");
        }
        let mapped = Page::from_rows(rows(4), 3, |id| *id).map(|id| id.as_u128());
        assert!(mapped.data == [4, 3, 2] && mapped.next_cursor.is_some());
    }
}
