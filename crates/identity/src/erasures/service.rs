//! The rules of erasures.

use chrono::{DateTime, Utc};
use loam_db::{Tenant, Tx};
use loam_jobs::{NewJob, enqueue};
use loam_kernel::{
    Actor, ChatSessionId, ErasureId, Error, Kind, Page, PageQuery, Result, Scope, TenantId, UserId, bounded,
    hex,
};
use loam_platform::notices::Notice;
use loam_platform::personal::erased;
use loam_platform::personal::erasure::{ActiveModel, Column, Entity, ErasureState, Model, SubjectType};
use loam_platform::personal::{Guard, PersonQuery, Subject, end_user_key};
use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, Set};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use utoipa::{IntoParams, ToSchema};

use super::run::{Run, RunErasure};
use crate::{Identity, api_keys, projects, users};

/// The permission to erase anybody; without it only oneself.
const ALL: &str = "erasures:all";
/// Maximum number of runs of an erasure: high enough that it is never given up.
const RUNS: u16 = 1000;

/// The subject of an erasure.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ErasureSubject {
    /// The type of the subject.
    #[serde(rename = "type")]
    pub subject_type: SubjectType,
    /// Its id; for an end user the application's own id: `user` of calls, `external_id` of users.
    pub id: String,
}

/// A new erasure.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ErasureCreate {
    /// The subject.
    pub subject: ErasureSubject,
    /// Required for a tenant that is not archived: its slug, so that none is erased by mistake.
    pub confirm: Option<String>,
}

/// Filters for erasures.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ErasureFilter {
    /// Only erasures in this state.
    pub state: Option<ErasureState>,
    /// Only erasures of this type of subject.
    pub subject_type: Option<SubjectType>,
}

impl Identity {
    /// Lists the tenant's erasures, newest first.
    pub async fn list_erasures(
        &self,
        scope: &Scope,
        filter: ErasureFilter,
        page: &PageQuery,
    ) -> Result<Page<Model>> {
        let tx = self.db.read(scope).await?;
        let mut find = tx.find::<Entity>();
        if let Some(state) = filter.state {
            find = find.filter(Column::State.eq(state));
        }
        if let Some(subject_type) = filter.subject_type {
            find = find.filter(Column::SubjectType.eq(subject_type));
        }
        if let Some(own) = scope.own_only(ALL) {
            find = find.filter(Column::SubjectId.eq(own.to_string()));
        }
        find.page(page, |row| row.id.0).await
    }

    /// Returns an erasure.
    pub async fn get_erasure(&self, scope: &Scope, id: ErasureId) -> Result<Model> {
        let row = self.db.read(scope).await?.get::<Entity>(id).await?;
        let own = scope.own_only(ALL).map(|own| own.to_string());
        row.filter(|row| own.is_none() || row.subject_id == own).ok_or_else(|| Error::not_found("erasure"))
    }

    /// Starts an erasure: the subject's access ends before this returns, and a job removes the rest.
    pub async fn create_erasure(&self, scope: &Scope, new: ErasureCreate) -> Result<Model> {
        let ErasureCreate { subject: ErasureSubject { subject_type, id }, confirm } = new;
        bounded("subject.id", &id, 1000)?;
        let wrong = |what: &str| Error::invalid("subject.id", format!("must be the id of a {what}"));
        match subject_type {
            SubjectType::User => self.erase_user(scope, id.parse().map_err(|_| wrong("user"))?).await,
            SubjectType::EndUser => self.erase_end_user(scope, &id).await,
            SubjectType::Session => {
                self.erase_session(scope, id.parse().map_err(|_| wrong("session"))?).await
            }
            SubjectType::Tenant => {
                self.erase_tenant(scope, id.parse().map_err(|_| wrong("tenant"))?, confirm).await
            }
        }
    }

    /// Erases a user. A user who no longer exists may have left data.
    async fn erase_user(&self, scope: &Scope, id: UserId) -> Result<Model> {
        if scope.own_only(ALL).is_some_and(|own| own != id) {
            return Err(Error::forbidden(ALL).with_param("subject.id"));
        }
        let tx = self.db.write(scope).await?;
        let user = tx.get_locked::<users::entity::Entity>(id).await?;
        self.erase_found_user(tx, id, user).await
    }

