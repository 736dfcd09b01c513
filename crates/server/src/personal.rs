//! Everything that may have something of a person, put together: what erasures remove and exports show.

use std::sync::Arc;

use async_trait::async_trait;
use loam_db::{Tenant, Tx};
use loam_identity::erasures::Places;
use loam_kernel::{Clock, Result};
use loam_platform::audit_logs::AuditTrail;
use loam_platform::personal::{Cursor, Removed, Step, Store, Who};
use loam_platform::seal::{Keyring, answer_place};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::services::entities;

/// Answers that are opened at once.
const PAGE: u64 = 50;

/// Each crate's, in the order in which they are gone through: what is found by looking at all rows first, then the
/// ledger, whose calls know their requests, then conversations, and last the people themselves.
pub(crate) fn places(keyring: &Keyring, clock: &Clock) -> Places {
    let mut stores = loam_platform::personal::stores();
    stores.extend(loam_insight::personal::stores());
    stores.push(Arc::new(Answers(keyring.clone())));
    stores.push(Arc::new(AuditTrail(clock.clone())));
    stores.extend(loam_gateway::personal::stores());
    stores.extend(loam_conversation::personal::stores(clock));
    stores.extend(loam_identity::personal::stores());
    let tables =
        entities().into_iter().filter(|shape| shape.columns.iter().any(|column| column.name == "tenant_id"));
    Places { stores, tables: tables.map(|shape| shape.table).collect() }
}

/// Answers that are given again to a request that is sent again. They are sealed, so they are opened to be searched.
/// Without its answer a request is still known: it is refused rather than done twice.
struct Answers(Keyring);

#[async_trait]
impl Store for Answers {
    fn name(&self) -> &'static str {
        "idempotency_keys"
    }

    fn looks_at_all(&self) -> bool {
        true
    }

    fn stays(&self) -> Option<&'static str> {
        Some("for a day, digests of requests that changed something, so that none takes effect twice")
    }

    async fn remove(&self, tx: &Tx<Tenant>, who: &Who, from: Cursor) -> Result<Step> {
        let (answers, next) = self.page(tx, who, from).await?;
        if answers.is_empty() {
            return Ok(Step { next, ..Step::default() });
        }
        let emptied = tx.forget_kept_answers(answers.into_iter().map(|(id, _)| id).collect()).await?;
        Ok(Step { removed: vec![(self.name(), Removed { deleted: 0, emptied })], next })
    }

    async fn show(&self, tx: &Tx<Tenant>, who: &Who, from: Cursor) -> Result<(Vec<Value>, Option<Cursor>)> {
        let (answers, next) = self.page(tx, who, from).await?;
        Ok((answers.into_iter().map(|(_, answer)| json!({ "answer": answer })).collect(), next))
    }
}

impl Answers {
    async fn page(
        &self,
        tx: &Tx<Tenant>,
        who: &Who,
        from: Cursor,
    ) -> Result<(Vec<(Uuid, Value)>, Option<Cursor>)> {
        if from.part > 0 {
            return Ok((Vec::new(), None));
        }
        let rows = tx.kept_answers(from.after, PAGE).await?;
        let next = from.behind(rows.last().map(|(id, _)| *id), rows.len(), PAGE);
        let mut found = Vec::new();
        for (id, sealed) in rows {
            let Ok(opened) = self.0.open_sealed(&answer_place(id), &sealed) else { continue };
            let Ok(mut answer) = serde_json::from_slice::<Value>(&opened) else { continue };
            // the body is JSON within JSON
            let body = answer["body"].as_str().and_then(|body| serde_json::from_str::<Value>(body).ok());
            if let Some(body) = body {
                answer = body;
            }
            if who.is_named_in_json(&answer) {
                loam_platform::records::redact::json(&mut answer);
                found.push((id, answer));
            }
        }
        Ok((found, Some(next)))
    }
}
