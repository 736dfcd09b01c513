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
pub(super) const PART: u64 = 200;

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
    let identifiers = person.identifiers.iter().map(|text| text.trim()).filter(|text| !text.is_empty());
    let texts: Vec<String> = identifiers.map(str::to_owned).collect();
    let lower: Vec<String> = texts.iter().map(|text| text.to_lowercase()).collect();
    let named = |changes: &Value| names(changes, &lower);
    let target = ErasureTarget { actors: &person.actors, resources: &person.resources, texts, named: &named };
    let mut erased = ErasedRows::default();
    let mut after = 0;
    loop {
        let tx = db.write(scope).await?;
        let rows = target.page(&tx, after).await?;
        let Some(last) = rows.last() else { return Ok(erased) };
        after = last.sequence;
        erased.add(erase_rows(&tx, clock, &target, rows, about).await?);
        tx.commit().await?;
    }
}

/// Erases what is wanted of some rows, and says so on the trail.
pub(super) async fn erase_rows<R>(
    tx: &Tx<R>,
    clock: &Clock,
    target: &ErasureTarget<'_>,
    rows: Vec<Model>,
    about: &str,
) -> Result<ErasedRows> {
    let (mut erased, mut places) = (ErasedRows::default(), Vec::new());
    for row in rows {
        let parts = target.parts(&row);
        if parts == (false, false) {
            continue;
        }
        places.push(row.sequence);
        erased.add(ErasedRows { rows: 1, origins: u64::from(parts.0), changes: u64::from(parts.1) });
        erase(tx, clock, row, parts).await?;
    }
    if !places.is_empty() {
        let changes = json!({ "rows": places.len(), "sequences": ranges(&places) });
        let change = Change { action: ACTION, resource_type: RESOURCE, resource_id: about, changes };
        record(tx, clock, change).await?;
    }
    Ok(erased)
}

impl ErasedRows {
    fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.origins += other.origins;
        self.changes += other.changes;
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

/// Whom rows are compared with.
pub(super) struct ErasureTarget<'a> {
    /// As actors.
    pub(super) actors: &'a [String],
    /// What is theirs.
    pub(super) resources: &'a [String],
    /// One of these is in every change that `named` finds.
    pub(super) texts: Vec<String>,
    /// Whether a change names them.
    pub(super) named: &'a (dyn Fn(&Value) -> bool + Sync),
}

impl ErasureTarget<'_> {
    /// Rows behind a place that may have something to erase.
    pub(super) async fn page<R>(&self, tx: &Tx<R>, after: i64) -> Result<Vec<Model>> {
        let find = tx.find::<Entity>().filter(Column::Sequence.gt(after)).filter(self.condition());
        find.order_by_asc(Column::Sequence).limit(PART).all().await
    }

    /// The rows to look at: never fewer than those to be erased.
    fn condition(&self) -> Condition {
        let mut any = Condition::any()
            .add(Column::Actor.is_in(self.actors.iter()))
            .add(Column::ResourceId.is_in(self.resources.iter()));
        let changes = || Expr::col(Column::Changes).cast_as("text");
        for text in &self.texts {
            any = any.add(changes().like(containing(text)));
            any = any.add(Expr::expr(Func::lower(changes())).like(containing(&text.to_lowercase())));
        }
        any
    }

    /// Whether who did it, and whether what was changed, is to be erased from a row.
    pub(super) fn parts(&self, row: &Model) -> (bool, bool) {
        let origin = row.actor != ERASED && self.actors.contains(&row.actor);
        let nothing = row.changes.as_object().is_some_and(serde_json::Map::is_empty);
        // of what was erased the trail goes on speaking
        let speaks = row.action == ACTION && row.resource_type == RESOURCE;
        let is_about = || self.resources.contains(&row.resource_id);
        let changes = !nothing && !speaks && (is_about() || (self.named)(&row.changes));
        (origin, changes)
    }
}

/// Whether a value has one of these texts, in small letters, in it as a word.
fn names(value: &Value, target: &[String]) -> bool {
    let in_text = |text: &str| target.iter().any(|target| has_word(&text.to_lowercase(), target));
    match value {
        Value::String(text) => in_text(text),
        Value::Array(items) => items.iter().any(|item| names(item, target)),
        Value::Object(fields) => fields.iter().any(|(name, value)| in_text(name) || names(value, target)),
        _ => false,
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
