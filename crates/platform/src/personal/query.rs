//! A person, as a search knows them.

use std::collections::HashSet;
use std::ops::Range;

use loam_kernel::{Actor, ApiKeyId, ChatSessionId, UserId};
use sea_orm::sea_query::Condition;
use sea_orm::{ColumnTrait, Value as DbValue};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// Values in one condition.
const CHUNK: usize = 200;
/// Shorter names are looked for in fields that name a person alone: anywhere else they may mean anything.
const DISTINCTIVE_LENGTH: usize = 6;
/// The length of an id as text.
const ID: usize = 36;
/// What stands for a name that was erased from a text.
const ERASED: &str = "[erased]";
/// Fields, headers and attributes whose value is a person's name.
const FIELDS: [&str; 15] = [
    "user",
    "user_id",
    "userid",
    "username",
    "user_name",
    "login",
    "email",
    "sub",
    "external_id",
    "end_user",
    "enduser",
    "safety_identifier",
    "user.id",
    "enduser.id",
    "user.email",
];

/// Whom a search is for: a person by all that they are known by, or a single conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonQuery {
    /// The users that the person is.
    pub users: Vec<UserId>,
    /// What the application calls the person, as rows have it.
    pub end_users: Vec<String>,
    /// Keys that were the person's.
    #[serde(default)]
    pub keys: Vec<ApiKeyId>,
    /// What else texts may call them: name to log in with, e-mail address.
    pub names: Vec<String>,
    /// The conversations.
    #[serde(default)]
    pub sessions: Vec<ChatSessionId>,
    /// The traces in which an application told of calls made for the person. Looked for anew each time.
    #[serde(skip)]
    pub traces: Vec<String>,
}

impl PersonQuery {
    /// A conversation and nobody.
    pub fn session(id: ChatSessionId) -> Self {
        Self { sessions: vec![id], ..Self::default() }
    }

    /// Whatever has this id, wherever a text names it.
    pub fn of_id(id: Uuid) -> Self {
        Self::session(ChatSessionId(id))
    }

    /// Rows of the person's users, for each of some columns.
    pub fn by_user<C: ColumnTrait>(&self, column: C) -> Vec<Condition> {
        chunks(column, self.users.iter().copied())
    }

    /// Rows of the application's end users.
    pub fn by_end_user<C: ColumnTrait>(&self, column: C) -> Vec<Condition> {
        chunks(column, self.end_users.iter().cloned())
    }

    /// Rows of the conversations.
    pub fn by_session<C: ColumnTrait>(&self, column: C) -> Vec<Condition> {
        chunks(column, self.sessions.iter().copied())
    }

    /// The same where the column holds ids as texts.
    pub fn by_session_text<C: ColumnTrait>(&self, column: C) -> Vec<Condition> {
        chunks(column, self.sessions.iter().map(ToString::to_string))
    }

    /// Rows of the traces.
    pub fn by_trace<C: ColumnTrait>(&self, column: C) -> Vec<Condition> {
        chunks(column, self.traces.iter().cloned())
    }

    /// Whether a text names the person or one of the conversations.
    pub fn matches_text(&self, text: &str) -> bool {
        self.mention().in_text(text)
    }

    /// Whether bytes do, which may hold texts among others.
    pub fn matches_bytes(&self, bytes: &[u8]) -> bool {
        self.matches_text(&String::from_utf8_lossy(bytes))
    }

    /// Whether a document does.
    pub fn matches_json(&self, value: &Value) -> bool {
        self.mention().in_json(value)
    }

    /// The names that mean nobody else wherever they stand.
    pub fn distinctive_names(&self) -> impl Iterator<Item = &str> {
        self.end_users.iter().chain(&self.names).map(String::as_str).filter(|name| is_distinctive(name))
    }

    /// How the audit trail names the person where they acted.
    pub fn actors(&self) -> Vec<String> {
        let users = self.users.iter().flat_map(|id| [Actor::User(*id), Actor::UserToken(*id)]);
        let end_users = self.end_users.iter().map(|name| Actor::EndUser(name.as_str().into()));
        let keys = self.keys.iter().flat_map(|id| [Actor::ApiKey(*id), Actor::KeyToken(*id)]);
        users.chain(end_users).chain(keys).map(|actor| actor.label()).collect()
    }

    /// The same person by their names, without any id.
    pub fn names_alone(&self) -> Self {
        Self { end_users: self.end_users.clone(), names: self.names.clone(), ..Self::default() }
    }

    /// Everything to look for, ready to look.
    pub fn mention(&self) -> Mention<'_> {
        let ids = self.users.iter().map(|id| id.0).chain(self.sessions.iter().map(|id| id.0)).collect();
        let names = self.end_users.iter().chain(&self.names).map(String::as_str);
        Mention { ids, names: names.collect() }
    }
}

fn chunks<C: ColumnTrait, V: Into<DbValue>>(column: C, values: impl Iterator<Item = V>) -> Vec<Condition> {
    let values: Vec<DbValue> = values.map(Into::into).collect();
    values.chunks(CHUNK).map(|chunk| Condition::all().add(column.is_in(chunk.iter().cloned()))).collect()
}

/// What texts are searched for.
pub struct Mention<'a> {
    ids: HashSet<Uuid>,
    names: Vec<&'a str>,
}

