//! Statements on versions.

use chrono::{DateTime, Utc};
use loam_db::{Tenant, Tx};
use loam_kernel::{Clock, DocumentVersionId, Error, Order, Page, PageQuery, Result, TenantId};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DerivePartialModel, FromQueryResult, QueryFilter, QueryOrder, QuerySelect,
    Set,
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use super::entity::{ActiveModel, Column, Entity};
use super::{DocumentVersion, DocumentVersionSummary, decode, encode};
use crate::documents::{Document, Save};

/// Everything but the content.
#[derive(DerivePartialModel)]
#[sea_orm(entity = "Entity")]
struct Row {
    id: DocumentVersionId,
    number: i64,
    parent: Option<i64>,
    author: Option<String>,
    model: Option<String>,
    message: Option<String>,
    created_at: DateTime<Utc>,
}

#[derive(FromQueryResult)]
struct ContentOnly {
    content: Vec<u8>,
}

/// Inserts a version, saved by the caller of the transaction.
pub(crate) async fn insert<E: Document>(
    tx: &Tx<Tenant>,
    clock: &Clock,
    document: Uuid,
    (number, parent): (i64, Option<i64>),
    content: &E::Content,
    save: Save,
) -> Result<()> {
    let mut row = ActiveModel {
        tenant_id: Set(TenantId::NIL),
        id: Set(clock.id()),
        number: Set(number),
        parent: Set(parent),
        author: Set(Some(tx.scope().actor().label())),
        model: Set(save.model),
        message: Set(save.message),
        content: Set(encode(content)?),
        created_at: Set(clock.now()),
        ..<ActiveModel as ActiveModelTrait>::default()
    };
    row.set(E::OWNER, document.into());
    tx.insert(row).await.map(drop)
}

/// The content of a version of a document.
pub(crate) async fn content<E: Document, C: DeserializeOwned>(
    tx: &Tx<Tenant>,
    document: Uuid,
    number: i64,
) -> Result<C> {
    let found = tx.find::<Entity>().filter(E::OWNER.eq(document)).filter(Column::Number.eq(number));
    let found: Vec<ContentOnly> = found.select_only().column(Column::Content).into().await?;
    let row = found.into_iter().next().ok_or_else(missing)?;
    decode(&row.content)
}

/// A version with its content.
pub(crate) async fn get<E: Document>(
    tx: &Tx<Tenant>,
    document: Uuid,
    number: i64,
) -> Result<DocumentVersion> {
    let found = tx.find::<Entity>().filter(E::OWNER.eq(document)).filter(Column::Number.eq(number));
    let row = found.partial::<Row>().await?.into_iter().next().ok_or_else(missing)?;
    Ok(DocumentVersion { version: row.into(), content: content::<E, _>(tx, document, number).await? })
}

/// The versions of a document, newest first.
pub(crate) async fn list<E: Document>(
    tx: &Tx<Tenant>,
    document: Uuid,
    page: &PageQuery,
) -> Result<Page<DocumentVersionSummary>> {
    let find = tx.find::<Entity>().filter(E::OWNER.eq(document));
    let at = |row: &Row| (row.number, row.id.0);
    let rows = find.partial_page_by_unique::<Row, i64>(page, Order::Desc, Column::Number, at).await?;
    Ok(rows.map(DocumentVersionSummary::from))
}

impl From<Row> for DocumentVersionSummary {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            number: row.number,
            parent: row.parent,
            author: row.author,
            model: row.model,
            message: row.message,
            created_at: row.created_at,
        }
    }
}

/// The `ai_analysis` of the newest version that a model wrote; none if no model wrote one.
pub(crate) async fn analysis_by_model<E: Document>(tx: &Tx<Tenant>, document: Uuid) -> Result<Option<Value>> {
    let found = tx.find::<Entity>().filter(E::OWNER.eq(document)).filter(Column::Model.is_not_null());
    let newest = found.order_by_desc(Column::Number).one().await?;
    let content = newest.map(|row| decode::<Value>(&row.content)).transpose()?;
    Ok(content.map(|mut content| content["ai_analysis"].take()))
}

fn missing() -> Error {
    Error::not_found("version")
}
