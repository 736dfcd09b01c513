//! Values over time, from the sums alone.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use loam_kernel::{Error, Kind, ProjectId, Result, Scope};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::kind::MetricKind;
use super::point::Tags;
use super::service::read_tags;
use super::sums::Sums;
use crate::service::Insight;
use crate::stats::Granularity;
use crate::stats::metrics::{Column, Entity, Model};

/// Rows read at a time.
const BATCH: u64 = 2_000;
/// Lines of a chart.
const MAX_LINES: usize = 200;
/// Tags that are told apart.
const MAX_GROUP: usize = 5;

/// What of the values is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    /// The mean.
    #[default]
    Avg,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// The sum; of totals, what they grew by.
    Sum,
    /// How many values there are.
    Count,
    /// The last of each series, added up.
    Last,
    /// Half of the values are not above it.
    P50,
    /// 90 of 100 values are not above it.
    P90,
    /// 95 of 100 values are not above it.
    P95,
    /// 99 of 100 values are not above it.
    P99,
}

/// Which chart.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ChartQuery {
    /// The project; that of the API key unless given.
    pub project_id: Option<ProjectId>,
    /// The metric.
    pub metric_name: String,
    /// From then on; an hour before `to` unless given. Taken back to the beginning of its stretch.
    pub from: Option<DateTime<Utc>>,
    /// Before then; now unless given.
    pub to: Option<DateTime<Utc>>,
    /// `minute` over at most a day, `hour` over at most 62 days; `minute` where that is allowed, unless given.
    pub granularity: Option<Granularity>,
    /// Tags to tell apart, by comma, at most 5; nothing unless given.
    pub group_by: Option<String>,
    /// Only series with these tags, by comma: `host:web-1,region:eu`.
    pub tags: Option<String>,
    /// `avg` unless given.
    #[serde(default)]
    pub aggregate: Aggregate,
}

/// One line of a chart.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Line {
    /// The tags that it is told apart by; without one that its series don't have.
    pub tags: Tags,
    /// By time. Stretches without values are left out.
    pub points: Vec<ChartPoint>,
}

/// One stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct ChartPoint {
    /// When it begins.
    pub time: DateTime<Utc>,
    /// The value; null where it can't be told, as a quantile of values below zero.
    pub value: Option<f64>,
    /// How many values it is made of.
    pub samples: i64,
}

/// A series in a stretch of time, of all nodes.
type Series = BTreeMap<DateTime<Utc>, Sums>;

struct Range {
    granularity: Granularity,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
}

impl ChartQuery {
    fn range(&self, now: DateTime<Utc>) -> Result<Range> {
        let to = self.to.unwrap_or(now);
        let from = self.from.unwrap_or(to - TimeDelta::hours(1));
        let (day, most) = (TimeDelta::days(1), TimeDelta::days(62));
        let granularity = self.granularity.unwrap_or(if to - from <= day {
            Granularity::Minute
        } else {
            Granularity::Hour
        });
        if granularity == Granularity::Day {
            return Err(Error::invalid("granularity", "must be `minute` or `hour` for metrics"));
        }
        let longest = if granularity == Granularity::Minute { day } else { most };
        if from >= to || to - from > longest {
            let message = "must be before `to`, by at most a day of minutes or 62 days of hours";
            return Err(Error::invalid("from", message));
        }
        Ok(Range { granularity, from: granularity.bucket(from), to })
    }

    fn group(&self) -> Result<Vec<&str>> {
        let names = self.group_by.as_deref().unwrap_or_default().split(',').map(str::trim);
        let names: Vec<&str> = names.filter(|name| !name.is_empty()).collect();
        if names.len() > MAX_GROUP {
            return Err(Error::invalid("group_by", format!("must be at most {MAX_GROUP} tags")));
        }
        Ok(names)
    }
}

/// The series of a line by their names, each with its kind.
type SeriesOfLine = HashMap<String, (MetricKind, Series)>;

