//! The kind `dify`: an application built with Dify, called through its service API.
//!
//! Source: Dify's documentation, "Send Chat Message" (docs.dify.ai/api-reference/chats/send-chat-message and
//! …/chatflows/send-chat-message) and its source, `web/app/components/develop/template/template_chat.en.mdx`:
//! - `POST /chat-messages` takes `query`, `inputs`, `user`, `conversation_id`, `files` and a `response_mode` of
//!   `blocking` or `streaming`; an agent streams only.
//! - A stream's events are named by a field of their data. `message` and `agent_message` hold text, `message_end`
//!   the usage in `metadata`, `message_replace` a text that replaces all previous text, `error` ends the stream;
//!   `ping` has no data. Events about an agent's steps (`agent_thought`), the nodes of a workflow and speech are not
//!   part of the response in a client's format, and are ignored.
//! - The application defines the prompt, the model, its parameters and its tools. So a client's limits and sampling
//!   parameters have no effect, and fields that would change the kind of response (tools, formats, stop sequences)
//!   are rejected.
//! - Dify stores the conversation. Clients receive its id as `dify.conversation_id`, and send it in the same field
//!   of a request, or in `metadata.conversation_id`.

mod decoder;
mod error;
mod request;
mod wire;

pub(crate) use wire::Dify;

const KIND: &str = "dify";
