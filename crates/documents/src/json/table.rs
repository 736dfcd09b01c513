use std::sync::Arc;

use crate::{Error, Result};

/// Where the sections of a JSON document are: patterns of pointers, such as `/paths/*/*`.
///
/// A pattern is a JSON pointer (RFC 6901) with two more forms of a part: `*` is any key of an object, and
/// `[name]` any element of an array whose elements are objects with different texts under the key `name`,
/// which then stands for the element in its pointer. What no pattern reaches is divided into sections too, as
/// high up as possible, so every value of the document belongs to exactly one section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SectionTable(Arc<[Vec<Part>]>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Name(String),
    AnyKey,
    Element(String),
}

/// The patterns that a pointer has followed so far, as indices, and its number of parts.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    patterns: Vec<usize>,
    depth: usize,
}

impl SectionTable {
    /// A table of patterns; none may reach into the sections of another.
    ///
    /// # Errors
    /// If a pattern is no pointer, or reaches into another's sections.
    pub fn new<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let mut table: Vec<Vec<Part>> = Vec::new();
        for text in patterns {
            let pattern = parse(text)?;
            if table.iter().any(|other| covers(other, &pattern) || covers(&pattern, other)) {
                return Err(Error::Pattern {
                    pattern: text.to_owned(),
                    reason: "it reaches into the sections of another pattern, or is one",
                });
            }
            table.push(pattern);
        }
        Ok(Self(table.into()))
    }

    /// An OpenAPI description: its information, each operation, each component.
    pub fn openapi() -> Self {
        let kinds = ["callbacks", "examples", "headers", "links", "parameters", "pathItems", "requestBodies"];
        let more = ["responses", "schemas", "securitySchemes"];
        let kinds = kinds.iter().chain(&more).map(|kind| format!("/components/{kind}/*"));
        let patterns: Vec<String> =
            ["/paths/*/*", "/webhooks/*/*"].map(str::to_owned).into_iter().chain(kinds).collect();
        Self(patterns.iter().filter_map(|pattern| parse(pattern).ok()).collect())
    }

    pub(crate) fn root(&self) -> Live {
        Live { patterns: (0..self.0.len()).collect(), depth: 0 }
    }

    /// The patterns that go on below a key; none if a section begins there.
    pub(crate) fn below(&self, live: &Live, key: &str) -> Live {
        let depth = live.depth + 1;
        let matching = live.patterns.iter().copied().filter(|pattern| match &self.0[*pattern][live.depth] {
            Part::Name(name) => name == key,
            Part::AnyKey | Part::Element(_) => true,
        });
        let patterns: Vec<usize> = matching.collect();
        if patterns.iter().any(|pattern| self.0[*pattern].len() == depth) {
            return Live { patterns: Vec::new(), depth };
        }
        Live { patterns, depth }
    }

    /// The key that names the elements of an array here, if a pattern declares one.
    pub(crate) fn element_key(&self, live: &Live) -> Option<&str> {
        live.patterns.iter().find_map(|pattern| match &self.0[*pattern][live.depth] {
            Part::Element(key) => Some(key.as_str()),
            Part::Name(_) | Part::AnyKey => None,
        })
    }
}

impl Live {
    /// Whether a section begins here.
    pub(crate) fn is_section(&self) -> bool {
        self.patterns.is_empty()
    }
}

fn parse(text: &str) -> Result<Vec<Part>> {
    let invalid = |reason| Error::Pattern { pattern: text.to_owned(), reason };
    let rest = text.strip_prefix('/').ok_or_else(|| invalid("it must begin with `/`"))?;
    rest.split('/')
        .map(|part| match part {
            "*" => Ok(Part::AnyKey),
            "[]" => Err(invalid("`[]` needs the key that names the elements, such as `[name]`")),
            _ => Ok(match part.strip_prefix('[').and_then(|part| part.strip_suffix(']')) {
                Some(key) => Part::Element(key.to_owned()),
                None => Part::Name(part.replace("~1", "/").replace("~0", "~")),
            }),
        })
        .collect()
}

/// Whether sections of `longer` can lie within those of `shorter`, or be the same.
fn covers(shorter: &[Part], longer: &[Part]) -> bool {
    shorter.len() <= longer.len()
        && shorter.iter().zip(longer).all(|parts| match parts {
            (Part::Name(one), Part::Name(other)) => one == other,
            (Part::Element(one), Part::Element(other)) => one == other,
            (Part::Name(_) | Part::AnyKey, Part::AnyKey) | (Part::AnyKey, Part::Name(_)) => true,
            (Part::Element(_), _) | (_, Part::Element(_)) => false,
        })
}

/// A key as a part of a pointer.
pub(crate) fn escape(key: &str) -> String {
    format!("/{}", key.replace('~', "~0").replace('/', "~1"))
}
