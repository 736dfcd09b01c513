//! Splits long texts into messages that Telegram accepts.

/// Maximum length of a message for `sendMessage`: 4,096 UTF-16 code units.
const MAX_UTF16_UNITS: usize = 4096;

/// The parts of a text, split at paragraphs, else lines, else sentences, else words, else anywhere.
pub(in crate::channels) fn parts(text: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let part = first(rest);
        rest = rest[part.len()..].trim_start();
        let part = part.trim_end();
        if !part.is_empty() {
            parts.push(part.to_owned());
        }
    }
    parts
}

/// The longest prefix that fits and ends at a good place to split.
fn first(text: &str) -> &str {
    let mut units = 0;
    let end = text.char_indices().find_map(|(at, c)| {
        units += c.len_utf16();
        (units > MAX_UTF16_UNITS).then_some(at)
    });
    let Some(end) = end else { return text };
    let whole = &text[..end];
    // A split in the first half would give many short parts.
    let half = whole.len() / 2;
    for separator in ["\n\n", "\n", ". ", "。", "! ", "？", "? ", " "] {
        if let Some(at) = whole.rfind(separator).map(|at| at + separator.len()).filter(|at| *at > half) {
            return &whole[..at];
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(part: &str) -> bool {
        (1..=MAX_UTF16_UNITS).contains(&part.encode_utf16().count())
    }

    #[test]
    fn a_short_text_stays_whole() {
        assert_eq!(parts("hello\n\nworld "), ["hello\n\nworld"]);
        assert!(parts(" \n").is_empty());
        assert_eq!(parts(&"x".repeat(MAX_UTF16_UNITS)).len(), 1);
    }

    #[test]
    fn a_long_text_is_split_at_paragraphs_and_sentences() {
        let text = format!("{}\n\n{}", "a ".repeat(1500), "b ".repeat(1500));
        let split = parts(&text);
        assert_eq!(split.len(), 2);
        assert!(split[0].ends_with('a') && split[1].starts_with('b'));
        let sentences = "This is one sentence. ".repeat(400);
        assert!(parts(&sentences).iter().all(|part| fits(part) && part.ends_with('.')));
    }

    #[test]
    fn splitting_loses_no_text() {
        for text in ["x".repeat(10_000), "字".repeat(9000), "😀".repeat(5000), "ab cd\n".repeat(3000)] {
            let split = parts(&text);
            assert!(split.iter().all(|part| fits(part)), "{:.10}", text);
            let squeeze = |text: &str| text.split_whitespace().collect::<String>();
            assert_eq!(squeeze(&split.concat()), squeeze(&text));
        }
    }
}
