//! Imports histories: atomically, or resumably up to the first invalid line.

use std::collections::BTreeSet;

use bytes::Bytes;
use chrono::{DateTime, Datelike, NaiveDate, Utc};
use futures_util::Stream;
use loam_db::{Tenant, Tx};
use loam_kernel::{Error, Kind, Result, Scope, TenantId, run_blocking_without_timeout};
use loam_platform::audit_logs::{self, Change};
use loam_platform::notices;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::line::{Checked, EndLine, Line};
use super::lines::Lines;
use super::writer::Writer;
use crate::chat_sessions;
use crate::history::History;

/// Lines checked at once; in a resumable import, also lines per transaction.
const BATCH: usize = 1000;
/// Maximum number of lines of an atomic import. It is one transaction, which blocks all other writers on
/// SQLite.
const MAX_ATOMIC_LINES: usize = 100_000;
/// Maximum size of an atomic import in bytes. It is held in memory.
const MAX_ATOMIC_BYTES: usize = 64 << 20;

/// What happens to a file with an invalid line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImportMode {
    /// Nothing is stored.
    #[default]
    Atomic,
    /// The lines before the invalid one are stored, and the import can be resumed from it.
    Resumable,
}

/// Options of an import.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ImportOptions {
    /// `atomic` (default): all or nothing, at most 100,000 lines. `resumable`: stores lines up to the first
    /// invalid one.
    pub mode: Option<ImportMode>,
    /// First line to import in a resumable import, counted from 1; earlier lines are skipped.
    pub from_line: Option<u64>,
}

/// Result of an import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Imported {
    /// Sessions created.
    pub sessions: u64,
    /// Messages written.
    pub messages: u64,
    /// The line after the last one: where a longer file would be resumed.
    pub next_line: u64,
}

type Numbered<T> = Vec<(u64, T)>;

impl History {
    /// Imports JSON Lines from a stream of chunks of any size.
    ///
    /// # Errors
    /// The first invalid line, with its number. An atomic import then stores nothing; a resumable import
    /// stores the lines before it, and the error names the `from_line` to resume from.
    pub async fn import<S>(&self, scope: &Scope, chunks: S, options: ImportOptions) -> Result<Imported>
    where
        S: Stream<Item = Result<Bytes>> + Unpin,
    {
        let _slot = self.0.imports.acquire_slot(scope.tenant()).await?;
        let lines = Lines::new(chunks);
        match (options.mode.unwrap_or_default(), options.from_line) {
            (ImportMode::Atomic, None | Some(1)) => self.import_atomic(scope, lines).await,
            (ImportMode::Atomic, Some(_)) => Err(Error::invalid(
                "from_line",
                "is only for `mode=resumable`: an atomic import starts from the first line",
            )),
            (ImportMode::Resumable, Some(0)) => Err(Error::invalid("from_line", "must be at least 1")),
            (ImportMode::Resumable, from) => self.import_resumable(scope, lines, from.unwrap_or(1)).await,
        }
    }

