//! The meters of all subjects with limits.
//!
//! A meter starts from `usage_stats`, which holds the usage up to the drainer's checkpoint, and adds every settlement
//! after it. So each call is counted exactly once, whenever a limit is created and however the server was stopped.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use loam_db::Db;
use loam_journal::{Journal, Position};
use loam_kernel::{Clock, Error, NodeId, Result, Scope, TenantId};
use loam_platform::drain::checkpoint;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::end_users::{EndUserMeters, Named};
use super::entity::SubjectType;
use super::meter::{Meter, SettledUsage, WindowSums};
use super::subject::{Subject, end_user_subject, subjects};
use super::sums::{self, Sums};
use crate::llm_calls::entity::CallState;
use crate::llm_calls::record::Record;

/// How long the first call under a limit waits for the drainer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How often other nodes' usage is polled.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// End users whose usage is polled by one statement.
const NAMES: usize = 500;
/// Maximum attempts to read sums between two batches of the drainer.
const MAX_ATTEMPTS: usize = 50;

/// The meters of this node. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Meters(Arc<Inner>);

struct Inner {
    db: Db,
    clock: Clock,
    journal: Option<Journal>,
    /// The drainer's position; set once it runs.
    drained: OnceLock<watch::Receiver<Position>>,
    all: RwLock<HashMap<Subject, Arc<Meter>>>,
    end_users: EndUserMeters,
}

impl Meters {
    pub(crate) fn new(db: Db, clock: Clock, journal: Option<Journal>) -> Self {
        Self(Arc::new(Inner {
            db,
            clock,
            journal,
            drained: OnceLock::new(),
            all: RwLock::default(),
            end_users: EndUserMeters::default(),
        }))
    }

    /// Sets the source of the drainer's position.
    pub(crate) fn follow(&self, drained: watch::Receiver<Position>) {
        _ = self.0.drained.set(drained);
    }

    /// The initialized meters of a tenant's subjects.
    pub(crate) async fn of(
        &self,
        tenant: TenantId,
        subjects: impl IntoIterator<Item = (SubjectType, Uuid)>,
    ) -> Result<HashMap<(SubjectType, Uuid), Arc<Meter>>> {
        let now = self.0.clock.now();
        let meters: HashMap<(SubjectType, Uuid), Arc<Meter>> = {
            let mut all = self.0.all.write().unwrap_or_else(PoisonError::into_inner);
            let mut meter = |(kind, id)| {
                let meter = all.entry((tenant, kind, id)).or_insert_with(|| Arc::new(Meter::new(now)));
                ((kind, id), meter.clone())
            };
            subjects.into_iter().map(&mut meter).collect()
        };
        if meters.values().any(|meter| !meter.is_loaded()) {
            self.load(tenant, &meters).await?;
        }
        Ok(meters)
    }

    /// Prepares for meters of the tenant's end users.
    pub(crate) async fn follow_end_users(&self, tenant: TenantId) -> Result<()> {
        if !self.0.end_users.follow(tenant) {
            self.drain_to_end().await?;
            self.0.end_users.set_ready(tenant);
        }
        Ok(())
    }

    /// The initialized meter of an end user, of the tenant or of the key `scope`.
    pub(crate) async fn of_end_user(&self, tenant: TenantId, scope: Uuid, name: &str) -> Result<Arc<Meter>> {
        let subject = end_user_subject(tenant, scope, name);
        let meter = self.0.end_users.meter(subject, name, self.0.clock.now());
        if !meter.is_loaded() {
            let node = self.node()?;
            let (sums, up_to) = self.read(node, tenant, Some(name)).await?;
            let now = self.0.clock.now();
            let of = |sums: &HashMap<Subject, WindowSums>| {
                sums.get(&subject).copied().unwrap_or_else(|| WindowSums::at(now))
            };
            meter.load(of(&sums.own), of(&sums.others), up_to, now);
        }
        Ok(meter)
    }

    fn node(&self) -> Result<NodeId> {
        let journal = self.0.journal.as_ref().ok_or_else(unknown)?;
        Ok(NodeId(Uuid::from_bytes(journal.id())))
    }

    /// Waits until the sums include what was settled so far; meters that exist now record what is settled later.
    async fn drain_to_end(&self) -> Result<()> {
        let (Some(journal), Some(drained)) = (&self.0.journal, self.0.drained.get()) else {
            return Err(unknown());
        };
        let end = journal.end();
        let mut drained = drained.clone();
        let waiting = drained.wait_for(|position| *position >= end);
        _ = tokio::time::timeout(TIMEOUT, waiting).await.map_err(|_| unknown())?;
        Ok(())
    }

