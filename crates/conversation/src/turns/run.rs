//! Running a turn: asking the model, using tools, storing what comes. It is a task of its own, which nobody's hanging up
//! ends.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use loam_journal::Journal;
use loam_kernel::{Error, Kind, LlmCallId, Result, Scope};
use serde_json::Value;

use super::entity::Model;
use super::event::{Tokens, ToolCall};
use super::input::Input;
use super::live::Live;
use super::log::TurnLog;
use super::progress::Progress;
use super::queue::Begun;
use super::step::Step;
use super::writer::{Asked, End};
use crate::Conversation;
use crate::chat_sessions::entity::Model as Session;
use crate::messages::entity::FinishReason;
use crate::tools::{self, ToolDeclaration, ToolOutcome, ToolUse};

/// A turn on its way.
pub(super) struct Run {
    pub(super) conversation: Conversation,
    /// Who asked; what they are charged for.
    pub(super) scope: Scope,
    pub(super) session: Session,
    pub(super) turn: Model,
    pub(super) live: Arc<Live>,
    pub(super) log: TurnLog,
    /// The last model call.
    pub(super) call: Option<LlmCallId>,
    pub(super) tools: Vec<ToolDeclaration>,
    /// What the model has said in this turn.
    pub(super) heard_bytes: usize,
}

/// What a model said, but for its text, which is in the log.
pub(super) struct Heard {
    pub(super) finish: FinishReason,
    pub(super) calls: Vec<ToolCall>,
    pub(super) tokens: Option<Tokens>,
}

impl Conversation {
    pub(super) fn journal(&self) -> Result<&Journal> {
        self.0.journal.as_ref().ok_or_else(|| Error::internal("this process has no journal"))
    }

    /// Runs a turn to its end, or to where the client has to use tools. `begun` if it is its turn already.
    pub(super) fn run_turn(&self, scope: &Scope, live: &Arc<Live>, begun: Option<Begun>) -> Result<()> {
        let (conversation, live, journal) = (self.clone(), live.clone(), self.journal()?.clone());
        let mut scope = scope.clone();
        // the claim belongs to the transaction that made the turn
        scope.idempotency = None;
        self.0.turns.run(&live.clone(), async move {
            let begun = match begun {
                Some(begun) => Ok(begun),
                None => conversation.queue(&scope, &live).await,
            };
            match begun {
                Ok(begun) => conversation.run_begun(scope, live.clone(), journal, begun).await,
                Err(Some(end)) => {
                    let mut log = TurnLog::new(live.clone(), journal);
                    conversation.store_end(&scope, &live, &mut log, end, None).await;
                }
                Err(None) => live.stored(Vec::new(), true),
            }
            conversation.0.turns.remove(&live);
        });
        Ok(())
    }

    async fn run_begun(&self, scope: Scope, live: Arc<Live>, journal: Journal, begun: Begun) {
        let Begun { session, turn, events } = begun;
        let mut log = TurnLog::new(live.clone(), journal);
        log.stored(events, false);
        // what a key of nobody's asks for is the session's user's, and the session's project's
        let mut payer = scope.clone();
        payer.user = payer.user.or(session.user_id);
        payer.project = payer.project.or(session.project_id);
        let call = turn.llm_call_id;
        let mut run = Run {
            conversation: self.clone(),
            scope: payer,
            session,
            turn,
            live,
            log,
            call,
            tools: Vec::new(),
            heard_bytes: 0,
        };
        if let Some(end) = run.carry_on().await {
            let Run { live, mut log, call, .. } = run;
            self.store_end(&scope, &live, &mut log, end, call).await;
        }
    }
}

