//! What is on record of requests that were a person's.

use loam_db::{Tenant, Tx};
use loam_kernel::Result;
use sea_orm::{ColumnTrait, QueryFilter};

use crate::{api_logs, error_logs};

/// Requests in one statement.
const CHUNK: usize = 400;

/// How much was on record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeletedRequests {
    /// Requests.
    pub api_logs: u64,
    /// Errors.
    pub error_logs: u64,
}

/// Deletes what is on record of requests and of the errors in them, by the requests' ids. The groups that those errors
/// were counted into stay, without the words of an error that is gone.
///
/// # Errors
/// What the database says.
pub async fn delete_requests(tx: &Tx<Tenant>, ids: &[String]) -> Result<DeletedRequests> {
    use error_logs::{entity as errors, group};
    let mut deleted = DeletedRequests::default();
    let ids: Vec<&String> = ids.iter().filter(|id| !id.is_empty()).collect();
    for chunk in ids.chunks(CHUNK) {
        let of = |column: api_logs::entity::Column| column.is_in(chunk.iter().copied().cloned());
        let requests =
            tx.delete::<api_logs::entity::Entity>().filter(of(api_logs::entity::Column::RequestId));
        deleted.api_logs += requests.exec().await?;
        let of = || errors::Column::RequestId.is_in(chunk.iter().copied().cloned());
        let rows = tx.find::<errors::Entity>().filter(of()).all().await?;
        if rows.is_empty() {
            continue;
        }
        let last = group::Column::LastErrorId.is_in(rows.iter().map(|row| row.id));
        tx.update_many::<group::Entity>()
            .set(group::Column::ErrorMessage, error_logs::ERASED)
            .filter(last)
            .exec()
            .await?;
        deleted.error_logs += tx.delete::<errors::Entity>().filter(of()).exec().await?;
    }
    Ok(deleted)
}
