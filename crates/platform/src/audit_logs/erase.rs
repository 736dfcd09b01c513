//! Erasing a person from the trail: the texts and their salts go, the commitments stay, the chain still verifies.
//!
//! Each erasure is itself a row of the chain, which names the rows by their places. A row that is marked as erased without
//! such a row behind it is a fault: the mark alone can't hide a change.

use loam_db::{Db, Tx};
use loam_kernel::{Clock, Result, Scope};
use sea_orm::sea_query::{Expr, ExprTrait, Func, LikeExpr};
use sea_orm::{ColumnTrait, Condition, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Set};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::entity::{Column, Entity, Model};
use super::{Change, record};

/// The actor of a row whose actor was erased.
pub(crate) const ERASED: &str = "erased";
const ACTION: &str = "erase";
const RESOURCE: &str = "audit_logs";
/// Rows a transaction.
const PART: u64 = 200;

/// Who is to be erased. Empty identifiers are passed over.
#[derive(Clone, Debug, Default)]
pub struct Person {
    /// How the trail names the person and the person's keys as actors: `user:<id>`, `service:user:<id>`, `end_user:<id>`,
    /// `api_key:<id>`, as `Actor::label` gives it. Who, address and User-Agent of such rows are erased.
    pub actors: Vec<String>,
    /// Ids of what is the person's: the user, keys, sessions. The changes of rows about them are erased.
    pub resources: Vec<String>,
    /// What tells the person: user name, e-mail address, full name, ids elsewhere. The changes of rows that have one of them
    /// as a word, in any case of letters, are erased.
    pub identifiers: Vec<String>,
}

/// What was erased from a trail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasedRows {
    /// Rows from which something was erased.
    pub rows: u64,
    /// Rows whose actor, address and User-Agent were.
    pub origins: u64,
    /// Rows whose changes were.
    pub changes: u64,
}

/// Erases a person from the trail of the scope's tenant, in small transactions; may be called again, and goes on where it
/// stopped. `about` is what the row that speaks of the erasure names as its resource: the id of the erasure or of the user,
/// which tells nobody who that was.
pub async fn erase_person(
    db: &Db,
    clock: &Clock,
    scope: &Scope,
    person: &Person,
    about: &str,
) -> Result<ErasedRows> {
    let wanted = Wanted::new(person);
    let mut erased = ErasedRows::default();
    let mut after = 0;
    loop {
        let tx = db.write(scope).await?;
        let find = tx.find::<Entity>().filter(Column::Sequence.gt(after)).filter(wanted.condition());
        let rows = find.order_by_asc(Column::Sequence).limit(PART).all().await?;
        let Some(last) = rows.last() else { return Ok(erased) };
        after = last.sequence;
        let mut places = Vec::new();
        for row in rows {
            let parts = wanted.parts(&row);
            if parts == (false, false) {
                continue;
            }
            places.push(row.sequence);
            erased.rows += 1;
            erased.origins += u64::from(parts.0);
            erased.changes += u64::from(parts.1);
            erase(&tx, clock, row, parts).await?;
        }
        if places.is_empty() {
            tx.rollback().await?;
            continue;
        }
        let changes = json!({ "rows": places.len(), "sequences": ranges(&places) });
        let change = Change { action: ACTION, resource_type: RESOURCE, resource_id: about, changes };
        record(&tx, clock, change).await?;
        tx.commit().await?;
    }
}

async fn erase<R>(tx: &Tx<R>, clock: &Clock, row: Model, (origin, changes): (bool, bool)) -> Result<()> {
    let mut row = row.into_active_model();
    if origin {
        row.actor = Set(ERASED.to_owned());
        row.ip_address = Set(None);
        row.user_agent = Set(None);
        row.origin_salt = Set(None);
    }
    if changes {
        row.changes = Set(json!({}));
        row.changes_salt = Set(None);
    }
    row.erased_at = Set(Some(clock.now()));
    tx.update(row).await.map(drop)
}

/// The places of rows that a row says were erased; none of any other row.
pub(super) fn announced(row: &Model) -> impl Iterator<Item = (i64, i64)> {
    let speaks = row.action == ACTION && row.resource_type == RESOURCE;
    let ranges = speaks.then(|| row.changes["sequences"].as_array()).flatten();
    ranges.into_iter().flatten().filter_map(|range| Some((range[0].as_i64()?, range[1].as_i64()?)))
}

/// Ascending places as ranges, both ends included.
fn ranges(places: &[i64]) -> Vec<[i64; 2]> {
    let mut ranges: Vec<[i64; 2]> = Vec::new();
    for place in places {
        match ranges.last_mut() {
            Some([_, to]) if *to + 1 == *place => *to = *place,
            _ => ranges.push([*place; 2]),
        }
    }
    ranges
}

/// A person as rows are compared with.
struct Wanted<'a> {
    person: &'a Person,
    identifiers: Vec<&'a str>,
    lower: Vec<String>,
}

impl<'a> Wanted<'a> {
    fn new(person: &'a Person) -> Self {
        let identifiers: Vec<&str> =
            person.identifiers.iter().map(|text| text.trim()).filter(|text| !text.is_empty()).collect();
        let lower = identifiers.iter().map(|text| text.to_lowercase()).collect();
        Self { person, identifiers, lower }
    }

    /// The rows to look at: never fewer than those to be erased.
    fn condition(&self) -> Condition {
        let mut any = Condition::any()
            .add(Column::Actor.is_in(self.person.actors.iter()))
            .add(Column::ResourceId.is_in(self.person.resources.iter()));
        let text = || Expr::col(Column::Changes).cast_as("text");
        for (identifier, lower) in self.identifiers.iter().zip(&self.lower) {
            any = any.add(text().like(containing(identifier)));
            any = any.add(Expr::expr(Func::lower(text())).like(containing(lower)));
        }
        any
    }

    /// Whether who did it, and whether what was changed, is to be erased from a row.
    fn parts(&self, row: &Model) -> (bool, bool) {
        let origin = row.actor != ERASED && self.person.actors.contains(&row.actor);
        let nothing = row.changes.as_object().is_some_and(serde_json::Map::is_empty);
        // of what was erased the trail goes on speaking
        let speaks = row.action == ACTION && row.resource_type == RESOURCE;
        let is_about = || self.person.resources.contains(&row.resource_id);
        let changes = !nothing && !speaks && (is_about() || self.names(&row.changes));
        (origin, changes)
    }

    /// Whether a value has one of the identifiers in it.
    fn names(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.lower.iter().any(|wanted| has_word(&text.to_lowercase(), wanted)),
            Value::Array(items) => items.iter().any(|item| self.names(item)),
            Value::Object(fields) => fields.iter().any(|(name, value)| {
                self.names(value) || self.lower.iter().any(|wanted| has_word(&name.to_lowercase(), wanted))
            }),
            _ => false,
        }
    }
}

/// A pattern for what contains a text as JSON writes it.
fn containing(text: &str) -> LikeExpr {
    let json = Value::from(text).to_string();
    let mut pattern = "%".to_owned();
    for letter in json[1..json.len() - 1].chars() {
        if matches!(letter, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    LikeExpr::new(pattern).escape('!')
}

/// Whether a text has another as a word or words of its own: the user `al` is not in `also`.
fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        [before, after].into_iter().flatten().all(|letter| !letter.is_alphanumeric())
    })
}
