//! Rolls settled calls up into sums, in the transaction that writes the calls: so the two can't differ.
//!
//! A call is counted once, when its settlement is drained, in the buckets of its start time. Each node writes its own
//! rows, and only its drainer does, so the sums are read, added to and written back without a lock.

use std::collections::HashMap;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use loam_db::{Bulk, Column, OnConflict, System, Tx};
use loam_kernel::{ApiKeyId, NodeId, ProjectId, Result, TenantId, UserId, digest_of};
use loam_platform::sketch::Sketch;
use loam_providers::Usage;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::entity::{Entity, Granularity, LabelKind, Model};
use super::latency;
use super::quantities::Quantities;
use crate::llm_calls::Source;
use crate::llm_calls::entity::{CacheUse, CallState, Model as LlmCall};
use crate::llm_calls::record::Record;

/// The dimensions of a row.
#[derive(Clone, PartialEq, Eq, Hash)]
struct RollupKey {
    tenant: TenantId,
    node: NodeId,
    granularity: Granularity,
    bucket: DateTime<Utc>,
    api_key: Option<ApiKeyId>,
    user: Option<UserId>,
    project: Option<ProjectId>,
    provider: String,
    model: String,
    source: Source,
    label: Option<(LabelKind, String)>,
}

#[derive(Clone, Debug, Default)]
struct Sums {
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
    quantities: Quantities,
    cost: i64,
    unsettled: i64,
    latency: Sketch,
}

/// The sums of a batch.
#[derive(Default)]
pub(crate) struct Rollup(HashMap<RollupKey, Sums>);

impl Granularity {
    /// The start of the bucket that contains a time.
    pub(crate) fn bucket(self, at: DateTime<Utc>) -> DateTime<Utc> {
        let length = match self {
            Self::Minute => TimeDelta::minutes(1),
            Self::Hour => TimeDelta::hours(1),
            Self::Day => TimeDelta::days(1),
        };
        at.duration_trunc(length).unwrap_or(at)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }
}

impl RollupKey {
    /// The source of reported calls; none for calls of the gateway.
    fn reported_source(&self) -> Option<&'static str> {
        (self.source != Source::Gateway).then(|| self.source.name())
    }

    /// The id of the row: the same for the same dimensions, so that the row is found again.
    fn id(&self) -> Uuid {
        let mut digest =
            if self.model.contains('\0') { self.delimited_digest() } else { self.concatenated_digest() };
        if let Some((kind, label)) = &self.label {
            digest = digest_of([&digest[..], kind.name().as_bytes(), label.as_bytes()]);
        }
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        uuid::Builder::from_custom_bytes(id).into_uuid()
    }

    /// Each field is length-delimited: a client may name any model, and one with a NUL could otherwise collide with
    /// another model and source.
    fn delimited_digest(&self) -> [u8; 32] {
        let owners = [self.api_key.map(|id| id.0), self.user.map(|id| id.0), self.project.map(|id| id.0)];
        let [api_key, user, project] = owners.map(Option::unwrap_or_default);
        digest_of([
            &self.node.0.as_bytes()[..],
            self.granularity.name().as_bytes(),
            &self.bucket.timestamp().to_be_bytes(),
            api_key.as_bytes(),
            user.as_bytes(),
            project.as_bytes(),
            self.provider.as_bytes(),
            self.model.as_bytes(),
            self.reported_source().unwrap_or_default().as_bytes(),
        ])
    }

    /// Models without a NUL use the format of the existing rows.
    fn concatenated_digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.node.0);
        hash.update(self.granularity.name());
        hash.update(self.bucket.timestamp().to_be_bytes());
        for id in [self.api_key.map(|id| id.0), self.user.map(|id| id.0), self.project.map(|id| id.0)] {
            hash.update(id.unwrap_or_default());
        }
        hash.update(self.provider.as_bytes());
        // a provider's name contains no NUL
        hash.update([0]);
        hash.update(self.model.as_bytes());
        if let Some(source) = self.reported_source() {
            hash.update([0]);
            hash.update(source.as_bytes());
        }
        hash.finalize().into()
    }
}

