//! Objects are merged key by key, down to the sections without a conflict between them, and within a section
//! as far as its objects go. What was not changed keeps its bytes.

use std::borrow::Cow;
use std::collections::HashMap;

use super::{Decisions, Sides, Take};
use crate::Result;
use crate::json::{Kind, Live, Member, Node, SectionTable, assemble, compact, entries, escape, parse};
use crate::order::Orders;

pub(super) fn merge(
    base: &str,
    mine: &str,
    theirs: &str,
    table: &SectionTable,
    decisions: &mut Decisions<'_>,
) -> Result<String> {
    let sides = Sides { base: Some(base), mine: Some(mine), theirs: Some(theirs) };
    if let Some(Some(plain)) = sides.plain() {
        return Ok(plain.to_owned());
    }
    let ((base_lead, base, base_trail), (lead, mine, trail), (their_lead, theirs, their_trail)) =
        (parse(base)?, parse(mine)?, parse(theirs)?);
    let spaces =
        |base, mine, theirs| Sides { base: Some(base), mine: Some(mine), theirs: Some(theirs) }.spaces();
    let mut merging = Merging { table, decisions, pointer: String::new() };
    let three = Three { base: Some(&base), mine: Some(&mine), theirs: Some(&theirs) };
    let value = merging.value(&table.root(), three)?.unwrap_or(Cow::Borrowed("null"));
    Ok([spaces(base_lead, lead, their_lead), &value, spaces(base_trail, trail, their_trail)].concat())
}

/// A value in the three versions, absent where it doesn't exist.
#[derive(Clone, Copy)]
struct Three<T> {
    base: Option<T>,
    mine: Option<T>,
    theirs: Option<T>,
}

impl<T: Copy> Three<T> {
    fn map<U>(self, map: impl Fn(T) -> U) -> Three<U> {
        Three { base: self.base.map(&map), mine: self.mine.map(&map), theirs: self.theirs.map(&map) }
    }
}

impl<'a> Three<&Node<'a>> {
    fn raw(self) -> Sides<'a> {
        let Three { base, mine, theirs } = self.map(|node| node.raw);
        Sides { base, mine, theirs }
    }
}

/// The members of an object or a named array, by key.
type Members<'n, 'a> = Vec<(String, &'n Member<'a>)>;

struct Merging<'m, 'c> {
    table: &'m SectionTable,
    decisions: &'m mut Decisions<'c>,
    pointer: String,
}

impl Merging<'_, '_> {
    /// The merged text of a value that is a section or contains some; `None` if it is removed.
    fn value<'a>(&mut self, live: &Live, nodes: Three<&Node<'a>>) -> Result<Option<Cow<'a, str>>> {
        if let Some(plain) = nodes.raw().plain() {
            return Ok(plain.map(Cow::Borrowed));
        }
        let members = nodes.map(|node| entries(self.table, live, node));
        match members {
            // One side removed an object of sections: each section is removed, or was changed by the other
            // side.
            Three { base: Some(base @ Some(_)), mine: Some(mine @ Some(_)), theirs: None } => {
                self.members(live, nodes, Three { base, mine, theirs: None })
            }
            Three { base: Some(base @ Some(_)), mine: None, theirs: Some(theirs @ Some(_)) } => {
                self.members(live, nodes, Three { base, mine: None, theirs })
            }
            Three { base, mine: Some(Some(mine)), theirs: Some(Some(theirs)) } => self.members(
                live,
                nodes,
                Three { base: base.flatten(), mine: Some(mine), theirs: Some(theirs) },
            ),
            _ => self.section(nodes),
        }
    }

    fn members<'a>(
        &mut self,
        live: &Live,
        nodes: Three<&Node<'a>>,
        members: Three<Members<'_, 'a>>,
    ) -> Result<Option<Cow<'a, str>>> {
        let merged = merge_members(&members, |key, three| {
            let length = self.pointer.len();
            self.pointer.push_str(&escape(key));
            let value = self.value(&self.table.below(live, key), three);
            self.pointer.truncate(length);
            value
        })?;
        let removed = nodes.mine.is_none() || nodes.theirs.is_none();
        Ok((!removed || !merged.is_empty()).then(|| Cow::Owned(text(nodes, merged))))
    }

    /// A section is merged within, or is a conflict as a whole.
    fn section<'a>(&mut self, nodes: Three<&Node<'a>>) -> Result<Option<Cow<'a, str>>> {
        let mut clashes = Vec::new();
        let merged = within(nodes, &mut self.pointer.clone(), &mut clashes);
        if clashes.is_empty() {
            return Ok(merged);
        }
        let sides = nodes.raw();
        Ok(match self.decisions.decide(sides.kind(), &self.pointer, sides, clashes) {
            Take::Mine => sides.mine.map(Cow::Borrowed),
            Take::Theirs => sides.theirs.map(Cow::Borrowed),
            Take::Text(text) if text.trim().is_empty() => None,
            Take::Text(text) => {
                parse(text)?;
                Some(Cow::Owned(text.clone()))
            }
        })
    }
}

