//! Keyset pagination: a page starts after an id, never at an offset, so that its cost does not grow with its position.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{Error, Result};

/// Maximum number of rows of a page.
pub const MAX_PAGE: u64 = 200;

const DEFAULT_PAGE: u64 = 50;
const VERSION: u8 = 2;
/// Flags of a cursor.
const BACK: u8 = 1;
const KEYED: u8 = 2;

/// The paging parameters of every list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Maximum number of rows, 1 to 200; defaults to 50.
    pub limit: Option<u64>,
    /// Where the page starts: `next_cursor` of the previous page, or `prev_cursor` of the next one.
    pub cursor: Option<String>,
}

/// The sort order of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Oldest first.
    Asc,
    /// Newest first.
    #[default]
    Desc,
}

/// The parameter of lists with either sort order.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OrderQuery {
    /// Sort order; defaults to `desc`, newest first.
    pub order: Option<Order>,
}

impl PageQuery {
    /// The requested number of rows.
    pub fn limit(&self) -> Result<u64> {
        match self.limit {
            None => Ok(DEFAULT_PAGE),
            Some(limit @ 1..=MAX_PAGE) => Ok(limit),
            Some(_) => Err(Error::invalid("limit", format!("must be between 1 and {MAX_PAGE}"))),
        }
    }

    /// Where the page starts.
    pub fn position(&self) -> Result<Option<Cursor>> {
        self.cursor.as_deref().map(Cursor::parse).transpose()
    }

    /// The id after which the page starts, for a list by id that only pages forward.
    pub fn after(&self) -> Result<Option<Uuid>> {
        match self.position()? {
            None => Ok(None),
            Some(Cursor { key: None, id, back: false }) => Ok(Some(id)),
            Some(_) => Err(wrong_list()),
        }
    }
}

/// The position where a page starts. Opaque to the caller; the tenant's isolation applies to it as to any request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The sort key before the id: a number, or microseconds since 1970. None in a list by id.
    pub key: Option<i64>,
    /// The row after which the page starts, or before which it ends.
    pub id: Uuid,
    /// Whether the page ends before that row instead of starting after it.
    pub back: bool,
}

/// A cursor of another list.
fn wrong_list() -> Error {
    Error::invalid(
        "cursor",
        "is not a cursor of this list; use `next_cursor` or `prev_cursor` of one of its pages unchanged",
    )
}

impl Cursor {
    /// The text that a client sends back.
    pub fn encode(self) -> String {
        let flags = if self.back { BACK } else { 0 } | if self.key.is_some() { KEYED } else { 0 };
        let mut bytes = vec![VERSION, flags];
        bytes.extend(self.key.iter().flat_map(|key| key.to_be_bytes()));
        bytes.extend(self.id.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Decodes the text; anything that this server didn't create is rejected.
    pub fn parse(text: &str) -> Result<Self> {
        let invalid = || {
            Error::invalid(
                "cursor",
                "is not a valid cursor; use `next_cursor` or `prev_cursor` of a page unchanged",
            )
        };
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| invalid())?;
        let [VERSION, flags @ 0..=3, rest @ ..] = bytes.as_slice() else { return Err(invalid()) };
        let (key, id) = match rest.split_first_chunk() {
            Some((key, id)) if flags & KEYED != 0 => (Some(i64::from_be_bytes(*key)), id),
            _ => (None, rest),
        };
        if key.is_some() != (flags & KEYED != 0) {
            return Err(invalid());
        }
        let id = Uuid::from_slice(id).map_err(|_| invalid())?;
        Ok(Self { key, id, back: flags & BACK != 0 })
    }

    /// The sort key, for a list that has one.
    pub fn key(&self) -> Result<i64> {
        self.key.ok_or_else(wrong_list)
    }
}

/// One page of a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The rows.
    pub data: Vec<T>,
    /// Send this as `cursor` for the next page; null on the last page.
    pub next_cursor: Option<String>,
    /// Send this as `cursor` for the previous page; null on the first page.
    pub prev_cursor: Option<String>,
}

impl<T> Page<T> {
    /// Builds a page of a list by id that only pages forward, from up to `limit + 1` rows: the extra row shows that there
    /// is a next page.
    pub fn from_rows(mut rows: Vec<T>, limit: u64, id: impl Fn(&T) -> Uuid) -> Self {
        let more = cut(&mut rows, limit);
        let next = rows.last().filter(|_| more).map(|row| Cursor { key: None, id: id(row), back: false });
        Self { data: rows, next_cursor: next.map(Cursor::encode), prev_cursor: None }
    }