impl Mention<'_> {
    /// Whether a text names somebody.
    pub fn in_text(&self, text: &str) -> bool {
        self.names.iter().any(|name| is_distinctive(name) && has_word(text, name)) || self.has_id(text)
    }

    /// Whether a document does: in any of its texts, or with a short name in a field that is for names.
    pub fn in_json(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.in_text(text),
            Value::Array(items) => items.iter().any(|item| self.in_json(item)),
            Value::Object(fields) => fields.iter().any(|(field, value)| {
                self.in_text(field) || self.in_field(field, value) || self.in_json(value)
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    /// A text without what names somebody.
    pub fn replaced_in_text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        // a name may be the beginning of an address
        let mut names: Vec<&str> = self.names.iter().copied().filter(|name| is_distinctive(name)).collect();
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        for name in names {
            text = replaced(&text, words(&text, name).map(|at| at..at + name.len()));
        }
        let ids = id_positions(&text).filter(|(_, id)| self.ids.contains(id)).map(|(at, _)| at..at + ID);
        replaced(&text, ids)
    }

    /// Takes what names somebody out of a document.
    pub fn replace_in_json(&self, value: &mut Value) {
        match value {
            Value::String(text) if self.in_text(text) => *text = self.replaced_in_text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.replace_in_json(item)),
            Value::Object(fields) => {
                for (field, mut value) in std::mem::take(fields) {
                    if self.in_field(&field, &value) {
                        value = ERASED.into();
                    }
                    self.replace_in_json(&mut value);
                    fields.insert(self.replaced_in_text(&field), value);
                }
            }
            Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn in_field(&self, field: &str, value: &Value) -> bool {
        let text = match value {
            Value::String(text) => text.as_str(),
            Value::Number(number) => return self.in_field(field, &Value::String(number.to_string())),
            _ => return false,
        };
        self.names.contains(&text) && names_a_person(field)
    }

    fn has_id(&self, text: &str) -> bool {
        !self.ids.is_empty() && ids_in(text).any(|id| self.ids.contains(&id))
    }
}

/// The ids in a text.
pub(super) fn ids_in(text: &str) -> impl Iterator<Item = Uuid> {
    id_positions(text).map(|(_, id)| id)
}

/// The ids in a text, with where they begin.
fn id_positions(text: &str) -> impl Iterator<Item = (usize, Uuid)> {
    let bytes = text.as_bytes();
    memchr::memchr_iter(b'-', bytes).filter_map(|dash| {
        let from = dash.checked_sub(8)?;
        Some((from, Uuid::try_parse_ascii(bytes.get(from..from + ID)?).ok()?))
    })
}

/// A text with something else in some places, which are in their order and apart.
fn replaced(text: &str, places: impl Iterator<Item = Range<usize>>) -> String {
    let (mut kept, mut from) = (String::with_capacity(text.len()), 0);
    for place in places {
        kept.push_str(&text[from..place.start]);
        kept.push_str(ERASED);
        from = place.end;
    }
    kept.push_str(&text[from..]);
    kept
}

/// Whether a field's value is a person's name.
pub(super) fn names_a_person(field: &str) -> bool {
    FIELDS.iter().any(|name| name.eq_ignore_ascii_case(field))
}

/// Whether a name means nobody else wherever it stands.
pub(super) fn is_distinctive(name: &str) -> bool {
    name.len() >= DISTINCTIVE_LENGTH && !name.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a text holds a word that is not part of a longer one.
fn has_word(text: &str, word: &str) -> bool {
    words(text, word).next().is_some()
}

/// Where a text has a word that is not part of a longer one.
fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let is_whole = move |at: usize| {
        !text[..at].chars().next_back().is_some_and(part)
            && !text[at + word.len()..].chars().next().is_some_and(part)
    };
    text.match_indices(word).map(|(at, _)| at).filter(move |at| is_whole(*at))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn who() -> PersonQuery {
        PersonQuery {
            users: vec![UserId(Uuid::from_u128(7))],
            end_users: vec!["bob-1".to_owned(), "17".to_owned()],
            names: vec!["bob.brown@example.com".to_owned()],
            sessions: vec![ChatSessionId(Uuid::from_u128(0xbeef))],
            ..PersonQuery::default()
        }
    }

    #[test]
    fn a_text_names_a_person_by_an_id_or_a_whole_telling_name() {
        let who = who();
        for text in [
            "/api/v1/users/00000000-0000-0000-0000-000000000007/exports",
            "x00000000-0000-0000-0000-00000000beef",
            "no mailbox bob.brown@example.com here",
        ] {
            assert!(who.matches_text(text), "{text}");
        }
        for text in ["", "bob.brown@example.community", "xbob.brown@example.com", "bob-1", "17", "a-b-c"] {
            assert!(!who.matches_text(text), "{text}");
        }
        assert!(!who.matches_text("00000000-0000-0000-0000-000000000008"));
    }

    #[test]
    fn a_text_stays_without_what_names_the_person() {
        let who = who();
        let mut value = json!({
            "raw_text": "bob.brown@example.com (00000000-0000-0000-0000-000000000007) wants xbob.brown@example.com, 17",
            "user": 17, "bob.brown@example.com": ["bob-1", { "login": "bob-1" }],
        });
        who.mention().replace_in_json(&mut value);
        assert_eq!(
            value,
            json!({
                "raw_text": "[erased] ([erased]) wants xbob.brown@example.com, 17",
                "user": "[erased]", "[erased]": ["bob-1", { "login": "[erased]" }],
            })
        );
        assert!(!who.matches_json(&value));
    }

    #[test]
    fn a_short_name_counts_in_a_field_for_names_alone() {
        let who = who();
        for value in [
            json!({ "user": "bob-1" }),
            json!([{ "a": { "Enduser.Id": 17 } }]),
            json!({ "x": ["mail to bob.brown@example.com"] }),
        ] {
            assert!(who.matches_json(&value), "{value}");
        }
        for value in
            [json!({ "count": 17 }), json!({ "text": "bob-1" }), json!({ "user": "bob-12" }), json!(null)]
        {
            assert!(!who.matches_json(&value), "{value}");
        }
    }
}