fn to_i64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl Sums {
    fn add(&mut self, record: &Record) {
        if record.state == CallState::Refused {
            self.refused += i64::from(record.refused.saturating_sub(record.refused_before));
            return;
        }
        self.calls += 1;
        match record.state {
            CallState::Failed => self.errors += 1,
            CallState::Estimated => self.estimated += 1,
            CallState::Orphaned => {
                self.orphaned += 1;
                self.unsettled += record.reserved_nano_usd.unwrap_or(0);
            }
            CallState::Open | CallState::Settled | CallState::Refused => {}
        }
        self.cache_hits += i64::from(record.cache == Some(CacheUse::Hit));
        if let Some(usage) = &record.usage {
            self.prompt_tokens += to_i64(usage.prompt_tokens);
            self.completion_tokens += to_i64(usage.completion_tokens);
            self.total_tokens += to_i64(usage.total_tokens);
            self.cached_tokens += to_i64(usage.cached_tokens);
        }
        self.quantities.add(record.quantity);
        self.cost += record.cost_nano_usd.unwrap_or(0);
        if let (CallState::Settled | CallState::Estimated, Some(latency)) = (record.state, record.latency_us)
        {
            self.latency.add(latency.unsigned_abs());
        }
    }

    /// Adds other sums `times` times; subtracts them if `times` is negative.
    fn merge(&mut self, other: &Self, times: i64) {
        self.calls += other.calls * times;
        self.refused += other.refused * times;
        self.errors += other.errors * times;
        self.estimated += other.estimated * times;
        self.orphaned += other.orphaned * times;
        self.cache_hits += other.cache_hits * times;
        self.prompt_tokens += other.prompt_tokens * times;
        self.completion_tokens += other.completion_tokens * times;
        self.total_tokens += other.total_tokens * times;
        self.cached_tokens += other.cached_tokens * times;
        self.quantities.merge(&other.quantities, times);
        self.cost += other.cost * times;
        self.unsettled += other.unsettled * times;
        self.latency.merge(&other.latency, times);
    }

    fn of(row: &Model) -> Result<Self> {
        Ok(Self {
            calls: row.calls,
            refused: row.refused.unwrap_or_default(),
            errors: row.errors,
            estimated: row.estimated,
            orphaned: row.orphaned,
            cache_hits: row.cache_hits,
            prompt_tokens: row.prompt_tokens,
            completion_tokens: row.completion_tokens,
            total_tokens: row.total_tokens,
            cached_tokens: row.cached_tokens,
            quantities: Quantities::read(row.quantities.as_ref())?,
            cost: row.cost_nano_usd,
            unsettled: row.unsettled_nano_usd,
            latency: latency::decode(&row.latency)?,
        })
    }
}

impl Rollup {
    /// Adds a settled call, or refused ones: to the sums of all calls, and to those of its end user and of each tag.
    pub(crate) fn add(&mut self, record: &Record, source: Source) {
        self.for_each(record, source, |sums| sums.add(record));
    }

    /// Subtracts a reported call that was added before, from the rows of this node: the call's own may be another's.
    pub(crate) fn subtract_reported(&mut self, call: LlmCall, node: NodeId) {
        let record = reported_record(call, node);
        let mut own = Sums::default();
        own.add(&record);
        self.for_each(&record, Source::Otlp, |sums| sums.merge(&own, -1));
    }

    /// Applies a change to the sums of all calls, and to those of the call's end user and of each tag.
    fn for_each(&mut self, record: &Record, source: Source, change: impl Fn(&mut Sums)) {
        let end_user = record.end_user.as_ref().map(|name| (LabelKind::EndUser, name.clone()));
        let tags = record.tags.iter().map(|tag| (LabelKind::Tag, tag.clone()));
        for label in std::iter::once(None).chain(end_user.into_iter().chain(tags).map(Some)) {
            change(self.sums(label, record, source));
        }
    }

