//! Usage over a time range, grouped by any dimension.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use loam_db::{Tenant, Tx};
use loam_identity::names::{Names, Wanted};
use loam_kernel::{ApiKeyId, Error, Kind, ProjectId, Result, Scope, UserId, from_hex, null_or};
use loam_platform::personal::end_user_key;
use loam_platform::sketch::Sketch;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, FromQueryResult, IdenStatic, QueryFilter, QuerySelect};
use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{AnyOfBuilder, ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::entity::{Column, Entity, Granularity, LabelKind};
use super::latency;
use super::quantities::{Quantities, UsageQuantity};
use crate::Gateway;
use crate::llm_calls::Source;
use crate::model_prices::Price;

/// The years that can be queried.
pub(super) const YEARS: RangeInclusive<i32> = 2000..=2999;
/// Maximum groups in a response.
const MAX_GROUPS: usize = 10_000;

/// The time range, the filter and the grouping.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct UsageQuery {
    /// Start of the range, inclusive; defaults to 30 days before `to`, for `minute` to one day before.
    pub from: Option<DateTime<Utc>>,
    /// End of the range, exclusive; defaults to now.
    pub to: Option<DateTime<Utc>>,
    /// The buckets: `minute` over at most a day, `hour` over at most 62 days, `day` over at most 3 years. Defaults to
    /// `day`. `from` is rounded down to the start of its bucket.
    pub granularity: Option<Granularity>,
    /// The dimensions to group by, separated by commas: `time`, `provider`, `model`, `api_key`, `user`, `project`,
    /// `source`, and `end_user` or `tag`; defaults to none. Groups by tag overlap if a call has several, and calls
    /// without an end user or tag are in none of them.
    pub group_by: Option<String>,
    /// Only calls of this provider.
    pub provider: Option<String>,
    /// Only calls of this model.
    pub model: Option<String>,
    /// Only calls of this key.
    pub api_key_id: Option<ApiKeyId>,
    /// Only calls of this user.
    pub user_id: Option<UserId>,
    /// Only calls of this project.
    pub project_id: Option<ProjectId>,
    /// Only calls of this end user of the application; not together with a tag.
    pub end_user: Option<String>,
    /// Only calls with this tag; not together with an end user.
    pub tag: Option<String>,
    /// Only calls through the gateway (`gateway`), or calls that applications reported (`otlp`).
    pub source: Option<Source>,
}

/// The dimensions to group by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct GroupBy {
    pub(super) time: bool,
    pub(super) provider: bool,
    pub(super) model: bool,
    pub(super) api_key: bool,
    pub(super) user: bool,
    pub(super) project: bool,
    pub(super) source: bool,
    pub(super) end_user: bool,
    pub(super) tag: bool,
}

impl GroupBy {
    fn parse(text: &str) -> Result<Self> {
        let mut by = Self::default();
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            let flag = match word {
                "time" => &mut by.time,
                "provider" => &mut by.provider,
                "model" => &mut by.model,
                "api_key" => &mut by.api_key,
                "user" => &mut by.user,
                "project" => &mut by.project,
                "source" => &mut by.source,
                "end_user" => &mut by.end_user,
                "tag" => &mut by.tag,
                _ => {
                    let message = "must be a list of `time`, `provider`, `model`, `api_key`, `user`, `project`, `source`, \
                                   `end_user`, `tag`";
                    return Err(Error::invalid("group_by", message));
                }
            };
            *flag = true;
        }
        Ok(by)
    }

    /// The columns to group by.
    fn columns(self) -> impl Iterator<Item = Column> {
        [
            (self.time, Column::Bucket),
            (self.provider, Column::Provider),
            (self.model, Column::Model),
            (self.api_key, Column::ApiKeyId),
            (self.user, Column::UserId),
            (self.project, Column::ProjectId),
            (self.source, Column::Source),
            (self.end_user || self.tag, Column::Label),
        ]
        .into_iter()
        .filter_map(|(is_chosen, column)| is_chosen.then_some(column))
    }
}

/// The schema of a text that may be null, and is left out of some responses.
fn null_or_text() -> RefOr<Schema> {
    let of = |kind| ObjectBuilder::new().schema_type(kind);
    AnyOfBuilder::new().item(of(Type::String)).item(of(Type::Null)).into()
}

