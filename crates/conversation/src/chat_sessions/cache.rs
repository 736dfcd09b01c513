//! Caches of sessions, of users' session lists, and of the newest messages of sessions.

use std::sync::Arc;
use std::time::Duration;

use loam_db::Db;
use loam_kernel::{ChatSessionId, Page, Result, Scope, TenantId, UserId};
use loam_platform::cache::{Cache, CacheSpec};
use loam_platform::notices::{Notice, Notices};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};

use super::access;
use super::entity::{Column, Entity, Model};
use crate::messages::entity as messages;
use crate::messages::span::Span;

/// A notice on either topic invalidates cached entries.
const TOPICS: &[&str] = &[super::TOPIC, messages::TOPIC];
const DETAIL: CacheSpec =
    CacheSpec { name: "chat_sessions", capacity: 10_000, ttl: Duration::from_mins(30), topics: TOPICS };
const LISTS: CacheSpec =
    CacheSpec { name: "user_chat_sessions", capacity: 5_000, ttl: Duration::from_hours(1), topics: TOPICS };
const NEWEST: CacheSpec =
    CacheSpec { name: "newest_messages", capacity: 2_000, ttl: Duration::from_mins(10), topics: TOPICS };

/// Maximum number of rows cached per list: the default page size.
pub(super) const MAX_ROWS: u64 = 50;
/// Larger entries are not cached, in bytes of text: prompts, metadata and messages may be long.
const MAX_SESSION_BYTES: usize = 16 << 10;
const MAX_PAGE_BYTES: usize = 64 << 10;

/// A cached page; `None` if it is too large to cache.
type CachedPage<T> = Option<Arc<Vec<T>>>;

/// The caches. They hold data visible to the whole tenant; access is checked after reading from them.
pub(crate) struct Caches {
    detail: Cache<(TenantId, ChatSessionId), Option<Arc<Model>>>,
    lists: Cache<(TenantId, UserId), CachedPage<Model>>,
    newest: Cache<(TenantId, ChatSessionId), CachedPage<messages::Model>>,
}

/// The session that a notice is about; `None`: all.
fn session_of(notice: &Notice) -> Option<(TenantId, ChatSessionId)> {
    (!notice.subject.is_nil()).then_some((notice.tenant, ChatSessionId(notice.subject)))
}

/// The user whose list a notice is about; `None`: all. A session without a user is in no user's list.
fn owner_of(notice: &Notice) -> Option<(TenantId, UserId)> {
    (!notice.subject.is_nil()).then(|| (notice.tenant, notice.owner.unwrap_or(UserId::NIL)))
}

impl Caches {
    pub(crate) fn new(notices: &Notices) -> Self {
        Self {
            detail: Cache::new(DETAIL, notices, session_of),
            lists: Cache::new(LISTS, notices, owner_of),
            newest: Cache::new(NEWEST, notices, session_of),
        }
    }

    /// A session, without an access check.
    pub(crate) async fn session(
        &self,
        db: &Db,
        tenant: TenantId,
        id: ChatSessionId,
    ) -> Result<Option<Model>> {
        let read = async || {
            let tx = db.read(&Scope::system(tenant, "cache")).await?;
            // A missing session is not cached: anybody could fill the cache with such entries.
            tx.get::<Entity>(id).await?.ok_or_else(access::missing)
        };
        let cached = self.detail.get((tenant, id), async || {
            let session = read().await?;
            Ok((approximate_size(&session) <= MAX_SESSION_BYTES).then(|| Arc::new(session)))
        });
        match cached.await {
            Ok(Some(session)) => Ok(Some(Model::clone(&session))),
            Ok(None) => found(read().await),
            Err(e) => found(Err(e)),
        }
    }

    /// The first page of a user's sessions; `None` if it is not cached.
    pub(crate) async fn list(
        &self,
        db: &Db,
        tenant: TenantId,
        user: UserId,
        limit: u64,
    ) -> Result<Option<Page<Model>>> {
        if limit > MAX_ROWS {
            return Ok(None);
        }
        let cached = self.lists.get((tenant, user), async || {
            let tx = db.read(&Scope::system(tenant, "cache")).await?;
            let find = tx.find::<Entity>().filter(Column::UserId.eq(user));
            let find = find.order_by_desc(Column::LastActivity).order_by_desc(Column::Id);
            let rows = find.limit(MAX_ROWS + 1).all().await?;
            Ok((rows.iter().map(approximate_size).sum::<usize>() <= MAX_PAGE_BYTES).then(|| Arc::new(rows)))
        });
        Ok(cached.await?.map(|rows| {
            let rows = first(&rows, limit);
            Page::around(rows, limit, None, |row| (Some(row.last_activity.timestamp_micros()), row.id.0))
        }))
    }

    /// The newest messages of a session; `None` if they are not cached.
    pub(crate) async fn newest(
        &self,
        db: &Db,
        session: &Model,
        limit: u64,
    ) -> Result<Option<Page<messages::Model>>> {
        if limit > MAX_ROWS {
            return Ok(None);
        }
        let (tenant, id) = (session.tenant_id, session.id);
        let cached = self.newest.get((tenant, id), async || {
            let tx = db.read(&Scope::system(tenant, "cache")).await?;
            // Read again, because the given row may be older than the cache epoch of this read.
            let Some(session) = tx.get::<Entity>(id).await? else { return Ok(None) };
            let Some(span) = Span::of_session(&session) else { return Ok(Some(Arc::default())) };
            let find = tx.find::<messages::Entity>().filter(messages::Column::SessionId.eq(id));
            let find =
                find.within_ids(span.from, span.before).order_by_desc(messages::Column::SequenceNumber);
            let rows = find.limit(MAX_ROWS + 1).all().await?;
            Ok((rows.iter().map(messages::Model::approximate_size).sum::<usize>() <= MAX_PAGE_BYTES)
                .then(|| Arc::new(rows)))
        });
        Ok(cached.await?.map(|rows| {
            let rows = first(&rows, limit);
            Page::around(rows, limit, None, |row| (Some(row.sequence_number), row.id.0))
        }))
    }
}

fn found(read: Result<Model>) -> Result<Option<Model>> {
    match read {
        Ok(session) => Ok(Some(session)),
        Err(e) if e.code() == access::missing().code() => Ok(None),
        Err(e) => Err(e),
    }
}

fn first<T: Clone>(rows: &[T], limit: u64) -> Vec<T> {
    let count = usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(1);
    rows.iter().take(count).cloned().collect()
}

/// Approximate size of a session in bytes.
fn approximate_size(session: &Model) -> usize {
    let prompt = session.system_prompt.as_ref().map_or(0, String::len);
    session.title.len() + prompt + session.metadata.to_string().len()
}
