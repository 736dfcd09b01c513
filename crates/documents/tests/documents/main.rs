//! The rules of `docs/DOCUMENTS.md`, through the crate's public surface.

mod dependencies;
mod diffs;
mod identity;
mod interleavings;
mod merging;
mod people;
mod redrafts;
mod splitting;
mod time;

use loam_documents::{Document, Format, SectionTable};

/// A Markdown document.
fn markdown(text: &str) -> Document {
    Document::new(Format::Markdown, text).expect("Markdown is always valid")
}

/// A JSON document with sections of two kinds: by key, and by the name of an element.
fn json(text: &str) -> Document {
    let table = SectionTable::new(["/paths/*/*", "/architecture/components/[name]"]).expect("a table");
    Document::new(Format::Json(table), text).expect("valid JSON")
}

fn ids(document: &Document) -> Vec<String> {
    document.sections().iter().map(|section| section.id.to_string()).collect()
}
