//! The kind `dify`: an application made with Dify, by its service API.
//!
//! From Dify's documentation, "Send Chat Message" (docs.dify.ai/api-reference/chats/send-chat-message and
//! …/chatflows/send-chat-message) and its source, `web/app/components/develop/template/template_chat.en.mdx`:
//! - `POST /chat-messages` takes `query`, `inputs`, `user`, `conversation_id`, `files` and a `response_mode` of
//!   `blocking` or `streaming`; an agent streams only.
//! - A stream's events are named by a field of their data. `message` and `agent_message` hold text, `message_end` the
//!   usage in `metadata`, `message_replace` a text that takes the place of all that was said, `error` ends the stream;
//!   `ping` has no data. What an agent does inside Dify (`agent_thought`), the nodes of a flow and speech are no part of
//!   the answer in a client's format, and are passed over.
//! - The prompt, the model, its parameters and its tools are the application's own. So limits and sampling parameters of
//!   a client have no effect, and what would change what an answer is (tools, formats, stop sequences) is refused.
//! - Dify keeps the conversation. Its id is given to clients as `dify.conversation_id`, and taken from the same field of a
//!   request, or from `metadata.conversation_id`.

mod error;
mod request;
mod source;
mod wire;

pub(crate) use wire::Dify;

const KIND: &str = "dify";
