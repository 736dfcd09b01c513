//! Texts of the document, from the comments of the code: a summary is one sentence, and nothing is written for rustdoc.

use utoipa::openapi::schema::Schema;
use utoipa::openapi::{OpenApi as Document, RefOr};

use super::walk::{self, Place};

/// Shortens summaries to their first sentence, and writes all texts in plain Markdown.
pub(super) fn tidy(document: &mut Document) {
    walk::everywhere(document, &mut tidy_schema);
    for schema in document.components.iter_mut().flat_map(|components| components.schemas.values_mut()) {
        tidy_schema(schema);
    }
    for Place { operation, .. } in walk::operations(document) {
        if let Some(text) = &operation.summary {
            let text = plain(text);
            let (summary, rest) = first_sentence(&text);
            let more = operation.description.as_deref().map(plain).unwrap_or_default();
            let description = [rest.to_owned(), more].into_iter().filter(|text| !text.is_empty());
            let description = description.collect::<Vec<_>>().join("\n\n");
            operation.description = (!description.is_empty()).then_some(description);
            operation.summary = Some(summary.to_owned());
        }
        for parameter in operation.parameters.iter_mut().flatten() {
            if let RefOr::T(parameter) = parameter {
                tidy_text(&mut parameter.description);
            }
        }
        if let Some(RefOr::T(body)) = &mut operation.request_body {
            tidy_text(&mut body.description);
        }
        for (status, response) in &mut operation.responses.responses {
            if let RefOr::T(response) = response
                && response.description.is_empty()
            {
                default_description(status).clone_into(&mut response.description);
            }
        }
    }
}

fn default_description(status: &str) -> &'static str {
    match status {
        "201" => "Created.",
        "202" => "Accepted.",
        "204" => "Done.",
        _ => "Success.",
    }
}

fn tidy_schema(schema: &mut RefOr<Schema>) {
    match schema {
        RefOr::Ref(to) => to.description = plain(&to.description),
        RefOr::T(Schema::Object(object)) => tidy_text(&mut object.description),
        RefOr::T(Schema::Array(array)) => tidy_text(&mut array.description),
        RefOr::T(Schema::OneOf(one)) => tidy_text(&mut one.description),
        RefOr::T(Schema::AllOf(all)) => tidy_text(&mut all.description),
        RefOr::T(Schema::AnyOf(any)) => tidy_text(&mut any.description),
        RefOr::T(_) => {}
    }
}

fn tidy_text(text: &mut Option<String>) {
    if let Some(text) = text {
        *text = plain(text);
    }
}

/// The text without rustdoc's links, and with paragraphs instead of the code's lines.
fn plain(text: &str) -> String {
    let paragraphs = text.split("\n\n").map(|paragraph| {
        let is_prose = |line: &str| !line.trim_start().starts_with(['-', '*', '|']);
        let separator = if paragraph.lines().all(is_prose) { " " } else { "\n" };
        paragraph.lines().map(str::trim).collect::<Vec<_>>().join(separator)
    });
    paragraphs.collect::<Vec<_>>().join("\n\n").replace("[`", "`").replace("`]", "`")
}

/// The first sentence, without its full stop, and what follows it.
fn first_sentence(text: &str) -> (&str, &str) {
    let end = text.match_indices(". ").map(|(at, _)| at).find(|at| {
        let next = text[at + 2..].chars().next();
        next.is_some_and(|next| next.is_uppercase() || next == '`')
    });
    let (sentence, rest) = match (end, text.find("\n\n")) {
        (Some(end), paragraph) if paragraph.is_none_or(|paragraph| end < paragraph) => {
            (&text[..end], &text[end + 2..])
        }
        (_, Some(paragraph)) => (&text[..paragraph], &text[paragraph + 2..]),
        _ => (text, ""),
    };
    (sentence.trim_end_matches('.'), rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_the_first_sentence() {
        for (text, summary, rest) in [
            ("Lists turns.", "Lists turns", ""),
            ("Lists turns, e.g. of a user. Newest first.", "Lists turns, e.g. of a user", "Newest first."),
            ("Lists turns\n\nNewest first.", "Lists turns", "Newest first."),
        ] {
            assert_eq!(first_sentence(text), (summary, rest), "{text}");
        }
    }

    #[test]
    fn lines_are_joined_and_links_of_rustdoc_removed() {
        assert_eq!(plain("See [`Kind`]\nfor all.\n\n- one\n- two"), "See `Kind` for all.\n\n- one\n- two");
    }
}
