use std::collections::HashSet;
use std::ops::Range;

use super::{Kind, Live, Member, Node, SectionTable, escape, parse};
use crate::Result;

/// Stands in the layout where a section is. JSON can't contain it.
pub(crate) const HOLE: char = '\0';

/// The pointers and places of a text's sections, in order.
pub(crate) fn split(text: &str, table: &SectionTable) -> Result<Vec<(String, Range<usize>)>> {
    let (lead, root, _) = parse(text)?;
    let mut found = Vec::new();
    walk(table, &table.root(), &root, lead.len(), &mut String::new(), &mut found);
    Ok(found)
}

fn walk(
    table: &SectionTable,
    live: &Live,
    node: &Node<'_>,
    start: usize,
    pointer: &mut String,
    found: &mut Vec<(String, Range<usize>)>,
) {
    let Some(members) = entries(table, live, node) else {
        found.push((pointer.clone(), start..start + node.raw.len()));
        return;
    };
    let mut at = start + 1;
    for (key, member) in members {
        at += member.lead.len() + member.head.len();
        let length = pointer.len();
        pointer.push_str(&escape(&key));
        walk(table, &table.below(live, &key), &member.value, at, pointer, found);
        pointer.truncate(length);
        at += member.value.raw.len() + member.trail.len() + 1;
    }
}

/// The members of a value that contains sections; `None` for a section.
pub(crate) fn entries<'n, 'a>(
    table: &SectionTable,
    live: &Live,
    node: &'n Node<'a>,
) -> Option<Vec<(String, &'n Member<'a>)>> {
    if live.is_section() {
        return None;
    }
    match (&node.kind, table.element_key(live)) {
        (Kind::Object(members, _), None) => {
            Some(members.iter().map(|member| (member.key.clone().into_owned(), member)).collect())
        }
        (Kind::Array(elements, _), Some(key)) => {
            let mut names = HashSet::new();
            elements
                .iter()
                .map(|element| {
                    let name = text_of(&element.value, key)?;
                    names.insert(name.clone()).then_some((name, element))
                })
                .collect()
        }
        _ => None,
    }
}

fn text_of(node: &Node<'_>, key: &str) -> Option<String> {
    match &node.kind {
        Kind::Object(members, _) => {
            let member = members.iter().find(|member| member.key == key)?;
            serde_json::from_str::<String>(member.value.raw).ok()
        }
        Kind::Atom | Kind::Array(..) => None,
    }
}

/// A text with a hole for each section.
pub(crate) fn layout(text: &str, sections: impl Iterator<Item = Range<usize>>) -> String {
    let mut layout = String::new();
    let mut at = 0;
    for range in sections {
        layout.push_str(&text[at..range.start]);
        layout.push(HOLE);
        at = range.end;
    }
    layout.push_str(&text[at..]);
    layout
}

/// JSON without the white space between its tokens.
pub(crate) fn without_spaces(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let (mut in_string, mut escaped) = (false, false);
    for char in json.chars() {
        if in_string {
            in_string = escaped || char != '"';
            escaped = !escaped && char == '\\';
        } else if matches!(char, ' ' | '\t' | '\n' | '\r') {
            continue;
        } else {
            in_string = char == '"';
        }
        text.push(char);
    }
    text
}
