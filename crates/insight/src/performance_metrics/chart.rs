//! Charts: metric values over time, from the statistics alone.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use loam_kernel::{Error, Kind, ProjectId, Result, Scope};
use sea_orm::{ColumnTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::kind::MetricKind;
use super::point::Tags;
use super::service::read_tags;
use super::sums::Sums;
use crate::ingest::Ingest;
use crate::stats::Granularity;
use crate::stats::metrics::{Column, Entity, Model};

/// Maximum number of lines of a chart.
const MAX_LINES: usize = 200;
/// Maximum number of tags in `group_by`.
const MAX_GROUP_TAGS: usize = 5;

/// The aggregate of the values in a bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[schema(as = MetricAggregate)]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    /// Mean.
    #[default]
    Avg,
    /// Minimum.
    Min,
    /// Maximum.
    Max,
    /// Sum; of totals, their increase.
    Sum,
    /// Number of values.
    Count,
    /// Sum of the last values of all series.
    Last,
    /// Median.
    P50,
    /// 90th percentile.
    P90,
    /// 95th percentile.
    P95,
    /// 99th percentile.
    P99,
}

/// Parameters of a chart.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ChartQuery {
    /// Project ID. Defaults to the project of the API key.
    pub project_id: Option<ProjectId>,
    /// Metric name.
    pub metric_name: String,
    /// Start, inclusive, rounded down to its bucket. Defaults to one hour before `to`.
    pub from: Option<DateTime<Utc>>,
    /// End, exclusive. Defaults to now.
    pub to: Option<DateTime<Utc>>,
    /// Length of a bucket: `minute` for at most a day, `hour` for at most 62 days. Defaults to `minute` where that is
    /// allowed.
    pub granularity: Option<Granularity>,
    /// Comma-separated tags to group by, at most 5. Defaults to none.
    pub group_by: Option<String>,
    /// Only series with these comma-separated tags: `host:web-1,region:eu`.
    pub tags: Option<String>,
    /// The aggregate of each bucket. Defaults to `avg`.
    #[serde(default)]
    pub aggregate: Aggregate,
}

/// A line of a chart.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ChartLine {
    /// The tags of the group, without those that its series don't have.
    pub tags: Tags,
    /// The points by time. Buckets without values are omitted.
    pub points: Vec<ChartPoint>,
}

/// A bucket of a chart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct ChartPoint {
    /// Start of the bucket.
    pub time: DateTime<Utc>,
    /// The aggregate; null if it can't be computed, such as a percentile of negative values.
    pub value: Option<f64>,
    /// Number of aggregated values.
    pub samples: i64,
}

/// The sums of a series by bucket, over all nodes.
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
        let (day, max) = (TimeDelta::days(1), TimeDelta::days(62));
        let granularity = self.granularity.unwrap_or(if to - from <= day {
            Granularity::Minute
        } else {
            Granularity::Hour
        });
        if granularity == Granularity::Day {
            return Err(Error::invalid("granularity", "must be `minute` or `hour` for metrics"));
        }
        let longest = if granularity == Granularity::Minute { day } else { max };
        if from >= to || to - from > longest {
            let message = "must be before `to`, by at max 1 day with `minute` or 62 days with `hour`";
            return Err(Error::invalid("from", message));
        }
        Ok(Range { granularity, from: granularity.bucket(from), to })
    }

    fn group(&self) -> Result<Vec<&str>> {
        let names = self.group_by.as_deref().unwrap_or_default().split(',').map(str::trim);
        let names: Vec<&str> = names.filter(|name| !name.is_empty()).collect();
        if names.len() > MAX_GROUP_TAGS {
            return Err(Error::invalid("group_by", format!("must be at max {MAX_GROUP_TAGS} tags")));
        }
        Ok(names)
    }
}

/// The series of a line by id, each with its kind.
type SeriesOfLine = HashMap<String, (MetricKind, Series)>;

impl Ingest {
    /// Computes the lines of a chart, ordered by tags.
    pub async fn chart(&self, scope: &Scope, query: &ChartQuery) -> Result<Vec<ChartLine>> {
        let project = query.project_id.or(scope.project);
        let project = project.ok_or_else(|| Error::invalid("project_id", "is required"))?;
        let (range, group) = (query.range(self.0.clock.now())?, query.group()?);
        let mut lines: BTreeMap<Vec<Option<String>>, SeriesOfLine> = BTreeMap::new();
        self.sums(scope, project, query, &range, |row| {
            let tag = |name: &&str| row.tags.get(*name).and_then(Value::as_str).map(str::to_owned);
            let line = lines.entry(group.iter().map(tag).collect()).or_default();
            let (kind, series) = line.entry(row.series.clone()).or_default();
            *kind = row.kind;
            series.entry(row.bucket).or_default().merge(&Sums::of(row)?);
            Ok(())
        })
        .await?;
        if lines.len() > MAX_LINES {
            let message =
                format!("results in more than {MAX_LINES} lines: group by fewer tags, or filter with `tags`");
            return Err(Error::new(Kind::Invalid, "too_many_groups", message).with_param("group_by"));
        }
        let line = |(tags, series): (Vec<Option<String>>, SeriesOfLine)| {
            let tags = group.iter().zip(tags).filter_map(|(name, value)| Some(((*name).to_owned(), value?)));
            ChartLine {
                tags: tags.collect(),
                points: points(series.into_values(), query.aggregate, range.from),
            }
        };
        Ok(lines.into_iter().map(line).filter(|line| !line.points.is_empty()).collect())
    }

    /// Reads the sums of a range, and of the bucket before it, from which the increase of totals is computed.
    async fn sums(
        &self,
        scope: &Scope,
        project: ProjectId,
        query: &ChartQuery,
        range: &Range,
        mut each: impl FnMut(&Model) -> Result<()>,
    ) -> Result<()> {
        let tx = self.0.db.read(scope).await?;
        let tags = query.tags.as_deref().map(read_tags).transpose()?;
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
        find.for_each(|row| each(&row)).await
    }
}

/// Computes the points of a line from its series.
pub(super) fn points(
    all: impl Iterator<Item = (MetricKind, BTreeMap<DateTime<Utc>, Sums>)>,
    aggregate: Aggregate,
    from: DateTime<Utc>,
) -> Vec<ChartPoint> {
    // for each bucket: the sums over all series, the sum of increases, and the sum of last values
    let mut buckets: BTreeMap<DateTime<Utc>, (Sums, f64, f64)> = BTreeMap::new();
    for (kind, series) in all {
        let mut before: Option<f64> = None;
        for (bucket, sums) in series {
            let increase = match kind {
                MetricKind::Gauge | MetricKind::Delta => sums.total,
                MetricKind::Total => increase(before, &sums),
            };
            before = Some(sums.last);
            if bucket >= from {
                let (sum, added, last) = buckets.entry(bucket).or_default();
                sum.merge(&sums);
                *added += increase;
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
    buckets.into_iter().map(point).collect()
}

/// The increase of a total in a bucket. If it decreased, the application was restarted and the total with it.
fn increase(before: Option<f64>, sums: &Sums) -> f64 {
    match before {
        Some(before) if sums.last >= before => sums.last - before,
        Some(_) => sums.last,
        // the first known bucket: the value at its start is unknown
        None => sums.last - sums.least,
    }
}