    /// Erases a user who must exist, for callers that may delete users.
    pub(crate) async fn erase_existing_user(&self, scope: &Scope, id: UserId) -> Result<Model> {
        let tx = self.db.write(scope).await?;
        let user =
            tx.get_locked::<users::entity::Entity>(id).await?.ok_or_else(|| Error::not_found("user"))?;
        self.erase_found_user(tx, id, Some(user)).await
    }

    async fn erase_found_user(
        &self,
        tx: Tx<Tenant>,
        id: UserId,
        user: Option<users::entity::Model>,
    ) -> Result<Model> {
        let mut who = PersonQuery { users: vec![id], ..PersonQuery::default() };
        user.iter().for_each(|user| add_names(&mut who, user));
        add_keys(&tx, &mut who).await?;
        self.begin_erasure(tx, (SubjectType::User, id.to_string()), who, user.as_slice()).await
    }

    async fn erase_end_user(&self, scope: &Scope, name: &str) -> Result<Model> {
        require_all(scope)?;
        let name = end_user_key(name).ok_or_else(|| Error::invalid("subject.id", "must not be empty"))?;
        let tx = self.db.write(scope).await?;
        // the application's id of a person, in calls and in users: it is the same person
        let find = tx.find::<users::entity::Entity>().filter(users::entity::Column::ExternalId.eq(&*name));
        let user = find.locked().one().await?;
        let mut who = PersonQuery { end_users: vec![name.to_string()], ..PersonQuery::default() };
        if let Some(user) = &user {
            who.users.push(user.id);
            add_names(&mut who, user);
        }
        who.end_users.dedup();
        add_keys(&tx, &mut who).await?;
        self.begin_erasure(tx, (SubjectType::EndUser, name.into_owned()), who, user.as_slice()).await
    }

    async fn erase_session(&self, scope: &Scope, id: ChatSessionId) -> Result<Model> {
        require_all(scope)?;
        let tx = self.db.write(scope).await?;
        self.begin_erasure(tx, (SubjectType::Session, id.to_string()), PersonQuery::session(id), &[]).await
    }

    async fn begin_erasure(
        &self,
        tx: Tx<Tenant>,
        (subject_type, id): (SubjectType, String),
        who: PersonQuery,
        users: &[users::entity::Model],
    ) -> Result<Model> {
        let mut ended = Vec::new();
        for user in users {
            self.check_above(&tx, user).await?;
            ended.extend(self.remove_account(&tx, user).await?);
        }
        let searched = serde_json::to_value(&who).map_err(Error::internal)?;
        let row = self.new_erasure(&tx, (subject_type, id), Some(searched)).await?;
        let tenant = tx.scope().tenant();
        let named = who.users.iter().map(|id| Subject::User(*id));
        let named = named.chain(who.end_users.iter().map(|name| Subject::EndUser(name)));
        let named = named.chain(who.names.iter().map(|name| Subject::Name(name)));
        let sessions: Vec<String> = who.sessions.iter().map(ToString::to_string).collect();
        let named = named.chain(sessions.iter().map(|id| Subject::Session(id)));
        let digests = named.map(|subject| self.guard.digest(tenant, subject)).collect();
        self.insert_digests(&tx, row.id, digests).await?;
        let changes = json!({ "subject_type": row.subject_type, "subject_digest": row.subject_digest });
        let notice = self.changes.record(&tx, "create", "erasures", row.id, changes).await?;
        for user in users {
            self.check_owner_left(&tx, user).await?;
        }
        self.changes.commit(tx, notice).await?;
        ended.iter().for_each(|notice| self.notices.publish(notice));
        Ok(row)
    }

    /// Deletes the user, keys and login sessions immediately; the job removes the rest.
    async fn remove_account(&self, tx: &Tx<Tenant>, user: &users::entity::Model) -> Result<Vec<Notice>> {
        use projects::entity::{Column as Project, Entity as Projects};
        let mut notices = Vec::new();
        let owned = tx.find::<Projects>().filter(Project::OwnerId.eq(user.id)).locked().all().await?;
        for project in owned {
            let mut row = project.into_active_model();
            row.owner_id = Set(None);
            let project = self.changes.save(tx, row).await?;
            let changes = json!({ "owner_id": null, "reason": "the owner was deleted" });
            notices.push(self.changes.record(tx, "update", "projects", project.id, changes).await?);
        }
        tx.delete::<users::entity::Entity>().filter(users::entity::Column::Id.eq(user.id)).exec().await?;
        notices.push(self.changes.record_row::<users::entity::Entity>(tx, "delete", user).await?);
        Ok(notices)
    }

