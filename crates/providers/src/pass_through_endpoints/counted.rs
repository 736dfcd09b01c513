//! What a call is counted by: tokens if the provider reports them, and the quantity that it charges for.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::usage::tokens;
use crate::{Endpoint, Quantity, Unit, Usage};

/// What a request tells.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Requested<'a> {
    #[serde(borrow)]
    input: Option<Cow<'a, str>>,
    #[serde(borrow)]
    stream_format: Option<&'a RawValue>,
}

impl<'a> Requested<'a> {
    fn of(body: &'a [u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }
}

/// Whether a request for speech asks for events instead of bytes.
pub(crate) fn asks_for_events(body: &[u8]) -> bool {
    Requested::of(body).stream_format.is_some_and(|format| format.get() == "\"sse\"")
}

/// The quantity that a request asks for; none if only the response tells.
pub(crate) fn requested(endpoint: Endpoint, body: &[u8], n: Option<u64>) -> Option<Quantity> {
    match endpoint {
        Endpoint::Speech => {
            let spoken = Requested::of(body).input?;
            Some(Quantity::whole(Unit::Characters, spoken.chars().count() as u64))
        }
        Endpoint::Images => Some(Quantity::whole(Unit::Images, n.unwrap_or(1).clamp(1, 128))),
        _ => None,
    }
}

/// The quantity that a complete response reports.
pub(super) fn reported(endpoint: Endpoint, response: &Value) -> Option<Quantity> {
    match endpoint {
        Endpoint::Images => {
            let images = response["data"].as_array()?.len() as u64;
            Some(Quantity::whole(Unit::Images, images))
        }
        // as `usage` of the usual response, as `duration` of the verbose one
        Endpoint::Transcriptions => [&response["usage"]["seconds"], &response["duration"]]
            .into_iter()
            .find_map(number)
            .and_then(|seconds| Quantity::of(Unit::Seconds, seconds)),
        Endpoint::Rerank => number(&response["meta"]["billed_units"]["search_units"])
            .and_then(|searches| Quantity::of(Unit::Searches, searches)),
        _ => None,
    }
}

/// A number, or its digits as a text.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// The tokens that a response reports, whichever names it has for them.
pub(super) fn usage(response: &Value) -> Option<Usage> {
    let places = [&response["usage"], &response["x_groq"]["usage"], &response["meta"]["tokens"]];
    places.into_iter().find_map(usage_in)
}

fn usage_in(usage: &Value) -> Option<Usage> {
    let count = |names: &[&str]| names.iter().find_map(|name| tokens(&usage[*name]).ok().flatten());
    let input = count(&["input_tokens", "prompt_tokens"]);
    let output = count(&["output_tokens", "completion_tokens"]);
    let total = count(&["total_tokens"]);
    input.or(output).or(total)?;
    let output = output.unwrap_or(0);
    // rankings have a total only
    let input = input.unwrap_or_else(|| total.unwrap_or(0).saturating_sub(output));
    let cached = tokens(&usage["input_tokens_details"]["cached_tokens"]).ok().flatten();
    Some(Usage::new(input, output, cached.unwrap_or(0), 0))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tokens_are_read_under_every_name() {
        for (response, expected) in [
            (
                json!({"usage": {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}}),
                Some((14, 101)),
            ),
            (json!({"usage": {"type": "duration", "seconds": 3}}), None),
            (json!({"usage": {"total_tokens": 815}}), Some((815, 0))),
            (json!({"usage": {"prompt_tokens": 8.0, "total_tokens": 8}}), Some((8, 0))),
            (json!({"meta": {"tokens": {"input_tokens": 9, "output_tokens": 1}}}), Some((9, 1))),
            (json!({"usage": null, "x_groq": {"usage": {"total_tokens": 4}}}), Some((4, 0))),
            (json!({"text": "hello"}), None),
        ] {
            let found = usage(&response).map(|usage| (usage.prompt_tokens, usage.completion_tokens));
            assert_eq!(found, expected, "{response}");
        }
    }

    #[test]
    fn a_quantity_is_what_providers_charge_for() {
        let of = |endpoint, response: Value| {
            reported(endpoint, &response).map(|quantity| (quantity.unit, quantity.thousandths))
        };
        let seconds = |thousandths| Some((Unit::Seconds, thousandths));
        let transcript = Endpoint::Transcriptions;
        assert_eq!(of(transcript, json!({"usage": {"type": "duration", "seconds": 3}})), seconds(3000));
        assert_eq!(of(transcript, json!({"duration": 8.4706})), seconds(8471));
        assert_eq!(of(transcript, json!({"duration": "8.5"})), seconds(8500));
        assert_eq!(of(transcript, json!({"duration": -1})), None);
        assert_eq!(of(Endpoint::Images, json!({"data": [{}, {}]})), Some((Unit::Images, 2000)));
        let billed = json!({"meta": {"billed_units": {"search_units": 1}}});
        assert_eq!(of(Endpoint::Rerank, billed), Some((Unit::Searches, 1000)));
        assert_eq!(of(Endpoint::Moderations, json!({"results": []})), None);
        let spoken = requested(Endpoint::Speech, "{\"input\":\"né\\u0065\",\"x\":1}".as_bytes(), None);
        assert_eq!(spoken, Some(Quantity::whole(Unit::Characters, 3)));
        assert_eq!(requested(Endpoint::Images, b"{}", Some(2)), Some(Quantity::whole(Unit::Images, 2)));
        assert_eq!(requested(Endpoint::Rerank, b"{}", None), None);
        assert!(asks_for_events(br#"{"input":"a","stream_format": "sse"}"#));
        assert!(!asks_for_events(br#"{"input":"a","stream_format":"audio"}"#));
    }
}