/// The merged text of a value within a section, with the pointers at which the sides exclude each other.
fn within<'a>(
    nodes: Three<&Node<'a>>,
    pointer: &mut String,
    clashes: &mut Vec<String>,
) -> Option<Cow<'a, str>> {
    if let Some(plain) = nodes.raw().plain() {
        return plain.map(Cow::Borrowed);
    }
    let (Some(base), Some(mine), Some(theirs)) = (nodes.base, nodes.mine, nodes.theirs) else {
        // Where one side is absent, or both added it, only white space may differ.
        let same = match (nodes.base, nodes.mine, nodes.theirs) {
            (None, Some(one), Some(other)) => compact(one) == compact(other),
            (Some(base), Some(kept), None) | (Some(base), None, Some(kept))
                if compact(base) == compact(kept) =>
            {
                return None;
            }
            _ => false,
        };
        if !same {
            clashes.push(pointer.clone());
        }
        return nodes.raw().mine.max(nodes.raw().theirs).map(Cow::Borrowed);
    };
    if let (Kind::Object(base, _), Kind::Object(mine, _), Kind::Object(theirs, _)) =
        (&base.kind, &mine.kind, &theirs.kind)
    {
        let three =
            Three { base: Some(by_key(base)), mine: Some(by_key(mine)), theirs: Some(by_key(theirs)) };
        let merged = merge_members(&three, |key, three| {
            let length = pointer.len();
            pointer.push_str(&escape(key));
            let value = within(three, pointer, clashes);
            pointer.truncate(length);
            Ok(value)
        });
        return merged.ok().map(|merged| Cow::Owned(text(nodes, merged)));
    }
    let [base_text, mine_text, theirs_text] = [base, mine, theirs].map(compact);
    if base_text == mine_text {
        return Some(Cow::Borrowed(theirs.raw));
    }
    if base_text != theirs_text && mine_text != theirs_text {
        clashes.push(pointer.clone());
    }
    Some(Cow::Borrowed(if mine_text == theirs_text { mine.raw.max(theirs.raw) } else { mine.raw }))
}

fn by_key<'n, 'a>(members: &'n [Member<'a>]) -> Members<'n, 'a> {
    members.iter().map(|member| (member.key.clone().into_owned(), member)).collect()
}

/// The parts of a merged member: lead, head, value, trail.
type Merged<'a> = (Cow<'a, str>, Cow<'a, str>, Cow<'a, str>, Cow<'a, str>);

/// Merges the members that remain, in the order of the side that changed it. The order of keys says nothing,
/// so where both changed it, one is taken that is the same whichever side is mine.
fn merge_members<'a>(
    members: &Three<Members<'_, 'a>>,
    mut merge: impl FnMut(&str, Three<&Node<'a>>) -> Result<Option<Cow<'a, str>>>,
) -> Result<Vec<Merged<'a>>> {
    let none = Vec::new();
    let [base, mine, theirs] =
        [&members.base, &members.mine, &members.theirs].map(|members| members.as_ref().unwrap_or(&none));
    let orders = Orders { base: keys(base), mine: keys(mine), theirs: keys(theirs) };
    let (in_base, in_mine, in_theirs) = (index(base), index(mine), index(theirs));
    let mut merged = Vec::new();
    for key in orders.merged(orders.winner().unwrap_or_else(|| orders.canonical()), |_| 0) {
        let three = Three {
            base: in_base.get(key).copied(),
            mine: in_mine.get(key).copied(),
            theirs: in_theirs.get(key).copied(),
        };
        if let Some(value) = merge(key, three.map(|member| &member.value))? {
            let part = |part: fn(&Member<'a>) -> &'a str| {
                let Three { base, mine, theirs } = three.map(part);
                // A side without the member has no say in its white space.
                let (mine, theirs) = (mine.or(theirs), theirs.or(mine));
                Cow::Borrowed(Sides { base, mine, theirs }.spaces())
            };
            merged.push((
                part(|member| member.lead),
                part(|member| member.head),
                value,
                part(|member| member.trail),
            ));
        }
    }
    Ok(merged)
}

/// The text of a merged object or array.
fn text<'a>(nodes: Three<&Node<'a>>, members: Vec<Merged<'a>>) -> String {
    let tails = nodes.map(|node| match &node.kind {
        Kind::Object(_, tail) | Kind::Array(_, tail) => *tail,
        Kind::Atom => "",
    });
    let sides =
        Sides { base: tails.base, mine: tails.mine.or(tails.theirs), theirs: tails.theirs.or(tails.mine) };
    let array = [nodes.mine, nodes.theirs].iter().flatten().any(|node| matches!(node.kind, Kind::Array(..)));
    assemble(array, members, sides.spaces())
}

fn keys<'k>(members: &'k Members<'_, '_>) -> Vec<&'k str> {
    members.iter().map(|(key, _)| key.as_str()).collect()
}

fn index<'k, 'n, 'a>(members: &'k Members<'n, 'a>) -> HashMap<&'k str, &'n Member<'a>> {
    members.iter().map(|(key, member)| (key.as_str(), *member)).collect()
}
