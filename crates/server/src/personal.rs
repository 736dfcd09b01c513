//! Personal data in the stored responses of idempotency keys.

use async_trait::async_trait;
use loam_db::{Tenant, Tx};
use loam_kernel::Result;
use loam_platform::personal::{Cursor, PersonQuery, PersonalDataStore, Removed, Step};
use loam_platform::seal::{Keyring, response_seal_context};
use serde_json::{Value, json};
use uuid::Uuid;

/// Responses that are opened at once.
const PAGE: u64 = 50;

/// Stored responses of idempotency keys. They are sealed, so they must be opened to be searched. Without its response a
/// request is still known: a repetition is refused, not executed twice.
pub(crate) struct StoredResponses(pub(crate) Keyring);

#[async_trait]
impl PersonalDataStore for StoredResponses {
    fn name(&self) -> &'static str {
        "idempotency_keys"
    }

    fn scans_tenant(&self) -> bool {
        true
    }

    fn retained(&self) -> Option<&'static str> {
        Some("digests of requests that changed something, for a day, so that none takes effect twice")
    }

    async fn remove(&self, tx: &Tx<Tenant>, who: &PersonQuery, from: Cursor) -> Result<Step> {
        let (answers, next) = self.page(tx, who, from).await?;
        if answers.is_empty() {
            return Ok(Step { next, ..Step::default() });
        }
        let emptied = tx.clear_stored_responses(answers.into_iter().map(|(id, _)| id).collect()).await?;
        Ok(Step { removed: vec![(self.name(), Removed { deleted: 0, emptied })], next })
    }

    async fn show(
        &self,
        tx: &Tx<Tenant>,
        who: &PersonQuery,
        from: Cursor,
    ) -> Result<(Vec<Value>, Option<Cursor>)> {
        let (answers, next) = self.page(tx, who, from).await?;
        Ok((answers.into_iter().map(|(_, answer)| json!({ "answer": answer })).collect(), next))
    }
}

impl StoredResponses {
    async fn page(
        &self,
        tx: &Tx<Tenant>,
        who: &PersonQuery,
        from: Cursor,
    ) -> Result<(Vec<(Uuid, Value)>, Option<Cursor>)> {
        if from.part > 0 {
            return Ok((Vec::new(), None));
        }
        let rows = tx.stored_responses(from.after, PAGE).await?;
        let next = from.behind(rows.last().map(|(id, _)| *id), rows.len(), PAGE);
        let mut found = Vec::new();
        for (id, sealed) in rows {
            let Ok(opened) = self.0.open_sealed(&response_seal_context(id), &sealed) else { continue };
            let Ok(mut answer) = serde_json::from_slice::<Value>(&opened) else { continue };
            // the body is JSON within JSON
            let body = answer["body"].as_str().and_then(|body| serde_json::from_str::<Value>(body).ok());
            if let Some(body) = body {
                answer = body;
            }
            if who.matches_json(&answer) {
                loam_platform::records::redact::json(&mut answer);
                found.push((id, answer));
            }
        }
        Ok((found, Some(next)))
    }
}
