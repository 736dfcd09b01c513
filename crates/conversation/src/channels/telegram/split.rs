//! A long text in parts that Telegram takes.

/// What `sendMessage` takes at most: 4,096 characters, which Telegram counts in UTF-16.
const MAX: usize = 4096;

/// The parts of a text: broken between paragraphs, else lines, else sentences, else words, else anywhere.
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

/// The longest beginning that is taken and ends well.
fn first(text: &str) -> &str {
    let mut units = 0;
    let end = text.char_indices().find_map(|(at, c)| {
        units += c.len_utf16();
        (units > MAX).then_some(at)
    });
    let Some(end) = end else { return text };
    let whole = &text[..end];
    // a break in the first half would make many short parts
    let half = whole.len() / 2;
    for ends in ["\n\n", "\n", ". ", "。", "! ", "？", "? ", " "] {
        if let Some(at) = whole.rfind(ends).map(|at| at + ends.len()).filter(|at| *at > half) {
            return &whole[..at];
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(part: &str) -> bool {
        (1..=MAX).contains(&part.encode_utf16().count())
    }

    #[test]
    fn a_short_text_stays_whole() {
        assert_eq!(parts("hello\n\nworld "), ["hello\n\nworld"]);
        assert!(parts(" \n").is_empty());
        assert_eq!(parts(&"x".repeat(MAX)).len(), 1);
    }

    #[test]
    fn a_long_text_is_broken_where_it_reads_well() {
        let text = format!("{}\n\n{}", "a ".repeat(1500), "b ".repeat(1500));
        let broken = parts(&text);
        assert_eq!(broken.len(), 2);
        assert!(broken[0].ends_with('a') && broken[1].starts_with('b'));
        let sentences = "This is one sentence. ".repeat(400);
        assert!(parts(&sentences).iter().all(|part| fits(part) && part.ends_with('.')));
    }

    #[test]
    fn nothing_is_lost_whatever_the_text() {
        for text in ["x".repeat(10_000), "字".repeat(9000), "😀".repeat(5000), "ab cd\n".repeat(3000)] {
            let broken = parts(&text);
            assert!(broken.iter().all(|part| fits(part)), "{:.10}", text);
            let squeeze = |text: &str| text.split_whitespace().collect::<String>();
            assert_eq!(squeeze(&broken.concat()), squeeze(&text));
        }
    }
}
