//! Monthly partitions on PostgreSQL. There is no DEFAULT partition, which would hide a missing month and disable ordered
//! scans; instead the coming months are made at start-up and by a daily job.

use chrono::{DateTime, Datelike, Months, NaiveDate, Utc};
use loam_kernel::{Result, Scope};
use sea_orm::{ConnectionTrait, DbBackend, Statement};

use crate::connect::{Db, Dialect};
use crate::error::map_err;

/// The tables that are partitioned by month.
pub const PARTITIONED: &[&str] = &["llm_calls", "audit_logs", "api_logs", "error_logs"];

/// How many months ahead there is a partition.
const AHEAD: u32 = 3;

impl Db {
    /// Makes the partitions of the last, this and the coming months that are missing; says how many it made.
    pub async fn ensure_partitions(&self, scope: &Scope, now: DateTime<Utc>) -> Result<u64> {
        if self.dialect() == Dialect::Sqlite {
            return Ok(0);
        }
        let tx = self.system_write(scope).await?;
        let first = first_of_month(now);
        let mut made = 0;
        for &table in PARTITIONED {
            // last month too: a journal may hold calls of it that were never drained
            let months =
                std::iter::once(first - Months::new(1)).chain((0..=AHEAD).map(|n| first + Months::new(n)));
            for month in months {
                let call = Statement::from_sql_and_values(
                    DbBackend::Postgres,
                    "SELECT loam_ensure_partition($1, $2::date) AS made",
                    [table.into(), month.to_string().into()],
                );
                let row = tx.conn.query_one_raw(call).await.map_err(map_err)?;
                let new = row.map(|row| row.try_get::<bool>("", "made")).transpose().map_err(map_err)?;
                made += u64::from(new == Some(true));
            }
        }
        tx.commit().await?;
        Ok(made)
    }
}

fn first_of_month(now: DateTime<Utc>) -> NaiveDate {
    let today = now.date_naive();
    today.with_day(1).unwrap_or(today)
}
