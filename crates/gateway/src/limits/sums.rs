//! Reads usage from `usage_stats`.

use std::collections::HashMap;

use chrono::{DateTime, Datelike, Utc};
use loam_db::{System, Tx};
use loam_kernel::{NodeId, Result, TenantId};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, FromQueryResult, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::entity::SubjectType;
use super::meter::Windows;
use crate::usage::entity::{Column, Entity, Granularity};

/// A subject of a tenant.
pub(crate) type Subject = (TenantId, SubjectType, Uuid);

/// The usage of this node and of the others, by subject.
#[derive(Default)]
pub(super) struct Sums {
    pub(super) own: HashMap<Subject, Windows>,
    pub(super) others: HashMap<Subject, Windows>,
}

#[derive(FromQueryResult)]
struct Row {
    tenant_id: TenantId,
    node_id: NodeId,
    granularity: Granularity,
    bucket: DateTime<Utc>,
    api_key_id: Option<Uuid>,
    user_id: Option<Uuid>,
    project_id: Option<Uuid>,
    calls: i64,
    total_tokens: i64,
    cost_nano_usd: i64,
    unsettled_nano_usd: i64,
}

impl Row {
    fn subjects(&self) -> impl Iterator<Item = Subject> {
        let of = |kind, id: Option<Uuid>| id.map(|id| (self.tenant_id, kind, id));
        [
            of(SubjectType::Tenant, Some(self.tenant_id.0)),
            of(SubjectType::Project, self.project_id),
            of(SubjectType::User, self.user_id),
            of(SubjectType::ApiKey, self.api_key_id),
        ]
        .into_iter()
        .flatten()
    }

    fn add_to(&self, windows: &mut Windows, today: DateTime<Utc>) {
        let nano = self.cost_nano_usd + self.unsettled_nano_usd;
        match self.granularity {
            Granularity::Minute => {
                windows.requests += self.calls;
                windows.tokens += self.total_tokens;
            }
            Granularity::Hour => {}
            Granularity::Day => {
                windows.month_nano += nano;
                if self.bucket == today {
                    windows.day_nano += nano;
                }
            }
        }
    }
}

/// Reads the usage of some tenants in the current windows, of other nodes or of all.
pub(super) async fn read(
    tx: &Tx<System>,
    node: NodeId,
    tenants: Vec<TenantId>,
    others_only: bool,
    now: DateTime<Utc>,
) -> Result<Sums> {
    let today = Granularity::Day.bucket(now);
    let month = today.with_day0(0).unwrap_or(today);
    let minute = Granularity::Minute.bucket(now);
    let all = |one: Expr, other: Expr| Condition::all().add(one).add(other);
    let mut find = tx.find_any::<Entity>().select_only().columns([
        Column::TenantId,
        Column::NodeId,
        Column::Granularity,
        Column::Bucket,
        Column::ApiKeyId,
        Column::UserId,
        Column::ProjectId,
        Column::Calls,
        Column::TotalTokens,
        Column::CostNanoUsd,
        Column::UnsettledNanoUsd,
    ]);
    // limits don't apply to calls that applications report
    find = find.filter(Column::Source.is_null());
    find = find.filter(Column::TenantId.is_in(tenants)).filter(
        Condition::any()
            .add(all(Column::Granularity.eq(Granularity::Day), Column::Bucket.gte(month)))
            .add(all(Column::Granularity.eq(Granularity::Minute), Column::Bucket.eq(minute))),
    );
    if others_only {
        find = find.filter(Column::NodeId.ne(node));
    }
    let mut sums = Sums::default();
    for row in find.into::<Row>().await? {
        let part = if row.node_id == node { &mut sums.own } else { &mut sums.others };
        for subject in row.subjects() {
            row.add_to(part.entry(subject).or_insert_with(|| Windows::at(now)), today);
        }
    }
    Ok(sums)
}
