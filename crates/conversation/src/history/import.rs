//! Bringing histories in: all of a file or nothing, or as far as it goes.

use std::collections::BTreeSet;

use bytes::Bytes;
use chrono::{DateTime, Datelike, NaiveDate, Utc};
use futures_util::Stream;
use loam_db::{Tenant, Tx};
use loam_kernel::{Error, Kind, Result, Scope, TenantId, beside_patiently};
use loam_platform::audit_logs::{self, Change};
use loam_platform::notices;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::line::{Checked, EndLine, Line};
use super::lines::Lines;
use super::writer::Writer;
use crate::{Conversation, chat_sessions};

/// Lines that are checked at once, and of a resumable import written at once.
const BATCH: usize = 1000;
/// Lines of an atomic import: it is one transaction, which on SQLite everybody else waits for.
const MAX_ATOMIC_LINES: usize = 100_000;
/// Bytes of an atomic import, which is held in memory.
const MAX_ATOMIC_BYTES: usize = 64 << 20;

/// What happens to a file with a fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImportMode {
    /// Nothing of it is stored.
    #[default]
    Atomic,
    /// What is before the fault is stored, and can be gone on from.
    Resumable,
}

/// How to import.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ImportOptions {
    /// `atomic`, all or nothing, for 100,000 lines at most, unless given; `resumable`: as far as it goes.
    pub mode: Option<ImportMode>,
    /// Where to go on, in a resumable import: lines before this one, counted from 1, are passed over.
    pub from_line: Option<u64>,
}

/// What an import has brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Imported {
    /// Sessions made.
    pub sessions: u64,
    /// Messages written.
    pub messages: u64,
    /// The line behind the last: where a longer file would go on.
    pub next_line: u64,
}

type Numbered<T> = Vec<(u64, T)>;

impl Conversation {
    /// Imports JSON Lines, given as chunks of any size.
    ///
    /// # Errors
    /// The first fault, with the number of its line. Of an atomic import nothing is stored then; of a resumable one the
    /// lines before it, and the error says with which `from_line` to go on.
    pub async fn import<S>(&self, scope: &Scope, chunks: S, options: ImportOptions) -> Result<Imported>
    where
        S: Stream<Item = Result<Bytes>> + Unpin,
    {
        let _place = self.0.imports.enter(scope.tenant()).await?;
        let lines = Lines::new(chunks);
        match (options.mode.unwrap_or_default(), options.from_line) {
            (ImportMode::Atomic, None | Some(1)) => self.import_whole(scope, lines).await,
            (ImportMode::Atomic, Some(_)) => {
                Err(Error::invalid("from_line", "is for `mode=resumable`: an atomic import begins anew"))
            }
            (ImportMode::Resumable, Some(0)) => Err(Error::invalid("from_line", "must be at least 1")),
            (ImportMode::Resumable, from) => self.import_on(scope, lines, from.unwrap_or(1)).await,
        }
    }