    async fn load(&self, tenant: TenantId, meters: &HashMap<(SubjectType, Uuid), Arc<Meter>>) -> Result<()> {
        let node = self.node()?;
        self.drain_to_end().await?;
        let now = self.0.clock.now();
        let (sums, up_to) = self.read(node, tenant, None).await?;
        let of = |sums: &HashMap<Subject, WindowSums>, (kind, id)| {
            sums.get(&(tenant, kind, id)).copied().unwrap_or_else(|| WindowSums::at(now))
        };
        for (subject, meter) in meters {
            meter.load(of(&sums.own, *subject), of(&sums.others, *subject), up_to, self.0.clock.now());
        }
        Ok(())
    }

    /// Reads sums, and the checkpoint that they belong to.
    async fn read(&self, node: NodeId, tenant: TenantId, end_user: Option<&str>) -> Result<(Sums, Position)> {
        let end_users = end_user.map(|name| vec![name.to_owned()]);
        let tx = self.0.db.system_read(&Scope::system(TenantId::NIL, "limits")).await?;
        for _ in 0..MAX_ATTEMPTS {
            // each statement may see a later state than the previous one
            let before = checkpoint::read(&tx, node).await?;
            let sums = sums::read(&tx, node, vec![tenant], end_users.as_deref(), self.0.clock.now()).await?;
            if checkpoint::read(&tx, node).await? == before {
                return Ok((sums, before));
            }
        }
        Err(Error::internal("the drainer's checkpoint kept changing while sums were read"))
    }

    /// Records the usage of a settled call.
    pub(crate) fn record_usage(&self, record: &Record, position: Position) {
        let unsettled = if record.state == CallState::Orphaned { record.reserved_nano_usd } else { None };
        let usage = SettledUsage {
            position,
            call_started_at: record.created_at(),
            requests: 0,
            tokens: record.usage.map_or(0, |usage| i64::try_from(usage.total_tokens).unwrap_or(i64::MAX)),
            nano_usd: record.cost_nano_usd.unwrap_or(0) + unsettled.unwrap_or(0),
        };
        let now = self.0.clock.now();
        if record.end_user.is_some() {
            let drained = self.0.drained.get().map_or(Position(0), |drained| *drained.borrow());
            self.0.end_users.record_usage(record, usage, drained, now);
        }
        let all = self.0.all.read().unwrap_or_else(PoisonError::into_inner);
        for (kind, id) in subjects(record) {
            if let Some(meter) = all.get(&(record.tenant, kind, id)) {
                meter.record_usage(usage, now);
            }
        }
    }

    /// Polls what other nodes use, until stopped. An embedded database has no other nodes.
    pub(crate) async fn poll_other_nodes(self, stop: CancellationToken) {
        let Some(journal) = self.0.journal.as_ref().filter(|_| !self.0.db.is_embedded()) else { return };
        let node = NodeId(Uuid::from_bytes(journal.id()));
        while stop.run_until_cancelled(tokio::time::sleep(POLL_INTERVAL)).await.is_some() {
            if let Err(e) = self.read_other_nodes(node).await {
                tracing::debug!(error = %e, "cannot read the usage of other nodes");
            }
        }
    }

    async fn read_other_nodes(&self, node: NodeId) -> Result<()> {
        let meters: Vec<(Subject, Arc<Meter>)> = {
            let all = self.0.all.read().unwrap_or_else(PoisonError::into_inner);
            all.iter().map(|(subject, meter)| (*subject, meter.clone())).collect()
        };
        let now = self.0.clock.now();
        let end_users = self.0.end_users.in_use(now);
        if meters.is_empty() && end_users.is_empty() {
            return Ok(());
        }
        let tx = self.0.db.system_read(&Scope::system(TenantId::NIL, "limits")).await?;
        if !meters.is_empty() {
            let tenants = distinct(meters.iter().map(|((tenant, _, _), _)| *tenant));
            let others = sums::read_others(&tx, node, tenants, None, now).await?;
            for (subject, meter) in meters {
                meter.set_others(others.get(&subject).copied().unwrap_or_else(|| WindowSums::at(now)));
            }
        }
        for chunk in end_users.chunks(NAMES) {
            let tenants = distinct(chunk.iter().map(|named| named.subject.0));
            let names: Vec<String> = chunk.iter().map(|named| named.name.clone()).collect();
            let others = sums::read_others(&tx, node, tenants, Some(&names), now).await?;
            for Named { subject, meter, .. } in chunk {
                meter.set_others(others.get(subject).copied().unwrap_or_else(|| WindowSums::at(now)));
            }
        }
        Ok(())
    }
}

fn distinct(tenants: impl Iterator<Item = TenantId>) -> Vec<TenantId> {
    let tenants: HashSet<TenantId> = tenants.collect();
    tenants.into_iter().collect()
}

fn unknown() -> Error {
    let message = "the usage so far can't be read at the moment, so limits can't be enforced; try again";
    Error::unavailable("limits_unknown", message, Duration::from_secs(2))
}
