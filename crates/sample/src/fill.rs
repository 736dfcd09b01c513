//! Making a data set and writing it, batch by batch: one thread makes the next while the database takes the last.

use loam_db::Db;
use loam_gateway::Gateway;
use loam_gateway::llm_calls::insert_imported;
use loam_identity::Identity;
use loam_kernel::{Clock, Error, Kind, PageQuery, Result, Scope, TenantId};
use serde::Serialize;
use tokio::sync::mpsc;

use crate::conversation::{self, Conversation, Setting};
use crate::ids::{Ids, NODE};
use crate::people::{self, Person};
use crate::places::{self, DataLocations};
use crate::talk::{Plan, rng_of};
use crate::times::Times;
use crate::{Options, rows};

/// Messages of a batch, which is a transaction.
const BATCH: usize = 8_000;
/// Users of a transaction.
const USERS: usize = 2_000;
/// The tables whose rows lie in the months of their ids.
const MONTHLY: [&str; 3] = ["messages", "llm_calls", "tool_calls"];

/// What is worked with.
pub struct Parts {
    /// The database.
    pub db: Db,
    /// The time of what is made now.
    pub clock: Clock,
    /// Makes projects.
    pub identity: Identity,
    /// Makes providers and prices.
    pub gateway: Gateway,
}

/// What was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Made {
    /// Users.
    pub users: u64,
    /// Projects.
    pub projects: u64,
    /// Providers.
    pub providers: u64,
    /// Sessions.
    pub sessions: u64,
    /// Turns.
    pub turns: u64,
    /// Messages.
    pub messages: u64,
    /// Calls of models.
    pub llm_calls: u64,
    /// Uses of tools.
    pub tool_calls: u64,
}

/// Makes a data set in the scope's tenant; `progress` is told how many messages of how many are there.
///
/// # Errors
/// When the tenant has one already, or something of its own by one of its names.
pub async fn fill(
    parts: &Parts,
    scope: &Scope,
    options: &Options,
    mut progress: impl FnMut(u64, u64),
) -> Result<Made> {
    refuse_second(&parts.identity, scope).await?;
    let plan = Plan::new(options);
    let times = Times::new(options.months, options.until);
    for table in MONTHLY {
        parts.db.ensure_months(scope, table, times.from(), times.until()).await?;
    }
    let mut ids = Ids::default();
    let mut rng = rng_of(options.seed, u64::MAX);
    let people = people::people(plan.sessions, &times, &mut ids, &mut rng);
    let places = places::make(&parts.db, &parts.identity, &parts.gateway, scope, times.from()).await?;
    let mut made = Made { users: people.len() as u64, ..Made::default() };
    (made.projects, made.providers) = places.count();
    write_people(&parts.db, scope, &people).await?;
    let (send, mut batches) = mpsc::channel(2);
    let maker = Maker { plan, times, people, places, ids };
    let making = tokio::task::spawn_blocking(move || maker.run(&send));
    while let Some(batch) = batches.recv().await {
        write(parts, scope, batch, &mut made).await?;
        progress(made.messages, plan.messages);
    }
    making.await.map_err(Error::internal)?;
    parts.db.analyze().await?;
    Ok(made)
}

async fn refuse_second(identity: &Identity, scope: &Scope) -> Result<()> {
    let mut page = PageQuery { limit: Some(loam_kernel::MAX_PAGE), cursor: None };
    loop {
        let projects = identity.list_projects(scope, &page).await?;
        if projects.data.iter().any(|project| places::is_marked(&project.metadata)) {
            let message = "this tenant has sample data already; remove it first with `loam db clean`";
            return Err(Error::new(Kind::Conflict, "already_exists", message));
        }
        if projects.next_cursor.is_none() {
            return Ok(());
        }
        page.cursor = projects.next_cursor;
    }
}

/// Makes conversations, one batch after the other.
struct Maker {
    plan: Plan,
    times: Times,
    people: Vec<Person>,
    places: DataLocations,
    ids: Ids,
}

impl Maker {
    /// Ends early when nobody takes the batches any more.
    fn run(mut self, batches: &mpsc::Sender<Vec<Conversation>>) {
        let (mut batch, mut messages) = (Vec::new(), 0);
        for number in 0..self.plan.sessions {
            let conversation = self.conversation(number);
            messages += conversation.messages.len();
            batch.push(conversation);
            if messages >= BATCH {
                messages = 0;
                if batches.blocking_send(std::mem::take(&mut batch)).is_err() {
                    return;
                }
            }
        }
        if !batch.is_empty() {
            // nobody takes it: whoever stopped listening knows why
            _ = batches.blocking_send(batch);
        }
    }

    fn conversation(&mut self, number: u64) -> Conversation {
        let (turns, mut rng) = self.plan.turns(number);
        let setting = Setting {
            begins: self.times.of(number, self.plan.sessions, &mut rng),
            person: people::speaker(&self.people, number, self.plan.sessions, &mut rng),
            places: &self.places,
            until: self.times.until(),
        };
        conversation::make(&setting, &turns, &mut self.ids, &mut rng)
    }
}

async fn write_people(db: &Db, scope: &Scope, people: &[Person]) -> Result<()> {
    for some in people.chunks(USERS) {
        let tx = db.system_write(scope).await?;
        tx.bulk(rows::users(scope.tenant(), some)).await?;
        tx.bulk(rows::preferences(scope.tenant(), some)).await?;
        tx.commit().await?;
    }
    Ok(())
}

async fn write(parts: &Parts, scope: &Scope, mut batch: Vec<Conversation>, made: &mut Made) -> Result<()> {
    let tenant: TenantId = scope.tenant();
    let calls: Vec<_> = batch.iter_mut().flat_map(|c| std::mem::take(&mut c.calls)).collect();
    let count = |of: fn(&Conversation) -> usize| batch.iter().map(|c| of(c) as u64).sum::<u64>();
    made.sessions += batch.len() as u64;
    made.turns += count(|c| c.turns.len());
    made.messages += count(|c| c.messages.len());
    made.tool_calls += count(|c| c.tool_calls.len());
    made.llm_calls += calls.len() as u64;
    let tx = parts.db.system_write(scope).await?;
    for rows in [rows::sessions, rows::turns, rows::messages, rows::tool_calls] {
        tx.bulk(rows(tenant, &batch)).await?;
    }
    insert_imported(&tx, tenant, NODE, parts.clock.now(), calls).await?;
    tx.commit().await
}
