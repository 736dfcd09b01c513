//! The tables of this crate and of `loam-jobs` that may store personal data.

use std::sync::Arc;

use loam_jobs::entity as jobs;
use sea_orm::Value as DbValue;
use sea_orm::sea_query::Expr;
use serde::Serialize;
use serde_json::{Value, json};

use super::query::Mention;
use super::{PersonQuery, PersonalDataStore, Rows};
use crate::api_logs::entity as requests;
use crate::api_logs::routes::ApiLogView;
use crate::error_logs::routes::{ErrorGroupView, ErrorLogView};
use crate::error_logs::{ERASED, entity as errors, group};
use crate::pack::unpack_to_show;
use crate::quarantine::entity as quarantine;
use crate::quarantine::routes::QuarantineView;
use crate::webhook_deliveries::entity as deliveries;
use crate::webhook_deliveries::routes::WebhookDeliveryView;

/// The locations of this crate.
pub fn stores() -> Vec<Arc<dyn PersonalDataStore>> {
    vec![
        Arc::new(REQUESTS_BY_USER),
        Arc::new(REQUESTS_MENTIONING),
        Arc::new(ERRORS),
        Arc::new(ERROR_GROUPS),
        Arc::new(DELIVERIES),
        Arc::new(QUARANTINE),
        Arc::new(JOBS),
        Arc::new(JOB_ERRORS),
    ]
}

const REQUESTS_BY_USER: Rows<requests::Entity> = Rows::by_index(
    "api_logs",
    |who| who.by_user(requests::Column::UserId),
    |row: &requests::Model| row.id.0,
    |row: requests::Model| view(ApiLogView::from(row)),
);

const REQUESTS_MENTIONING: Rows<requests::Entity> = Rows::by_full_scan(
    "api_logs",
    request_matches,
    |row: &requests::Model| row.id.0,
    |row: requests::Model| view(ApiLogView::from(row)),
);

const ERRORS: Rows<errors::Entity> = Rows::by_full_scan(
    "error_logs",
    |row: &errors::Model, who: &PersonQuery| {
        let mention = who.mention();
        mention.in_text(&row.error_message)
            || row.stack_trace.as_deref().is_some_and(|trace| mention.in_text(trace))
            || mention.in_json(&row.context)
    },
    |row: &errors::Model| row.id.0,
    |row: errors::Model| view(ErrorLogView::from(row)),
);

const ERROR_GROUPS: Rows<group::Entity> = Rows {
    emptied: Some(|| vec![(group::Column::ErrorMessage, Expr::val(ERASED))]),
    retained: Some("how many errors of a kind there were"),
    ..Rows::by_full_scan(
        "error_groups",
        |row: &group::Model, who: &PersonQuery| who.matches_text(&row.error_message),
        |row: &group::Model| row.id.0,
        |row: group::Model| view(ErrorGroupView::from(row)),
    )
};

const DELIVERIES: Rows<deliveries::Entity> = Rows::by_full_scan(
    "webhook_deliveries",
    |row: &deliveries::Model, who: &PersonQuery| {
        let mention = who.mention();
        mention.in_json(&row.payload)
            || mention.in_text(&row.target)
            || row.error_message.as_deref().is_some_and(|error| mention.in_text(error))
    },
    |row: &deliveries::Model| row.id.0,
    |row: deliveries::Model| view(WebhookDeliveryView::from(row)),
);

const QUARANTINE: Rows<quarantine::Entity> = Rows::by_full_scan(
    "journal_quarantine",
    |row: &quarantine::Model, who: &PersonQuery| {
        let raw = |id: &[u8; 16]| memchr::memmem::find(&row.frame, id).is_some();
        who.matches_bytes(&row.frame)
            || who.matches_text(&row.reason)
            || who.users.iter().any(|id| raw(id.0.as_bytes()))
            || who.sessions.iter().any(|id| raw(id.0.as_bytes()))
    },
    |row: &quarantine::Model| row.id.0,
    |row: quarantine::Model| view(QuarantineView::from(row)),
);

const JOBS: Rows<jobs::Entity> = Rows::by_full_scan(
    "jobs",
    |row: &jobs::Model, who: &PersonQuery| {
        if row.finished_at.is_some() {
            return is_named_in_input(row, &who.mention()) || is_named_in_error(row, who);
        }
        // A pending job that only has the person's ids finds no data and completes; it may also be what deletes some.
        is_named_in_input(row, &who.names_alone().mention())
    },
    |row: &jobs::Model| row.id.0,
    job_view,
);

/// Jobs whose last attempt failed, with an error that names the person, and that are still to be done.
const JOB_ERRORS: Rows<jobs::Entity> = Rows {
    emptied: Some(|| vec![(jobs::Column::LastError, null())]),
    ..Rows::by_full_scan(
        "jobs",
        |row: &jobs::Model, who: &PersonQuery| row.finished_at.is_none() && is_named_in_error(row, who),
        |row: &jobs::Model| row.id.0,
        job_view,
    )
};

fn is_named_in_input(row: &jobs::Model, mention: &Mention<'_>) -> bool {
    mention.in_json(&row.payload) || row.unique_key.as_deref().is_some_and(|key| mention.in_text(key))
}

fn is_named_in_error(row: &jobs::Model, who: &PersonQuery) -> bool {
    row.last_error.as_deref().is_some_and(|error| who.matches_text(error))
}

fn job_view(row: jobs::Model) -> Value {
    json!({
        "id": row.id, "kind": row.kind, "payload": row.payload, "last_error": row.last_error,
        "created_at": row.created_at,
    })
}

pub(super) fn request_matches(row: &requests::Model, who: &PersonQuery) -> bool {
    // those of the person's own user are found by `REQUESTS_BY_USER`
    if row.user_id.is_some_and(|id| who.users.contains(&id)) {
        return false;
    }
    let mention = who.mention();
    let named = |text: Option<&str>| text.is_some_and(|text| mention.in_text(text));
    let in_json = |value: Option<&Value>| value.is_some_and(|value| mention.in_json(value));
    let in_body = |packed: Option<&[u8]>| {
        let Some(kept) = packed.and_then(unpack_to_show) else { return false };
        match serde_json::from_slice(&kept.body) {
            Ok(value) => mention.in_json(&value),
            Err(_) => mention.in_text(&String::from_utf8_lossy(&kept.body)),
        }
    };
    named(Some(&row.path))
        || named(row.session_id.as_deref())
        || in_json(row.query_params.as_ref())
        || in_json(row.headers.as_ref())
        || in_body(row.body.as_deref())
        || in_body(row.response_body.as_deref())
}

/// The API's JSON of a row.
pub(crate) fn view(shown: impl Serialize) -> Value {
    serde_json::to_value(shown).unwrap_or_default()
}

/// Null, for a column that is emptied.
pub fn null() -> sea_orm::sea_query::SimpleExpr {
    Expr::val(DbValue::String(None))
}
