//! Streams all data about a person, page by page, in constant memory.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;
use loam_kernel::{ChatSessionId, Error, Result, Scope, UserId};
use loam_platform::personal::{Cursor, PersonQuery, PersonalDataStore, end_user_key};
use sea_orm::{ColumnTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::IntoParams;

use crate::erasures::service::add_names;
use crate::{Identity, users};

/// The permission to export anybody; without it only oneself.
const ALL: &str = "exports:all";
const FORMAT: &str = "loam personal data export 1";
/// Approximate size of a chunk in bytes.
const PART: usize = 64 << 10;

/// The subject of an export: exactly one field.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ExportOf {
    /// User ID.
    pub user_id: Option<UserId>,
    /// Your application's own id of an end user.
    pub end_user: Option<String>,
    /// Session ID.
    pub session_id: Option<ChatSessionId>,
}

/// A running export.
pub struct Export {
    identity: Identity,
    scope: Scope,
    who: PersonQuery,
    stores: Vec<Arc<dyn PersonalDataStore>>,
    store: usize,
    at: Cursor,
    rows: u64,
    first: Option<Value>,
    ended: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    place: &'a str,
    data: Value,
}

impl Identity {
    /// Starts an export and records it in the audit trail.
    pub async fn export_person(&self, scope: &Scope, of: ExportOf) -> Result<Export> {
        let (subject_type, mut who) = match (of.user_id, of.end_user, of.session_id) {
            (Some(id), None, None) => ("user", PersonQuery { users: vec![id], ..PersonQuery::default() }),
            (None, Some(name), None) => {
                let name =
                    end_user_key(&name).ok_or_else(|| Error::invalid("end_user", "must not be empty"))?;
                ("end_user", PersonQuery { end_users: vec![name.into_owned()], ..PersonQuery::default() })
            }
            (None, None, Some(id)) => ("session", PersonQuery::session(id)),
            _ => return Err(Error::invalid("user_id", "give one of `user_id`, `end_user` and `session_id`")),
        };
        if scope.own_only(ALL).is_some_and(|own| who.users != [own]) {
            return Err(Error::forbidden(ALL));
        }
        let tx = self.db.write(scope).await?;
        let find = tx.find::<users::entity::Entity>();
        let user = match (who.users.first(), who.end_users.first()) {
            (Some(id), _) => find.filter(users::entity::Column::Id.eq(*id)).one().await?,
            (None, Some(name)) => find.filter(users::entity::Column::ExternalId.eq(name)).one().await?,
            (None, None) => None,
        };
        if let Some(user) = &user {
            who.users = vec![user.id];
            add_names(&mut who, user);
            who.end_users.dedup();
        }
        let stores = self.data_locations()?.stores.clone();
        for store in &stores {
            store.resolve(&tx, &mut who).await?;
        }
        // the audit trail names the subject only by Loam's own id
        let id = who.users.first().map(|id| id.0).or(who.sessions.first().map(|id| id.0)).unwrap_or_default();
        let notice = self
            .changes
            .record(&tx, "export", "exports", id, json!({ "subject_type": subject_type }))
            .await?;
        self.changes.commit(tx, notice).await?;
        let first = json!({
            "format": FORMAT, "tenant_id": scope.tenant(), "subject_type": subject_type, "created_at": self.clock.now(),
        });
        Ok(Export {
            identity: self.clone(),
            scope: scope.clone(),
            who,
            stores,
            store: 0,
            at: Cursor::default(),
            rows: 0,
            first: Some(first),
            ended: false,
        })
    }
}

impl Export {
    /// Rows exported so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The next lines; none after the last.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        if self.ended {
            return Ok(None);
        }
        let mut lines = Vec::new();
        if let Some(first) = self.first.take() {
            line(&mut lines, &first)?;
        }
        let tx = self.identity.db.read(&self.scope).await?;
        while lines.len() < PART {
            let Some(store) = self.stores.get(self.store) else {
                self.ended = true;
                line(&mut lines, &json!({ "rows": self.rows }))?;
                break;
            };
            let (shown, next) = store.show(&tx, &self.who, self.at).await?;
            for data in shown {
                line(&mut lines, &Line { place: store.name(), data })?;
                self.rows += 1;
            }
            match next {
                Some(next) => self.at = next,
                None => (self.store, self.at) = (self.store + 1, Cursor::default()),
            }
        }
        Ok(Some(lines.into()))
    }

    /// The export as a response body. If the database fails, the stream ends early, without its last line.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes>> + Send {
        futures_util::stream::try_unfold(self, async |mut export| {
            Ok(export.next().await?.map(|lines| (lines, export)))
        })
    }
}

fn line(lines: &mut Vec<u8>, value: &impl Serialize) -> Result<()> {
    serde_json::to_writer(&mut *lines, value).map_err(Error::internal)?;
    lines.push(b'\n');
    Ok(())
}
