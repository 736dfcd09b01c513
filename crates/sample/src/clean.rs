//! Removing a data set, and what belongs to nothing: in small transactions, so that a server beside it goes on.
//!
//! Sessions, users and calls are known by their ids, projects and providers by the mark in their metadata.

use std::collections::HashSet;

use chrono::TimeDelta;
use loam_conversation::chat_sessions::entity as sessions;
use loam_conversation::messages::entity as messages;
use loam_db::{Db, Tenant, TenantEntity, Tx};
use loam_gateway::ai_providers::service::AiProviderFilter;
use loam_gateway::llm_calls::entity as calls;
use loam_gateway::model_prices::entity as prices;
use loam_gateway::tool_calls::entity as uses;
use loam_gateway::usage::entity as usage;
use loam_identity::users::entity as users;
use loam_kernel::{PageQuery, Result, Scope, first_id_at};
use loam_platform::notices;
use sea_orm::{ColumnTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect};
use serde::Serialize;
use uuid::Uuid;

use crate::Parts;
use crate::ids::{NODE, is_sample};
use crate::places::is_marked;

/// Ids looked at by one statement.
const LOOK: u64 = 10_000;
/// Rows, or sessions with their messages, that one transaction removes.
const AT_ONCE: usize = 500;
/// Messages younger than this may be of a session that is being written or removed at this moment.
const SETTLED: TimeDelta = TimeDelta::hours(1);

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cleaned {
    /// Sessions of the sample.
    pub sessions: u64,
    /// Their messages.
    pub messages: u64,
    /// Uses of tools.
    pub tool_calls: u64,
    /// Calls of models.
    pub llm_calls: u64,
    /// Rows of their sums.
    pub usage_stats: u64,
    /// Users.
    pub users: u64,
    /// Projects.
    pub projects: u64,
    /// Providers.
    pub providers: u64,
    /// Messages of sessions that don't exist, whoever made them.
    pub orphans: u64,
}

#[derive(FromQueryResult)]
struct Id {
    id: Uuid,
}

#[derive(FromQueryResult)]
struct Owned {
    id: Uuid,
    session_id: Uuid,
}

/// Removes what [`fill`](crate::fill) made in the scope's tenant, and messages of sessions that don't exist. What was
/// begun and broken off is removed too, so it can be repeated. `progress` is told how many rows have gone.
pub async fn clean(parts: &Parts, scope: &Scope, mut progress: impl FnMut(u64)) -> Result<Cleaned> {
    let mut cleaned = Cleaned::default();
    let db = &parts.db;
    let mut after = Uuid::nil();
    while let Some(ids) = next::<sessions::Entity>(db, scope, &mut after).await? {
        let ours: Vec<Uuid> = ids.into_iter().filter(|id| is_sample(*id)).collect();
        for some in ours.chunks(AT_ONCE) {
            let tx = db.write(scope).await?;
            cleaned.messages += delete_messages(&tx, some).await?;
            cleaned.sessions += delete::<sessions::Entity>(&tx, some).await?;
            tx.commit().await?;
            progress(cleaned.messages);
        }
    }
    cleaned.tool_calls = delete_marked::<uses::Entity>(db, scope, &mut progress).await?;
    cleaned.llm_calls = delete_marked::<calls::Entity>(db, scope, &mut progress).await?;
    cleaned.usage_stats = delete_sums(db, scope).await?;
    cleaned.users = delete_marked::<users::Entity>(db, scope, &mut progress).await?;
    delete_places(parts, scope, &mut cleaned).await?;
    cleaned.orphans = delete_orphans(parts, scope).await?;
    forget(parts, scope).await?;
    Ok(cleaned)
}

/// Tells running servers that what they keep of these is out of date.
async fn forget(parts: &Parts, scope: &Scope) -> Result<()> {
    let tx = parts.db.write(scope).await?;
    for topic in ["users", "chat_sessions", "messages"] {
        notices::announce(&tx, &parts.clock, topic, Uuid::nil(), None).await?;
    }
    tx.commit().await
}

/// The next ids of a table behind `after`, which moves on; none at the end.
async fn next<E: TenantEntity>(db: &Db, scope: &Scope, after: &mut Uuid) -> Result<Option<Vec<Uuid>>> {
    let tx = db.read(scope).await?;
    let find = tx.find::<E>().select_only().column(E::ID).filter(E::ID.gt(*after)).order_by_asc(E::ID);
    let ids: Vec<Uuid> = find.limit(LOOK).into::<Id>().await?.into_iter().map(|row| row.id).collect();
    Ok(ids.last().copied().map(|last| {
        *after = last;
        ids
    }))
}

async fn delete<E: TenantEntity>(tx: &Tx<Tenant>, ids: &[Uuid]) -> Result<u64> {
    tx.delete::<E>().filter(E::ID.is_in(ids.iter().copied())).exec().await
}

