//! Storing a step of a turn, however long the database is away.

use std::time::Duration;

use chrono::TimeDelta;
use loam_kernel::{Error, Kind, LlmCallId, Result, Scope};

use super::event::{ToolCall, TurnEvent};
use super::live::Live;
use super::log::TurnLog;
use super::progress::Progress;
use super::writer::{Asked, End, Writer};
use crate::Conversation;
use crate::tools::{ToolOutcome, ToolUse};

/// The first and the longest pause between tries while the database is away.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// A step of a turn's way.
pub(super) enum Step {
    /// The model asked for tools; `theirs` are the client's to use, alone if it parks.
    Asked { asked: Asked, theirs: Vec<ToolCall>, park: bool },
    /// Tools were used; the client's are still to be if it parks.
    Results { results: Vec<(String, ToolOutcome)>, park: bool },
    /// It ends.
    End(End),
    /// It ends, and no message can be written.
    EndBare(End),
}

impl Conversation {
    /// Stores a step, and lets all that came up to it be shown.
    pub(super) async fn store_step(
        &self,
        scope: &Scope,
        live: &Live,
        log: &mut TurnLog,
        step: &Step,
        call: Option<LlmCallId>,
    ) -> Result<()> {
        let (mut pause, longest) = PAUSES;
        loop {
            match self.try_step(scope, live, step, call).await {
                Ok(events) => {
                    let over = match step {
                        Step::Asked { park, .. } | Step::Results { park, .. } => *park,
                        Step::End(_) | Step::EndBare(_) => true,
                    };
                    log.stored(events, over);
                    return Ok(());
                }
                // nor is what came given up because many write to the session
                Err(e) if matches!(e.kind(), Kind::Unavailable | Kind::TooMany) => {
                    tracing::debug!(error = %e, turn.id = %live.id, "a turn can't be stored for the moment");
                }
                Err(e) => return Err(e),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
    }

    /// Stores how a turn ended. If the database refuses its answer, the turn's events keep it.
    pub(super) async fn store_end(
        &self,
        scope: &Scope,
        live: &Live,
        log: &mut TurnLog,
        end: End,
        call: Option<LlmCallId>,
    ) {
        metrics::counter!("loam_turns_total", "state" => end.state.name()).increment(1);
        let bare = Step::EndBare(end.clone());
        let stored = match self.store_step(scope, live, log, &Step::End(end), call).await {
            Err(e) if e.code() != GONE => {
                tracing::error!(error = ?e, turn.id = %live.id, "a turn's answer could not be stored; its events are kept");
                self.store_step(scope, live, log, &bare, call).await
            }
            stored => stored,
        };
        if let Err(e) = stored {
            if e.code() != GONE {
                tracing::error!(error = ?e, turn.id = %live.id, "a turn's end could not be stored");
            }
            let events = live.events().clone();
            log.stored(events, true);
        }
    }

    async fn try_step(
        &self,
        scope: &Scope,
        live: &Live,
        step: &Step,
        call: Option<LlmCallId>,
    ) -> Result<Vec<TurnEvent>> {
        let _lane = self.0.lanes.enter(scope.tenant(), live.session).await?;
        let tx = self.0.db.write(scope).await?;
        let Some(mut writer) = Writer::open(&tx, &self.0.clock, live.session, live.id).await? else {
            return Err(gone());
        };
        let session = writer.session.clone();
        // the row has them up to the last step only
        writer.events.clone_from(&live.events());
        let open = !Progress::of(&writer.events).open_calls.is_empty();
        let events = match step {
            Step::Asked { asked, theirs, park } => {
                writer.asked(asked, call).await?;
                let message = Progress::of(&writer.events).answer;
                for wanted in theirs {
                    let usage = ToolUse {
                        session: live.session,
                        turn: Some(live.id),
                        message,
                        llm_call: call,
                        call_id: wanted.id.clone(),
                        arguments: wanted.arguments.clone(),
                    };
                    self.record_waiting(&tx, &writer.session, &wanted.name, usage).await?;
                }
                self.go_on(writer, *park, call).await?
            }
            Step::Results { results, park } => {
                for (id, outcome) in results {
                    writer.result(id, outcome).await?;
                }
                self.go_on(writer, *park, call).await?
            }
            Step::End(end) => writer.end(end, call).await?,
            Step::EndBare(end) => writer.end_bare(end, call).await?,
        };
        if open && matches!(step, Step::End(_) | Step::EndBare(_)) {
            self.give_up_waiting(&tx, live.session, live.id, false).await?;
        }
        tx.commit().await?;
        self.said(&session);
        Ok(events)
    }

    async fn go_on<R>(
        &self,
        writer: Writer<'_, R>,
        park: bool,
        call: Option<LlmCallId>,
    ) -> Result<Vec<TurnEvent>> {
        if !park {
            return writer.go_on(call, self.lease()).await;
        }
        let seconds = self.0.settings.with(writer.session.tenant_id, |settings| settings.tool_result_seconds);
        let patience = TimeDelta::seconds(i64::try_from(seconds).unwrap_or(i64::MAX / 1_000_000));
        writer.park(call, self.0.clock.now() + patience).await
    }
}

/// The code of the error below.
const GONE: &str = "turn_gone";

/// The session was deleted, or another node has given the turn up.
fn gone() -> Error {
    Error::new(Kind::NotFound, GONE, "this turn has been ended or deleted meanwhile")
}