    /// All or nothing: every line is checked before the transaction begins, which keeps the transaction
    /// short.
    async fn import_atomic<S>(&self, scope: &Scope, mut lines: Lines<S>) -> Result<Imported>
    where
        S: Stream<Item = Result<Bytes>> + Unpin,
    {
        let now = self.0.clock.now();
        let (mut all, mut size) = (Vec::new(), 0);
        let mut memory = self.0.imports.memory(scope.tenant());
        while let Some((number, line)) = lines.next().await? {
            size += line.len();
            if all.len() >= MAX_ATOMIC_LINES || size > MAX_ATOMIC_BYTES {
                let message = format!(
                    "an atomic import has at most {MAX_ATOMIC_LINES} lines and {MAX_ATOMIC_BYTES} bytes; send \
                     `mode=resumable`"
                );
                return Err(Error::new(Kind::TooLarge, "import_too_large", message).with_param("mode"));
            }
            memory.hold(size)?;
            all.push((number, line));
        }
        let (mut counts, mut months) = (LineCounts::default(), BTreeSet::new());
        for batch in all.chunks(BATCH) {
            for (number, line) in check(scope, batch.to_vec(), now).await? {
                let line = line.and_then(|line| counts.add(&line).map(|()| line));
                months.extend(month_of(&line.map_err(|e| with_line_number(number, e))?, now));
            }
        }
        self.ensure_partitions(scope, months).await?;
        let mut writer = Writer::begin(self, scope).await?;
        for batch in all.chunks(BATCH) {
            for (number, line) in check(scope, batch.to_vec(), now).await? {
                let written = writer.write_line(line?).await;
                written.map_err(|e| with_line_number(number, e))?;
            }
        }
        let (count, next_line) = (writer.count, lines.number() + 1);
        self.commit_import(writer.finish().await?, count, (1, next_line)).await?;
        Ok(Imported { sessions: count.sessions, messages: count.messages, next_line })
    }

    /// Imports batch by batch, up to the first invalid line.
    async fn import_resumable<S>(&self, scope: &Scope, mut lines: Lines<S>, from: u64) -> Result<Imported>
    where
        S: Stream<Item = Result<Bytes>> + Unpin,
    {
        let now = self.0.clock.now();
        // The counts in the end line can't be verified for the remainder of a file.
        let mut counts = (from == 1).then(LineCounts::default);
        let mut done = Imported { next_line: from, ..Imported::default() };
        loop {
            let mut batch = Vec::new();
            while batch.len() < BATCH {
                match lines.next().await.map_err(|e| with_resume_hint(done.next_line, e))? {
                    Some(line) if line.0 < from => {}
                    Some(line) => batch.push(line),
                    None => break,
                }
            }
            if batch.is_empty() {
                done.next_line = done.next_line.max(lines.number() + 1);
                return Ok(done);
            }
            let (mut valid, mut first_error, mut months) = (Vec::new(), None, BTreeSet::new());
            for (number, line) in check(scope, batch, now).await? {
                let mut add = |line: &Checked| counts.as_mut().map_or(Ok(()), |counts| counts.add(line));
                match line.and_then(|line| add(&line).map(|()| line)) {
                    Ok(line) => {
                        months.extend(month_of(&line, now));
                        valid.push((number, line));
                    }
                    Err(e) => {
                        first_error = Some((number, e));
                        break;
                    }
                }
            }
            let written = self.write(scope, &mut done, valid, months).await;
            let at = done.next_line;
            // An error that only the database detects is in an earlier line than `first_error`, so it comes first.
            first_error = written.map_err(|e| with_resume_hint(at, e))?.or(first_error);
            if let Some((number, e)) = first_error {
                return Err(with_resume_hint(number, with_line_number(number, e)));
            }
        }
    }

    /// Writes lines up to the first invalid one in a transaction of their own.
    async fn write(
        &self,
        scope: &Scope,
        done: &mut Imported,
        lines: Numbered<Checked>,
        months: BTreeSet<NaiveDate>,
    ) -> Result<Option<(u64, Error)>> {
        self.ensure_partitions(scope, months).await?;
        let mut writer = Writer::begin(self, scope).await?;
        let (mut first_error, mut next) = (None, done.next_line);
        for (number, line) in lines {
            match writer.write_line(line).await {
                Ok(()) => next = number + 1,
                Err(e) if is_client_error(&e) => {
                    first_error = Some((number, e));
                    break;
                }
                Err(e) => return Err(e),
            }
        }
        let count = writer.count;
        self.commit_import(writer.finish().await?, count, (done.next_line, next)).await?;
        done.sessions += count.sessions;
        done.messages += count.messages;
        done.next_line = next;
        Ok(first_error)
    }

