//! Stores a step of a turn, retrying while the database is unavailable.

use std::time::Duration;

use chrono::TimeDelta;
use loam_kernel::{Error, Kind, LlmCallId, Result, Scope};

use super::event::{ToolCall, TurnEvent};
use super::live::LiveTurn;
use super::log::TurnLog;
use super::writer::{End, RequestedTools, Writer};
use crate::tools::{ToolInvocation, ToolOutcome};
use crate::turns::Turns;

/// First and longest pause between attempts.
const RETRY_PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// A step of a turn.
pub(super) enum Step {
    /// The model requested tools; `client_calls` are executed by the client. `await_client`: only by the client.
    ToolsRequested { requested: RequestedTools, client_calls: Vec<ToolCall>, await_client: bool },
    /// Tools were executed. `await_client`: the client has to execute others.
    ToolResults { results: Vec<(String, ToolOutcome)>, await_client: bool },
    /// The turn ends.
    End(End),
    /// The turn ends without storing a message.
    EndWithoutMessage(End),
}

impl Turns {
    /// Stores a step, then publishes the events up to it.
    pub(super) async fn store_step(
        &self,
        scope: &Scope,
        live: &LiveTurn,
        log: &mut TurnLog,
        step: &Step,
        call: Option<LlmCallId>,
    ) -> Result<()> {
        let (mut pause, longest) = RETRY_PAUSES;
        loop {
            match self.try_step(scope, live, step, call).await {
                Ok(events) => {
                    let done = match step {
                        Step::ToolsRequested { await_client, .. }
                        | Step::ToolResults { await_client, .. } => *await_client,
                        Step::End(_) | Step::EndWithoutMessage(_) => true,
                    };
                    log.stored(events, done);
                    return Ok(());
                }
                // Output is not dropped because the session is busy.
                Err(e) if matches!(e.kind(), Kind::Unavailable | Kind::TooMany) => {
                    tracing::debug!(error = %e, turn.id = %live.id, "a turn can't be stored at the moment; retrying");
                }
                Err(e) => return Err(e),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
    }

    /// Stores how a turn ended. If its answer can't be stored as a message, the turn's events keep it.
    pub(super) async fn store_end(
        &self,
        scope: &Scope,
        live: &LiveTurn,
        log: &mut TurnLog,
        end: End,
        call: Option<LlmCallId>,
    ) {
        metrics::counter!("loam_turns_total", "state" => end.state.name()).increment(1);
        let without_message = Step::EndWithoutMessage(end.clone());
        let stored = match self.store_step(scope, live, log, &Step::End(end), call).await {
            Err(e) if e.code() != TURN_GONE => {
                tracing::error!(error = ?e, turn.id = %live.id, "a turn's answer could not be stored; its events are kept");
                self.store_step(scope, live, log, &without_message, call).await
            }
            stored => stored,
        };
        if let Err(e) = stored {
            if e.code() != TURN_GONE {
                tracing::error!(error = ?e, turn.id = %live.id, "a turn's end could not be stored");
            }
            let events = live.events().to_vec();
            log.stored(events, true);
        }
    }

    async fn try_step(
        &self,
        scope: &Scope,
        live: &LiveTurn,
        step: &Step,
        call: Option<LlmCallId>,
    ) -> Result<Vec<TurnEvent>> {
        let _lock = self.0.session_locks.acquire(scope.tenant(), live.session).await?;
        let tx = self.0.db.write(scope).await?;
        let Some(mut writer) = Writer::open(&tx, &self.0.clock, live.session, live.id).await? else {
            return Err(turn_gone());
        };
        let session = writer.session.clone();
        // The row only has the events up to the last step.
        writer.events.clone_from(&live.events());
        let open = !writer.events.progress().open_calls.is_empty();
        let events = match step {
            Step::ToolsRequested { requested, client_calls, await_client } => {
                writer.tool_calls(requested, call).await?;
                let message = writer.events.progress().answer;
                for tool_call in client_calls {
                    let invocation = ToolInvocation {
                        session: live.session,
                        turn: Some(live.id),
                        message,
                        llm_call: call,
                        call_id: tool_call.id.clone(),
                        arguments: tool_call.arguments.clone(),
                    };
                    self.0
                        .tools
                        .record_client_call(&tx, &writer.session, &tool_call.name, invocation)
                        .await?;
                }
                self.resume_or_wait(writer, *await_client, call).await?
            }
            Step::ToolResults { results, await_client } => {
                for (id, outcome) in results {
                    writer.tool_result(id, outcome).await?;
                }
                self.resume_or_wait(writer, *await_client, call).await?
            }
            Step::End(end) => writer.end(end, call).await?,
            Step::EndWithoutMessage(end) => writer.end_without_message(end, call).await?,
        };
        if open && matches!(step, Step::End(_) | Step::EndWithoutMessage(_)) {
            self.0.tools.end_pending_calls(&tx, live.session, live.id, false).await?;
        }
        tx.commit().await?;
        self.0.messages.notify_changed(&session);
        Ok(events)
    }

    async fn resume_or_wait<R>(
        &self,
        writer: Writer<'_, R>,
        await_client: bool,
        call: Option<LlmCallId>,
    ) -> Result<Vec<TurnEvent>> {
        if !await_client {
            return writer.resume(call, self.lease()).await;
        }
        let seconds = self.0.settings.with(writer.session.tenant_id, |settings| settings.tool_result_seconds);
        let timeout = TimeDelta::seconds(i64::try_from(seconds).unwrap_or(i64::MAX / 1_000_000));
        writer.wait_for_client(call, self.0.clock.now() + timeout).await
    }
}

/// The code of the error below.
const TURN_GONE: &str = "turn_gone";

/// The session was deleted, or another node has ended the turn.
fn turn_gone() -> Error {
    Error::new(Kind::NotFound, TURN_GONE, "this turn has ended or was deleted")
}
