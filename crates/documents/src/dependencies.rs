//! Which sections were made from which, and which of them are stale.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Document, Error, Result, Revision, SectionId};

/// A section of one of several documents.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SectionRef {
    /// The document, by the caller's id.
    pub document: String,
    /// The section; an empty id stands for the whole document, as a source whose every change counts.
    pub section: SectionId,
}

/// What a section was made from: an upstream section at a revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The upstream section.
    #[serde(flatten)]
    pub from: SectionRef,
    /// Its [`Document::section_revision`] when it was used; of a whole document its
    /// [`Document::content_revision`].
    pub revision: Revision,
}

/// The sections of all documents with what each was made from; without cycles.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Record>", into = "Vec<Record>")]
pub struct Dependencies {
    sources: BTreeMap<SectionRef, Vec<Source>>,
}

/// A stored line of [`Dependencies`].
#[derive(Clone, Serialize, Deserialize)]
struct Record {
    section: SectionRef,
    sources: Vec<Source>,
}

/// A section that its sources have left behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stale {
    /// The section.
    pub section: SectionRef,
    /// Why.
    pub reasons: Vec<StaleReason>,
}

/// Why a section is stale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum StaleReason {
    /// A source has another content now.
    Changed {
        /// The source, as it was used.
        source: Source,
        /// Its revision now.
        now: Revision,
    },
    /// A source does not exist any more.
    Removed {
        /// The source, as it was used.
        source: Source,
    },
    /// A source is itself stale, and may change when it is made again.
    SourceStale {
        /// The source, as it was used.
        source: Source,
    },
}

impl Dependencies {
    /// Records what a section was made from, in place of what was recorded before; nothing, if it no longer
    /// depends on any.
    ///
    /// # Errors
    /// If the section would depend on itself. The earlier record then stays.
    pub fn record(&mut self, section: SectionRef, sources: Vec<Source>) -> Result<()> {
        if sources.is_empty() {
            self.sources.remove(&section);
            return Ok(());
        }
        let mut open: Vec<&SectionRef> = sources.iter().map(|source| &source.from).collect();
        let mut seen = BTreeSet::new();
        while let Some(next) = open.pop() {
            if *next == section || (next.is_whole() && next.document == section.document) {
                return Err(Error::Cycle(section.to_string()));
            }
            if seen.insert(next) {
                open.extend(self.upstream(next));
            }
        }
        self.sources.insert(section, sources);
        Ok(())
    }

    /// What a section was made from.
    pub fn sources(&self, section: &SectionRef) -> &[Source] {
        self.sources.get(section).map_or(&[], Vec::as_slice)
    }

    /// The stale sections, each after those of its sources that are stale too: the order in which to make
    /// them again. A document that is not among the current ones is taken as unchanged.
    pub fn stale<'d>(&self, current: impl IntoIterator<Item = (&'d str, &'d Document)>) -> Vec<Stale> {
        let revisions: HashMap<&str, HashMap<SectionId, Revision>> =
            current.into_iter().map(|(name, document)| (name, document.section_revisions())).collect();
        let mut stale: Vec<Stale> = Vec::new();
        let mut is_stale: BTreeSet<&SectionRef> = BTreeSet::new();
        for section in self.in_order() {
            let mut reasons = Vec::new();
            for source in self.sources(section) {
                let source = source.clone();
                let document = revisions.get(source.from.document.as_str());
                match document.map(|sections| sections.get(&source.from.section)) {
                    Some(None) => reasons.push(StaleReason::Removed { source }),
                    Some(Some(now)) if *now != source.revision => {
                        reasons.push(StaleReason::Changed { source, now: now.clone() });
                    }
                    _ if is_stale.contains(&source.from) => reasons.push(StaleReason::SourceStale { source }),
                    _ => {}
                }
            }
            // A whole document is stale as a source if one of its sections is.
            if !reasons.is_empty() {
                is_stale.insert(section);
                stale.push(Stale { section: section.clone(), reasons });
            } else if section.is_whole() && self.upstream(section).any(|part| is_stale.contains(part)) {
                is_stale.insert(section);
            }
        }
        stale
    }

    /// The recorded sections, each after its sources.
    fn in_order(&self) -> Vec<&SectionRef> {
        let (mut order, mut seen) = (Vec::new(), BTreeSet::new());
        for first in self.sources.keys() {
            let mut open = vec![(first, false)];
            while let Some((section, sources_are_done)) = open.pop() {
                if sources_are_done {
                    order.push(section);
                } else if seen.insert(section) {
                    open.push((section, true));
                    open.extend(self.upstream(section).map(|source| (source, false)));
                }
            }
        }
        order
    }

    /// What a section, or the sections of a whole document, were made from.
    fn upstream<'s>(&'s self, section: &'s SectionRef) -> impl Iterator<Item = &'s SectionRef> {
        let parts =
            section.is_whole().then(|| self.sources.keys().filter(|part| part.document == section.document));
        self.sources(section).iter().map(|source| &source.from).chain(parts.into_iter().flatten())
    }
}

impl SectionRef {
    fn is_whole(&self) -> bool {
        self.section.as_str().is_empty()
    }
}

impl fmt::Display for SectionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.document, self.section)
    }
}

impl TryFrom<Vec<Record>> for Dependencies {
    type Error = Error;

    fn try_from(records: Vec<Record>) -> Result<Self> {
        let sources = records.into_iter().map(|record| (record.section, record.sources)).collect();
        let dependencies = Self { sources };
        let order = dependencies.in_order();
        let places: HashMap<&SectionRef, usize> =
            order.iter().enumerate().map(|(place, section)| (*section, place)).collect();
        let cycle = order.iter().find(|section| {
            dependencies.upstream(section).any(|source| places.get(source) >= places.get(*section))
        });
        match cycle {
            Some(section) => Err(Error::Cycle(section.to_string())),
            None => Ok(dependencies),
        }
    }
}

impl From<Dependencies> for Vec<Record> {
    fn from(dependencies: Dependencies) -> Self {
        dependencies.sources.into_iter().map(|(section, sources)| Record { section, sources }).collect()
    }
}
