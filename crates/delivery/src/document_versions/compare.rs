//! What differs between two contents, by JSON pointer. The only place that compares.

use std::fmt::Write;

use loam_kernel::JsonValue;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// Maximum number of listed changes.
const MAX_CHANGES: usize = 2_000;
/// Unchanged lines around the changed ones.
const CONTEXT: usize = 3;

/// What happened to a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FieldChangeKind {
    /// It is new.
    Add,
    /// It is gone.
    Remove,
    /// It has another value.
    Replace,
}

/// A changed field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FieldChange {
    /// `add`, `remove` or `replace`.
    pub op: FieldChangeKind,
    /// Its place, as a JSON pointer (RFC 6901).
    pub path: String,
    /// The value before; null if it is new.
    #[schema(value_type = JsonValue)]
    pub from: Value,
    /// The value after; null if it is gone.
    #[schema(value_type = JsonValue)]
    pub to: Value,
    /// Of texts of several lines, their difference in the unified format; null for other values.
    pub diff: Option<String>,
}

/// What differs between two versions.
#[derive(Debug, Serialize, ToSchema)]
pub struct DocumentComparison {
    /// Number of the version before.
    from: i64,
    /// Number of the version after.
    to: i64,
    /// The changed fields, in the order of the content.
    changes: Vec<FieldChange>,
    /// Whether there are more than the 2,000 changes that are listed.
    is_truncated: bool,
}

/// Compares two versions, each with its number.
pub(crate) fn compare((from, before): (i64, &Value), (to, after): (i64, &Value)) -> DocumentComparison {
    let mut changes = field_changes(before, after);
    let is_truncated = changes.len() > MAX_CHANGES;
    changes.truncate(MAX_CHANGES);
    DocumentComparison { from, to, changes, is_truncated }
}

/// The fields that differ; one more than are listed, if there are more.
pub(crate) fn field_changes(before: &Value, after: &Value) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    collect(&mut String::new(), before, after, &mut changes);
    changes
}

fn collect(path: &mut String, before: &Value, after: &Value, changes: &mut Vec<FieldChange>) {
    if before == after || changes.len() > MAX_CHANGES {
        return;
    }
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            for (name, before) in old {
                below(path, name, |path| match new.get(name) {
                    Some(after) => collect(path, before, after, changes),
                    None => changes.push(change(FieldChangeKind::Remove, path, before, &Value::Null)),
                });
            }
            for (name, after) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
                below(path, name, |path| {
                    changes.push(change(FieldChangeKind::Add, path, &Value::Null, after));
                });
            }
        }
        (Value::Array(old), Value::Array(new)) => collect_items(path, old, new, changes),
        _ => changes.push(change(FieldChangeKind::Replace, path, before, after)),
    }
}

/// Items that are equal at both ends stay; those between them are compared by their place, the rest is new or gone.
fn collect_items(path: &mut String, old: &[Value], new: &[Value], changes: &mut Vec<FieldChange>) {
    let (start, end) = equal_ends(old, new);
    let (old, new) = (&old[start..old.len() - end], &new[start..new.len() - end]);
    for index in 0..old.len().max(new.len()) {
        below(path, &(start + index).to_string(), |path| match (old.get(index), new.get(index)) {
            (Some(before), Some(after)) => collect(path, before, after, changes),
            (Some(before), None) => {
                changes.push(change(FieldChangeKind::Remove, path, before, &Value::Null));
            }
            (None, Some(after)) => changes.push(change(FieldChangeKind::Add, path, &Value::Null, after)),
            (None, None) => {}
        });
    }
}

/// How many items at the beginning and at the end are equal.
fn equal_ends<T: PartialEq>(old: &[T], new: &[T]) -> (usize, usize) {
    let start = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (old, new) = (&old[start..], &new[start..]);
    (start, old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count())
}

fn below(path: &mut String, name: &str, inside: impl FnOnce(&mut String)) {
    let length = path.len();
    path.push('/');
    path.push_str(&name.replace('~', "~0").replace('/', "~1"));
    inside(path);
    path.truncate(length);
}

fn change(op: FieldChangeKind, path: &str, before: &Value, after: &Value) -> FieldChange {
    let diff = match (before, after) {
        (Value::String(old), Value::String(new)) if old.contains('\n') || new.contains('\n') => {
            Some(unified(old, new))
        }
        _ => None,
    };
    FieldChange { op, path: path.to_owned(), from: before.clone(), to: after.clone(), diff }
}

/// The difference of two texts in the unified format, as one hunk from the first changed line to the last.
fn unified(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let (start, end) = equal_ends(&old, &new);
    let first = start.saturating_sub(CONTEXT);
    let after = end.min(CONTEXT);
    let (old_end, new_end) = (old.len() - end, new.len() - end);
    let range = |to: usize| {
        let count = to + after - first;
        format!("{},{count}", if count == 0 { first } else { first + 1 })
    };
    let mut text = format!("@@ -{} +{} @@\n", range(old_end), range(new_end));
    let mut add = |mark: char, lines: &[&str]| {
        lines.iter().for_each(|line| _ = writeln!(text, "{mark}{line}"));
    };
    add(' ', &old[first..start]);
    add('-', &old[start..old_end]);
    add('+', &new[start..new_end]);
    add(' ', &old[old_end..old_end + after]);
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn listed(before: Value, after: Value) -> Vec<String> {
        let changes = field_changes(&before, &after).into_iter();
        changes.map(|change| format!("{:?} {}", change.op, change.path)).collect()
    }

    #[test]
    fn changes_are_named_by_their_pointer() {
        let before = json!({ "a": 1, "b/c": { "d~": [1, 2, 3] }, "e": null, "same": [{}] });
        let after = json!({ "b/c": { "d~": [1, 9, 2, 3] }, "e": "x", "f": 0, "same": [{}] });
        assert_eq!(listed(before.clone(), after), ["Remove /a", "Add /b~1c/d~0/1", "Replace /e", "Add /f"]);
        assert_eq!(listed(before.clone(), before), Vec::<String>::new());
        assert_eq!(listed(json!([1, 2, 3, 4]), json!([1, 5, 4])), ["Replace /1", "Remove /2"]);
        assert_eq!(listed(json!([]), json!({})), ["Replace "]);
    }

    #[test]
    fn a_text_has_a_unified_diff() {
        let text = |lines: &[&str]| lines.join("\n");
        let old = text(&["1", "2", "3", "4", "five", "6", "7", "8", "9"]);
        let new = text(&["1", "2", "3", "4", "5", "5b", "6", "7", "8", "9"]);
        assert_eq!(unified(&old, &new), "@@ -2,7 +2,8 @@\n 2\n 3\n 4\n-five\n+5\n+5b\n 6\n 7\n 8\n");
        assert_eq!(unified("", "a\nb"), "@@ -0,0 +1,2 @@\n+a\n+b\n");
        let change = &field_changes(&json!({ "t": "a\nb" }), &json!({ "t": "a\nc" }))[0];
        assert_eq!(change.diff.as_deref(), Some("@@ -1,2 +1,2 @@\n a\n-b\n+c\n"));
        assert_eq!(field_changes(&json!("a"), &json!("b"))[0].diff, None);
    }

    #[test]
    fn the_number_of_changes_is_limited() {
        let many = |value: i32| vec![value; 10_000];
        let compared = compare((1, &json!(many(1))), (2, &json!(many(2))));
        assert!(compared.is_truncated && compared.changes.len() == MAX_CHANGES);
    }
}
