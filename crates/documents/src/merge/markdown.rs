use std::collections::{HashMap, HashSet};

use super::{ConflictKind, Decisions, Sides, Take, lines};
use crate::markdown::{FRONT_MATTER, PREAMBLE, is_one_section};
use crate::order::{Orders, Side};
use crate::{Document, Error, Result, SectionId};

/// The sections of a version by their ids, in order.
struct Version<'d> {
    order: Vec<&'d str>,
    texts: HashMap<&'d str, &'d str>,
    levels: HashMap<&'d str, u8>,
    parents: HashMap<&'d str, Option<&'d str>>,
}

pub(super) fn merge(
    base: &Document,
    mine: &Document,
    theirs: &Document,
    decisions: &mut Decisions<'_>,
) -> Result<Document> {
    if mine == theirs || theirs == base {
        return Ok(mine.clone());
    }
    if mine == base {
        return Ok(theirs.clone());
    }
    let (base, mine, theirs) = (version(base), version(mine), version(theirs));
    let (under_mine, under_theirs) = (put_under(&base, &mine), put_under(&base, &theirs));
    let mut texts: HashMap<&str, String> = HashMap::new();
    let sections = mine.order.iter().chain(&theirs.order).copied();
    let mut seen = HashSet::new();
    for id in sections.filter(|id| seen.insert(*id)) {
        let sides = Sides {
            base: base.texts.get(id).copied(),
            mine: mine.texts.get(id).copied(),
            theirs: theirs.texts.get(id).copied(),
        };
        let heading = |side: &Version<'_>| side.levels.get(id).copied().filter(|level| *level > 0);
        let levels = [heading(&mine), heading(&theirs)];
        texts.extend(
            section(id, levels, sides, [&under_mine, &under_theirs], decisions).map(|text| (id, text)),
        );
    }
    let orders = Orders { base: base.order.clone(), mine: mine.order.clone(), theirs: theirs.order.clone() };
    let winner = orders.winner().map_or_else(|| order(&orders, decisions), Ok)?;
    let mut order = orders.merged(winner, |id| level(&mine, &theirs, id));
    order.sort_by_key(|id| match *id {
        FRONT_MATTER => 0,
        PREAMBLE => 1,
        _ => 2,
    });
    let pieces = order.into_iter().filter_map(|id| Some((SectionId::from(id), texts.remove(id)?)));
    Ok(Document::from_pieces(pieces.collect()))
}

fn version(document: &Document) -> Version<'_> {
    let mut version =
        Version { order: Vec::new(), texts: HashMap::new(), levels: HashMap::new(), parents: HashMap::new() };
    for section in document.sections() {
        let id = section.id.as_str();
        version.order.push(id);
        version.texts.insert(id, &document.text()[section.range.clone()]);
        version.levels.insert(id, section.level);
        version.parents.insert(id, document.parent_id(section));
    }
    version
}

fn level(mine: &Version<'_>, theirs: &Version<'_>, id: &str) -> u8 {
    let levels = [mine, theirs].map(|side| side.levels.get(id).copied().unwrap_or_default());
    levels[0].max(levels[1])
}

/// The sections under which a side added or moved another one.
fn put_under<'d>(base: &Version<'d>, side: &Version<'d>) -> HashSet<&'d str> {
    let changed = side.parents.iter().filter(|(id, parent)| base.parents.get(*id) != Some(*parent));
    changed.filter_map(|(_, parent)| *parent).collect()
}

/// The merged text of a section; `None` if it is removed.
fn section(
    id: &str,
    levels: [Option<u8>; 2],
    sides: Sides<'_>,
    [under_mine, under_theirs]: [&HashSet<&str>; 2],
    decisions: &mut Decisions<'_>,
) -> Option<String> {
    let removed_over_new = sides.base.is_some()
        && ((sides.mine.is_none() && under_theirs.contains(id))
            || (sides.theirs.is_none() && under_mine.contains(id)));
    if !removed_over_new {
        // White space at the end is no content, and is merged apart.
        let (bodies, ends) = (sides.map(str::trim_end), sides.map(|text| &text[text.trim_end().len()..]));
        if let Some(text) = sides.plain() {
            return text.map(str::to_owned);
        }
        if let Some(body) = bodies.plain() {
            return body.map(|body| format!("{body}{}", ends.spaces()));
        }
        if let Sides { base: Some(base), mine: Some(mine), theirs: Some(theirs) } = bodies
            && let Some(merged) = lines::merge(base, mine, theirs)
            && levels.iter().any(|level| is_one_section(&merged, *level))
        {
            return Some(merged + ends.spaces());
        }
    }
    match decisions.decide(sides.kind(), id, sides, Vec::new()) {
        Take::Mine => sides.mine.map(str::to_owned),
        Take::Theirs => sides.theirs.map(str::to_owned),
        Take::Text(text) => Some(text.clone()),
    }
}

fn order(orders: &Orders<'_>, decisions: &mut Decisions<'_>) -> Result<Side> {
    let [mine, theirs] = orders.sides().map(|side| side.join("\n"));
    let base = orders.base.join("\n");
    let sides = Sides { base: Some(&base), mine: Some(&mine), theirs: Some(&theirs) };
    match decisions.decide(ConflictKind::Order, "", sides, Vec::new()) {
        Take::Mine => Ok(Side::Mine),
        Take::Theirs => Ok(Side::Theirs),
        Take::Text(_) => Err(Error::OrderText),
    }
}
