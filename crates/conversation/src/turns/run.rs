//! Runs a turn: calls the model, executes tools, stores the results. It runs in its own task, so a client
//! that disconnects does not stop it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use loam_journal::Journal;
use loam_kernel::{Error, Kind, LlmCallId, Result, Scope};
use serde_json::Value;

use super::entity::Model;
use super::event::{Tokens, ToolCall};
use super::input::Input;
use super::live::LiveTurn;
use super::log::TurnLog;
use super::queue::StartedTurn;
use super::step::Step;
use super::writer::{End, RequestedTools};
use crate::chat_sessions::entity::Model as Session;
use crate::messages::entity::FinishReason;
use crate::tools::{self, ToolDeclaration, ToolInvocation, ToolOutcome};
use crate::turns::Turns;

/// A running turn.
pub(super) struct Run {
    pub(super) turns: Turns,
    /// The caller, whom calls are charged to.
    pub(super) scope: Scope,
    pub(super) session: Session,
    pub(super) turn: Model,
    pub(super) live: Arc<LiveTurn>,
    pub(super) log: TurnLog,
    /// The last model call.
    pub(super) call: Option<LlmCallId>,
    pub(super) tools: Vec<ToolDeclaration>,
    /// Size of the model's output in this turn, in bytes.
    pub(super) output_bytes: usize,
}

/// A model's reply without its text, which is in the log.
pub(super) struct ModelReply {
    pub(super) finish: FinishReason,
    pub(super) calls: Vec<ToolCall>,
    pub(super) tokens: Option<Tokens>,
}

impl Turns {
    pub(super) fn journal(&self) -> Result<&Journal> {
        self.0.journal.as_ref().ok_or_else(|| Error::internal("this process has no journal"))
    }

    /// Runs a turn until it ends or requires tool results from the client. `started` if it has started already.
    pub(super) fn run_turn(
        &self,
        scope: &Scope,
        live: &Arc<LiveTurn>,
        started: Option<StartedTurn>,
    ) -> Result<()> {
        let (turns, live, journal) = (self.clone(), live.clone(), self.journal()?.clone());
        let mut scope = scope.clone();
        // The idempotency claim belongs to the transaction that created the turn.
        scope.idempotency = None;
        self.0.live.run(&live.clone(), async move {
            let started = match started {
                Some(started) => Ok(started),
                None => turns.queue(&scope, &live).await,
            };
            match started {
                Ok(started) => turns.run_begun(scope, live.clone(), journal, started).await,
                Err(Some(end)) => {
                    let mut log = TurnLog::new(live.clone(), journal);
                    turns.store_end(&scope, &live, &mut log, end, None).await;
                }
                Err(None) => live.stored(Vec::new(), true),
            }
            turns.0.live.remove(&live);
        });
        Ok(())
    }

    async fn run_begun(&self, scope: Scope, live: Arc<LiveTurn>, journal: Journal, started: StartedTurn) {
        let StartedTurn { session, turn, events } = started;
        let mut log = TurnLog::new(live.clone(), journal);
        log.stored(events, false);
        // Calls of an API key without a user are charged to the session's user and project.
        let mut payer = scope.clone();
        payer.user = payer.user.or(session.user_id);
        payer.project = payer.project.or(session.project_id);
        let call = turn.llm_call_id;
        let mut run = Run {
            turns: self.clone(),
            scope: payer,
            session,
            turn,
            live,
            log,
            call,
            tools: Vec::new(),
            output_bytes: 0,
        };
        if let Some(end) = run.run_rounds().await {
            let Run { live, mut log, call, .. } = run;
            self.store_end(&scope, &live, &mut log, end, call).await;
        }
    }
}

