//! Generates a data set and writes it in batches: one thread generates the next batch while the last is written.

use loam_db::Db;
use loam_gateway::Gateway;
use loam_gateway::llm_calls::insert_imported;
use loam_identity::Identity;
use loam_identity::projects::service::ProjectFilter;
use loam_insight::Insight;
use loam_kernel::{Clock, Error, Kind, PageQuery, Result, Scope, TenantId};
use serde::Serialize;
use tokio::sync::mpsc;

use crate::catalog::{self, Catalog};
use crate::conversation::{self, Conversation, ConversationSpec};
use crate::ids::{Ids, NODE};
use crate::plan::{Plan, rng_of};
use crate::schedule::Schedule;
use crate::users::{self, Person};
use crate::{Options, monitoring, rows};

/// Number of messages per batch; each batch is a transaction.
const BATCH: usize = 8_000;
/// Number of users per transaction.
const USERS: usize = 2_000;
/// The tables that are partitioned by the month of their IDs.
const MONTHLY: [&str; 3] = ["messages", "llm_calls", "tool_calls"];

/// The dependencies of [`fill`] and [`clean`](crate::clean).
pub struct Parts {
    /// The database.
    pub db: Db,
    /// The clock.
    pub clock: Clock,
    /// Creates projects.
    pub identity: Identity,
    /// Creates providers and prices.
    pub gateway: Gateway,
    /// Creates requests and alert rules.
    pub insight: Insight,
}

/// Numbers of created rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Created {
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
    /// Model calls.
    pub llm_calls: u64,
    /// Tool calls.
    pub tool_calls: u64,
    /// Requests of the applications.
    pub performance_records: u64,
    /// Incidents.
    pub alert_events: u64,
    /// Analyses.
    pub ai_analysis_results: u64,
    /// API logs.
    pub api_logs: u64,
}

/// Creates a data set in the scope's tenant. `progress` receives the number of written messages and their total.
///
/// # Errors
/// If the tenant has a data set already, or other data with one of its names.
pub async fn fill(
    parts: &Parts,
    scope: &Scope,
    options: &Options,
    mut progress: impl FnMut(u64, u64),
) -> Result<Created> {
    check_not_filled(&parts.identity, scope).await?;
    let plan = Plan::new(options);
    let schedule = Schedule::new(options.months, options.until);
    for table in MONTHLY {
        parts.db.ensure_months(scope, table, schedule.from(), schedule.until()).await?;
    }
    let mut ids = Ids::default();
    let mut rng = rng_of(options.seed, u64::MAX);
    let people = users::generate(plan.sessions, &schedule, &mut ids, &mut rng);
    let catalog = catalog::create(&parts.db, &parts.identity, &parts.gateway, scope, schedule.from()).await?;
    let mut created = Created { users: people.len() as u64, ..Created::default() };
    (created.projects, created.providers) = catalog.count();
    write_people(&parts.db, scope, &people).await?;
    let size = (plan.sessions, schedule.until());
    monitoring::create(parts, scope, &catalog.project_ids(), size, &mut rng, &mut created).await?;
    let (send, mut batches) = mpsc::channel(2);
    let generator = Generator { plan, schedule, people, catalog, ids };
    let generating = tokio::task::spawn_blocking(move || generator.run(&send));
    while let Some(batch) = batches.recv().await {
        write(parts, scope, batch, &mut created).await?;
        progress(created.messages, plan.messages);
    }
    generating.await.map_err(Error::internal)?;
    parts.db.analyze().await?;
    Ok(created)
}

async fn check_not_filled(identity: &Identity, scope: &Scope) -> Result<()> {
    let mut page = PageQuery { limit: Some(loam_kernel::MAX_PAGE), cursor: None };
    loop {
        let projects = identity.list_projects(scope, &ProjectFilter::default(), &page).await?;
        if projects.data.iter().any(|project| catalog::is_marked(&project.metadata)) {
            let message = "this tenant already has sample data; remove it first with `loam db clean`";
            return Err(Error::new(Kind::Conflict, "already_exists", message));
        }
        if projects.next_cursor.is_none() {
            return Ok(());
        }
        page.cursor = projects.next_cursor;
    }
}

/// Generates conversations in batches.
struct Generator {
    plan: Plan,
    schedule: Schedule,
    people: Vec<Person>,
    catalog: Catalog,
    ids: Ids,
}

impl Generator {
    /// Stops early if the receiver is closed.
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
            // a closed receiver means that writing failed, which is reported there
            _ = batches.blocking_send(batch);
        }
    }

    fn conversation(&mut self, number: u64) -> Conversation {
        let (turns, mut rng) = self.plan.turns(number);
        let spec = ConversationSpec {
            starts_at: self.schedule.of(number, self.plan.sessions, &mut rng),
            person: users::pick_user(&self.people, number, self.plan.sessions, &mut rng),
            catalog: &self.catalog,
            until: self.schedule.until(),
        };
        conversation::generate(&spec, &turns, &mut self.ids, &mut rng)
    }
}

async fn write_people(db: &Db, scope: &Scope, people: &[Person]) -> Result<()> {
    for chunk in people.chunks(USERS) {
        let tx = db.system_write(scope).await?;
        tx.bulk(rows::users(scope.tenant(), chunk)).await?;
        tx.bulk(rows::preferences(scope.tenant(), chunk)).await?;
        tx.commit().await?;
    }
    Ok(())
}

async fn write(
    parts: &Parts,
    scope: &Scope,
    mut batch: Vec<Conversation>,
    created: &mut Created,
) -> Result<()> {
    let tenant: TenantId = scope.tenant();
    let calls: Vec<_> = batch.iter_mut().flat_map(|c| std::mem::take(&mut c.calls)).collect();
    let count = |of: fn(&Conversation) -> usize| batch.iter().map(|c| of(c) as u64).sum::<u64>();
    created.sessions += batch.len() as u64;
    created.turns += count(|c| c.turns.len());
    created.messages += count(|c| c.messages.len());
    created.tool_calls += count(|c| c.tool_calls.len());
    created.llm_calls += calls.len() as u64;
    let tx = parts.db.system_write(scope).await?;
    for rows in [rows::sessions, rows::turns, rows::messages, rows::tool_calls] {
        tx.bulk(rows(tenant, &batch)).await?;
    }
    insert_imported(&tx, tenant, NODE, parts.clock.now(), calls).await?;
    tx.commit().await
}
