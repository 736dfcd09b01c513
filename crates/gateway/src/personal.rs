//! The personal data that this crate stores.

use std::sync::Arc;

use async_trait::async_trait;
use loam_db::{Tenant, Tx};
use loam_kernel::{ChatSessionId, Clock, LlmCallId, Result};
use loam_platform::personal::{
    Cursor, PersonQuery, PersonalDataStore, Removed, Rows, Step, delete_requests, null,
};
use sea_orm::sea_query::{Condition, Expr};
use sea_orm::{ColumnTrait, DerivePartialModel, QueryFilter, QueryOrder, QuerySelect};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::limits::entity as limits;
use crate::llm_calls::Source;
use crate::llm_calls::entity::{Column, Entity, Model};
use crate::llm_calls::routes::LlmCallView;
use crate::tool_calls::entity as tools;
use crate::tool_calls::routes::ToolCallView;
use crate::usage::entity as usage;

/// Calls per transaction.
const CALLS: u64 = 500;
/// Calls read with their bodies at once.
const BODIES: u64 = 20;
/// Maximum traces of one person.
const TRACES: u64 = 10_000;

/// The stores of this crate.
pub fn stores() -> Vec<Arc<dyn PersonalDataStore>> {
    vec![Arc::new(TOOLS), Arc::new(Calls), Arc::new(USAGE), Arc::new(END_USER_USAGE), Arc::new(LIMITS)]
}

const TOOLS: Rows<tools::Entity> = Rows::by_index(
    "tool_calls",
    |who| {
        let mut found = who.by_session(tools::Column::SessionId);
        found.extend(who.by_user(tools::Column::UserId));
        found.extend(who.by_trace(tools::Column::TraceId));
        found
    },
    |row: &tools::Model| row.id.0,
    |row: tools::Model| view(ToolCallView::from(row)),
);

const USAGE: Rows<usage::Entity> = Rows {
    emptied: Some(|| vec![(usage::Column::UserId, Expr::val(Option::<Uuid>::None))]),
    retained: Some(
        "sums of calls, tokens and cost by key, project, provider and model, which statements are made from",
    ),
    ..Rows::by_index(
        "usage_stats",
        |who| who.by_user(usage::Column::UserId),
        |row: &usage::Model| row.id.0,
        |row: usage::Model| usage_view(&row),
    )
};

fn usage_view(row: &usage::Model) -> Value {
    json!({
        "granularity": row.granularity, "bucket": row.bucket, "provider": row.provider, "model": row.model,
        "calls": row.calls, "total_tokens": row.total_tokens, "cost_nano_usd": row.cost_nano_usd,
    })
}

/// The sums of an end user. Those of all calls remain in [`USAGE`].
const END_USER_USAGE: Rows<usage::Entity> = Rows::by_index(
    "usage_stats",
    |who| {
        let is_end_user = || usage::Column::LabelKind.eq(usage::LabelKind::EndUser);
        who.by_end_user(usage::Column::Label).into_iter().map(|found| found.add(is_end_user())).collect()
    },
    |row: &usage::Model| row.id.0,
    |row: usage::Model| usage_view(&row),
);

const LIMITS: Rows<limits::Entity> = Rows::by_index(
    "limits",
    |who| who.by_user(limits::Column::SubjectId),
    |row: &limits::Model| row.id.0,
    |row: limits::Model| json!({ "id": row.id, "subject_id": row.subject_id, "created_at": row.created_at }),
);

/// The ledger: its numbers stay; personal data and content are deleted.
pub(crate) struct Calls;

#[derive(DerivePartialModel)]
#[sea_orm(entity = "Entity")]
struct Found {
    id: LlmCallId,
    request_id: String,
}

#[derive(DerivePartialModel)]
#[sea_orm(entity = "Entity")]
struct Trace {
    trace_id: Option<String>,
}

fn found(who: &PersonQuery) -> Vec<Condition> {
    let mut found = who.by_user(Column::UserId);
    found.extend(who.by_end_user(Column::EndUser));
    found.extend(who.by_session_text(Column::SessionId));
    found
}