    /// Builds a page of a list that pages both ways, from up to `limit + 1` rows in the order in which they were read: from
    /// `position` on, backwards where that points back. `at` gives the sort key and the id of a row.
    pub fn around(
        mut rows: Vec<T>,
        limit: u64,
        position: Option<Cursor>,
        at: impl Fn(&T) -> (Option<i64>, Uuid),
    ) -> Self {
        let more = cut(&mut rows, limit);
        let back = position.is_some_and(|position| position.back);
        if back {
            rows.reverse();
        }
        let cursor = |row: &T, back| {
            let (key, id) = at(row);
            Cursor { key, id, back }.encode()
        };
        // the row of the cursor lies on the other side
        let (behind, before) = if back { (true, more) } else { (more, position.is_some()) };
        Self {
            next_cursor: rows.last().filter(|_| behind).map(|row| cursor(row, false)),
            prev_cursor: rows.first().filter(|_| before).map(|row| cursor(row, true)),
            data: rows,
        }
    }

    /// The same page with every row converted.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page {
            data: self.data.into_iter().map(f).collect(),
            next_cursor: self.next_cursor,
            prev_cursor: self.prev_cursor,
        }
    }
}

/// Removes the extra row; returns whether there was one.
fn cut<T>(rows: &mut Vec<T>, limit: u64) -> bool {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    more
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(id: Uuid) -> String {
        Cursor { key: None, id, back: false }.encode()
    }

    fn query(limit: Option<u64>, cursor: Option<&str>) -> PageQuery {
        PageQuery { limit, cursor: cursor.map(str::to_owned) }
    }

    #[test]
    fn a_cursor_comes_back_as_it_was_given() {
        for id in [Uuid::nil(), Uuid::max(), Uuid::from_u128(0x0192_aabb_ccdd_7eee_8fff_0011_2233_4455)] {
            for (key, back) in [(None, false), (None, true), (Some(-1), false), (Some(i64::MAX), true)] {
                let cursor = Cursor { key, id, back };
                let text = cursor.encode();
                assert!(
                    text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'),
                    "it fits a URL: {text}"
                );
                assert_eq!(query(None, Some(&text)).position().unwrap(), Some(cursor));
            }
            assert_eq!(query(None, Some(&after(id))).after().unwrap(), Some(id));
        }
        assert_eq!(query(None, None).after().unwrap(), None);
    }

    #[test]
    fn a_forged_cursor_is_refused_by_name() {
        let good = after(Uuid::max());
        let of_version_1 = URL_SAFE_NO_PAD.encode([1; 17]);
        let (no_key, odd_flag) =
            (URL_SAFE_NO_PAD.encode([2; 18]), URL_SAFE_NO_PAD.encode([[2, 4].as_slice(), &[0; 16]].concat()));
        let padded = good.clone() + "=";
        let forged = [
            "",
            "x",
            "0",
            "../..",
            "ü",
            &good[1..],
            &good[..20],
            &of_version_1,
            &no_key,
            &odd_flag,
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
            Some(after(Uuid::from_u128(2))),
            "the next page starts behind the last row"
        );
        for count in [0, 1, 3] {
            assert_eq!(Page::from_rows(rows(count), 3, |id| *id).next_cursor, None, "{count} rows");
        }
        let mapped = Page::from_rows(rows(4), 3, |id| *id).map(|id| id.as_u128());
        assert!(mapped.data == [4, 3, 2] && mapped.next_cursor.is_some());
    }

    #[test]
    fn a_list_that_only_goes_on_refuses_the_cursor_of_another() {
        for (key, back) in [(None, true), (Some(1), false)] {
            let text = Cursor { key, id: Uuid::nil(), back }.encode();
            assert_eq!(query(None, Some(&text)).after().unwrap_err().param(), Some("cursor"));
        }
        let of_ids = query(None, Some(&after(Uuid::nil()))).position().unwrap().unwrap();
        assert_eq!(of_ids.key().unwrap_err().param(), Some("cursor"));
    }

    #[test]
    fn a_page_leads_back_to_where_one_came_from() {
        let at = |n: &i64| (Some(*n), Uuid::nil());
        let places = |page: &Page<i64>| {
            let key = |text: &Option<String>| text.as_deref().map(|text| Cursor::parse(text).unwrap());
            (key(&page.prev_cursor), key(&page.next_cursor))
        };
        let cursor = |key, back| Some(Cursor { key: Some(key), id: Uuid::nil(), back });
        let first = Page::around(vec![9, 8, 7], 2, None, at);
        assert_eq!((&first.data, places(&first)), (&vec![9, 8], (None, cursor(8, false))));
        let next = Page::around(vec![7, 6, 5], 2, cursor(8, false), at);
        assert_eq!((&next.data, places(&next)), (&vec![7, 6], (cursor(7, true), cursor(6, false))));
        let last = Page::around(vec![5], 2, cursor(6, false), at);
        assert_eq!((&last.data, places(&last)), (&vec![5], (cursor(5, true), None)));
        let back = Page::around(vec![6, 7, 8], 2, cursor(5, true), at);
        assert_eq!((&back.data, places(&back)), (&vec![7, 6], (cursor(7, true), cursor(6, false))));
        let start = Page::around(vec![8, 9], 2, cursor(7, true), at);
        assert_eq!((&start.data, places(&start)), (&vec![9, 8], (None, cursor(8, false))));
    }
}
