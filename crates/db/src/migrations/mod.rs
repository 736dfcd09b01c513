//! Every migration, oldest first. `loam db revision NAME` adds one; one that has been released is never changed.

use crate::schema::Schema;

mod m20261121_000001_foundation;
mod m20261122_000001_identity;
mod m20261122_000002_platform;
mod m20261122_000003_gateway;
mod m20261122_000004_conversation;
mod m20261122_000005_insight;
mod m20261130_000002_identity;
mod m20261130_000004_fairness;
mod m20261130_000005_erasure_and_retention;
mod m20261130_000006_erasure;
mod m20261130_000007_erasures;
mod m20261130_000008_suggestions;
mod m20261130_000010_received_at;
mod m20261130_000011_allowed_origins;
mod m20261130_000012_filters;
mod m20261130_000013_refusals_and_labels;
mod m20261130_000014_call_identity;
mod m20261130_000015_folded_email;
mod m20261130_000016_managed_alert_rules;
mod m20261130_000018_quantities;
mod m20261130_000019_usage_quantities;
mod m20261130_000020_ordered_json;
mod m20261130_000021_suggestion_codes;
mod m20261130_000022_errors_of_projects;
mod m20261130_000023_titles;
mod m20261201_000001_delivery;

/// One step of the schema.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) up: fn(&mut Schema),
}

macro_rules! steps {
    ($($module:ident),* $(,)?) => {
        pub(crate) const ALL: &[Step] = &[$(Step { name: stringify!($module), up: $module::up }),*];
    };
}

steps![
    m20261121_000001_foundation,
    m20261122_000001_identity,
    m20261122_000002_platform,
    m20261122_000003_gateway,
    m20261122_000004_conversation,
    m20261122_000005_insight,
    m20261130_000002_identity,
    m20261130_000004_fairness,
    m20261130_000005_erasure_and_retention,
    m20261130_000006_erasure,
    m20261130_000007_erasures,
    m20261130_000008_suggestions,
    m20261130_000010_received_at,
    m20261130_000011_allowed_origins,
    m20261130_000012_filters,
    m20261130_000013_refusals_and_labels,
    m20261130_000014_call_identity,
    m20261130_000015_folded_email,
    m20261130_000016_managed_alert_rules,
    m20261130_000018_quantities,
    m20261130_000019_usage_quantities,
    m20261130_000020_ordered_json,
    m20261130_000021_suggestion_codes,
    m20261130_000022_errors_of_projects,
    m20261130_000023_titles,
    m20261201_000001_delivery,
    // new migrations go above this line
];