impl Run {
    /// Asks the model until it has its answer. None if it is the client's turn to use tools.
    async fn carry_on(&mut self) -> Option<End> {
        let settings = self.conversation.0.settings.of(self.scope.tenant());
        let deadline = tokio::time::Instant::now() + Duration::from_secs(settings.max_seconds);
        loop {
            let heard = match self.until_stopped(deadline, async |run: &mut Self| run.ask().await).await {
                Ok(Ok(heard)) => heard,
                Ok(Err(e)) => return Some(self.failed(e)),
                Err(end) => return Some(end),
            };
            let asked = Asked { calls: heard.calls, tokens: heard.tokens };
            if asked.calls.is_empty() {
                return Some(End::completed(heard.finish, asked.tokens));
            }
            if Progress::of(&self.live.events()).rounds >= settings.tool_rounds {
                return Some(self.failed(too_many_rounds(settings.tool_rounds)));
            }
            let (mine, theirs): (Vec<_>, Vec<_>) = asked
                .calls
                .iter()
                .cloned()
                .partition(|call| self.declared(call).is_none_or(ToolDeclaration::runs_here));
            let park = mine.is_empty();
            if let Err(e) = self.store(Step::Asked { asked, theirs: theirs.clone(), park }).await {
                return Some(self.failed(e));
            }
            if park {
                return None;
            }
            let used = self.until_stopped(deadline, async |run: &mut Self| run.use_tools(&mine).await).await;
            let results = match used {
                Ok(results) => results,
                Err(end) => return Some(end),
            };
            let park = !theirs.is_empty();
            if let Err(e) = self.store(Step::Results { results, park }).await {
                return Some(self.failed(e));
            }
            if park {
                return None;
            }
        }
    }

    /// Does something that can be given up at any moment.
    async fn until_stopped<T>(
        &mut self,
        deadline: tokio::time::Instant,
        what: impl AsyncFnOnce(&mut Self) -> T,
    ) -> Result<T, End> {
        let (live, conversation) = (self.live.clone(), self.conversation.clone());
        tokio::select! {
            biased;
            () = live.stop.cancelled() => Err(End::stopped()),
            () = conversation.0.turns.ending() => Err(End::interrupted()),
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

    /// Uses the tools that Loam uses itself, all at once.
    async fn use_tools(&self, calls: &[ToolCall]) -> Vec<(String, ToolOutcome)> {
        let message = Progress::of(&self.live.events()).answer;
        let uses = calls.iter().map(async |call| {
            let outcome = match self.declared(call) {
                Some(tool) => {
                    let usage = ToolUse {
                        session: self.session.id,
                        turn: Some(self.turn.id),
                        message,
                        llm_call: self.call,
                        call_id: call.id.clone(),
                        arguments: call.arguments.clone(),
                    };
                    self.conversation.execute_tool(&self.scope, tool, usage).await
                }
                None => ToolOutcome { content: format!("there is no tool `{}`", call.name), is_error: true },
            };
            (call.id.clone(), outcome)
        });
        join_all(uses).await
    }

    /// Reads what the session allows anew, as it may have changed since.
    pub(super) async fn read_tools(&mut self) -> Result<()> {
        let tx = self.conversation.0.db.read(&self.scope).await?;
        self.tools = tools::declared(&tx, &self.session).await?;
        Ok(())
    }

    pub(super) fn input(&self) -> Result<Input> {
        Input::read(&self.turn.input)
    }

    async fn store(&mut self, step: Step) -> Result<()> {
        let (conversation, live) = (self.conversation.clone(), self.live.clone());
        conversation.store_step(&self.scope, &live, &mut self.log, &step, self.call).await
    }
}

fn too_many_rounds(rounds: usize) -> Error {
    let message = format!(
        "the model asked for tools more than {rounds} times; `tool_rounds` of `conversation.turns` sets how often it may"
    );
    Error::new(Kind::BadGateway, "too_many_tool_rounds", message)
}

/// The reason in the words of messages.
pub(super) fn finish_of(reason: Option<&str>) -> FinishReason {
    reason
        .and_then(|reason| serde_json::from_value(Value::String(reason.to_owned())).ok())
        .unwrap_or(FinishReason::Stop)
}
