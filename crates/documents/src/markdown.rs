//! Where the sections of a Markdown text begin.

use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// The id of the front matter.
pub(crate) const FRONT_MATTER: &str = "front-matter";
/// The id of what precedes the first heading.
pub(crate) const PREAMBLE: &str = "preamble";

/// A section before it has an id.
#[derive(Debug)]
pub(crate) struct Part {
    /// The id of a part without a heading.
    pub fixed: Option<&'static str>,
    pub title: String,
    pub level: u8,
    pub range: Range<usize>,
}

/// The parts of a text, in order; concatenated they are the text. A part begins at each heading that is in no
/// quotation or list, by the rules of CommonMark.
pub(crate) fn split(text: &str) -> Vec<Part> {
    let front = front_matter(text);
    let mut parts: Vec<Part> = Vec::new();
    if front > 0 {
        parts.push(Part { fixed: Some(FRONT_MATTER), title: String::new(), level: 0, range: 0..front });
    }
    // A byte order mark stays first whatever moves, so it is no part of a heading's section.
    let start = front.max(if text.starts_with(BOM) { BOM.len_utf8() } else { 0 });
    let headings = headings(&text[start..]);
    let first = headings.first().map_or(text.len(), |heading| start + heading.start);
    if first > front {
        parts.push(Part { fixed: Some(PREAMBLE), title: String::new(), level: 0, range: front..first });
    }
    for (index, heading) in headings.iter().enumerate() {
        let end = headings.get(index + 1).map_or(text.len(), |next| start + next.start);
        parts.push(Part {
            fixed: None,
            title: heading.title.clone(),
            level: heading.level,
            range: start + heading.start..end,
        });
    }
    parts
}

/// Whether a text stays one section, whatever follows it: it has one heading, at its start, and leaves no
/// block open. Without a level it has no heading.
pub(crate) fn is_one_section(text: &str, level: Option<u8>) -> bool {
    let parts = split(&format!("{}\n\n# end\n", text.trim_end()));
    match (&parts[..], level) {
        ([part, end], Some(level)) => part.level == level && end.title == "end",
        ([part, end], None) => part.level == 0 && end.title == "end",
        _ => false,
    }
}

const BOM: char = '\u{feff}';

struct Heading {
    start: usize,
    level: u8,
    title: String,
}

fn headings(text: &str) -> Vec<Heading> {
    let mut found: Vec<Heading> = Vec::new();
    let (mut depth, mut in_heading) = (0_usize, false);
    for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
        match event {
            Event::Start(Tag::Heading { level, .. }) if depth == 0 => {
                let start = text[..range.start].rfind(['\n', '\r']).map_or(0, |end| end + 1);
                if found.last().is_none_or(|last| last.start < start) {
                    found.push(Heading { start, level: level as u8, title: String::new() });
                    in_heading = true;
                }
                depth += 1;
            }
            Event::Start(_) => depth += 1,
            Event::End(TagEnd::Heading(_)) => (depth, in_heading) = (depth.saturating_sub(1), false),
            Event::End(_) => depth = depth.saturating_sub(1),
            Event::Text(text) | Event::Code(text) if in_heading => {
                if let Some(heading) = found.last_mut() {
                    heading.title.push_str(&text);
                }
            }
            Event::SoftBreak | Event::HardBreak if in_heading => {
                if let Some(heading) = found.last_mut() {
                    heading.title.push(' ');
                }
            }
            _ => {}
        }
    }
    found
}

/// The length of the metadata that a text begins with: YAML between `---`, or TOML between `+++`.
fn front_matter(text: &str) -> usize {
    let mut lines = text.split_inclusive('\n');
    let first = lines.next().unwrap_or_default();
    let closing: &[&str] = match first.trim_start_matches(BOM).trim_end() {
        "---" => &["---", "..."],
        "+++" => &["+++"],
        _ => return 0,
    };
    let mut length = first.len();
    for line in lines {
        length += line.len();
        if closing.contains(&line.trim_end()) {
            return length;
        }
    }
    0
}