/// The usage of one group. Dimensions that are not grouped by are omitted.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Usage {
    /// The start of the bucket.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub time: Option<DateTime<Utc>>,
    /// Name of the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub provider: Option<String>,
    /// Name of the model at the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub model: Option<String>,
    /// Null: calls without a key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = null_or::<ApiKeyId>)]
    pub api_key_id: Option<Option<ApiKeyId>>,
    /// Name of the key, also of a revoked one; null without a key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = null_or_text)]
    pub api_key_name: Option<Option<String>>,
    /// Null: calls without a user.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = null_or::<UserId>)]
    pub user_id: Option<Option<UserId>>,
    /// Name of the user; null without a user.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = null_or_text)]
    pub user_name: Option<Option<String>>,
    /// Null: calls without a project.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = null_or::<ProjectId>)]
    pub project_id: Option<Option<ProjectId>>,
    /// Name of the project, also of a deleted one; null without a project.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = null_or_text)]
    pub project_name: Option<Option<String>>,
    /// The application's end user.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub end_user: Option<String>,
    /// The tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub tag: Option<String>,
    /// `gateway`: calls through the gateway; `otlp`: calls that applications reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub source: Option<Source>,
    /// Calls that ended, failed ones included, refused ones not.
    pub calls: i64,
    /// Calls that Loam refused: for a limit, a missing permission or an unknown model.
    pub refused: i64,
    /// Calls that failed.
    pub errors: i64,
    /// Calls whose tokens Loam counted.
    pub estimated: i64,
    /// Calls that were in progress when the server died.
    pub orphaned: i64,
    /// Calls served from the response cache.
    pub cache_hits: i64,
    /// Prompt tokens, including cached ones.
    pub prompt_tokens: i64,
    /// Completion tokens.
    pub completion_tokens: i64,
    /// Prompt and completion tokens.
    pub total_tokens: i64,
    /// Prompt tokens read from the provider's cache.
    pub cached_tokens: i64,
    /// What was used of what isn't counted by tokens, by unit; calls since Loam counts it.
    pub quantities: Vec<UsageQuantity>,
    /// US dollars.
    pub cost_usd: f64,
    /// US dollars reserved by orphaned calls: the provider may have charged them.
    pub unsettled_usd: f64,
    /// Median latency of successful calls, in milliseconds.
    pub latency_p50_ms: Option<f64>,
    /// 95th percentile of the latency of successful calls, in milliseconds.
    pub latency_p95_ms: Option<f64>,
    /// 99th percentile of the latency of successful calls, in milliseconds.
    pub latency_p99_ms: Option<f64>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    time: Option<DateTime<Utc>>,
    provider: Option<String>,
    model: Option<String>,
    api_key: Option<Option<ApiKeyId>>,
    user: Option<Option<UserId>>,
    project: Option<Option<ProjectId>>,
    source: Option<Source>,
    end_user: Option<String>,
    tag: Option<String>,
}

/// The sums of a group as the database computes them; dimensions that are not grouped by are null.
#[derive(FromQueryResult)]
struct Row {
    bucket: Option<DateTime<Utc>>,
    provider: Option<String>,
    model: Option<String>,
    api_key_id: Option<ApiKeyId>,
    user_id: Option<UserId>,
    project_id: Option<ProjectId>,
    source: Option<String>,
    label: Option<String>,
    calls: i64,
    refused: i64,
    errors: i64,
    estimated: i64,
    orphaned: i64,
    cache_hits: i64,
    prompt_tokens: i64,
    completion_tokens: i64,
    total_tokens: i64,
    cached_tokens: i64,
    cost_nano_usd: i64,
    unsettled_nano_usd: i64,
    quantities: Option<String>,
    latency: Option<String>,
}

/// The columns of [`Row`] that are sums.
const SUMS: [Column; 12] = [
    Column::Calls,
    Column::Refused,
    Column::Errors,
    Column::Estimated,
    Column::Orphaned,
    Column::CacheHits,
    Column::PromptTokens,
    Column::CompletionTokens,
    Column::TotalTokens,
    Column::CachedTokens,
    Column::CostNanoUsd,
    Column::UnsettledNanoUsd,
];

impl Group {
    fn of(row: &Row, by: GroupBy) -> Self {
        Self {
            time: row.bucket,
            provider: row.provider.clone(),
            model: row.model.clone(),
            api_key: by.api_key.then_some(row.api_key_id),
            user: by.user.then_some(row.user_id),
            project: by.project.then_some(row.project_id),
            source: by.source.then(|| Source::of(row.source.as_deref())),
            // only rows with such a label are read
            end_user: row.label.clone().filter(|_| by.end_user),
            tag: row.label.clone().filter(|_| by.tag),
        }
    }
}

/// Sums in nano-dollars, so that they are exact.
#[derive(Default)]
struct Sum {
    usage: Usage,
    quantities: Quantities,
    cost: i64,
    unsettled: i64,
    latency: Sketch,
}

