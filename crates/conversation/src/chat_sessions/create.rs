//! Creates sessions.

use chrono::{DateTime, Utc};
use loam_db::Tx;
use loam_http::surface::present;
use loam_kernel::{
    AiProviderId, ChannelId, ChatSessionId, Error, ProjectId, Result, Scope, TenantId, UserId, bounded,
};
use loam_platform::changes::Audited;
use sea_orm::{ActiveModelTrait, IntoActiveModel};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::access::{self, ALL};
use super::entity::{ActiveModel, Entity, Model, SessionStatus};
use crate::chat_sessions::Sessions;
use crate::checks;

/// The default title of a session.
pub(crate) const DEFAULT_TITLE: &str = "New chat";
/// Maximum length of a system prompt, in characters.
const MAX_PROMPT: usize = 200_000;

/// A session to create.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChatSessionCreate {
    /// Title. Defaults to `New chat`.
    pub title: Option<String>,
    /// ID of the user who owns it. Defaults to the caller's user; null for a session of the application.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<UserId>)]
    pub user_id: Option<Option<UserId>>,
    /// Project ID. Defaults to the project of the API key.
    pub project_id: Option<ProjectId>,
    /// Your own ID of the session; unique in the tenant.
    pub external_id: Option<String>,
    /// ID of the provider that answers, unless a turn names another model.
    pub provider_id: Option<AiProviderId>,
    /// With a provider: its model. Without: a route or `provider/model`.
    pub model: Option<String>,
    /// System prompt.
    pub system_prompt: Option<String>,
    /// Your own data; never interpreted. At most 64 kB.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

/// A new session.
#[derive(Clone, Debug)]
pub(crate) struct NewSession {
    pub(crate) id: ChatSessionId,
    pub(crate) user: Option<UserId>,
    pub(crate) project: Option<ProjectId>,
    pub(crate) channel: Option<ChannelId>,
    pub(crate) external_id: Option<String>,
    pub(crate) title: String,
    pub(crate) provider: Option<AiProviderId>,
    pub(crate) model: Option<String>,
    pub(crate) system_prompt: Option<String>,
    pub(crate) status: SessionStatus,
    pub(crate) metadata: Value,
    pub(crate) at: DateTime<Utc>,
}

impl NewSession {
    /// The row, without messages.
    pub(crate) fn row(self) -> Model {
        Model {
            tenant_id: TenantId::NIL,
            id: self.id,
            user_id: self.user,
            project_id: self.project,
            channel_id: self.channel,
            external_id: self.external_id,
            title: self.title,
            provider_id: self.provider,
            model: self.model,
            system_prompt: self.system_prompt,
            status: self.status,
            is_active: self.status == SessionStatus::Active,
            message_count: 0,
            head_id: None,
            first_message_at: None,
            last_message_at: None,
            last_activity: self.at,
            metadata: self.metadata,
            created_at: self.at,
            updated_at: self.at,
        }
    }
}

/// The objects that a session refers to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct References {
    pub(crate) user: Option<UserId>,
    pub(crate) project: Option<ProjectId>,
    pub(crate) provider: Option<AiProviderId>,
}

impl Sessions {
    /// Creates a session.
    pub async fn create_session(&self, scope: &Scope, new: ChatSessionCreate) -> Result<Model> {
        let user = owner(scope, new.user_id)?;
        check_texts(
            new.title.as_deref(),
            new.external_id.as_deref(),
            new.model.as_deref(),
            new.system_prompt.as_deref(),
        )?;
        checks::metadata(&new.metadata)?;
        let project = new.project_id.or(scope.project);
        let references =
            References { user: user.filter(|_| user != scope.user), project, provider: new.provider_id };
        let tx = self.0.db.write(scope).await?;
        self.check_references(&tx, references).await?;
        let row = NewSession {
            id: self.0.clock.id(),
            user,
            project,
            channel: None,
            external_id: new.external_id,
            title: new.title.unwrap_or_else(|| DEFAULT_TITLE.to_owned()),
            provider: new.provider_id,
            model: new.model,
            system_prompt: new.system_prompt,
            status: SessionStatus::Active,
            metadata: new.metadata.into(),
            at: self.0.clock.now(),
        };
        let session = insert(&tx, row.row()).await?;
        let notice = self.session_changed(&tx, "create", &session, Entity::view(&session)).await?;
        self.0.changes.commit(tx, notice).await?;
        Ok(session)
    }

    /// Rejects references to objects that the tenant does not have.
    pub(crate) async fn check_references<R>(&self, tx: &Tx<R>, to: References) -> Result<()> {
        let missing = |param: &str, what: &str| Err(Error::invalid(param, format!("no such {what}")));
        match to {
            References { user: Some(id), .. } if !self.0.identity.has_user(tx, id).await? => {
                missing("user_id", "user")
            }
            References { project: Some(id), .. } if !self.0.identity.has_project(tx, id).await? => {
                missing("project_id", "project")
            }
            References { provider: Some(id), .. } if !self.0.gateway.has_provider(tx, id).await? => {
                missing("provider_id", "provider")
            }
            _ => Ok(()),
        }
    }
}

/// The owner of a new session. Callers limited to their own sessions can only create their own.
pub(crate) fn owner(scope: &Scope, given: Option<Option<UserId>>) -> Result<Option<UserId>> {
    match (access::own_only(scope), given) {
        (None, given) => Ok(given.unwrap_or(scope.user)),
        (own, None) => Ok(own),
        (own, Some(given)) if given == own => Ok(own),
        _ => Err(Error::forbidden(ALL).with_param("user_id")),
    }
}

/// Inserts a session.
pub(crate) async fn insert<R>(tx: &Tx<R>, row: Model) -> Result<Model> {
    let row: ActiveModel = row.into_active_model().reset_all();
    tx.insert(row).await.map_err(external_id_taken)
}

pub(super) fn external_id_taken(error: Error) -> Error {
    loam_db::already_exists("external_id", "a session with this external_id already exists")(error)
}

/// Validates the given texts.
pub(crate) fn check_texts(
    title: Option<&str>,
    external_id: Option<&str>,
    model: Option<&str>,
    system_prompt: Option<&str>,
) -> Result<()> {
    for (param, text, max) in [
        ("title", title, 200),
        ("external_id", external_id, 255),
        ("model", model, 200),
        ("system_prompt", system_prompt, MAX_PROMPT),
    ] {
        text.map_or(Ok(()), |text| bounded(param, text, max))?;
    }
    Ok(())
}