    /// All or nothing: everything is looked at before the transaction begins, so that it is short.
    async fn import_whole<S>(&self, scope: &Scope, mut lines: Lines<S>) -> Result<Imported>
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
        let (mut tally, mut months) = (Tally::default(), BTreeSet::new());
        for batch in all.chunks(BATCH) {
            for (number, line) in check(scope, batch.to_vec(), now).await? {
                let line = line.and_then(|line| tally.see(&line).map(|()| line));
                months.extend(month_of(&line.map_err(|e| at_line(number, e))?, now));
            }
        }
        self.ensure(scope, months).await?;
        let mut writer = Writer::begin(self, scope).await?;
        for batch in all.chunks(BATCH) {
            for (number, line) in check(scope, batch.to_vec(), now).await? {
                let taken = writer.take(line?).await;
                taken.map_err(|e| at_line(number, e))?;
            }
        }
        let (count, next_line) = (writer.count, lines.number() + 1);
        self.end(writer.finish().await?, count, (1, next_line)).await?;
        Ok(Imported { sessions: count.sessions, messages: count.messages, next_line })
    }

    /// As far as it goes, some lines at a time.
    async fn import_on<S>(&self, scope: &Scope, mut lines: Lines<S>, from: u64) -> Result<Imported>
    where
        S: Stream<Item = Result<Bytes>> + Unpin,
    {
        let now = self.0.clock.now();
        // of the rest of a file nobody can say whether it is whole
        let mut tally = (from == 1).then(Tally::default);
        let mut done = Imported { next_line: from, ..Imported::default() };
        loop {
            let mut batch = Vec::new();
            while batch.len() < BATCH {
                match lines.next().await.map_err(|e| stored_before(done.next_line, e))? {
                    Some(line) if line.0 < from => {}
                    Some(line) => batch.push(line),
                    None => break,
                }
            }
            if batch.is_empty() {
                done.next_line = done.next_line.max(lines.number() + 1);
                return Ok(done);
            }
            let (mut good, mut fault, mut months) = (Vec::new(), None, BTreeSet::new());
            for (number, line) in check(scope, batch, now).await? {
                let mut see = |line: &Checked| tally.as_mut().map_or(Ok(()), |tally| tally.see(line));
                match line.and_then(|line| see(&line).map(|()| line)) {
                    Ok(line) => {
                        months.extend(month_of(&line, now));
                        good.push((number, line));
                    }
                    Err(e) => {
                        fault = Some((number, e));
                        break;
                    }
                }
            }
            let written = self.write(scope, &mut done, good, months).await;
            let at = done.next_line;
            // a fault that only the database knew of comes before the one of a later line
            fault = written.map_err(|e| stored_before(at, e))?.or(fault);
            if let Some((number, e)) = fault {
                return Err(stored_before(number, at_line(number, e)));
            }
        }
    }

    /// Writes lines up to the first fault in a transaction of their own.
    async fn write(
        &self,
        scope: &Scope,
        done: &mut Imported,
        lines: Numbered<Checked>,
        months: BTreeSet<NaiveDate>,
    ) -> Result<Option<(u64, Error)>> {
        self.ensure(scope, months).await?;
        let mut writer = Writer::begin(self, scope).await?;
        let (mut fault, mut next) = (None, done.next_line);
        for (number, line) in lines {
            match writer.take(line).await {
                Ok(()) => next = number + 1,
                Err(e) if is_callers(&e) => {
                    fault = Some((number, e));
                    break;
                }
                Err(e) => return Err(e),
            }
        }
        let count = writer.count;
        self.end(writer.finish().await?, count, (done.next_line, next)).await?;
        done.sessions += count.sessions;
        done.messages += count.messages;
        done.next_line = next;
        Ok(fault)
    }

    /// Puts what was written on record, makes it last, and tells everybody.
    async fn end(&self, tx: Tx<Tenant>, count: EndLine, (from, next): (u64, u64)) -> Result<()> {
        let tenant = tx.scope().tenant().to_string();
        let told = json!({ "sessions": count.sessions, "messages": count.messages, "from_line": from, "next_line": next });
        let change = Change {
            action: "import",
            resource_type: chat_sessions::TOPIC,
            resource_id: &tenant,
            changes: told,
        };
        audit_logs::record(&tx, &self.0.clock, change).await?;
        let notice = notices::announce(&tx, &self.0.clock, chat_sessions::TOPIC, Uuid::nil(), None).await?;
        self.0.changes.commit(tx, notice).await
    }

    /// Makes the partitions of the months that messages come from.
    async fn ensure(&self, scope: &Scope, months: BTreeSet<NaiveDate>) -> Result<()> {
        let system =
            Scope::system(TenantId::NIL, "import").with_origin(std::sync::Arc::new(scope.origin().clone()));
        for month in months {
            let at = month.and_time(chrono::NaiveTime::MIN).and_utc();
            self.0.db.ensure_months(&system, "messages", at, at).await?;
        }
        Ok(())
    }
}

/// The month that a message comes from, if it comes from another time than now.
fn month_of(line: &Checked, now: DateTime<Utc>) -> Option<NaiveDate> {
    let Checked::Message(line, _) = line else { return None };
    let month = |at: DateTime<Utc>| at.date_naive().with_day(1);
    line.created_at.and_then(month).filter(|of| Some(*of) != month(now))
}

/// Checks lines as far as that goes without the database: apart from the serving threads, as it takes a while.
async fn check(
    scope: &Scope,
    lines: Numbered<Bytes>,
    now: DateTime<Utc>,
) -> Result<Numbered<Result<Checked>>> {
    let check = move || lines.into_iter().map(|(number, line)| (number, Line::read(&line, now))).collect();
    // it has its place already: what was taken of it is not given up for want of a processor
    beside_patiently(scope.tenant(), check).await
}

/// What has been seen of a file: its end says how much there must be.
#[derive(Default)]
struct Tally {
    seen: EndLine,
    ended: bool,
}

impl Tally {
    fn see(&mut self, line: &Checked) -> Result<()> {
        if self.ended {
            return Err(Error::invalid("type", "the file goes on behind its end"));
        }
        match line {
            Checked::Session(_) => self.seen.sessions += 1,
            Checked::Message(..) => self.seen.messages += 1,
            Checked::End(end) => {
                self.ended = true;
                if *end != self.seen {
                    let EndLine { sessions, messages } = self.seen;
                    let message =
                        format!("the file is not whole: it has {sessions} sessions and {messages} messages");
                    return Err(Error::invalid("type", message));
                }
            }
        }
        Ok(())
    }
}

/// Whether what is wrong is the line.
fn is_callers(error: &Error) -> bool {
    error.status() < 500
}

/// Names the line at fault.
fn at_line(number: u64, error: Error) -> Error {
    if !is_callers(&error) {
        return error;
    }
    let param = error.param().map(str::to_owned);
    let field = param.as_ref().map(|param| format!("`{param}` ")).unwrap_or_default();
    let message = format!("line {number}: {field}{}", error.message());
    let named = Error::new(Kind::Invalid, "invalid_line", message);
    named.with_param(param.map_or_else(|| format!("line {number}"), |param| format!("line {number}.{param}")))
}

/// Says where a resumable import goes on.
fn stored_before(next: u64, error: Error) -> Error {
    if error.kind() == Kind::Internal {
        return error;
    }
    let message =
        format!("{}; the lines before line {next} are stored: go on with from_line={next}", error.message());
    let mut told = Error::new(error.kind(), error.code(), message).with_status(error.status());
    if let Some(param) = error.param() {
        told = told.with_param(param.to_owned());
    }
    if let Some(after) = error.retry_after() {
        told = told.with_retry_after(after);
    }
    told.with_source(error)
}