impl Insight {
    /// The lines of a chart, in the order of their tags.
    pub async fn chart(&self, scope: &Scope, query: &ChartQuery) -> Result<Vec<Line>> {
        let project = query.project_id.or(scope.project);
        let project = project.ok_or_else(|| Error::invalid("project_id", "must be given"))?;
        let (range, group) = (query.range(self.0.clock.now())?, query.group()?);
        let mut lines: BTreeMap<Vec<Option<String>>, SeriesOfLine> = BTreeMap::new();
        self.sums(scope, project, query, &range, |row| {
            let tag = |name: &&str| row.tags.get(*name).and_then(Value::as_str).map(str::to_owned);
            let line = lines.entry(group.iter().map(tag).collect()).or_default();
            let (kind, series) = line.entry(row.series.clone()).or_default();
            *kind = row.kind;
            series.entry(row.bucket).or_default().merge(&Sums::of(row));
        })
        .await?;
        if lines.len() > MAX_LINES {
            let message =
                format!("makes more than {MAX_LINES} lines: choose fewer tags, or some of the series");
            return Err(Error::new(Kind::Invalid, "too_many_groups", message).with_param("group_by"));
        }
        let line = |(tags, series): (Vec<Option<String>>, SeriesOfLine)| {
            let tags = group.iter().zip(tags).filter_map(|(name, value)| Some(((*name).to_owned(), value?)));
            Line { tags: tags.collect(), points: points(series.into_values(), query.aggregate, range.from) }
        };
        Ok(lines.into_iter().map(line).filter(|line| !line.points.is_empty()).collect())
    }

    /// Reads the sums of a range, and of the stretch before it, from which totals grow.
    async fn sums(
        &self,
        scope: &Scope,
        project: ProjectId,
        query: &ChartQuery,
        range: &Range,
        mut each: impl FnMut(&Model),
    ) -> Result<()> {
        let tx = self.0.db.read(scope).await?;
        let tags = query.tags.as_deref().map(read_tags).transpose()?;
        let mut last = None;
        loop {
            let mut find = tx
                .find::<Entity>()
                .filter(Column::ProjectId.eq(project))
                .filter(Column::MetricName.eq(query.metric_name.as_str()))
                .filter(Column::Granularity.eq(range.granularity))
                .filter(Column::Bucket.gte(range.from - range.granularity.length()))
                .filter(Column::Bucket.lt(range.to));
            if let Some(tags) = &tags {
                find = find.containing(Column::Tags, tags);
            }
            if let Some(last) = last {
                find = find.filter(Column::Id.gt(last));
            }
            let rows = find.order_by_asc(Column::Id).limit(BATCH).all().await?;
            rows.iter().for_each(&mut each);
            match rows.last() {
                Some(row) if rows.len() as u64 == BATCH => last = Some(row.id),
                _ => return Ok(()),
            }
        }
    }
}

/// The points of a line from its series.
pub(super) fn points(
    all: impl Iterator<Item = (MetricKind, BTreeMap<DateTime<Utc>, Sums>)>,
    aggregate: Aggregate,
    from: DateTime<Utc>,
) -> Vec<ChartPoint> {
    // the sums of all series, what they add up to, and their last values
    let mut stretches: BTreeMap<DateTime<Utc>, (Sums, f64, f64)> = BTreeMap::new();
    for (kind, series) in all {
        let mut before: Option<f64> = None;
        for (bucket, sums) in series {
            let grown = match kind {
                MetricKind::Gauge | MetricKind::Delta => sums.total,
                MetricKind::Total => grown(before, &sums),
            };
            before = Some(sums.last);
            if bucket >= from {
                let (sum, added, last) = stretches.entry(bucket).or_default();
                sum.merge(&sums);
                *added += grown;
                *last += sums.last;
            }
        }
    }
    let point = |(time, (sums, added, last)): (DateTime<Utc>, (Sums, f64, f64))| {
        #[expect(clippy::cast_precision_loss, reason = "a count of samples")]
        let count = sums.samples as f64;
        let value = match aggregate {
            Aggregate::Avg => Some(sums.total / count),
            Aggregate::Min => Some(sums.least),
            Aggregate::Max => Some(sums.greatest),
            Aggregate::Sum => Some(added),
            Aggregate::Count => Some(count),
            Aggregate::Last => Some(last),
            Aggregate::P50 => sums.quantile(0.5),
            Aggregate::P90 => sums.quantile(0.9),
            Aggregate::P95 => sums.quantile(0.95),
            Aggregate::P99 => sums.quantile(0.99),
        };
        ChartPoint { time, value, samples: sums.samples }
    };
    stretches.into_iter().map(point).collect()
}

/// What a total grew by in a stretch. Where it is less than before, the application began anew, and so did the total.
fn grown(before: Option<f64>, sums: &Sums) -> f64 {
    match before {
        Some(before) if sums.last >= before => sums.last - before,
        Some(_) => sums.last,
        // the first that is known of: how it stood when the stretch began isn't
        None => sums.last - sums.least,
    }
}
