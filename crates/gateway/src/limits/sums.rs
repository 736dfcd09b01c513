//! Reads usage from `usage_stats`.

use std::collections::HashMap;

use chrono::{DateTime, Datelike, Utc};
use loam_db::{Find, System, Tenant, Tx};
use loam_kernel::{NodeId, Result, TenantId};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, DerivePartialModel, FromQueryResult, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::entity::SubjectType;
use super::meter::WindowSums;
use super::subject::{Subject, end_user_subject};
use crate::usage::entity::{Column, Entity, Granularity, LabelKind};

/// The usage of this node and of the others, by subject.
#[derive(Default)]
pub(super) struct Sums {
    pub(super) own: HashMap<Subject, WindowSums>,
    pub(super) others: HashMap<Subject, WindowSums>,
}

#[derive(DerivePartialModel)]
#[sea_orm(entity = "Entity")]
struct Row {
    tenant_id: TenantId,
    node_id: NodeId,
    granularity: Granularity,
    bucket: DateTime<Utc>,
    api_key_id: Option<Uuid>,
    user_id: Option<Uuid>,
    project_id: Option<Uuid>,
    label: Option<String>,
    calls: i64,
    total_tokens: i64,
    cost_nano_usd: i64,
    unsettled_nano_usd: i64,
}

impl Row {
    fn subjects(&self) -> Vec<Subject> {
        if let Some(name) = &self.label {
            let scopes = [Some(self.tenant_id.0), self.api_key_id].into_iter().flatten();
            return scopes.map(|scope| end_user_subject(self.tenant_id, scope, name)).collect();
        }
        let of = |kind, id: Option<Uuid>| id.map(|id| (self.tenant_id, kind, id));
        [
            of(SubjectType::Tenant, Some(self.tenant_id.0)),
            of(SubjectType::Project, self.project_id),
            of(SubjectType::User, self.user_id),
            of(SubjectType::ApiKey, self.api_key_id),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn add_to_all(&self, sums: &mut HashMap<Subject, WindowSums>, now: DateTime<Utc>) {
        let used = Used {
            granularity: self.granularity,
            bucket: self.bucket,
            calls: self.calls,
            tokens: self.total_tokens,
            nano_usd: self.cost_nano_usd + self.unsettled_nano_usd,
        };
        for subject in self.subjects() {
            used.add_to(sums.entry(subject).or_insert_with(|| WindowSums::at(now)), now);
        }
    }
}

/// What was used in a bucket.
#[derive(FromQueryResult)]
struct Used {
    granularity: Granularity,
    bucket: DateTime<Utc>,
    calls: i64,
    tokens: i64,
    nano_usd: i64,
}

#[derive(FromQueryResult)]
struct SubjectRow {
    subject_id: Uuid,
    #[sea_orm(nested)]
    used: Used,
}

impl Used {
    fn add_to(&self, windows: &mut WindowSums, now: DateTime<Utc>) {
        match self.granularity {
            Granularity::Minute => {
                windows.minute_requests += self.calls;
                windows.minute_tokens += self.tokens;
            }
            Granularity::Hour => {}
            Granularity::Day => {
                windows.month_nano_usd += self.nano_usd;
                if self.bucket == Granularity::Day.bucket(now) {
                    windows.day_nano_usd += self.nano_usd;
                }
            }
        }
    }
}

/// Reads the usage of some tenants in the current windows, of `node` and of the others: of their subjects, or of these end
/// users of theirs.
pub(super) async fn read(
    tx: &Tx<System>,
    node: NodeId,
    tenants: Vec<TenantId>,
    end_users: Option<&[String]>,
    now: DateTime<Utc>,
) -> Result<Sums> {
    let find = current(tx.find_any::<Entity>(), end_users, now).filter(Column::TenantId.is_in(tenants));
    let mut sums = Sums::default();
    for row in find.partial::<Row>().await? {
        row.add_to_all(if row.node_id == node { &mut sums.own } else { &mut sums.others }, now);
    }
    Ok(sums)
}

/// Reads the same of the nodes other than `node`.
pub(super) async fn read_others(
    tx: &Tx<System>,
    node: NodeId,
    tenants: Vec<TenantId>,
    end_users: Option<&[String]>,
    now: DateTime<Utc>,
) -> Result<HashMap<Subject, WindowSums>> {
    let find = current(tx.find_any::<Entity>(), end_users, now).filter(Column::TenantId.is_in(tenants));
    all(find.filter(Column::NodeId.ne(node)), now).await
}

/// Reads the usage of subjects of the tenant in the current windows, of all nodes. Limits for end users have no usage of
/// their own.
pub(super) async fn read_subjects(
    tx: &Tx<Tenant>,
    tenant: TenantId,
    subjects: &[(SubjectType, Uuid)],
    now: DateTime<Utc>,
) -> Result<HashMap<Subject, WindowSums>> {
    let kinds = [
        (SubjectType::Tenant, Column::TenantId),
        (SubjectType::Project, Column::ProjectId),
        (SubjectType::User, Column::UserId),
        (SubjectType::ApiKey, Column::ApiKeyId),
    ];
    // PostgreSQL sums to `numeric`
    let sum = |columns: &str| Expr::cust(format!("CAST(SUM({columns}) AS bigint)"));
    let mut sums = HashMap::new();
    for (kind, column) in kinds {
        let ids: Vec<Uuid> = subjects.iter().filter(|(other, _)| *other == kind).map(|(_, id)| *id).collect();
        if ids.is_empty() {
            continue;
        }
        let rows: Vec<SubjectRow> = current(tx.find::<Entity>(), None, now)
            .filter(column.is_in(ids))
            .select_only()
            .column_as(column, "subject_id")
            .column(Column::Granularity)
            .column(Column::Bucket)
            .column_as(sum("calls"), "calls")
            .column_as(sum("total_tokens"), "tokens")
            .column_as(sum("cost_nano_usd + unsettled_nano_usd"), "nano_usd")
            .group_by(column)
            .group_by(Column::Granularity)
            .group_by(Column::Bucket)
            .into()
            .await?;
        for SubjectRow { subject_id, used } in rows {
            used.add_to(sums.entry((tenant, kind, subject_id)).or_insert_with(|| WindowSums::at(now)), now);
        }
    }
    Ok(sums)
}

async fn all(find: Find<'_, Entity>, now: DateTime<Utc>) -> Result<HashMap<Subject, WindowSums>> {
    let mut sums = HashMap::new();
    for row in find.partial::<Row>().await? {
        row.add_to_all(&mut sums, now);
    }
    Ok(sums)
}

/// Only the rows of the current windows to which limits apply.
fn current<'a>(find: Find<'a, Entity>, end_users: Option<&[String]>, now: DateTime<Utc>) -> Find<'a, Entity> {
    let today = Granularity::Day.bucket(now);
    let month = today.with_day0(0).unwrap_or(today);
    let minute = Granularity::Minute.bucket(now);
    let all = |one: Expr, other: Expr| Condition::all().add(one).add(other);
    // limits don't apply to calls that applications report
    let find = find.filter(Column::Source.is_null());
    let find = match end_users {
        None => find.filter(Column::LabelKind.is_null()),
        Some(names) => {
            let is_one = Column::Label.is_in(names.iter().map(String::as_str));
            find.filter(Column::LabelKind.eq(LabelKind::EndUser)).filter(is_one)
        }
    };
    find.filter(
        Condition::any()
            .add(all(Column::Granularity.eq(Granularity::Day), Column::Bucket.gte(month)))
            .add(all(Column::Granularity.eq(Granularity::Minute), Column::Bucket.eq(minute))),
    )
}