#[async_trait]
impl PersonalDataStore for Calls {
    fn name(&self) -> &'static str {
        "llm_calls"
    }

    fn retained(&self) -> Option<&'static str> {
        Some(
            "time, provider, model, key, project, tokens, cost and latencies of each call, so that the ledger adds up",
        )
    }

    /// Calls that an application reported for a person belong to traces, which hold more of their data.
    async fn resolve(&self, tx: &Tx<Tenant>, who: &mut PersonQuery) -> Result<()> {
        for condition in who.by_end_user(Column::EndUser) {
            let find = tx.find::<Entity>().filter(condition).filter(Column::Source.eq(Source::Otlp.name()));
            let find = find.filter(Column::TraceId.is_not_null());
            let traces: Vec<Trace> = find.distinct().limit(TRACES).partial().await?;
            who.traces.extend(traces.into_iter().filter_map(|row| row.trace_id));
        }
        Ok(())
    }

    async fn remove(&self, tx: &Tx<Tenant>, who: &PersonQuery, from: Cursor) -> Result<Step> {
        let Some(condition) = found(who).into_iter().nth(from.part) else { return Ok(Step::default()) };
        let rows = page(tx, condition.add(Column::Id.gt(from.after))).await?;
        let next = Some(from.behind(rows.last().map(|row| row.id.0), rows.len(), CALLS));
        Ok(Step { removed: empty(tx, rows, true).await?, next })
    }

    async fn show(
        &self,
        tx: &Tx<Tenant>,
        who: &PersonQuery,
        from: Cursor,
    ) -> Result<(Vec<Value>, Option<Cursor>)> {
        let Some(condition) = found(who).into_iter().nth(from.part) else { return Ok((Vec::new(), None)) };
        let find = tx.find::<Entity>().filter(condition).filter(Column::Id.gt(from.after));
        let rows = find.order_by_asc(Column::Id).limit(BODIES).all().await?;
        let next = from.behind(rows.last().map(|row| row.id.0), rows.len(), BODIES);
        // a call that matches several conditions is shown once
        let before = found(who).len() - who.by_session_text(Column::SessionId).len();
        let shown = |row: &Model| {
            let of_user = row.user_id.is_some_and(|id| who.users.contains(&id));
            let of_end_user = row.end_user.as_ref().is_some_and(|name| who.end_users.contains(name));
            match from.part {
                part if part < who.by_user(Column::UserId).len() => false,
                part if part < before => of_user,
                _ => of_user || of_end_user,
            }
        };
        let rows = rows.into_iter().filter(|row| !shown(row));
        Ok((rows.map(|row| view(LlmCallView::from(row))).collect(), Some(next)))
    }
}

async fn page(tx: &Tx<Tenant>, condition: Condition) -> Result<Vec<Found>> {
    let find = tx.find::<Entity>().filter(condition).order_by_asc(Column::Id);
    find.limit(CALLS).partial().await
}

/// Clears calls, with the logs of their requests and their tool calls; `personal_data`: their personal data too.
async fn empty(
    tx: &Tx<Tenant>,
    rows: Vec<Found>,
    personal_data: bool,
) -> Result<Vec<(&'static str, Removed)>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<LlmCallId> = rows.iter().map(|row| row.id).collect();
    let requests: Vec<String> = rows.into_iter().map(|row| row.request_id).collect();
    let deleted = |deleted| Removed { deleted, emptied: 0 };
    let requests_deleted = delete_requests(tx, &requests).await?;
    let used = tx.delete::<tools::Entity>().filter(tools::Column::LlmCallId.is_in(ids.iter().copied()));
    let used = used.exec().await?;
    let no_bytes = || Expr::val(Option::<Vec<u8>>::None);
    let mut update = tx
        .update_many::<Entity>()
        .set(Column::RequestData, no_bytes())
        .set(Column::ResponseData, no_bytes())
        .set(Column::BodiesDeletedAt, Expr::val(Clock::system().now()))
        .set(Column::ErrorMessage, null())
        .set(Column::Attempts, Expr::val(json!([])));
    if personal_data {
        update = update
            .set(Column::UserId, Expr::val(Option::<Uuid>::None))
            .set(Column::EndUser, null())
            .set(Column::Tags, Expr::val(Option::<Value>::None))
            .set(Column::Metadata, Expr::val(Option::<Value>::None))
            .set(Column::SessionId, null())
            .set(Column::TraceId, null())
            .set(Column::SpanId, null())
            .set(Column::ResponseId, null())
            .set(Column::SpanLinks, Expr::val(Option::<Value>::None))
            .set(Column::RequestId, Expr::val(String::new()));
    }
    let emptied = update.filter(Column::Id.is_in(ids)).exec().await?;
    Ok(vec![
        ("llm_calls", Removed { deleted: 0, emptied }),
        ("tool_calls", deleted(used)),
        ("api_logs", deleted(requests_deleted.api_logs)),
        ("error_logs", deleted(requests_deleted.error_logs)),
    ])
}

/// Clears the bodies of a session's calls from an id on, one page of them; returns the id to continue from, if there
/// are more. Every later request repeats the earlier messages.
///
/// # Errors
/// On a database error.
pub async fn empty_calls_from(tx: &Tx<Tenant>, session: ChatSessionId, from: Uuid) -> Result<Option<Uuid>> {
    let condition = Condition::all().add(Column::SessionId.eq(session.to_string())).add(Column::Id.gte(from));
    let rows = page(tx, condition).await?;
    let more = rows.last().filter(|_| rows.len() as u64 == CALLS).map(|row| row.id.0);
    empty(tx, rows, false).await?;
    // an id is never the maximum value
    Ok(more.map(|last| Uuid::from_u128(last.as_u128() + 1)))
}

fn view(shown: impl Serialize) -> Value {
    serde_json::to_value(shown).unwrap_or_default()
}
