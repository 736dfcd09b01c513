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

/// State of the database.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DatabaseStatus {
    /// `sqlite` or `postgres`.
    pub backend: String,
    /// The version of the database.
    pub version: String,
    /// Size in bytes.
    pub size_bytes: i64,
    /// All migrations of this binary.
    pub migrations: Vec<Migration>,
    /// Number of pending migrations.
    pub pending: usize,
    /// Applied migrations that this binary doesn't know: the database is newer.
    pub unknown: Vec<String>,
    /// Connection pools of the process that serves the request.
    pub pools: Vec<Pool>,
    /// Partitions of the tables that grow with traffic.
    pub partitions: Vec<PartitionStatus>,
    /// Checkpoint of each node's journal.
    pub nodes: Vec<Drained>,
    /// Backlog in the journal of the node that serves the request; null on the command line.
    pub journal: Option<Backlog>,
    /// Number of slow statements since the server started; null on the command line.
    pub slow_statements: Option<u64>,
    /// Containment of injected SQL within a tenant on PostgreSQL; null on SQLite, and before migrations.
    pub containment: Option<TenantContainment>,
}

/// Containment of injected SQL within a tenant.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TenantContainment {
    /// Whether tenants' transactions use a login that can't switch to another role.
    pub contained: bool,
    /// Why they don't.
    pub reason: Option<String>,
}

/// A migration of the schema.
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
    /// Idle connections.
    pub idle: usize,
    /// Maximum number of connections.
    pub max: u32,
}

/// A month of a table; on SQLite, which has no partitions, the whole table.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PartitionStatus {
    /// The table.
    pub table: String,
    /// The partition; null on SQLite.
    pub partition: Option<String>,
    /// Estimated number of rows; null if there is no estimate.
    pub rows: Option<i64>,
    /// Bytes on disk, indexes included; null on SQLite.
    pub bytes: Option<i64>,
}

/// Checkpoint of a node's journal.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Drained {
    /// The node.
    pub node_id: NodeId,
    /// Everything up to this position is in the database.
    pub position: i64,
    /// Time of the last progress.
    pub updated_at: DateTime<Utc>,
}

/// Backlog of a journal.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Backlog {
    /// Bytes that are not on disk yet.
    pub queued_bytes: u64,
    /// Bytes that are not in the database yet.
    pub undrained_bytes: u64,
    /// Size of the segment files in bytes.
    pub segment_bytes: u64,
}

impl DatabaseStatus {
    /// Reads the current state. Before migrations there are no nodes and partitions.
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
        let partition = |part: loam_db::PartitionUse| PartitionStatus {
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
