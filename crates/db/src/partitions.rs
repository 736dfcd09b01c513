//! Monthly partitions on PostgreSQL. There is no DEFAULT partition, which would hide a missing month and disable ordered
//! scans; instead the coming months are made at start-up and by a daily job.

use chrono::{DateTime, Datelike, Months, NaiveDate, Utc};
use loam_kernel::{Result, Scope};
use sea_orm::{ConnectionTrait, DbBackend, Statement};

use crate::connect::{Db, Dialect};
use crate::error::map_err;

/// The tables that are partitioned by month.
pub const PARTITIONED: &[&str] = &[
    "llm_calls",
    "audit_logs",
    "api_logs",
    "error_logs",
    "messages",
    "tool_calls",
    "performance_records",
    "call_trees",
    "record_functions",
    "ai_analysis_results",
    "performance_metrics",
];

/// Number of future months with a partition.
const MONTHS_AHEAD: u32 = 3;

impl Db {
    /// Creates the missing partitions of the last, this and the coming months; returns the number.
    pub async fn ensure_partitions(&self, scope: &Scope, now: DateTime<Utc>) -> Result<u64> {
        if self.dialect() == Dialect::Sqlite {
            return Ok(0);
        }
        // last month too: a journal may contain undrained calls of it
        let (first, last) = (now - Months::new(1), now + Months::new(MONTHS_AHEAD));
        let mut made = 0;
        for &table in PARTITIONED {
            made += self.ensure_months(scope, table, first, last).await?;
        }
        Ok(made)
    }

    /// Creates the missing partitions of a table between two times, for rows with other times than now; returns the number.
    /// The range must be validated: every month in it gets a partition.
    pub async fn ensure_months(
        &self,
        scope: &Scope,
        table: &'static str,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<u64> {
        if self.dialect() == Dialect::Sqlite {
            return Ok(0);
        }
        let tx = self.system_write(scope).await?;
        let (mut month, mut made) = (first_of_month(from), 0);
        while month <= first_of_month(to) {
            let call = Statement::from_sql_and_values(
                DbBackend::Postgres,
                "SELECT loam_ensure_partition($1, $2::date) AS made",
                [table.into(), month.to_string().into()],
            );
            let row = tx.conn.query_one_raw(call).await.map_err(map_err)?;
            let new = row.map(|row| row.try_get::<bool>("", "made")).transpose().map_err(map_err)?;
            made += u64::from(new == Some(true));
            month = month + Months::new(1);
        }
        tx.commit().await?;
        Ok(made)
    }
}

fn first_of_month(now: DateTime<Utc>) -> NaiveDate {
    let today = now.date_naive();
    today.with_day(1).unwrap_or(today)
}
