//! Decodes an application's response.

use serde_json::{Map, Value};

use super::KIND;
use super::error::stream_error;
use crate::sse::recorded;
use crate::translate::{Decoder, ResponsePart, StopReason, text_of};
use crate::{ResponseError, Usage};

/// Fields of Dify's that are forwarded to the client.
const FORWARDED_FIELDS: [&str; 3] = ["conversation_id", "message_id", "task_id"];

/// Decodes one response.
#[derive(Default)]
pub(crate) struct DifyDecoder {
    started: bool,
    /// Text was emitted that a replacement would have to replace.
    has_text: bool,
    replacement: Option<String>,
}

fn forwarded_fields(event: &Value) -> Map<String, Value> {
    let present = FORWARDED_FIELDS.iter().filter(|name| event[**name].is_string());
    present.map(|name| ((*name).to_owned(), event[*name].clone())).collect()
}

fn id(event: &Value) -> String {
    let id = event["message_id"].as_str().or_else(|| event["id"].as_str());
    id.unwrap_or_default().to_owned()
}

/// The end of a response: its sources and its usage.
fn finish(event: &Value, stop: StopReason, out: &mut Vec<ResponsePart>) {
    let metadata = &event["metadata"];
    let mut forwarded_fields = forwarded_fields(event);
    if let Some(sources) = metadata["retriever_resources"].as_array().filter(|sources| !sources.is_empty()) {
        forwarded_fields.insert("retriever_resources".to_owned(), sources.clone().into());
    }
    out.push(ResponsePart::Extra(KIND, forwarded_fields));
    out.push(ResponsePart::Stop(stop));
    if let Some(usage) = metadata.get("usage").filter(|usage| usage.is_object())
        && let Ok(usage) = serde_json::from_value::<Usage>(usage.clone())
    {
        out.push(ResponsePart::Usage(usage));
    }
}

impl DifyDecoder {
    fn start(&mut self, event: &Value, out: &mut Vec<ResponsePart>) {
        if !self.started {
            self.started = true;
            out.push(ResponsePart::Extra(KIND, forwarded_fields(event)));
            out.push(ResponsePart::Start { id: id(event), model: String::new() });
        }
    }

    /// Assembles the events of an agent's stream into one response.
    fn assemble_stream(
        &mut self,
        body: &[u8],
        error: &serde_json::Error,
    ) -> Result<Vec<ResponsePart>, ResponseError> {
        let mut parts = Vec::new();
        recorded(body).for_each(|data| self.event(&data, &mut parts));
        match parts.last() {
            Some(ResponsePart::End) => {}
            Some(ResponsePart::Error(error)) => return Err(ResponseError::Reported(error.clone())),
            Some(_) => return Err(ResponseError::invalid("it ended too early")),
            None => return Err(ResponseError::unreadable(body, error)),
        }
        // a replacement discards the text before it
        if let Some(replacement) = self.replacement.take() {
            parts.retain(|part| !matches!(part, ResponsePart::Text(_)));
            parts.push(ResponsePart::Text(replacement));
        }
        Ok(parts)
    }
}

impl Decoder for DifyDecoder {
    fn decode_complete(&mut self, body: &[u8]) -> Result<Vec<ResponsePart>, ResponseError> {
        let response = match serde_json::from_slice::<Value>(body) {
            Ok(response) => response,
            Err(error) => return self.assemble_stream(body, &error),
        };
        let text = response["answer"]
            .as_str()
            .ok_or_else(|| ResponseError::without_content(&response, "it has no `answer`"))?;
        let mut out = vec![
            ResponsePart::Start { id: id(&response), model: String::new() },
            ResponsePart::Text(text.to_owned()),
        ];
        finish(&response, StopReason::End, &mut out);
        Ok(out)
    }

    fn event(&mut self, data: &[u8], out: &mut Vec<ResponsePart>) {
        let Ok(event) = serde_json::from_slice::<Value>(data) else { return };
        match event["event"].as_str() {
            Some("message" | "agent_message") => {
                self.start(&event, out);
                let text = text_of(&event["answer"]);
                if !text.is_empty() {
                    self.has_text = true;
                    out.push(ResponsePart::Text(text));
                }
            }
            Some("message_replace") => {
                self.start(&event, out);
                let text = text_of(&event["answer"]);
                // a client can't discard text that it has received; a blank line separates the replacement
                let between = if self.has_text { "\n\n" } else { "" };
                out.push(ResponsePart::Text(format!("{between}{text}")));
                self.replacement = Some(text);
            }
            Some("message_end") => {
                self.start(&event, out);
                finish(
                    &event,
                    if self.replacement.is_some() { StopReason::Filtered } else { StopReason::End },
                    out,
                );
                out.push(ResponsePart::End);
            }
            Some("error") => out.push(ResponsePart::Error(stream_error(&event))),
            _ => {}
        }
    }
}
