use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crate::json::{self, HOLE, SectionTable};
use crate::section::Section;
use crate::{Error, Result, Revision, SectionId, identity, markdown};

/// The id of what is between the sections of a JSON document: keys, punctuation and white space.
pub(crate) const LAYOUT: &str = "layout";

/// What a document's text is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// Markdown: a section for each heading.
    Markdown,
    /// JSON: a section for each value that the table names.
    Json(SectionTable),
}

/// One version of a document: its text, divided into sections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    format: Format,
    text: String,
    sections: Vec<Section>,
}

impl Document {
    /// A first version, whose sections get new ids.
    ///
    /// # Errors
    /// If JSON is invalid, nested too deeply, or has a key twice in one object.
    pub fn new(format: Format, text: impl Into<String>) -> Result<Self> {
        let text = text.into();
        let sections = match &format {
            Format::Markdown => {
                let parts = markdown::split(&text);
                let unknown = vec![None; parts.len()];
                identity::name(parts, unknown, &HashSet::new())
            }
            Format::Json(table) => json_sections(&text, table)?,
        };
        Ok(Self { format, text, sections })
    }

    /// A later version of this document, whose sections keep their ids.
    ///
    /// # Errors
    /// As [`Document::new`].
    pub fn revise(&self, text: impl Into<String>) -> Result<Self> {
        let text = text.into();
        match self.format {
            Format::Markdown => {
                let parts = markdown::split(&text);
                let known = identity::carry(&self.sections, &self.text, &parts, &text);
                let reserved = self.sections.iter().map(|section| section.id.as_str()).collect();
                let sections = identity::name(parts, known, &reserved);
                Ok(Self { format: Format::Markdown, text, sections })
            }
            Format::Json(_) => Self::new(self.format.clone(), text),
        }
    }

    /// A stored version: its text, and what [`Document::ids`] returned.
    ///
    /// # Errors
    /// As [`Document::new`], and if the ids are not those of this text.
    pub fn restore(format: Format, text: impl Into<String>, ids: &[SectionId]) -> Result<Self> {
        let mut document = Self::new(format, text)?;
        let different = ids.iter().collect::<HashSet<_>>().len();
        let of_another = matches!(document.format, Format::Json(_)) && document.ids() != ids;
        if of_another || different != document.sections.len() || ids.len() != different {
            return Err(Error::Ids { sections: document.sections.len(), ids: different });
        }
        for (section, id) in document.sections.iter_mut().zip(ids) {
            section.id = id.clone();
        }
        Ok(document)
    }

    /// The format.
    pub fn format(&self) -> &Format {
        &self.format
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The sections in their order. In JSON the first is `layout`, what is between the others.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// The ids of the sections in their order, to be stored with the text.
    pub fn ids(&self) -> Vec<SectionId> {
        self.sections.iter().map(|section| section.id.clone()).collect()
    }

    /// The text of a section without the sections below it.
    pub fn section_text(&self, id: &SectionId) -> Option<Cow<'_, str>> {
        let section = self.sections.iter().find(|section| section.id == *id)?;
        Some(self.own_text(section))
    }

    /// The revision of a section's content: white space at the end of a Markdown section, and between the
    /// tokens of JSON, does not change it.
    pub fn section_revision(&self, id: &SectionId) -> Option<Revision> {
        let section = self.sections.iter().find(|section| section.id == *id)?;
        Some(self.revision_of(section))
    }

    /// The revision of the contents of all sections, in their order.
    pub fn content_revision(&self) -> Revision {
        let revisions: Vec<_> = self.sections.iter().map(|section| self.revision_of(section)).collect();
        Revision::of(revisions.iter().map(Revision::as_str))
    }

    /// The revisions of all sections' contents, and of the whole under an empty id.
    pub(crate) fn section_revisions(&self) -> HashMap<SectionId, Revision> {
        let sections = self.sections.iter().map(|section| (section.id.clone(), self.revision_of(section)));
        sections.chain([(SectionId::from(""), self.content_revision())]).collect()
    }

    fn revision_of(&self, section: &Section) -> Revision {
        let text = self.own_text(section);
        match self.format {
            Format::Markdown => Revision::of([text.trim_end()]),
            Format::Json(_) => Revision::of([json::without_spaces(&text).as_str()]),
        }
    }

    /// The revision of the whole: its bytes and the ids of its sections.
    pub fn revision(&self) -> Revision {
        let ids = self.sections.iter().map(|section| section.id.as_str());
        Revision::of([self.text.as_str()].into_iter().chain(ids))
    }

