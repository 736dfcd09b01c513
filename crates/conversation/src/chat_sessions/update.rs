//! Changes sessions.

use loam_db::Tx;
use loam_http::surface::present;
use loam_kernel::{
    AiProviderId, ChatSessionId, Error, ExpectedVersion, Kind, MessageId, ProjectId, Result, Scope, UserId,
};
use loam_platform::changes::check_version;
use loam_platform::notices;
use sea_orm::{IntoActiveModel, Set};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::access;
use super::create::{References, check_texts, external_id_taken, owner};
use super::entity::{Entity, Model, SessionStatus};
use crate::chat_sessions::Sessions;
use crate::{checks, messages};

/// A change of a session. Omitted fields keep their values.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChatSessionUpdate {
    /// Title.
    pub title: Option<String>,
    /// ID of the user who owns it; null for a session of the application.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<UserId>)]
    pub user_id: Option<Option<UserId>>,
    /// Project ID; null for none.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<ProjectId>)]
    pub project_id: Option<Option<ProjectId>>,
    /// Your own ID of the session; null removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub external_id: Option<Option<String>>,
    /// ID of the provider that answers; null for none in particular.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<AiProviderId>)]
    pub provider_id: Option<Option<AiProviderId>>,
    /// Model that answers; null for none in particular.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub model: Option<Option<String>>,
    /// System prompt; null for none.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub system_prompt: Option<Option<String>>,
    /// `archived` archives it, `active` reactivates it.
    pub status: Option<SessionStatus>,
    /// The same as a flag. Give one of them, or consistent values.
    pub is_active: Option<bool>,
    /// ID of the message that the next one follows. Selects the branch to continue.
    pub head_id: Option<MessageId>,
    /// Fields of your own data to change; null removes a field. Never interpreted. At most 64 kB in all.
    pub metadata: Option<Map<String, Value>>,
}

impl ChatSessionUpdate {
    /// The requested status, given by either field.
    fn status(&self) -> Result<Option<SessionStatus>> {
        let flag = self.is_active.map(|active| match active {
            true => SessionStatus::Active,
            false => SessionStatus::Archived,
        });
        match (self.status, flag) {
            (Some(status), Some(flag)) if status != flag => {
                Err(Error::invalid("is_active", "contradicts `status`; give only one of them"))
            }
            (status, flag) => Ok(status.or(flag)),
        }
    }

    /// The audited view of the change. User-written texts are recorded only as "changed", because audit
    /// records are never deleted.
    fn audit_changes(&self, status: Option<SessionStatus>) -> Value {
        let mut changes = Map::new();
        let mut add = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                changes.insert(name.to_owned(), value);
            }
        };
        add("title", self.title.as_ref().map(|_| json!("changed")));
        add("user_id", self.user_id.map(|id| json!(id)));
        add("project_id", self.project_id.map(|id| json!(id)));
        add("external_id", self.external_id.as_ref().map(|_| json!("changed")));
        add("provider_id", self.provider_id.map(|id| json!(id)));
        add("model", self.model.as_ref().map(|model| json!(model)));
        add("system_prompt", self.system_prompt.as_ref().map(|_| json!("changed")));
        add("status", status.map(|status| json!(status)));
        add("head_id", self.head_id.map(|id| json!(id)));
        add("metadata", self.metadata.as_ref().map(|_| json!("changed")));
        changes.into()
    }
}

impl Sessions {
    /// Changes a session.
    pub async fn update_session(
        &self,
        scope: &Scope,
        id: ChatSessionId,
        version: &ExpectedVersion,
        new: ChatSessionUpdate,
    ) -> Result<Model> {
        let status = new.status()?;
        check_texts(
            new.title.as_deref(),
            new.external_id.as_ref().and_then(|text| text.as_deref()),
            new.model.as_ref().and_then(|text| text.as_deref()),
            new.system_prompt.as_ref().and_then(|text| text.as_deref()),
        )?;
        if new.user_id.is_some() {
            owner(scope, new.user_id)?;
        }
        let tx = self.0.db.write(scope).await?;
        let old = access::get_locked(&tx, id).await?;
        check_version::<Entity>(Some(&old), version)?;
        let references = References {
            user: new.user_id.flatten(),
            project: new.project_id.flatten(),
            provider: new.provider_id.flatten(),
        };
        self.check_references(&tx, references).await?;
        if let Some(head) = new.head_id {
            messages::of_session(&tx, &old, "head_id", head).await?;
        }
        let (owner_before, changes) = (old.user_id, new.audit_changes(status));
        let mut row = old.into_active_model();
        new.title.map(|title| row.title = Set(title));
        new.user_id.map(|user| row.user_id = Set(user));
        new.project_id.map(|project| row.project_id = Set(project));
        new.external_id.map(|external_id| row.external_id = Set(external_id));
        new.provider_id.map(|provider| row.provider_id = Set(provider));
        new.model.map(|model| row.model = Set(model));
        new.system_prompt.map(|prompt| row.system_prompt = Set(prompt));
        new.head_id.map(|head| row.head_id = Set(Some(head)));
        if let Some(change) = new.metadata {
            row.metadata = Set(checks::merged_metadata(row.metadata.as_ref(), change)?);
        }
        if let Some(status) = status {
            row.status = Set(status);
            row.is_active = Set(status == SessionStatus::Active);
        }
        let session = self.0.changes.save(&tx, row).await.map_err(external_id_taken)?;
        let notice = self.session_changed(&tx, "update", &session, changes).await?;
        // The list of the previous owner has changed too.
        let previous_owner = match owner_before != session.user_id {
            true => Some(notices::announce(&tx, &self.0.clock, super::TOPIC, id.0, owner_before).await?),
            false => None,
        };
        self.0.changes.commit(tx, notice).await?;
        previous_owner.iter().for_each(|notice| self.0.notices.publish(notice));
        Ok(session)
    }
}

/// Rejects changes of the messages of an archived session.
pub(crate) fn require_active(session: &Model) -> Result<()> {
    if session.is_active {
        return Ok(());
    }
    let message = "this session is archived; set its status to `active` first";
    Err(Error::new(Kind::Conflict, "session_archived", message))
}

/// An active session that the caller may see, locked.
pub(crate) async fn get_active<R>(tx: &Tx<R>, id: ChatSessionId) -> Result<Model> {
    let session = access::get_locked(tx, id).await?;
    require_active(&session)?;
    Ok(session)
}
