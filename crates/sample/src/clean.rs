//! Removes a data set and orphaned messages, in small transactions, so that a running server is not blocked.
//!
//! Sessions, users and calls are identified by their IDs, projects and providers by the mark in their metadata.

use std::collections::HashSet;

use chrono::TimeDelta;
use loam_conversation::chat_sessions::entity as sessions;
use loam_conversation::messages::entity as messages;
use loam_db::{Db, Tenant, TenantEntity, Tx};
use loam_gateway::ai_providers::service::AiProviderFilter;
use loam_gateway::llm_calls::entity as calls;
use loam_gateway::model_prices::entity as prices;
use loam_gateway::tool_calls::entity as tool_calls;
use loam_gateway::usage::entity as usage;
use loam_identity::projects::service::ProjectFilter;
use loam_identity::users::entity as users;
use loam_kernel::{PageQuery, Result, Scope, first_id_at};
use loam_platform::api_logs::entity as api_logs;
use loam_platform::notices;
use sea_orm::{ColumnTrait, DerivePartialModel, FromQueryResult, QueryFilter, QueryOrder, QuerySelect};
use serde::Serialize;
use uuid::Uuid;

use crate::Parts;
use crate::catalog::is_marked;
use crate::ids::{NODE, is_sample};

/// Number of IDs read by one statement.
const PAGE_SIZE: u64 = 10_000;
/// Number of rows, or of sessions with their messages, that one transaction removes.
const BATCH: usize = 500;
/// Minimum age of orphaned messages: a younger message may belong to a session that is being written or removed.
const MIN_ORPHAN_AGE: TimeDelta = TimeDelta::hours(1);

/// Numbers of removed rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Removed {
    /// Sessions.
    pub sessions: u64,
    /// Messages of these sessions.
    pub messages: u64,
    /// Tool calls.
    pub tool_calls: u64,
    /// Model calls.
    pub llm_calls: u64,
    /// Usage statistics of these calls.
    pub usage_stats: u64,
    /// Users.
    pub users: u64,
    /// API logs.
    pub api_logs: u64,
    /// Projects. The server deletes the telemetry of these, by jobs.
    pub projects: u64,
    /// Providers.
    pub providers: u64,
    /// Messages of sessions that do not exist, including those that are not sample data.
    pub orphans: u64,
}

#[derive(FromQueryResult)]
struct Id {
    id: Uuid,
}

#[derive(DerivePartialModel)]
#[sea_orm(entity = "messages::Entity")]
struct MessageKey {
    id: Uuid,
    session_id: Uuid,
}

/// Removes what [`fill`](crate::fill) created in the scope's tenant, and messages of sessions that do not exist. It is
/// idempotent, and also removes partial data of an interrupted run. `progress` receives the number of removed rows.
pub async fn clean(parts: &Parts, scope: &Scope, mut progress: impl FnMut(u64)) -> Result<Removed> {
    let mut removed = Removed::default();
    let db = &parts.db;
    let mut after = Uuid::nil();
    while let Some(ids) = next::<sessions::Entity>(db, scope, &mut after).await? {
        let sample_ids: Vec<Uuid> = ids.into_iter().filter(|id| is_sample(*id)).collect();
        for chunk in sample_ids.chunks(BATCH) {
            let tx = db.write(scope).await?;
            removed.messages += delete_messages(&tx, chunk).await?;
            removed.sessions += delete::<sessions::Entity>(&tx, chunk).await?;
            tx.commit().await?;
            progress(removed.messages);
        }
    }
    removed.tool_calls = delete_marked::<tool_calls::Entity>(db, scope, &mut progress).await?;
    removed.llm_calls = delete_marked::<calls::Entity>(db, scope, &mut progress).await?;
    removed.usage_stats = delete_usage_stats(db, scope).await?;
    removed.users = delete_marked::<users::Entity>(db, scope, &mut progress).await?;
    removed.api_logs = delete_marked::<api_logs::Entity>(db, scope, &mut progress).await?;
    delete_catalog(parts, scope, &mut removed).await?;
    removed.orphans = delete_orphans(parts, scope).await?;
    invalidate_caches(parts, scope).await?;
    Ok(removed)
}

/// Notifies running servers to invalidate their caches of these entities.
async fn invalidate_caches(parts: &Parts, scope: &Scope) -> Result<()> {
    let tx = parts.db.write(scope).await?;
    for topic in ["users", "chat_sessions", "messages"] {
        notices::announce(&tx, &parts.clock, topic, Uuid::nil(), None).await?;
    }
    tx.commit().await
}

/// The next IDs of a table after `after`, which is advanced; `None` at the end.
async fn next<E: TenantEntity>(db: &Db, scope: &Scope, after: &mut Uuid) -> Result<Option<Vec<Uuid>>> {
    let tx = db.read(scope).await?;
    let find = tx.find::<E>().select_only().column(E::ID).filter(E::ID.gt(*after)).order_by_asc(E::ID);
    let ids: Vec<Uuid> = find.limit(PAGE_SIZE).into::<Id>().await?.into_iter().map(|row| row.id).collect();
    Ok(ids.last().copied().map(|last| {
        *after = last;
        ids
    }))
}