    /// A section's own text; JSON's layout has a hole for each section.
    pub(crate) fn own_text(&self, section: &Section) -> Cow<'_, str> {
        match self.is_layout(section) {
            true => Cow::Owned(json::layout(
                &self.text,
                self.sections[1..].iter().map(|section| section.range.clone()),
            )),
            false => Cow::Borrowed(&self.text[section.range.clone()]),
        }
    }

    pub(crate) fn is_layout(&self, section: &Section) -> bool {
        matches!(self.format, Format::Json(_)) && section.id.as_str() == LAYOUT
    }

    /// The sections by id, each with its index.
    pub(crate) fn index(&self) -> HashMap<&str, usize> {
        self.sections.iter().enumerate().map(|(index, section)| (section.id.as_str(), index)).collect()
    }

    /// The id of the section above one.
    pub(crate) fn parent_id(&self, section: &Section) -> Option<&str> {
        section.parent.map(|parent| self.sections[parent].id.as_str())
    }

    /// A document from the own texts of its sections, exactly.
    pub(crate) fn from_own_texts(format: Format, own: Vec<(SectionId, String)>) -> Result<Self> {
        let (ids, texts): (Vec<SectionId>, Vec<String>) = own.into_iter().unzip();
        let text = match (&format, texts.split_first()) {
            (Format::Json(_), Some((layout, sections))) => {
                let mut text = String::new();
                let mut sections = sections.iter();
                for (index, part) in layout.split(HOLE).enumerate() {
                    if index > 0 {
                        text.push_str(sections.next().ok_or(Error::DiffParent)?);
                    }
                    text.push_str(part);
                }
                text
            }
            _ => texts.concat(),
        };
        Self::restore(format, text, &ids)
    }

    /// A Markdown document from texts that begin sections. A line that doesn't end is ended where another
    /// section follows.
    ///
    /// An underlined heading would take in a paragraph that now precedes it, and gets an empty line before
    /// it. What begins a section keeps its id; a heading within a text, or after a block that a text leaves
    /// open, is treated as CommonMark does.
    pub(crate) fn from_pieces(pieces: Vec<(SectionId, String)>) -> Self {
        let pieces: Vec<_> = pieces.into_iter().filter(|(_, text)| !text.is_empty()).collect();
        let (mut text, mut starts) = join(&pieces, &HashSet::new());
        let mut parts = markdown::split(&text);
        let begun: HashSet<usize> = parts.iter().map(|part| part.range.start).collect();
        let swallowed: HashSet<&SectionId> =
            starts.iter().filter(|(start, _)| !begun.contains(start)).map(|(_, id)| *id).collect();
        if !swallowed.is_empty() {
            (text, starts) = join(&pieces, &swallowed);
            parts = markdown::split(&text);
        }
        let known = parts
            .iter()
            .map(|part| match part.fixed {
                Some(fixed) => Some(SectionId::from(fixed)),
                None => starts.get(&part.range.start).map(|id| (*id).clone()),
            })
            .collect();
        let sections = identity::name(parts, known, &HashSet::new());
        Self { format: Format::Markdown, text, sections }
    }
}

fn json_sections(text: &str, table: &SectionTable) -> Result<Vec<Section>> {
    let section = |id: String, range| Section {
        title: id.clone(),
        id: SectionId::from(id),
        level: 0,
        parent: None,
        range,
    };
    let mut sections = vec![section(LAYOUT.to_owned(), 0..text.len())];
    sections.extend(json::split(text, table)?.into_iter().map(|(id, range)| section(id, range)));
    Ok(sections)
}

/// The texts as one, and where each begins. Those to be separated get an empty line before them.
fn join<'p>(
    pieces: &'p [(SectionId, String)],
    separate: &HashSet<&SectionId>,
) -> (String, HashMap<usize, &'p SectionId>) {
    let mut text = String::new();
    let mut starts = HashMap::new();
    let end_of_line = if pieces.iter().any(|(_, piece)| piece.contains("\r\n")) { "\r\n" } else { "\n" };
    for (id, piece) in pieces {
        if !text.is_empty() && text != "\u{feff}" && !text.ends_with(['\n', '\r']) {
            text.push_str(end_of_line);
        }
        let separated = text.ends_with("\n\n") || text.ends_with("\n\r\n") || text.is_empty();
        if !separated && separate.contains(id) {
            text.push_str(end_of_line);
        }
        starts.insert(text.len(), id);
        text.push_str(piece);
    }
    (text, starts)
}