    /// Inserts the row and the job of an erasure.
    pub(super) async fn new_erasure<R>(
        &self,
        tx: &Tx<R>,
        (subject_type, subject): (SubjectType, String),
        searched: Option<serde_json::Value>,
    ) -> Result<Model> {
        let (id, now): (ErasureId, DateTime<Utc>) = (self.clock.id(), self.clock.now());
        let row = ActiveModel {
            tenant_id: Set(TenantId::NIL),
            id: Set(id),
            subject_type: Set(subject_type),
            subject_digest: Set(digest(id, &subject)),
            subject_id: Set(Some(subject)),
            searched: Set(searched),
            state: Set(ErasureState::Running),
            actor: Set(match tx.scope().actor() {
                // the actor's label contains the name that is to be erased
                Actor::EndUser(_) => "end_user".to_owned(),
                actor => actor.label(),
            }),
            removed: Set(json!({})),
            receipt: Set(None),
            guarded_until: Set(now + Guard::RETENTION),
            completed_at: Set(None),
            created_at: Set(now),
            updated_at: Set(now),
        };
        let row = tx.insert(row).await?;
        enqueue(tx, &self.clock, NewJob::new(RunErasure::KIND, Run { erasure_id: id }).attempts(RUNS))
            .await?;
        Ok(row)
    }

    /// Stores the digests of the erased subjects.
    pub(super) async fn insert_digests(
        &self,
        tx: &Tx<Tenant>,
        erasure: ErasureId,
        digests: Vec<Vec<u8>>,
    ) -> Result<()> {
        for digest in digests {
            let row = erased::ActiveModel {
                tenant_id: Set(TenantId::NIL),
                id: Set(self.clock.id()),
                erasure_id: Set(erasure),
                digest: Set(digest),
                before: Set(None),
                created_at: Set(self.clock.now()),
            };
            tx.insert(row).await?;
        }
        Ok(())
    }
}

impl Identity {
    /// Deletes digests that are older than any data a node could still drain.
    pub(crate) async fn delete_old_digests(&self, scope: &Scope) -> Result<()> {
        let tx = self.db.system_write(scope).await?;
        let old = erased::Column::CreatedAt.lt(self.clock.now() - Guard::RETENTION);
        tx.delete_any::<erased::Entity>()
            .filter(old)
            .filter(erased::Column::Before.is_not_null())
            .exec()
            .await?;
        tx.commit().await
    }
}

/// The digest that identifies a subject after its name is erased, for those who know the name.
fn digest(erasure: ErasureId, subject: &str) -> String {
    let digest =
        Sha256::new().chain_update(erasure.to_string()).chain_update([0]).chain_update(subject).finalize();
    format!("sha256:{}", hex(digest))
}

/// Adds the keys of the person's users.
async fn add_keys(tx: &Tx<Tenant>, who: &mut PersonQuery) -> Result<()> {
    for condition in who.by_user(api_keys::entity::Column::UserId) {
        let keys = tx.find::<api_keys::entity::Entity>().filter(condition).all().await?;
        who.keys.extend(keys.into_iter().map(|key| key.id));
    }
    Ok(())
}

/// Adds everything that identifies a user.
pub(crate) fn add_names(who: &mut PersonQuery, user: &users::entity::Model) {
    if let Some(name) = user.external_id.as_deref().and_then(end_user_key) {
        who.end_users.push(name.into_owned());
    }
    who.names.extend([user.username.clone(), user.email.clone()]);
}

fn require_all(scope: &Scope) -> Result<()> {
    match scope.own_only(ALL) {
        Some(_) => Err(Error::forbidden(ALL).with_param("subject.type")),
        None => Ok(()),
    }
}

/// The error while an erasure is not completed.
pub(super) fn not_completed() -> Error {
    let message = "the erasure is not completed; the receipt is available when its state is `completed`";
    Error::new(Kind::Conflict, "erasure_running", message)
}
