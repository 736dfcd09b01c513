//! Reads one call.

use loam_db::Db;
use loam_kernel::{Error, LlmCallId, Result, Scope, run_blocking_limited};

use super::entity::{Entity, Model};
use super::ledger::Ledger;
use super::record::Entry;

/// One call, with its bodies: from the journal, until it has been drained.
pub(crate) async fn read_call(db: &Db, ledger: &Ledger, scope: &Scope, id: LlmCallId) -> Result<Model> {
    let pending = pending(ledger, scope, id).await?;
    let row = match db.read(scope).await {
        Ok(tx) => tx.get::<Entity>(id).await,
        Err(e) => Err(e),
    };
    match (row, pending) {
        (Ok(Some(mut row)), Some(pending)) => {
            // the intent is in the database, the settlement is not yet
            let pending = Model::from(pending);
            row = Model {
                bodies_deleted_at: row.bodies_deleted_at,
                request_data: pending.request_data.clone().or(row.request_data),
                response_data: pending.response_data.clone().or(row.response_data),
                ..pending
            };
            Ok(row)
        }
        (_, Some(pending)) => Ok(pending.into()),
        (Ok(Some(row)), None) => Ok(row),
        (Ok(None), None) => Err(Error::not_found("call")),
        (Err(e), None) => Err(e),
    }
}

async fn pending(ledger: &Ledger, scope: &Scope, id: LlmCallId) -> Result<Option<Entry>> {
    let Some(journal) = ledger.reader().cloned() else { return Ok(None) };
    let frames = run_blocking_limited(scope.tenant(), move || journal.find(id.0.into_bytes())).await?;
    let mut found: Option<Entry> = None;
    for frame in frames.map_err(Error::internal)? {
        let entry = Entry::read(&frame)?;
        match &mut found {
            // the journal holds every tenant's calls
            _ if entry.record.tenant != scope.tenant() => {}
            Some(found) => found.merge(entry),
            None => found = Some(entry),
        }
    }
    Ok(found)
}
