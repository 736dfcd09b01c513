//! Personal data in this crate: who saved versions, and whom texts name.
//!
//! Documents belong to the project, not to their authors: they stay, without who wrote them, and with the names of the
//! person replaced wherever a version has them.

use std::sync::Arc;

use async_trait::async_trait;
use loam_db::{Tenant, Tx};
use loam_kernel::Result;
use loam_platform::personal::{Cursor, PersonQuery, PersonalDataStore, Removed, Rows, Step, null};
use sea_orm::sea_query::Condition;
use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Set};
use serde_json::{Value, json};

use crate::document_versions::{decode, encode, entity as versions};
use crate::{api_specs, prd_docs, requirements, tech_designs};

/// Versions per page: one may have megabytes.
const PAGE: u64 = 50;
const RETAINED: &str = "documents of projects, without who wrote them and without what names the person";

/// The stores of this crate that can hold personal data.
pub(crate) fn stores() -> Vec<Arc<dyn PersonalDataStore>> {
    vec![
        Arc::new(AUTHORS),
        Arc::new(Contents),
        Arc::new(REQUIREMENTS),
        Arc::new(PRD_DOCS),
        Arc::new(TECH_DESIGNS),
        Arc::new(API_SPECS),
        Arc::new(GITHUB_URLS),
    ]
}

/// Versions that the person saved.
const AUTHORS: Rows<versions::Entity> = Rows {
    emptied: Some(|| vec![(versions::Column::Author, null())]),
    retained: Some(RETAINED),
    ..Rows::by_index(
        "document_versions",
        |who| vec![Condition::all().add(versions::Column::Author.is_in(who.actors()))],
        |row: &versions::Model| row.id.0,
        version_view,
    )
};

/// Rows whose title names the person.
macro_rules! titles {
    ($name:ident, $module:ident, $table:literal) => {
        const $name: Rows<$module::entity::Entity> = Rows {
            emptied: Some(|| vec![($module::entity::Column::Title, null())]),
            ..Rows::by_full_scan(
                $table,
                |row: &$module::entity::Model, who: &PersonQuery| {
                    row.title.as_deref().is_some_and(|title| who.matches_text(title))
                },
                |row: &$module::entity::Model| row.id.0,
                |row: $module::entity::Model| json!({ "id": row.id, "title": row.title, "created_at": row.created_at }),
            )
        };
    };
}

titles!(REQUIREMENTS, requirements, "requirements");
titles!(PRD_DOCS, prd_docs, "prd_docs");
titles!(TECH_DESIGNS, tech_designs, "tech_designs");
titles!(API_SPECS, api_specs, "api_specs");

/// Specifications whose address names the person.
const GITHUB_URLS: Rows<api_specs::entity::Entity> = Rows {
    emptied: Some(|| vec![(api_specs::entity::Column::GithubUrl, null())]),
    ..Rows::by_full_scan(
        "api_specs",
        |row: &api_specs::entity::Model, who: &PersonQuery| {
            row.github_url.as_deref().is_some_and(|url| who.matches_text(url))
        },
        |row: &api_specs::entity::Model| row.id.0,
        |row: api_specs::entity::Model| json!({ "id": row.id, "github_url": row.github_url, "created_at": row.created_at }),
    )
};

/// Versions whose texts name the person.
struct Contents;

impl Contents {
    async fn page(
        tx: &Tx<Tenant>,
        who: &PersonQuery,
        from: Cursor,
    ) -> Result<(Vec<(versions::Model, Value)>, Option<Cursor>)> {
        if from.part > 0 {
            return Ok((Vec::new(), None));
        }
        let find = tx.find::<versions::Entity>().filter(versions::Column::Id.gt(from.after));
        let rows = find.order_by_asc(versions::Column::Id).limit(PAGE).all().await?;
        let next = from.behind(rows.last().map(|row| row.id.0), rows.len(), PAGE);
        let mention = who.mention();
        let mut found = Vec::new();
        for row in rows {
            let content: Value = decode(&row.content)?;
            let in_message = row.message.as_deref().is_some_and(|message| mention.in_text(message));
            if in_message || mention.in_json(&content) {
                found.push((row, content));
            }
        }
        Ok((found, Some(next)))
    }
}

#[async_trait]
impl PersonalDataStore for Contents {
    fn name(&self) -> &'static str {
        "document_versions"
    }

    fn scans_tenant(&self) -> bool {
        true
    }

    fn retained(&self) -> Option<&'static str> {
        Some(RETAINED)
    }

    async fn remove(&self, tx: &Tx<Tenant>, who: &PersonQuery, from: Cursor) -> Result<Step> {
        let (rows, next) = Self::page(tx, who, from).await?;
        let mut step = Step { next, ..Step::default() };
        if rows.is_empty() {
            return Ok(step);
        }
        let emptied = rows.len() as u64;
        for (row, mut content) in rows {
            let mention = who.mention();
            mention.replace_in_json(&mut content);
            let message = row.message.as_deref().map(|message| mention.replaced_in_text(message));
            let mut row = row.into_active_model();
            row.content = Set(encode(&content)?);
            row.message = Set(message);
            tx.update(row).await?;
        }
        step.removed.push((self.name(), Removed { emptied, ..Removed::default() }));
        Ok(step)
    }

    async fn show(
        &self,
        tx: &Tx<Tenant>,
        who: &PersonQuery,
        from: Cursor,
    ) -> Result<(Vec<Value>, Option<Cursor>)> {
        let (rows, next) = Self::page(tx, who, from).await?;
        Ok((rows.into_iter().map(|(row, _)| version_view(row)).collect(), next))
    }
}

fn version_view(row: versions::Model) -> Value {
    json!({
        "id": row.id, "requirement_id": row.requirement_id, "prd_doc_id": row.prd_doc_id,
        "tech_design_id": row.tech_design_id, "api_spec_id": row.api_spec_id, "number": row.number,
        "author": row.author, "message": row.message, "content": decode::<Value>(&row.content).unwrap_or_default(),
        "created_at": row.created_at,
    })
}