    fn sums(&mut self, label: Option<(LabelKind, String)>, record: &Record, source: Source) -> &mut Sums {
        // clients may ask for any name of a model that doesn't exist
        let is_unknown = record.state == CallState::Refused && record.provider.is_empty();
        let key = RollupKey {
            tenant: record.tenant,
            node: record.node,
            granularity: Granularity::Minute,
            bucket: Granularity::Minute.bucket(record.created_at()),
            api_key: record.api_key,
            user: record.user,
            project: record.project,
            provider: record.provider.clone(),
            model: if is_unknown { String::new() } else { record.model.clone() },
            source,
            label,
        };
        self.0.entry(key).or_default()
    }

    /// Adds the sums of hours and days, from those of minutes.
    fn add_hours_and_days(&mut self) {
        let minutes: Vec<(RollupKey, Sums)> =
            self.0.iter().map(|(key, sums)| (key.clone(), sums.clone())).collect();
        for (key, sums) in minutes {
            for granularity in [Granularity::Hour, Granularity::Day] {
                let bucket = granularity.bucket(key.bucket);
                self.0.entry(RollupKey { granularity, bucket, ..key.clone() }).or_default().merge(&sums, 1);
            }
        }
    }

    /// Adds the sums to those in the database.
    pub(crate) async fn write(mut self, tx: &Tx<System>, now: DateTime<Utc>) -> Result<()> {
        self.add_hours_and_days();
        let mut rows: Vec<(Uuid, RollupKey, Sums)> =
            self.0.into_iter().map(|(key, sums)| (key.id(), key, sums)).collect();
        let mut old: HashMap<(TenantId, Uuid), Sums> = HashMap::new();
        let keys: Vec<(TenantId, Uuid)> = rows.iter().map(|(id, key, _)| (key.tenant, *id)).collect();
        for row in tx.get_many::<Entity>(&keys).await? {
            old.insert((row.tenant_id, row.id.0), Sums::of(&row)?);
        }
        for (id, key, sums) in &mut rows {
            if let Some(old) = old.get(&(key.tenant, *id)) {
                sums.merge(old, 1);
            }
        }
        tx.bulk(bulk(&rows, now)).await
    }
}

/// What the sums are made of.
fn reported_record(call: LlmCall, node: NodeId) -> Record {
    let tokens =
        |tokens: Option<i64>| tokens.and_then(|tokens| u64::try_from(tokens).ok()).unwrap_or_default();
    let usage = call.total_tokens.is_some().then(|| Usage {
        prompt_tokens: tokens(call.prompt_tokens),
        completion_tokens: tokens(call.completion_tokens),
        total_tokens: tokens(call.total_tokens),
        cached_tokens: tokens(call.cached_tokens),
        cache_write_tokens: tokens(call.cache_write_tokens),
        reasoning_tokens: 0,
    });
    Record {
        tenant: call.tenant_id,
        node,
        state: call.state,
        provider: call.provider,
        model: call.model,
        user: call.user_id,
        project: call.project_id,
        usage,
        cost_nano_usd: call.cost_nano_usd,
        latency_us: call.latency_us,
        created_us: call.created_at.timestamp_micros(),
        end_user: call.end_user,
        ..Record::default()
    }
}

