//! Tools that the client uses: Loam keeps what they are wanted for, and what the client says came of it.

use loam_db::Tx;
use loam_gateway::tool_calls::entity::ToolCallStatus;
use loam_gateway::tool_calls::{NewToolCall, ToolCallOutcome};
use loam_kernel::{ChatSessionId, Error, Result, TurnId};

use super::execute::ToolUse;
use crate::Conversation;
use crate::chat_sessions::entity::Model as Session;

/// What the client says came of a use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientResult<'a> {
    /// The model's own id of the use.
    pub(crate) call_id: &'a str,
    /// For the model.
    pub(crate) content: &'a str,
    /// The tool failed.
    pub(crate) is_error: bool,
}

impl Conversation {
    /// Writes down that the client has to use a tool.
    pub(crate) async fn record_waiting<R>(
        &self,
        tx: &Tx<R>,
        session: &Session,
        tool: &str,
        usage: ToolUse,
    ) -> Result<()> {
        let new = NewToolCall {
            session: session.id,
            user: session.user_id,
            turn: usage.turn,
            message: usage.message,
            llm_call: usage.llm_call,
            call_id: usage.call_id,
            tool: tool.to_owned(),
            arguments: usage.arguments,
            run_by_client: true,
        };
        self.0.gateway.record_tool_call(tx, new).await.map(|_| ())
    }

    /// Writes down results that the client sends. Refused, naming the call, when nothing waits for one of them: roll back
    /// then.
    pub(crate) async fn record_client_results<R>(
        &self,
        tx: &Tx<R>,
        session: &Session,
        results: &[ClientResult<'_>],
    ) -> Result<()> {
        for (i, result) in results.iter().enumerate() {
            let end = match result.is_error {
                true => ToolCallOutcome::failed(ToolCallStatus::Failed, result.content),
                false => ToolCallOutcome::succeeded(result.content),
            };
            let known = self.0.gateway.submit_tool_result(tx, session.id, result.call_id, end).await?;
            if !known {
                let message = format!("no call `{}` of a tool waits for a result", result.call_id);
                return Err(Error::invalid(format!("[{i}].tool_call_id"), message));
            }
        }
        Ok(())
    }

    /// Writes down that a turn has ended, and waits for no more results.
    pub(crate) async fn give_up_waiting<R>(
        &self,
        tx: &Tx<R>,
        session: ChatSessionId,
        turn: TurnId,
        late: bool,
    ) -> Result<()> {
        let end = match late {
            true => ToolCallOutcome::failed(ToolCallStatus::TimedOut, "no result came in time"),
            false => ToolCallOutcome::failed(ToolCallStatus::Failed, "its turn ended without its result"),
        };
        self.0.gateway.abandon_tool_calls(tx, session, turn, end).await
    }
}