impl Sum {
    fn of(group: &Group, row: &Row) -> Result<Self> {
        let usage = Usage {
            time: group.time,
            provider: group.provider.clone(),
            model: group.model.clone(),
            api_key_id: group.api_key,
            user_id: group.user,
            project_id: group.project,
            source: group.source,
            end_user: group.end_user.clone(),
            tag: group.tag.clone(),
            calls: row.calls,
            refused: row.refused,
            errors: row.errors,
            estimated: row.estimated,
            orphaned: row.orphaned,
            cache_hits: row.cache_hits,
            prompt_tokens: row.prompt_tokens,
            completion_tokens: row.completion_tokens,
            total_tokens: row.total_tokens,
            cached_tokens: row.cached_tokens,
            ..Usage::default()
        };
        let mut sum =
            Self { usage, cost: row.cost_nano_usd, unsettled: row.unsettled_nano_usd, ..Self::default() };
        for line in row.quantities.iter().flat_map(|lines| lines.lines()) {
            let stored = serde_json::from_str(line).map_err(Error::internal)?;
            sum.quantities.merge(&Quantities::read(Some(&stored))?, 1);
        }
        for digits in row.latency.iter().flat_map(|list| list.split(' ')) {
            let stored = from_hex(digits).ok_or_else(|| Error::internal("latencies must be hexadecimal"))?;
            sum.latency.merge(&latency::decode(&stored)?, 1);
        }
        Ok(sum)
    }

    fn add(&mut self, other: &Self) {
        let (usage, more) = (&mut self.usage, &other.usage);
        usage.calls += more.calls;
        usage.refused += more.refused;
        usage.errors += more.errors;
        usage.estimated += more.estimated;
        usage.orphaned += more.orphaned;
        usage.cache_hits += more.cache_hits;
        usage.prompt_tokens += more.prompt_tokens;
        usage.completion_tokens += more.completion_tokens;
        usage.total_tokens += more.total_tokens;
        usage.cached_tokens += more.cached_tokens;
        self.quantities.merge(&other.quantities, 1);
        self.cost += other.cost;
        self.unsettled += other.unsettled;
        self.latency.merge(&other.latency, 1);
    }

    fn done(mut self) -> Usage {
        let quantile = |q| Some((self.latency.quantile(q)? / 10.0).round() / 100.0);
        self.usage.latency_p50_ms = quantile(0.5);
        self.usage.latency_p95_ms = quantile(0.95);
        self.usage.latency_p99_ms = quantile(0.99);
        self.usage.quantities = self.quantities.shown();
        self.usage.cost_usd = Price::to_usd(self.cost);
        self.usage.unsettled_usd = Price::to_usd(self.unsettled);
        self.usage
    }
}

/// The rows to read: those of this kind of label, and of one label; none: those without a label.
fn labels(query: &UsageQuery, by: GroupBy) -> Result<Option<(LabelKind, Option<Cow<'_, str>>)>> {
    let end_user = query.end_user.as_deref().and_then(end_user_key);
    let tag = query.tag.as_deref().map(Cow::Borrowed);
    match (by.end_user || end_user.is_some(), by.tag || tag.is_some()) {
        (true, true) => {
            let message = "can't combine end users and tags: usage is summed up by each of them alone";
            Err(Error::invalid("group_by", message))
        }
        (true, false) => Ok(Some((LabelKind::EndUser, end_user))),
        (false, true) => Ok(Some((LabelKind::Tag, tag))),
        (false, false) => Ok(None),
    }
}

/// Adds names to the ids of groups.
async fn add_names(tx: &Tx<Tenant>, groups: &mut [Usage]) -> Result<()> {
    let distinct = |ids: BTreeSet<Uuid>| ids.into_iter();
    let ids = |id: fn(&Usage) -> Option<Uuid>| distinct(groups.iter().filter_map(id).collect());
    let wanted = Wanted {
        api_keys: ids(|group| Some(group.api_key_id??.0)).map(Into::into).collect(),
        users: ids(|group| Some(group.user_id??.0)).map(Into::into).collect(),
        projects: ids(|group| Some(group.project_id??.0)).map(Into::into).collect(),
        ..Wanted::default()
    };
    let names = Names::read(tx, &wanted).await?;
    for group in groups {
        group.api_key_name = group.api_key_id.map(|id| names.get(id?));
        group.user_name = group.user_id.map(|id| names.get(id?));
        group.project_name = group.project_id.map(|id| names.get(id?));
    }
    Ok(())
}

