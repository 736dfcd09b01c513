//! Test fixture: conversations on a new database, as after the first start.

use loam_gateway::{CallSettings, Gateway};
use loam_http::client::{Client, Config};
use loam_identity::erasures::DataLocations;
use loam_identity::{BootstrapOptions, Identity};
use loam_kernel::{Actor, Clock, Permissions, Scope, TenantId, UserId};
use loam_platform::notices::Notices;
use loam_platform::seal::Keyring;
use loam_platform::system_config::LiveConfig;
use loam_platform::webhook_deliveries::{DeliverySettings, WebhookDeliveries};
use loam_testkit::Database;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::channels::ChannelLimits;
use crate::chat_sessions::ChatSessionCreate;
use crate::chat_sessions::entity::Model;
use crate::messages::{MessageCreate, entity as messages};
use crate::{ContextSettings, TurnSettings};
use crate::{Conversation, Parts};

const KEY: &str = "loam_abcdefghijkmnpqrstuvwxyz23456789abcdefgh";

pub(crate) struct Fixture {
    pub(crate) clock: Clock,
    pub(crate) identity: Identity,
    pub(crate) conversation: Conversation,
    pub(crate) database: Database,
}

impl Fixture {
    pub(crate) async fn new(database: Database) -> Self {
        let clock = Clock::fixed(Clock::system().now());
        database.db.ensure_partitions(&Scope::system(TenantId::NIL, "test"), clock.now()).await.unwrap();
        let (identity, conversation) = node(&database, &clock, Notices::default());
        let key = Some(Zeroizing::new(KEY.to_owned()));
        identity.bootstrap(BootstrapOptions { api_key: key, password: None }).await.unwrap();
        Self { clock, identity, conversation, database }
    }

    /// Another server on the same database, and its notices.
    pub(crate) fn another(&self) -> (Conversation, Notices) {
        let notices = Notices::default();
        (node(&self.database, &self.clock, notices.clone()).1, notices)
    }

    /// The scope of the application.
    pub(crate) fn scope(&self) -> Scope {
        Scope::new(self.identity.default_tenant().unwrap(), Actor::CommandLine, Permissions::all())
    }

    /// The scope of a user who sees only their own sessions.
    pub(crate) fn own(&self, user: UserId) -> Scope {
        let permissions = ["chat_sessions:read", "chat_sessions:write", "messages:read", "messages:write"]
            .map(str::to_owned);
        let mut scope = Scope::new(self.scope().tenant(), Actor::User(user), Permissions::new(permissions));
        scope.user = Some(user);
        scope
    }

    pub(crate) async fn user(&self, name: &str) -> UserId {
        let new = json!({ "username": name, "email": format!("{name}@example.com") });
        let new = serde_json::from_value(new).unwrap();
        self.identity.create_user(&self.scope(), new).await.unwrap().id
    }

    pub(crate) async fn session(&self, user: Option<UserId>) -> Model {
        let new = ChatSessionCreate { user_id: Some(user), ..ChatSessionCreate::default() };
        self.conversation.sessions.create_session(&self.scope(), new).await.unwrap()
    }

    pub(crate) async fn add_message(&self, session: &Model, content: impl Into<Value>) -> messages::Model {
        let new = MessageCreate {
            session_id: session.id,
            role: messages::Role::User,
            content: Some(content.into()),
            parent_id: None,
            tool_calls: None,
            tool_call_id: None,
            sender_id: None,
            metadata: Map::new(),
        };
        self.conversation.messages.create_message(&self.scope(), new).await.unwrap()
    }
}

fn node(database: &Database, clock: &Clock, notices: Notices) -> (Identity, Conversation) {
    let file = database.folder().join("master.key");
    let keyring = Keyring::open(&file, clock, !file.is_file()).unwrap();
    let client = Client::new(&Config::default()).unwrap();
    let identity = Identity::new(loam_identity::Parts {
        db: database.db.clone(),
        clock: clock.clone(),
        notices: notices.clone(),
        keyring: keyring.clone(),
        client: client.clone(),
        config: loam_identity::Config::default(),
    });
    let gateway = Gateway::new(loam_gateway::Parts {
        db: database.db.clone(),
        clock: clock.clone(),
        notices: notices.clone(),
        identity: identity.clone(),
        keyring: keyring.clone(),
        client: client.clone(),
        timeouts: Config::default().timeouts(),
        journal: None,
        journal_budget: 0,
        config: loam_gateway::Config::default(),
        settings: LiveConfig::fixed(CallSettings::default()),
    });
    let conversation = Conversation::new(Parts {
        db: database.db.clone(),
        clock: clock.clone(),
        notices,
        identity: identity.clone(),
        gateway,
        keyring,
        client,
        journal: None,
        turns: LiveConfig::fixed(TurnSettings::default()),
        context: LiveConfig::fixed(ContextSettings::default()),
        deliveries: WebhookDeliveries::new(
            database.db.clone(),
            clock.clone(),
            LiveConfig::fixed(DeliverySettings::default()),
        ),
        channels: LiveConfig::fixed(ChannelLimits::default()),
    });
    let mut stores = loam_gateway::personal::stores();
    stores.extend(crate::personal::stores(clock));
    stores.extend(loam_identity::personal::stores());
    identity.set_data_locations(DataLocations { stores, tables: Vec::new() });
    (identity, conversation)
}
