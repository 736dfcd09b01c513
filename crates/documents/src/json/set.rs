use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::{Kind, Live, Member, Node, SectionTable, assemble, entries, escape, parse};
use crate::Result;

/// The texts of sections to write, by pointer; `None` removes the section.
type Changes<'a> = BTreeMap<String, Option<&'a str>>;

/// A text with some sections replaced, added at the end of their object or array, or removed; objects that a
/// new one needs are made. What has no place is left in `changes`.
pub(crate) fn set(text: &str, table: &SectionTable, changes: &mut Changes<'_>) -> Result<String> {
    let (lead, root, trail) = parse(text)?;
    let mut root_text = write(table, &table.root(), &root, "", changes, "\n").into_owned();
    if let Some(new) = changes.remove("") {
        root_text = new.unwrap_or("null").to_owned();
    }
    Ok(format!("{lead}{root_text}{trail}"))
}

fn write<'a>(
    table: &SectionTable,
    live: &Live,
    node: &Node<'a>,
    pointer: &str,
    changes: &mut Changes<'_>,
    indentation: &str,
) -> Cow<'a, str> {
    let Some(members) = entries(table, live, node) else { return Cow::Borrowed(node.raw) };
    let below = format!("{pointer}/");
    if changes.range(below.clone()..).next().is_none_or(|(key, _)| !key.starts_with(&below)) {
        return Cow::Borrowed(node.raw);
    }
    let (array, tail) = match &node.kind {
        Kind::Array(_, tail) => (true, *tail),
        Kind::Object(_, tail) => (false, *tail),
        Kind::Atom => (false, ""),
    };
    let lead = members.last().map_or_else(
        || if indentation.is_empty() { String::new() } else { format!("{indentation}  ") },
        |(_, member)| member.lead.to_owned(),
    );
    let step = if lead.contains('\n') { lead.as_str() } else { "" };
    let mut written = Vec::new();
    for (key, member) in &members {
        let inner = format!("{pointer}{}", escape(key));
        let value = match changes.remove(&inner) {
            Some(None) => continue,
            Some(Some(new)) => Cow::Owned(new.to_owned()),
            None => write(table, &table.below(live, key), &member.value, &inner, changes, step),
        };
        written.push((member.lead.into(), member.head.into(), value, member.trail.into()));
    }
    let head = |key: &str| match (array, step.is_empty()) {
        (true, _) => String::new(),
        (false, true) => format!("{}:", serde_json::Value::from(key)),
        (false, false) => format!("{}: ", serde_json::Value::from(key)),
    };
    for part in new_keys(changes, &below, &members) {
        let key = part.replace("~1", "/").replace("~0", "~");
        let child = format!("{below}{part}");
        let deeper = table.below(live, &key);
        let value = match changes.get(&child).copied() {
            Some(value) => {
                changes.remove(&child);
                value.map(str::to_owned)
            }
            // An object that the new section needs. An array's elements can't be made so: they need their own
            // key.
            None if !array && !deeper.is_section() && table.element_key(&deeper).is_none() => {
                let empty = Node { raw: "{}", kind: Kind::Object(Vec::new(), "") };
                Some(write(table, &deeper, &empty, &child, changes, step).into_owned())
            }
            None => None,
        };
        if let Some(value) = value {
            written.push((lead.clone().into(), head(&key).into(), value.into(), "".into()));
        }
    }
    let tail = if members.is_empty() && tail.is_empty() { indentation } else { tail };
    Cow::Owned(assemble(array, written, tail))
}

/// The keys below a pointer, escaped, at or under which something is added.
fn new_keys(changes: &Changes<'_>, below: &str, members: &[(String, &Member<'_>)]) -> BTreeSet<String> {
    let present: BTreeSet<String> = members.iter().map(|(key, _)| escape(key)).collect();
    changes
        .range(below.to_owned()..)
        .take_while(|(pointer, _)| pointer.starts_with(below))
        .filter(|(_, value)| value.is_some())
        .filter_map(|(pointer, _)| pointer[below.len()..].split('/').next())
        .filter(|part| !present.contains(&format!("/{part}")))
        .map(str::to_owned)
        .collect()
}