/// Rejects years that the databases can't represent.
fn check_year(param: &str, at: Option<DateTime<Utc>>) -> Result<()> {
    match at {
        Some(at) if !YEARS.contains(&at.year()) => {
            Err(Error::invalid(param, format!("must be in the years {} to {}", YEARS.start(), YEARS.end())))
        }
        _ => Ok(()),
    }
}

impl Gateway {
    /// Usage in a time range, by group, in the order of the groups.
    pub async fn usage(&self, scope: &Scope, query: UsageQuery) -> Result<Vec<Usage>> {
        let by = GroupBy::parse(query.group_by.as_deref().unwrap_or_default())?;
        let granularity = query.granularity.unwrap_or(Granularity::Day);
        check_year("from", query.from)?;
        check_year("to", query.to)?;
        let to = query.to.unwrap_or_else(|| self.0.clock.now());
        let from = query
            .from
            .unwrap_or(to - TimeDelta::days(if granularity == Granularity::Minute { 1 } else { 30 }));
        let (longest, what) = match granularity {
            Granularity::Minute => (TimeDelta::days(1), "a day for `minute`"),
            Granularity::Hour => (TimeDelta::days(62), "62 days for `hour`"),
            Granularity::Day => (TimeDelta::days(3 * 366), "3 years for `day`"),
        };
        if from >= to || to - from > longest {
            return Err(Error::invalid("from", format!("must be before `to`, by at most {what}")));
        }
        let (groups, _total) =
            self.sums(scope, &query, granularity, (granularity.bucket(from), to), by).await?;
        Ok(groups)
    }

    /// The groups and their total, from one transaction, so that they agree while calls go on.
    pub(super) async fn sums(
        &self,
        scope: &Scope,
        query: &UsageQuery,
        granularity: Granularity,
        (from, to): (DateTime<Utc>, DateTime<Utc>),
        by: GroupBy,
    ) -> Result<(Vec<Usage>, Usage)> {
        let labels = labels(query, by)?;
        let tx = self.0.db.read(scope).await?;
        let mut find = tx
            .find::<Entity>()
            .select_only()
            .filter(Column::Granularity.eq(granularity))
            .filter(Column::Bucket.gte(from))
            .filter(Column::Bucket.lt(to));
        find = match &labels {
            None => find.filter(Column::LabelKind.is_null()),
            Some((kind, None)) => find.filter(Column::LabelKind.eq(*kind)),
            Some((kind, Some(label))) => {
                find.filter(Column::LabelKind.eq(*kind)).filter(Column::Label.eq(label.as_ref()))
            }
        };
        find = match query.source {
            None => find,
            Some(Source::Gateway) => find.filter(Column::Source.is_null()),
            Some(source) => find.filter(Column::Source.eq(source.name())),
        };
        for (column, value) in [(Column::Provider, &query.provider), (Column::Model, &query.model)] {
            if let Some(value) = value {
                find = find.filter(column.eq(value.as_str()));
            }
        }
        let ids = [
            (Column::ApiKeyId, query.api_key_id.map(|id| id.0)),
            (Column::UserId, query.user_id.map(|id| id.0)),
            (Column::ProjectId, query.project_id.map(|id| id.0)),
        ];
        for (column, id) in ids {
            if let Some(id) = id {
                find = find.filter(column.eq(id));
            }
        }
        for column in by.columns() {
            find = find.column(column).group_by(column);
        }
        for column in SUMS {
            let name = column.as_str();
            // null in rows of versions without the column; PostgreSQL sums to `numeric`
            find = find.column_as(Expr::cust(format!("CAST(COALESCE(SUM({name}), 0) AS bigint)")), name);
        }
        let rows: Vec<Row> = find
            .json_of_group(Column::Quantities, Column::Quantities.as_str())
            .bytes_of_group(Column::Latency, Column::Latency.as_str())
            // without dimensions there is one group, also of no rows
            .having(Expr::cust("COUNT(*) > 0"))
            .limit(MAX_GROUPS as u64 + 1)
            .into()
            .await?;
        if rows.len() > MAX_GROUPS {
            let message = format!(
                "gives more than {MAX_GROUPS} groups: choose a shorter time range or fewer dimensions"
            );
            return Err(Error::new(Kind::Invalid, "too_many_groups", message).with_param("group_by"));
        }
        let mut groups: BTreeMap<Group, Sum> = BTreeMap::new();
        let mut total = Sum::default();
        for row in &rows {
            let group = Group::of(row, by);
            let sum = Sum::of(&group, row)?;
            total.add(&sum);
            groups.insert(group, sum);
        }
        let mut groups: Vec<Usage> = groups.into_values().map(Sum::done).collect();
        add_names(&tx, &mut groups).await?;
        Ok((groups, total.done()))
    }
}