async fn delete<E: TenantEntity>(tx: &Tx<Tenant>, ids: &[Uuid]) -> Result<u64> {
    tx.delete::<E>().filter(E::ID.is_in(ids.iter().copied())).exec().await
}

async fn delete_messages(tx: &Tx<Tenant>, sessions: &[Uuid]) -> Result<u64> {
    let of_sessions = messages::Column::SessionId.is_in(sessions.iter().copied());
    tx.delete::<messages::Entity>().filter(of_sessions).exec().await
}

async fn delete_marked<E: TenantEntity>(
    db: &Db,
    scope: &Scope,
    progress: &mut impl FnMut(u64),
) -> Result<u64> {
    let (mut after, mut deleted) = (Uuid::nil(), 0);
    while let Some(ids) = next::<E>(db, scope, &mut after).await? {
        let sample_ids: Vec<Uuid> = ids.into_iter().filter(|id| is_sample(*id)).collect();
        for chunk in sample_ids.chunks(BATCH) {
            let tx = db.write(scope).await?;
            deleted += delete::<E>(&tx, chunk).await?;
            tx.commit().await?;
            progress(deleted);
        }
    }
    Ok(deleted)
}

/// Usage statistics are identified by their node, as their IDs are derived from their dimensions.
async fn delete_usage_stats(db: &Db, scope: &Scope) -> Result<u64> {
    let (mut after, mut deleted) = (Uuid::nil(), 0);
    loop {
        let tx = db.read(scope).await?;
        let find = tx
            .find::<usage::Entity>()
            .select_only()
            .column(usage::Column::Id)
            .filter(usage::Column::NodeId.eq(NODE.0))
            .filter(usage::Column::Id.gt(after))
            .order_by_asc(usage::Column::Id);
        let ids: Vec<Uuid> =
            find.limit(PAGE_SIZE).into::<Id>().await?.into_iter().map(|row| row.id).collect();
        drop(tx);
        let Some(last) = ids.last() else { return Ok(deleted) };
        after = *last;
        for chunk in ids.chunks(BATCH) {
            let tx = db.write(scope).await?;
            deleted += delete::<usage::Entity>(&tx, chunk).await?;
            tx.commit().await?;
        }
    }
}

/// Deletes providers, prices and projects in reverse order of their creation, through the same services.
async fn delete_catalog(parts: &Parts, scope: &Scope, removed: &mut Removed) -> Result<()> {
    let first_page = || PageQuery { limit: Some(loam_kernel::MAX_PAGE), cursor: None };
    let mut page = first_page();
    loop {
        let found = parts.gateway.list_providers(scope, AiProviderFilter::default(), &page).await?;
        for provider in found.data.iter().filter(|provider| is_marked(&provider.metadata)) {
            let tx = parts.db.read(scope).await?;
            let of_provider = prices::Column::Provider.eq(provider.name.as_str());
            for price in tx.find::<prices::Entity>().filter(of_provider).all().await? {
                parts.gateway.delete_price(scope, price.id).await?;
            }
            parts.gateway.delete_provider(scope, provider.id, true).await?;
            removed.providers += 1;
        }
        page.cursor = found.next_cursor;
        if page.cursor.is_none() {
            break;
        }
    }
    let mut page = first_page();
    loop {
        let found = parts.identity.list_projects(scope, &ProjectFilter::default(), &page).await?;
        for project in found.data.iter().filter(|project| is_marked(&project.metadata)) {
            parts.identity.delete_project(scope, project.id).await?;
            removed.projects += 1;
        }
        page.cursor = found.next_cursor;
        if page.cursor.is_none() {
            return Ok(());
        }
    }
}

async fn delete_orphans(parts: &Parts, scope: &Scope) -> Result<u64> {
    let before = first_id_at(parts.clock.now() - MIN_ORPHAN_AGE);
    let (mut after, mut deleted) = (Uuid::nil(), 0);
    loop {
        let tx = parts.db.read(scope).await?;
        let find = tx
            .find::<messages::Entity>()
            .filter(messages::Column::Id.gt(after))
            .filter(messages::Column::Id.lt(before))
            .order_by_asc(messages::Column::Id);
        let rows: Vec<MessageKey> = find.limit(PAGE_SIZE).partial().await?;
        let Some(last) = rows.last() else { return Ok(deleted) };
        after = last.id;
        let mut session_ids: Vec<Uuid> = rows.iter().map(|row| row.session_id).collect();
        session_ids.sort_unstable();
        session_ids.dedup();
        let find = tx.find::<sessions::Entity>().select_only().column(sessions::Column::Id);
        let existing = sessions::Column::Id.is_in(session_ids.iter().copied());
        let existing: HashSet<Uuid> =
            find.filter(existing).into::<Id>().await?.into_iter().map(|row| row.id).collect();
        drop(tx);
        let orphans: Vec<Uuid> =
            rows.iter().filter(|row| !existing.contains(&row.session_id)).map(|row| row.id).collect();
        for chunk in orphans.chunks(BATCH) {
            let tx = parts.db.write(scope).await?;
            deleted += delete::<messages::Entity>(&tx, chunk).await?;
            tx.commit().await?;
        }
    }
}
