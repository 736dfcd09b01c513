//! Personal data in alert rules: who is notified.

use async_trait::async_trait;
use loam_db::{Tenant, Tx};
use loam_kernel::{Clock, Error, Result, next_version};
use loam_platform::personal::{Cursor, PersonQuery, PersonalDataStore, Removed, Step};
use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Set};
use serde_json::{Value, json};

use super::entity::{Column, Entity, Model};
use super::targets::AlertTargets;

/// Rules per page.
const PAGE: u64 = 100;

/// The e-mail addresses that alert rules notify. The rule stays, without the person's address.
pub(crate) struct AlertRecipients;

#[async_trait]
impl PersonalDataStore for AlertRecipients {
    fn name(&self) -> &'static str {
        "alert_rules"
    }

    fn scans_tenant(&self) -> bool {
        true
    }

    async fn remove(&self, tx: &Tx<Tenant>, who: &PersonQuery, from: Cursor) -> Result<Step> {
        let (rows, next) = notified(tx, who, from, true).await?;
        let emptied = rows.len() as u64;
        for row in rows {
            let mut targets = AlertTargets::of(&row)?;
            if let Some(email) = &mut targets.email {
                email.to.retain(|address| !who.matches_text(address));
            }
            targets.email = targets.email.filter(|email| !email.to.is_empty());
            let updated_at = next_version(row.updated_at, Clock::system().now());
            let mut row = row.into_active_model();
            row.delivery = Set(serde_json::to_value(targets).map_err(Error::internal)?);
            row.updated_at = Set(updated_at);
            tx.update(row).await?;
        }
        Ok(Step { removed: vec![(self.name(), Removed { deleted: 0, emptied })], next })
    }

    async fn show(
        &self,
        tx: &Tx<Tenant>,
        who: &PersonQuery,
        from: Cursor,
    ) -> Result<(Vec<Value>, Option<Cursor>)> {
        let (rows, next) = notified(tx, who, from, false).await?;
        let shown = rows.into_iter().map(|row| {
            json!({ "id": row.id, "project_id": row.project_id, "name": row.name, "delivery": row.delivery })
        });
        Ok((shown.collect(), next))
    }
}

/// A page of rules that notify the person.
async fn notified(
    tx: &Tx<Tenant>,
    who: &PersonQuery,
    from: Cursor,
    locked: bool,
) -> Result<(Vec<Model>, Option<Cursor>)> {
    if from.part > 0 {
        return Ok((Vec::new(), None));
    }
    let find = tx.find::<Entity>().filter(Column::Id.gt(from.after));
    let find = find.order_by_asc(Column::Id).limit(PAGE);
    // an export only reads
    let mut rows = if locked { find.locked() } else { find }.all().await?;
    let next = from.behind(rows.last().map(|row| row.id.0), rows.len(), PAGE);
    rows.retain(|row| who.matches_json(&row.delivery["email"]));
    Ok((rows, Some(next)))
}
