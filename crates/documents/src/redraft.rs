//! A model's new texts for chosen sections, held against what people did meanwhile.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::merge::merge_keeping_mine;
use crate::{Conflict, Document, Error, Format, Result, SectionId, json, markdown};

/// A new text of one section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// The section: one of the document or of the version that the draft was made from, or a new id; in JSON
    /// its pointer.
    pub section: SectionId,
    /// The section's text in the version that the draft was made from; absent for a new section.
    pub base: Option<String>,
    /// The new text: in Markdown with its heading and without the sections below; absent to remove the
    /// section.
    pub text: Option<String>,
    /// After which section a new one is put in Markdown, below that section's own; at the end if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<SectionId>,
}

/// The result of a redraft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redraft {
    /// The document with the drafts that don't conflict. A section in conflict has the text that it had:
    /// people's work stays until a person decides.
    pub document: Document,
    /// The drafts that exclude what people did since their base: `mine` is the present text, `theirs` the
    /// draft.
    pub conflicts: Vec<Conflict>,
}

/// Writes drafts into the current version. No section changes but the drafted ones, and of those no part that
/// was changed since the draft's base, unless the draft changed another part.
///
/// # Errors
/// If a section is drafted twice, a draft is not one section, or has no place.
///
/// # Examples
/// ```
/// use loam_documents::{Document, Draft, Format, redraft};
///
/// let base = Document::new(Format::Markdown, "# Plan\n\nOne.\n\n## Risks\n\nFew.\n")?;
/// let current = base.revise("# Plan\n\nOne and two.\n\n## Risks\n\nFew.\n")?;
/// let draft = Draft {
///     section: "plan/risks".into(),
///     base: Some("## Risks\n\nFew.\n".to_owned()),
///     text: Some("## Risks\n\nMany.\n".to_owned()),
///     after: None,
/// };
/// let redraft = redraft(&current, &[draft])?;
/// assert_eq!(redraft.document.text(), "# Plan\n\nOne and two.\n\n## Risks\n\nMany.\n");
/// # Ok::<(), loam_documents::Error>(())
/// ```
pub fn redraft(current: &Document, drafts: &[Draft]) -> Result<Redraft> {
    let mut seen = HashSet::new();
    if let Some(twice) = drafts.iter().find(|draft| !seen.insert(&draft.section)) {
        return Err(Error::DraftTwice(twice.section.clone()));
    }
    // The version that the drafts were made from, as far as it matters: the current one with the bases of the
    // drafts. So there is no difference elsewhere that a merge could take.
    let (base, drafted) = match current.format() {
        Format::Markdown => {
            let drafts: Vec<Draft> =
                drafts.iter().map(|draft| fitted(current, draft)).collect::<Result<_>>()?;
            let with = |text: fn(&Draft) -> Option<&str>| with_sections(current, &drafts, text);
            (with(|draft| draft.base.as_deref())?, with(|draft| draft.text.as_deref())?)
        }
        Format::Json(_) => {
            let with = |text: fn(&Draft) -> Option<&str>| with_values(current, drafts, text);
            (with(|draft| draft.base.as_deref())?, with(|draft| draft.text.as_deref())?)
        }
    };
    let (document, conflicts) = merge_keeping_mine(&base, current, &drafted)?;
    Ok(Redraft { document, conflicts })
}

/// A draft of Markdown, if it is one section, with the white space at the end that its base has.
fn fitted(current: &Document, draft: &Draft) -> Result<Draft> {
    let shape = || Error::DraftShape(draft.section.clone());
    // The level that the model saw; a person may have changed it since.
    let level = draft.base.as_deref().map(first_level).or_else(|| {
        let section = current.sections().iter().find(|section| section.id == draft.section)?;
        Some(section.level)
    });
    let fits = |text: &String| {
        let level = level.unwrap_or_else(|| first_level(text));
        markdown::is_one_section(text, (level > 0).then_some(level)) && (level > 0 || draft.base.is_some())
    };
    if !draft.text.iter().all(fits) {
        return Err(shape());
    }
    let end = draft.base.as_deref().map_or("\n\n", |base| &base[base.trim_end().len()..]);
    let text = draft.text.as_deref().map(|text| format!("{}{end}", text.trim_end()));
    Ok(Draft { text, ..draft.clone() })
}

fn first_level(text: &str) -> u8 {
    markdown::split(text).first().map_or(0, |part| part.level)
}

/// The current version of a Markdown document with a text of each draft.
fn with_sections(current: &Document, drafts: &[Draft], text: fn(&Draft) -> Option<&str>) -> Result<Document> {
    let mut changes: HashMap<&SectionId, &Draft> =
        drafts.iter().map(|draft| (&draft.section, draft)).collect();
    let mut pieces: Vec<(SectionId, String)> = Vec::new();
    for section in current.sections() {
        let own = &current.text()[section.range.clone()];
        let text = changes.remove(&section.id).map_or(Some(own), text);
        // A removed section stays as a place, which is left out below, so that new ones can be put after it.
        pieces.push((section.id.clone(), text.unwrap_or_default().to_owned()));
    }
    for draft in drafts.iter().filter(|draft| changes.contains_key(&draft.section)) {
        let at = match (draft.section.as_str(), &draft.after) {
            (markdown::FRONT_MATTER, _) => 0,
            (markdown::PREAMBLE, _) => {
                usize::from(pieces.first().is_some_and(|(id, _)| id.as_str() == markdown::FRONT_MATTER))
            }
            (_, None) => pieces.len(),
            (_, Some(after)) => end_of_subtree(current, &pieces, after).ok_or_else(|| Error::DraftPlace {
                section: draft.section.clone(),
                place: after.to_string(),
            })?,
        };
        pieces.insert(at, (draft.section.clone(), text(draft).unwrap_or_default().to_owned()));
    }
    Ok(Document::from_pieces(pieces))
}

/// The place after a section and all that is below it.
fn end_of_subtree(current: &Document, pieces: &[(SectionId, String)], id: &SectionId) -> Option<usize> {
    let start = pieces.iter().position(|(other, _)| other == id)?;
    let level_of = |piece: &(SectionId, String)| {
        let section = current.sections().iter().find(|section| section.id == piece.0);
        section.map_or_else(|| first_level(&piece.1), |section| section.level)
    };
    let level = level_of(&pieces[start]);
    let below = pieces[start + 1..].iter().take_while(|piece| level > 0 && level_of(piece) > level).count();
    Some(start + 1 + below)
}

/// The current version of a JSON document with a text of each draft.
fn with_values(current: &Document, drafts: &[Draft], text: fn(&Draft) -> Option<&str>) -> Result<Document> {
    let Format::Json(table) = current.format() else { return Err(Error::Format) };
    let mut changes = BTreeMap::new();
    for draft in drafts {
        let value = text(draft).map(str::trim);
        if let Some(value) = value {
            json::parse(value)?;
        }
        changes.insert(draft.section.to_string(), value);
    }
    let written = json::set(current.text(), table, &mut changes)?;
    // What is absent need not be removed.
    if let Some(place) = changes.into_iter().find_map(|(pointer, value)| value.map(|_| pointer)) {
        return Err(Error::DraftPlace { section: SectionId::from(place.clone()), place });
    }
    let document = Document::new(current.format().clone(), written)?;
    let ids = document.index();
    match drafts.iter().find(|draft| text(draft).is_some() && !ids.contains_key(draft.section.as_str())) {
        None => Ok(document),
        Some(draft) => {
            Err(Error::DraftPlace { section: draft.section.clone(), place: draft.section.to_string() })
        }
    }
}