fn bulk(rows: &[(Uuid, RollupKey, Sums)], now: DateTime<Utc>) -> Bulk {
    let uuid = |field: fn(&RollupKey) -> Option<Uuid>| {
        Column::Uuid(rows.iter().map(|(_, key, _)| field(key)).collect())
    };
    let text = |field: fn(&RollupKey) -> &str| {
        Column::Text(rows.iter().map(|(_, key, _)| Some(field(key).to_owned())).collect())
    };
    let int =
        |field: fn(&Sums) -> i64| Column::BigInt(rows.iter().map(|(_, _, sums)| Some(field(sums))).collect());
    let labels = || rows.iter().map(|(_, key, _)| key.label.as_ref());
    let latency = rows.iter().map(|(_, _, sums)| Some(latency::encode(&sums.latency))).collect();
    let columns = vec![
        ("tenant_id", uuid(|key| Some(key.tenant.0))),
        ("id", Column::Uuid(rows.iter().map(|(id, _, _)| Some(*id)).collect())),
        ("node_id", uuid(|key| Some(key.node.0))),
        ("granularity", text(|key| key.granularity.name())),
        ("bucket", Column::Time(rows.iter().map(|(_, key, _)| Some(key.bucket)).collect())),
        ("api_key_id", uuid(|key| key.api_key.map(|id| id.0))),
        ("user_id", uuid(|key| key.user.map(|id| id.0))),
        ("project_id", uuid(|key| key.project.map(|id| id.0))),
        ("provider", text(|key| &key.provider)),
        ("model", text(|key| &key.model)),
        (
            "source",
            Column::Text(rows.iter().map(|(_, key, _)| key.reported_source().map(str::to_owned)).collect()),
        ),
        (
            "label_kind",
            Column::Text(labels().map(|label| label.map(|(kind, _)| kind.name().to_owned())).collect()),
        ),
        ("label", Column::Text(labels().map(|label| label.map(|(_, label)| label.clone())).collect())),
        ("calls", int(|sums| sums.calls)),
        ("refused", int(|sums| sums.refused)),
        ("errors", int(|sums| sums.errors)),
        ("estimated", int(|sums| sums.estimated)),
        ("orphaned", int(|sums| sums.orphaned)),
        ("cache_hits", int(|sums| sums.cache_hits)),
        ("prompt_tokens", int(|sums| sums.prompt_tokens)),
        ("completion_tokens", int(|sums| sums.completion_tokens)),
        ("total_tokens", int(|sums| sums.total_tokens)),
        ("cached_tokens", int(|sums| sums.cached_tokens)),
        ("quantities", Column::Json(rows.iter().map(|(_, _, sums)| sums.quantities.stored()).collect())),
        ("cost_nano_usd", int(|sums| sums.cost)),
        ("unsettled_nano_usd", int(|sums| sums.unsettled)),
        ("latency", Column::Bytes(latency)),
        ("updated_at", Column::Time(vec![Some(now); rows.len()])),
    ];
    Bulk::of::<super::entity::Entity>(columns, OnConflict::Merge)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm_calls::record::Entry;

    #[test]
    fn ids_of_rows_stay_what_they_are() {
        let id = |model: &str, source| {
            let key = RollupKey {
                tenant: TenantId::NIL,
                node: Uuid::from_u128(1).into(),
                granularity: Granularity::Hour,
                bucket: DateTime::UNIX_EPOCH,
                api_key: None,
                user: Some(Uuid::from_u128(2).into()),
                project: None,
                provider: "p".to_owned(),
                model: model.to_owned(),
                source,
                label: None,
            };
            key.id().to_string()
        };
        assert_eq!(id("m", Source::Gateway), "678929b6-07b0-8284-b356-118064b5fbba");
        assert_eq!(id("m", Source::Otlp), "22ae8033-2582-8f35-a4c1-4a25f581a066");
        assert_eq!(id("m\0n", Source::Gateway), "fd7ff203-f600-87c9-bf69-bfdbe35c0489");
    }

    #[test]
    fn what_was_added_can_be_subtracted() {
        let record = Record {
            state: CallState::Settled,
            model: "m".to_owned(),
            usage: Some(Usage {
                prompt_tokens: 9,
                completion_tokens: 4,
                total_tokens: 13,
                cached_tokens: 2,
                cache_write_tokens: 1,
                reasoning_tokens: 0,
            }),
            cost_nano_usd: Some(70),
            latency_us: Some(80_000),
            created_us: 1_790_000_000_000_000,
            ..Record::default()
        };
        let mut rollup = Rollup::default();
        rollup.add(&record, Source::Otlp);
        let call = Entry { record, source: Source::Otlp, links: None, request: None, response: None };
        rollup.subtract_reported(call.into(), NodeId::default());
        let sums: Vec<Sums> = rollup.0.into_values().collect();
        assert_eq!(format!("{sums:?}"), format!("{:?}", [Sums::default()]));
    }
}
