//! The state of the database, for operators: one source for the API and the command line.

pub mod routes;

use chrono::{DateTime, Utc};
use loam_db::{Containment, Db};
use loam_journal::Journal;
use loam_kernel::{NodeId, Result, Scope, TenantId};
use sea_orm::QueryOrder;
use serde::Serialize;
use utoipa::ToSchema;

use crate::drain::checkpoint;

/// The state of the database.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DatabaseStatus {
    /// `sqlite` or `postgres`.
    pub backend: String,
    /// The version of the database.
    pub version: String,
    /// The bytes that it takes.
    pub size_bytes: i64,
    /// Every migration that this binary knows.
    pub migrations: Vec<Migration>,
    /// How many of them are still to be applied.
    pub pending: usize,
    /// Migrations that this binary doesn't know: the database is newer.
    pub unknown: Vec<String>,
    /// Connections of the process that answers.
    pub pools: Vec<Pool>,
    /// The tables that grow with traffic.
    pub partitions: Vec<Partition>,
    /// How far each node's journal has come into the database.
    pub nodes: Vec<Drained>,
    /// What is in the journal of the node that answers; null on the command line, which has none.
    pub journal: Option<Backlog>,
    /// Statements that were slow since the server started; null on the command line.
    pub slow_statements: Option<u64>,
    /// What keeps an injected statement within its tenant on PostgreSQL; null on SQLite, and before migrations.
    pub containment: Option<TenantContainment>,
}

/// What keeps an injected statement within its tenant.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TenantContainment {
    /// Whether tenants' transactions have a login that can take on no other role.
    pub contained: bool,
    /// Why they have none.
    pub reason: Option<String>,
}

/// A step of the schema.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Migration {
    /// Its name.
    pub name: String,
    /// Whether it has been applied.
    pub applied: bool,
}

/// A pool of connections.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Pool {
    /// `writer`, `readers`, `postgres` (the instance's own) or `tenants`.
    pub name: String,
    /// Open connections.
    pub open: u32,
    /// Open connections that nobody uses.
    pub idle: usize,
    /// The most it may open.
    pub max: u32,
}

/// The rows of a table in a month; on SQLite, which has no partitions, in all.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Partition {
    /// The table.
    pub table: String,
    /// The partition; null on SQLite.
    pub partition: Option<String>,
    /// How many rows, as the database estimates it; null when it never did.
    pub rows: Option<i64>,
    /// Bytes on disk, indexes included; null on SQLite.
    pub bytes: Option<i64>,
}

/// How far a node's journal has come.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Drained {
    /// The node.
    pub node_id: NodeId,
    /// Everything up to this position is in the database.
    pub position: i64,
    /// When it last moved.
    pub updated_at: DateTime<Utc>,
}

/// What waits in a journal.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Backlog {
    /// Bytes that wait for the disk.
    pub queued_bytes: u64,
    /// Bytes that wait for the database.
    pub undrained_bytes: u64,
    /// Bytes of files on disk.
    pub segment_bytes: u64,
}

impl DatabaseStatus {
    /// The state as it is now. Nodes and partitions are those of a migrated database; before that there are none.
    pub async fn read(db: &Db, journal: Option<&Journal>) -> Result<Self> {
        let schema = db.schema_status().await?;
        let (nodes, partitions, containment) = match schema.pending() {
            0 => (nodes(db).await?, db.partition_use().await?, db.containment().await?),
            _ => (Vec::new(), Vec::new(), None),
        };
        let pool = |pool: loam_db::PoolUse| Pool {
            name: pool.name.to_owned(),
            open: pool.open,
            idle: pool.idle,
            max: pool.max,
        };
        let partition = |part: loam_db::PartitionUse| Partition {
            table: part.table,
            partition: part.partition,
            rows: part.rows,
            bytes: part.bytes,
        };
        Ok(Self {
            backend: db.dialect().name().to_owned(),
            version: db.version().await?,
            size_bytes: db.size_bytes().await?,
            pending: schema.pending(),
            migrations: schema
                .migrations
                .into_iter()
                .map(|m| Migration { name: m.name, applied: m.applied })
                .collect(),
            unknown: schema.unknown,
            pools: db.pool_use().into_iter().map(pool).collect(),
            partitions: partitions.into_iter().map(partition).collect(),
            nodes,
            journal: journal.map(|journal| {
                let stats = journal.stats();
                Backlog {
                    queued_bytes: stats.queued_bytes,
                    undrained_bytes: stats.undrained_bytes,
                    segment_bytes: stats.segment_bytes,
                }
            }),
            slow_statements: journal.map(|_| loam_db::slow_statements()),
            containment: containment.map(|containment| match containment {
                Containment::Contained => TenantContainment { contained: true, reason: None },
                Containment::Open(why) => TenantContainment { contained: false, reason: Some(why) },
            }),
        })
    }
}

async fn nodes(db: &Db) -> Result<Vec<Drained>> {
    let tx = db.system_read(&Scope::system(TenantId::NIL, "database")).await?;
    let rows = tx.find_any::<checkpoint::Entity>().order_by_desc(checkpoint::Column::UpdatedAt).all().await?;
    let drained = |row: checkpoint::Model| Drained {
        node_id: row.node_id,
        position: row.position,
        updated_at: row.updated_at,
    };
    Ok(rows.into_iter().map(drained).collect())
}
