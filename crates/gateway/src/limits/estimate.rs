//! Estimates the usage of a call in advance: an upper bound if the request limits its response, otherwise an average.

use loam_providers::openai::OutputLimits;
use loam_providers::prompt_text;

/// Bodies up to this size count as text; in larger ones images are excluded.
const SMALL: usize = 64 << 10;
/// Lower bound of bytes per token over a whole text: three bytes of English are rarely one token, and a Chinese
/// character is three bytes.
const BYTES_PER_TOKEN: usize = 3;

/// Prompt and completion tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tokens {
    pub(super) prompt: u64,
    pub(super) completion: u64,
}

/// `default` is the tokens expected of a response that the request doesn't bound; `writes` is false if the model
/// writes no text.
pub(super) fn estimate_tokens(
    body: &[u8],
    output_limits: OutputLimits,
    writes: bool,
    default: u64,
) -> Tokens {
    let text = if body.len() <= SMALL { body.len() } else { prompt_text(body).len() };
    let prompt = text.div_ceil(BYTES_PER_TOKEN) as u64;
    if !writes {
        return Tokens { prompt, completion: 0 };
    }
    let choices = output_limits.n.unwrap_or(1).clamp(1, 128);
    Tokens { prompt, completion: output_limits.max_tokens.unwrap_or(default).saturating_mul(choices) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_bounds_its_response() {
        let output_limits = |max_tokens, n| OutputLimits { max_tokens, n };
        assert_eq!(
            estimate_tokens(&[b' '; 46], output_limits(Some(7), Some(2)), true, 100),
            Tokens { prompt: 16, completion: 14 }
        );
        assert_eq!(estimate_tokens(b"{}", output_limits(None, None), true, 100).completion, 100);
        assert_eq!(
            estimate_tokens(b"{}", output_limits(Some(7), None), false, 100),
            Tokens { prompt: 1, completion: 0 }
        );
    }

    #[test]
    fn an_image_in_the_request_is_not_counted_as_text() {
        let image = format!("data:image/png;base64,{}", "A".repeat(200_000));
        let body =
            serde_json::json!({"messages": [{"content": [{"image_url": {"url": image}}, {"text": "hi"}]}]});
        assert!(estimate_tokens(body.to_string().as_bytes(), OutputLimits::default(), true, 1).prompt < 10);
    }
}
