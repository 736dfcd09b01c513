//! A limit in API responses: with the name of its subject, and what remains of it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use loam_identity::names::{Names, Wanted};
use loam_kernel::{LimitId, Page, Result, Scope};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::entity::{Model, SubjectType};
use super::meter::WindowSums;
use super::subject::Subject;
use super::sums;
use crate::Gateway;
use crate::model_prices::Price;

/// The usage limits of a tenant, project, user, key or of each end user.
#[derive(Serialize, ToSchema)]
pub struct LimitView {
    id: LimitId,
    subject_type: SubjectType,
    /// ID of the tenant, project, user or key; of a limit for end users that of the tenant or key whose end users these are.
    subject_id: Uuid,
    /// Name of the tenant, project, user or key, also of what is deleted since; null if it was erased.
    subject_name: Option<String>,
    requests_per_minute: Option<i64>,
    tokens_per_minute: Option<i64>,
    concurrency: Option<i64>,
    /// US dollars.
    budget_per_day: Option<f64>,
    /// US dollars.
    budget_per_month: Option<f64>,
    /// What remains in the current minute, day and month; null for end users, each of whom has their own.
    remaining: Option<LimitRemaining>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// What remains of a limit. Calls in progress are not counted, those that ended within a second. A field is null without
/// such a limit.
#[derive(Serialize, ToSchema)]
pub struct LimitRemaining {
    requests_per_minute: Option<i64>,
    tokens_per_minute: Option<i64>,
    /// US dollars.
    budget_per_day: Option<f64>,
    /// US dollars.
    budget_per_month: Option<f64>,
}

impl LimitRemaining {
    fn new(row: &Model, used: &WindowSums) -> Self {
        let left = |limit: Option<i64>, used: i64| limit.map(|limit| (limit - used).max(0));
        Self {
            requests_per_minute: left(row.requests_per_minute, used.minute_requests),
            tokens_per_minute: left(row.tokens_per_minute, used.minute_tokens),
            budget_per_day: left(row.budget_day_nano_usd, used.day_nano_usd).map(Price::to_usd),
            budget_per_month: left(row.budget_month_nano_usd, used.month_nano_usd).map(Price::to_usd),
        }
    }
}

impl LimitView {
    fn new(row: Model, names: &Names, used: &HashMap<Subject, WindowSums>, now: DateTime<Utc>) -> Self {
        let subject = (row.tenant_id, row.subject_type, row.subject_id);
        let used = used.get(&subject).copied().unwrap_or_else(|| WindowSums::at(now));
        let is_shared = row.subject_type != SubjectType::EndUser;
        Self {
            id: row.id,
            subject_type: row.subject_type,
            subject_id: row.subject_id,
            subject_name: names.get(row.subject_id),
            remaining: is_shared.then(|| LimitRemaining::new(&row, &used)),
            requests_per_minute: row.requests_per_minute,
            tokens_per_minute: row.tokens_per_minute,
            concurrency: row.concurrency,
            budget_per_day: row.budget_day_nano_usd.map(Price::to_usd),
            budget_per_month: row.budget_month_nano_usd.map(Price::to_usd),
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

impl Gateway {
    /// Limits as they are shown.
    pub async fn view_limits(&self, scope: &Scope, rows: Vec<Model>) -> Result<Vec<LimitView>> {
        let mut wanted = Wanted::default();
        for row in &rows {
            match row.subject_type {
                SubjectType::Tenant => wanted.tenants.push(row.tenant_id),
                SubjectType::Project => wanted.projects.push(row.subject_id.into()),
                SubjectType::User => wanted.users.push(row.subject_id.into()),
                SubjectType::EndUser if row.subject_id == row.tenant_id.0 => {
                    wanted.tenants.push(row.tenant_id);
                }
                SubjectType::ApiKey | SubjectType::EndUser => wanted.api_keys.push(row.subject_id.into()),
            }
        }
        let now = self.0.clock.now();
        let tx = self.0.db.read(scope).await?;
        let names = Names::read(&tx, &wanted).await?;
        let subjects: Vec<_> = rows.iter().map(|row| (row.subject_type, row.subject_id)).collect();
        let used = sums::read_subjects(&tx, scope.tenant(), &subjects, now).await?;
        Ok(rows.into_iter().map(|row| LimitView::new(row, &names, &used, now)).collect())
    }

    /// A limit as it is shown.
    pub async fn view_limit(&self, scope: &Scope, row: Model) -> Result<LimitView> {
        let mut views = self.view_limits(scope, vec![row]).await?;
        views.pop().ok_or_else(|| loam_kernel::Error::internal("a limit has one view"))
    }

    /// A page of limits as they are shown.
    pub(super) async fn view_limits_page(&self, scope: &Scope, page: Page<Model>) -> Result<Page<LimitView>> {
        let Page { data, next_cursor, prev_cursor } = page;
        Ok(Page { data: self.view_limits(scope, data).await?, next_cursor, prev_cursor })
    }
}
