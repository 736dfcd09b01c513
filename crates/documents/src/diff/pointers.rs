use serde::{Deserialize, Serialize};

use crate::json::{Kind, Member, Node, compact, escape, parse};

/// A value of JSON that changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointerChange {
    /// Its pointer from the root of the document; an element that a section table names stands under its
    /// name.
    pub pointer: String,
    /// The value as JSON; absent if it was added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The value as JSON; absent if it was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// The values that differ between two texts of a section, as deep down as possible. Arrays of different
/// lengths are compared as a whole.
pub(super) fn pointer_changes(pointer: &str, before: &str, after: &str) -> Vec<PointerChange> {
    let mut changes = Vec::new();
    if let (Ok((_, before, _)), Ok((_, after, _))) = (parse(before), parse(after)) {
        compare(&mut pointer.to_owned(), Some(&before), Some(&after), &mut changes);
    }
    changes
}

fn compare(
    pointer: &mut String,
    before: Option<&Node<'_>>,
    after: Option<&Node<'_>>,
    changes: &mut Vec<PointerChange>,
) {
    let length = pointer.len();
    if let (Some(before), Some(after)) = (before, after) {
        if before.raw == after.raw {
            return;
        }
        match (&before.kind, &after.kind) {
            (Kind::Object(old, _), Kind::Object(new, _)) => {
                let removed = old.iter().filter(|member| find(new, &member.key).is_none());
                let kept_or_added = new.iter().map(|member| (find(old, &member.key), Some(member)));
                for (old, new) in removed.map(|member| (Some(member), None)).chain(kept_or_added) {
                    pointer.push_str(&escape(new.or(old).map_or("", |member| &member.key)));
                    compare(
                        pointer,
                        old.map(|member| &member.value),
                        new.map(|member| &member.value),
                        changes,
                    );
                    pointer.truncate(length);
                }
                return;
            }
            (Kind::Array(old, _), Kind::Array(new, _)) if old.len() == new.len() => {
                for (index, (old, new)) in old.iter().zip(new).enumerate() {
                    pointer.push_str(&format!("/{index}"));
                    compare(pointer, Some(&old.value), Some(&new.value), changes);
                    pointer.truncate(length);
                }
                return;
            }
            _ if compact(before) == compact(after) => return,
            _ => {}
        }
    }
    let text = |node: Option<&Node<'_>>| node.map(|node| node.raw.to_owned());
    changes.push(PointerChange { pointer: pointer.clone(), before: text(before), after: text(after) });
}

fn find<'n, 'a>(members: &'n [Member<'a>], key: &str) -> Option<&'n Member<'a>> {
    members.iter().find(|member| member.key == key)
}
