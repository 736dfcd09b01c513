//! What a model accepts, by its name: no provider offers a way to ask.
//!
//! Sources: OpenAI's guides "Reasoning models" and "Latest model"; Anthropic's "Adaptive thinking", "Effort" and its
//! migration guides (`temperature`, `top_p` and `top_k` are refused since Claude Opus 4.7); Ollama's page "Thinking";
//! the error messages of these services. Of an unknown name only what every server accepts is sent.

/// The name without the maker before it and the variant after it, as routers and Ollama write them.
fn bare(model: &str) -> String {
    let name = model.rsplit('/').next().unwrap_or_default();
    name.split(':').next().unwrap_or_default().to_ascii_lowercase()
}

/// The first two numbers of a name; dates are none.
fn version(text: &str) -> (u32, u32) {
    let parts = text.split(|c: char| !c.is_ascii_digit()).filter(|digits| matches!(digits.len(), 1 | 2));
    let mut numbers = parts.filter_map(|digits| digits.parse().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// The version of OpenAI's reasoning model of this name. The o-series is older than any version of the others.
pub(crate) fn openai_reasoning(model: &str) -> Option<(u32, u32)> {
    let name = bare(model);
    if let Some(rest) = name.strip_prefix("gpt-") {
        let is_number = |c: char| c.is_ascii_digit() || c == '.';
        let end = rest.find(|c| !is_number(c)).unwrap_or(rest.len());
        let version = version(&rest[..end]);
        return (version.0 >= 5 && !rest.contains("chat")).then_some(version);
    }
    let mut characters = name.chars();
    let is_o = characters.next() == Some('o') && characters.next().is_some_and(|c| c.is_ascii_digit());
    (is_o || name.starts_with("codex-")).then_some((0, 0))
}

/// Names of models of other makers that accept `reasoning_effort` at servers of OpenAI's format.
const REASONING: [&str; 5] = ["gpt-oss", "gemini-2.5", "gemini-3", "grok-3-mini", "claude"];
/// Names of models that think at Ollama, which refuses `reasoning_effort` for others.
const THINKING: [&str; 9] =
    ["gpt-oss", "qwen3", "qwq", "deepseek-r1", "deepseek-v3", "magistral", "thinking", "glm-4", "minimax-m"];

/// Whether the model accepts `reasoning_effort` at a server of the kind `openai`.
pub(crate) fn takes_effort(model: &str) -> bool {
    let name = bare(model);
    openai_reasoning(model).is_some() || REASONING.iter().any(|known| name.starts_with(known))
}

/// Whether the model accepts `reasoning_effort` at Ollama.
pub(crate) fn thinks_at_ollama(model: &str) -> bool {
    let name = bare(model);
    let instructed = name.contains("coder") || name.contains("instruct");
    !instructed && THINKING.iter().any(|known| name.contains(known))
}

/// The version of Claude of this name.
pub(crate) fn claude_version(model: &str) -> Option<(u32, u32)> {
    let name = bare(model);
    let (_, rest) = name.split_once("claude")?;
    Some(version(rest)).filter(|version| version.0 > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_the_names_of_all_makers_and_routers() {
        for (name, expected) in [
            ("gpt-5", Some((5, 0))),
            ("gpt-5-mini-2025-08-07", Some((5, 0))),
            ("openai/gpt-5.4-codex", Some((5, 4))),
            ("o3-mini", Some((0, 0))),
            ("gpt-5-chat-latest", None),
            ("gpt-4.1", None),
            ("gpt-oss-120b", None),
            ("opus", None),
        ] {
            assert_eq!(openai_reasoning(name), expected, "{name}");
        }
        for (name, expected) in [
            ("claude-3-5-haiku-20241022", Some((3, 5))),
            ("claude-sonnet-4-20250514", Some((4, 0))),
            ("claude-sonnet-4-5@20250929", Some((4, 5))),
            ("anthropic/claude-opus-4.6", Some((4, 6))),
            ("us.anthropic.claude-opus-4-7-v1:0", Some((4, 7))),
            ("claude-opus-5", Some((5, 0))),
            ("claude-latest", None),
            ("kimi-k2", None),
        ] {
            assert_eq!(claude_version(name), expected, "{name}");
        }
    }

    #[test]
    fn reasoning_models_are_known_by_their_names() {
        for name in ["gpt-5.2", "o4-mini", "openai/gpt-oss-20b", "google/gemini-3-pro"] {
            assert!(takes_effort(name), "{name}");
        }
        for name in ["gpt-4.1", "gpt-4o-mini", "gpt-5-chat-latest", "llama-3.3-70b", "grok-4", "m"] {
            assert!(!takes_effort(name), "{name}");
        }
        assert!(thinks_at_ollama("qwen3:8b") && thinks_at_ollama("library/deepseek-r1:7b"));
        assert!(!thinks_at_ollama("llama3.2") && !thinks_at_ollama("qwen3-coder:30b"));
    }
}
