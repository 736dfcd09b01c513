//! Counts tokens locally, for responses without usage.

/// Counts the tokens of a text as OpenAI's current models do (`o200k_base`). Other providers' tokenizers differ by a
/// few percent, which is why such a call is marked `estimated`. The first use loads the vocabulary, which takes a
/// while, so call it where blocking is allowed.
pub fn count_tokens(text: &str) -> u64 {
    tiktoken_rs::o200k_base_singleton().encode_ordinary(text).len() as u64
}

#[cfg(test)]
mod tests {
    use super::count_tokens;

    #[test]
    fn tokens_are_counted_as_openai_does() {
        // OpenAI's own examples for o200k_base
        assert_eq!(count_tokens(""), 0);
        assert_eq!(count_tokens("hello world"), 2);
        assert_eq!(count_tokens("tiktoken is great!"), 6);
        assert!(count_tokens("沃土：万物生长之地。") < 12);
    }
}
