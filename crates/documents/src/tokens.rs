//! Words, for differences within a line and for the similarity of texts.

/// The words of a text; concatenated they are the text. A word is a run of letters and digits, a run of white
/// space, or any other single character. Scripts without spaces have a word per character.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = class(rest.chars().next()?);
        let end = match first {
            Class::Single => rest.chars().next().map_or(0, char::len_utf8),
            class_of_run => rest.find(|char| class(char) != class_of_run).unwrap_or(rest.len()),
        };
        let (word, tail) = rest.split_at(end);
        rest = tail;
        Some(word)
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter,
    Space,
    Single,
}

fn class(char: char) -> Class {
    match char {
        // From the CJK radicals on, scripts are written without spaces; Hangul is the exception.
        '\u{2e80}'..='\u{abff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}' => Class::Single,
        char if char.is_alphanumeric() || char == '_' => Class::Letter,
        char if char.is_whitespace() => Class::Space,
        _ => Class::Single,
    }
}
