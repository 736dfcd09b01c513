//! Whom a record names where it has no column for them: an error, a metric value.

use std::collections::{BTreeMap, BTreeSet};

use loam_kernel::UserId;
use serde_json::Value;
use uuid::Uuid;

use super::end_user::end_user_key;
use super::guard::Subject;
use super::query::{ids_in, is_distinctive, names_a_person};

/// Words of one text that are looked at.
const MAX_WORDS: usize = 1_000;

/// Everything in a record that may name somebody: values of the fields that hold names, ids, and words of texts that
/// are long enough to mean nobody else.
#[derive(Debug, Default)]
pub struct Named {
    names: BTreeSet<String>,
    ids: BTreeMap<Uuid, String>,
}

impl Named {
    /// Adds a document's fields and the ids in its texts.
    pub fn add_json(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.add_ids(text),
            Value::Array(items) => items.iter().for_each(|item| self.add_json(item)),
            Value::Object(fields) => {
                for (field, value) in fields {
                    match value {
                        Value::String(text) => self.add_field(field, text),
                        Value::Number(number) => self.add_field(field, &number.to_string()),
                        value => self.add_json(value),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Adds a field.
    pub fn add_field(&mut self, field: &str, value: &str) {
        if names_a_person(field)
            && let Some(name) = end_user_key(value)
        {
            self.names.insert(name.into_owned());
        }
        self.add_ids(value);
    }

    /// Adds the ids and the distinctive words of a text.
    pub fn add_text(&mut self, text: &str) {
        self.add_ids(text);
        let words = text.split(|c: char| c.is_whitespace() || "\"'`()[]{}<>,;=".contains(c));
        let words = words.map(|word| word.trim_matches(|c: char| !c.is_alphanumeric() && c != '_'));
        let words = words.filter(|word| is_distinctive(word)).take(MAX_WORDS);
        self.names.extend(words.filter_map(|word| Some(end_user_key(word)?.into_owned())));
    }

    fn add_ids(&mut self, text: &str) {
        self.ids.extend(ids_in(text).map(|id| (id, id.to_string())));
    }

    /// Whoever that may be.
    pub fn subjects(&self) -> Vec<Subject<'_>> {
        let names = self.names.iter().flat_map(|name| [Subject::EndUser(name), Subject::Name(name)]);
        let ids = self.ids.iter().flat_map(|(id, text)| [Subject::User(UserId(*id)), Subject::Session(text)]);
        names.chain(ids).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_stand_in_their_fields_and_distinctive_ones_in_texts() {
        let mut named = Named::default();
        named.add_json(&json!({
            "attributes": { "Enduser.Id": "b-1", "user_id": 17, "count": 18, "note": "short" },
            "path": "/users/00000000-0000-0000-0000-000000000007/x",
        }));
        named.add_text("no mailbox `bob.brown@example.com`, b-2 said (bob_brown)");
        let names: Vec<&str> = named.names.iter().map(String::as_str).collect();
        assert_eq!(names, ["17", "b-1", "bob.brown@example.com", "bob_brown", "mailbox"]);
        let user = UserId(Uuid::from_u128(7));
        let subjects = named.subjects();
        assert!(subjects.contains(&Subject::User(user)));
        assert!(subjects.contains(&Subject::Name("bob_brown")) && subjects.contains(&Subject::EndUser("17")));
        assert!(Named::default().subjects().is_empty());
    }
}