impl Run {
    /// Calls the model until the answer is complete. `None` if the client has to execute tools.
    async fn run_rounds(&mut self) -> Option<End> {
        let settings = self.turns.0.settings.of(self.scope.tenant());
        let deadline = tokio::time::Instant::now() + Duration::from_secs(settings.max_seconds);
        loop {
            let reply =
                match self.until_cancelled(deadline, async |run: &mut Self| run.call_model().await).await {
                    Ok(Ok(reply)) => reply,
                    Ok(Err(e)) => return Some(self.failed(e)),
                    Err(end) => return Some(end),
                };
            let requested = RequestedTools { calls: reply.calls, tokens: reply.tokens };
            if requested.calls.is_empty() {
                return Some(End::completed(reply.finish, requested.tokens));
            }
            if self.live.events().progress().rounds >= settings.tool_rounds {
                return Some(self.failed(too_many_rounds(settings.tool_rounds)));
            }
            let (server_calls, client_calls): (Vec<_>, Vec<_>) = requested
                .calls
                .iter()
                .cloned()
                .partition(|call| self.declared(call).is_none_or(ToolDeclaration::runs_on_server));
            let await_client = server_calls.is_empty();
            if let Err(e) = self
                .store(Step::ToolsRequested { requested, client_calls: client_calls.clone(), await_client })
                .await
            {
                return Some(self.failed(e));
            }
            if await_client {
                return None;
            }
            let used = self
                .until_cancelled(deadline, async |run: &mut Self| run.execute_tools(&server_calls).await)
                .await;
            let results = match used {
                Ok(results) => results,
                Err(end) => return Some(end),
            };
            let await_client = !client_calls.is_empty();
            if let Err(e) = self.store(Step::ToolResults { results, await_client }).await {
                return Some(self.failed(e));
            }
            if await_client {
                return None;
            }
        }
    }

    /// Runs something that can be cancelled at any await.
    async fn until_cancelled<T>(
        &mut self,
        deadline: tokio::time::Instant,
        what: impl AsyncFnOnce(&mut Self) -> T,
    ) -> Result<T, End> {
        let (live, turns) = (self.live.clone(), self.turns.clone());
        tokio::select! {
            biased;
            () = live.stop.cancelled() => Err(End::stopped()),
            () = turns.0.live.shutting_down() => Err(End::interrupted()),
            done = what(self) => Ok(done),
            () = tokio::time::sleep_until(deadline) => {
                let message = "the answer took longer than `max_seconds` of `conversation.turns` allows";
                Err(End::failed(&Error::new(Kind::Timeout, "turn_too_long", message)))
            }
        }
    }

    fn failed(&self, error: Error) -> End {
        let end = End::failed(&error);
        self.live.fail(error);
        end
    }

    fn declared(&self, call: &ToolCall) -> Option<&ToolDeclaration> {
        self.tools.iter().find(|tool| tool.name() == call.name)
    }

    /// Executes tool calls concurrently.
    async fn execute_tools(&self, calls: &[ToolCall]) -> Vec<(String, ToolOutcome)> {
        let message = self.live.events().progress().answer;
        let executions = calls.iter().map(async |call| {
            let outcome = match self.declared(call) {
                Some(tool) => {
                    let invocation = ToolInvocation {
                        session: self.session.id,
                        turn: Some(self.turn.id),
                        message,
                        llm_call: self.call,
                        call_id: call.id.clone(),
                        arguments: call.arguments.clone(),
                    };
                    self.turns.0.tools.execute_tool(&self.scope, tool, invocation).await
                }
                None => ToolOutcome { content: format!("unknown tool `{}`", call.name), is_error: true },
            };
            (call.id.clone(), outcome)
        });
        join_all(executions).await
    }

    /// Reads the session's tools again, because they may have changed.
    pub(super) async fn read_tools(&mut self) -> Result<()> {
        let tx = self.turns.0.db.read(&self.scope).await?;
        self.tools = tools::declared(&tx, &self.session).await?;
        Ok(())
    }

    pub(super) fn input(&self) -> Result<Input> {
        Input::read(&self.turn.input)
    }

    async fn store(&mut self, step: Step) -> Result<()> {
        let (turns, live) = (self.turns.clone(), self.live.clone());
        turns.store_step(&self.scope, &live, &mut self.log, &step, self.call).await
    }
}

fn too_many_rounds(rounds: usize) -> Error {
    let message = format!(
        "the model requested tools more than {rounds} times, the limit set by `tool_rounds` of `conversation.turns`"
    );
    Error::new(Kind::BadGateway, "too_many_tool_rounds", message)
}

/// The finish reason of a message.
pub(super) fn finish_of(reason: Option<&str>) -> FinishReason {
    reason
        .and_then(|reason| serde_json::from_value(Value::String(reason.to_owned())).ok())
        .unwrap_or(FinishReason::Stop)
}
