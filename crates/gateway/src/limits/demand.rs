//! What a call is expected to use, before it is known: on the safe side where the request says so, a fair guess where it
//! doesn't.

use loam_providers::openai::Bounds;
use loam_providers::prompt_text;

/// Bodies up to this size are taken as text; in larger ones images are told from text.
const SMALL: usize = 64 << 10;
/// Bytes of text a token, at the least, over a whole text: three of English are seldom one token, and a Chinese character
/// is three bytes.
const BYTES_PER_TOKEN: usize = 3;

/// Tokens read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tokens {
    pub(super) read: u64,
    pub(super) written: u64,
}

/// Expects `default` tokens of an answer that the request doesn't bound; `writes` is false for embeddings.
pub(super) fn expect(body: &[u8], bounds: Bounds, writes: bool, default: u64) -> Tokens {
    let text = if body.len() <= SMALL { body.len() } else { prompt_text(body).len() };
    let read = text.div_ceil(BYTES_PER_TOKEN) as u64;
    if !writes {
        return Tokens { read, written: 0 };
    }
    let answers = bounds.n.unwrap_or(1).clamp(1, 128);
    Tokens { read, written: bounds.max_tokens.unwrap_or(default).saturating_mul(answers) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_bounds_its_answer() {
        let bounds = |max_tokens, n| Bounds { max_tokens, n };
        assert_eq!(
            expect(&[b' '; 46], bounds(Some(7), Some(2)), true, 100),
            Tokens { read: 16, written: 14 }
        );
        assert_eq!(expect(b"{}", bounds(None, None), true, 100).written, 100);
        assert_eq!(expect(b"{}", bounds(Some(7), None), false, 100), Tokens { read: 1, written: 0 });
    }

    #[test]
    fn an_image_in_the_request_is_not_read_as_text() {
        let image = format!("data:image/png;base64,{}", "A".repeat(200_000));
        let body =
            serde_json::json!({"messages": [{"content": [{"image_url": {"url": image}}, {"text": "hi"}]}]});
        assert!(expect(body.to_string().as_bytes(), Bounds::default(), true, 1).read < 10);
    }
}