async fn delete_messages(tx: &Tx<Tenant>, sessions: &[Uuid]) -> Result<u64> {
    let of_these = messages::Column::SessionId.is_in(sessions.iter().copied());
    tx.delete::<messages::Entity>().filter(of_these).exec().await
}

async fn delete_marked<E: TenantEntity>(
    db: &Db,
    scope: &Scope,
    progress: &mut impl FnMut(u64),
) -> Result<u64> {
    let (mut after, mut gone) = (Uuid::nil(), 0);
    while let Some(ids) = next::<E>(db, scope, &mut after).await? {
        let ours: Vec<Uuid> = ids.into_iter().filter(|id| is_sample(*id)).collect();
        for some in ours.chunks(AT_ONCE) {
            let tx = db.write(scope).await?;
            gone += delete::<E>(&tx, some).await?;
            tx.commit().await?;
            progress(gone);
        }
    }
    Ok(gone)
}

/// Sums are known by the node that they are of: their ids are made from what they sum over.
async fn delete_sums(db: &Db, scope: &Scope) -> Result<u64> {
    let (mut after, mut gone) = (Uuid::nil(), 0);
    loop {
        let tx = db.read(scope).await?;
        let find = tx
            .find::<usage::Entity>()
            .select_only()
            .column(usage::Column::Id)
            .filter(usage::Column::NodeId.eq(NODE.0))
            .filter(usage::Column::Id.gt(after))
            .order_by_asc(usage::Column::Id);
        let ids: Vec<Uuid> = find.limit(LOOK).into::<Id>().await?.into_iter().map(|row| row.id).collect();
        drop(tx);
        let Some(last) = ids.last() else { return Ok(gone) };
        after = *last;
        for some in ids.chunks(AT_ONCE) {
            let tx = db.write(scope).await?;
            gone += delete::<usage::Entity>(&tx, some).await?;
            tx.commit().await?;
        }
    }
}

/// The other way round than they were made, by the same services.
async fn delete_places(parts: &Parts, scope: &Scope, cleaned: &mut Cleaned) -> Result<()> {
    let first = || PageQuery { limit: Some(loam_kernel::MAX_PAGE), cursor: None };
    let mut page = first();
    loop {
        let found = parts.gateway.list_providers(scope, AiProviderFilter::default(), &page).await?;
        for provider in found.data.iter().filter(|provider| is_marked(&provider.metadata)) {
            let tx = parts.db.read(scope).await?;
            let of_it = prices::Column::Provider.eq(provider.name.as_str());
            for price in tx.find::<prices::Entity>().filter(of_it).all().await? {
                parts.gateway.delete_price(scope, price.id).await?;
            }
            parts.gateway.delete_provider(scope, provider.id).await?;
            cleaned.providers += 1;
        }
        page.cursor = found.next_cursor;
        if page.cursor.is_none() {
            break;
        }
    }
    let mut page = first();
    loop {
        let found = parts.identity.list_projects(scope, &page).await?;
        for project in found.data.iter().filter(|project| is_marked(&project.metadata)) {
            parts.identity.delete_project(scope, project.id).await?;
            cleaned.projects += 1;
        }
        page.cursor = found.next_cursor;
        if page.cursor.is_none() {
            return Ok(());
        }
    }
}

async fn delete_orphans(parts: &Parts, scope: &Scope) -> Result<u64> {
    let before = first_id_at(parts.clock.now() - SETTLED);
    let (mut after, mut gone) = (Uuid::nil(), 0);
    loop {
        let tx = parts.db.read(scope).await?;
        let find = tx
            .find::<messages::Entity>()
            .select_only()
            .columns([messages::Column::Id, messages::Column::SessionId])
            .filter(messages::Column::Id.gt(after))
            .filter(messages::Column::Id.lt(before))
            .order_by_asc(messages::Column::Id);
        let rows: Vec<Owned> = find.limit(LOOK).into().await?;
        let Some(last) = rows.last() else { return Ok(gone) };
        after = last.id;
        let mut named: Vec<Uuid> = rows.iter().map(|row| row.session_id).collect();
        named.sort_unstable();
        named.dedup();
        let find = tx.find::<sessions::Entity>().select_only().column(sessions::Column::Id);
        let there = sessions::Column::Id.is_in(named.iter().copied());
        let there: HashSet<Uuid> =
            find.filter(there).into::<Id>().await?.into_iter().map(|row| row.id).collect();
        drop(tx);
        let lost: Vec<Uuid> =
            rows.iter().filter(|row| !there.contains(&row.session_id)).map(|row| row.id).collect();
        for some in lost.chunks(AT_ONCE) {
            let tx = parts.db.write(scope).await?;
            gone += delete::<messages::Entity>(&tx, some).await?;
            tx.commit().await?;
        }
    }
}