    /// Audits the import, commits it and announces the change.
    async fn commit_import(&self, tx: Tx<Tenant>, count: EndLine, (from, next): (u64, u64)) -> Result<()> {
        let tenant = tx.scope().tenant().to_string();
        let changes = json!({ "sessions": count.sessions, "messages": count.messages, "from_line": from, "next_line": next });
        let change =
            Change { action: "import", resource_type: chat_sessions::TOPIC, resource_id: &tenant, changes };
        audit_logs::record(&tx, &self.0.clock, change).await?;
        let notice = notices::announce(&tx, &self.0.clock, chat_sessions::TOPIC, Uuid::nil(), None).await?;
        self.0.changes.commit(tx, notice).await
    }

    /// Creates the message partitions of these months.
    async fn ensure_partitions(&self, scope: &Scope, months: BTreeSet<NaiveDate>) -> Result<()> {
        let system =
            Scope::system(TenantId::NIL, "import").with_origin(std::sync::Arc::new(scope.origin().clone()));
        for month in months {
            let at = month.and_time(chrono::NaiveTime::MIN).and_utc();
            self.0.db.ensure_months(&system, "messages", at, at).await?;
        }
        Ok(())
    }
}

/// The month of a message, if it differs from the current month.
fn month_of(line: &Checked, now: DateTime<Utc>) -> Option<NaiveDate> {
    let Checked::Message(line, _) = line else { return None };
    let month = |at: DateTime<Utc>| at.date_naive().with_day(1);
    line.created_at.and_then(month).filter(|of| Some(*of) != month(now))
}

/// Checks lines as far as possible without the database. Runs off the serving threads because it takes a
/// while.
async fn check(
    scope: &Scope,
    lines: Numbered<Bytes>,
    now: DateTime<Utc>,
) -> Result<Numbered<Result<Checked>>> {
    let check = move || lines.into_iter().map(|(number, line)| (number, Line::read(&line, now))).collect();
    // The import already holds a slot: it waits for a processor rather than fail.
    run_blocking_without_timeout(scope.tenant(), check).await
}

/// Counts of the lines read so far, compared with the counts in the file's end line.
#[derive(Default)]
struct LineCounts {
    counted: EndLine,
    ended: bool,
}

impl LineCounts {
    fn add(&mut self, line: &Checked) -> Result<()> {
        if self.ended {
            return Err(Error::invalid("type", "the file continues after its end line"));
        }
        match line {
            Checked::Session(_) => self.counted.sessions += 1,
            Checked::Message(..) => self.counted.messages += 1,
            Checked::End(end) => {
                self.ended = true;
                if *end != self.counted {
                    let EndLine { sessions, messages } = self.counted;
                    let message =
                        format!("the file is incomplete: it has {sessions} sessions and {messages} messages");
                    return Err(Error::invalid("type", message));
                }
            }
        }
        Ok(())
    }
}

/// Whether the error is caused by the line itself.
fn is_client_error(error: &Error) -> bool {
    error.status() < 500
}

/// Adds the line number to the error.
fn with_line_number(number: u64, error: Error) -> Error {
    if !is_client_error(&error) {
        return error;
    }
    let param = error.param().map(str::to_owned);
    let field = param.as_ref().map(|param| format!("`{param}` ")).unwrap_or_default();
    let message = format!("line {number}: {field}{}", error.message());
    let named = Error::new(Kind::Invalid, "invalid_line", message);
    named.with_param(param.map_or_else(|| format!("line {number}"), |param| format!("line {number}.{param}")))
}

/// Adds the line to resume a resumable import from.
fn with_resume_hint(next: u64, error: Error) -> Error {
    if error.kind() == Kind::Internal {
        return error;
    }
    let message =
        format!("{}; the lines before line {next} are stored; resume with from_line={next}", error.message());
    let mut hinted = Error::new(error.kind(), error.code(), message).with_status(error.status());
    if let Some(param) = error.param() {
        hinted = hinted.with_param(param.to_owned());
    }
    if let Some(after) = error.retry_after() {
        hinted = hinted.with_retry_after(after);
    }
    hinted.with_source(error)
}
