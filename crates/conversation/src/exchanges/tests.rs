//! Recording exchanges, on real SQL.

use loam_db::Db;
use loam_gateway::hook::{
    ChatMessage, ChatRole, ConversationHook, ConversationRef, Exchange, Finish, ResponseEnd,
};
use loam_kernel::{Actor, ChatSessionId, Clock, Kind, LlmCallId, Permissions, Scope, TenantId, UserId};
use loam_testkit::{Database, on_both};
use sea_orm::{IntoActiveModel, QueryOrder, Set};
use serde_json::json;

use crate::Conversation;
use crate::chat_sessions::entity::{self as sessions, SessionStatus};
use crate::messages::entity::{Column, Entity, FinishReason, Model, Role};
use crate::tests::fixture;

on_both![
    repeated_messages_are_stored_once,
    an_edited_message_starts_a_branch,
    a_system_message_is_stored_once,
    a_repeated_exchange_is_recorded_once,
    a_deferred_answer_completes_the_stored_message,
    client_tool_calls_are_recorded,
    concurrent_exchanges_are_not_interleaved,
    another_users_session_is_not_found,
    an_archived_session_accepts_no_messages,
];

pub(crate) struct Fixture {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) conversation: Conversation,
    pub(crate) scope: Scope,
    pub(crate) session: ChatSessionId,
    /// Deleted with the fixture.
    _database: Database,
}

impl Fixture {
    pub(crate) async fn new(database: Database) -> Self {
        let fixture = fixture::Fixture::new(database).await;
        let (scope, session) = (fixture.scope(), ChatSessionId::NIL);
        let fixture::Fixture { clock, conversation, database, .. } = fixture;
        let mut fixture =
            Self { db: database.db.clone(), clock, conversation, scope, session, _database: database };
        fixture.session = fixture.session("the one", None).await;
        fixture
    }

    async fn session(&self, external_id: &str, user: Option<UserId>) -> ChatSessionId {
        let now = self.clock.now();
        let row = sessions::ActiveModel {
            tenant_id: Set(TenantId::NIL),
            id: Set(self.clock.id()),
            user_id: Set(user),
            project_id: Set(None),
            channel_id: Set(None),
            external_id: Set(Some(external_id.to_owned())),
            title: Set("New chat".to_owned()),
            provider_id: Set(None),
            model: Set(None),
            system_prompt: Set(Some("be kind".to_owned())),
            status: Set(SessionStatus::Active),
            is_active: Set(true),
            message_count: Set(0),
            head_id: Set(None),
            first_message_at: Set(None),
            last_message_at: Set(None),
            last_activity: Set(now),
            metadata: Set(json!({})),
            created_at: Set(now),
            updated_at: Set(now),
        };
        let tx = self.db.write(&self.scope).await.unwrap();
        let id = tx.insert(row).await.unwrap().id;
        tx.commit().await.unwrap();
        id
    }

    /// An exchange of messages: `u…` from the user, `a…` from the model, `s…` from the system.
    fn exchange(&self, request: &[&str], answer: &str) -> Exchange {
        let message = |text: &&str| {
            let speaker = match text.as_bytes()[0] {
                b'a' => ChatRole::Assistant,
                b's' => ChatRole::System,
                _ => ChatRole::User,
            };
            ChatMessage::text(speaker, *text)
        };
        Exchange {
            conversation: ConversationRef {
                tenant: self.scope.tenant(),
                user: None,
                own_only: None,
                name: "the one".to_owned(),
                session: Some(self.session),
            },
            call: self.clock.id(),
            model: "mock/m".to_owned(),
            request_messages: request.iter().map(message).collect(),
            response: ChatMessage::text(ChatRole::Assistant, answer),
            ended: ResponseEnd::Finished(Finish::Stop),
            tokens: Some((3, 4)),
        }
    }

    async fn record(&self, request: &[&str], answer: &str) {
        self.conversation.exchanges.store_exchange(self.exchange(request, answer)).await.unwrap();
    }

    async fn messages(&self) -> Vec<Model> {
        let tx = self.db.read(&self.scope).await.unwrap();
        tx.find::<Entity>().order_by_asc(Column::SequenceNumber).all().await.unwrap()
    }

    /// Each message with its parent.
    async fn messages_with_parents(&self) -> Vec<(String, String)> {
        let all = self.messages().await;
        let text = |id| all.iter().find(|one| Some(one.id) == id).map_or("-", |one| one.content.as_str());
        all.iter().map(|one| (text(one.parent_id).to_owned(), one.content.clone())).collect()
    }
}

fn chain(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(parent, text)| ((*parent).to_owned(), (*text).to_owned())).collect()
}

async fn repeated_messages_are_stored_once(database: Database) {
    let fixture = Fixture::new(database).await;
    fixture.record(&["u1"], "a1").await;
    fixture.record(&["u1", "a1", "u2"], "a2").await;
    fixture.record(&["u2", "a2", "u3"], "a3").await;
    fixture.record(&["u4 alone"], "a4").await;
    let expected = chain(&[
        ("-", "u1"),
        ("u1", "a1"),
        ("a1", "u2"),
        ("u2", "a2"),
        ("a2", "u3"),
        ("u3", "a3"),
        ("a3", "u4 alone"),
        ("u4 alone", "a4"),
    ]);
    assert_eq!(fixture.messages_with_parents().await, expected);
    let all = fixture.messages().await;
    assert_eq!(all.iter().map(|one| one.sequence_number).collect::<Vec<_>>(), (1..=8).collect::<Vec<_>>());
    let answer = &all[1];
    assert_eq!((answer.role, answer.finish_reason), (Role::Assistant, Some(FinishReason::Stop)));
    assert_eq!((answer.prompt_tokens, answer.completion_tokens), (Some(3), Some(4)));
    assert_eq!(answer.model.as_deref(), Some("mock/m"));
    assert!(answer.llm_call_id.is_some() && all[0].llm_call_id.is_none());
}

async fn an_edited_message_starts_a_branch(database: Database) {
    let fixture = Fixture::new(database).await;
    fixture.record(&["u1"], "a1").await;
    fixture.record(&["u1", "a1", "u2"], "a2").await;
    fixture.record(&["u1", "a1", "u2 edited"], "a3").await;
    fixture.record(&["u1", "a1", "u2"], "a2 again").await;
    fixture.record(&["u1", "a1", "u2 edited", "a3", "u4"], "a4").await;
    let branches =
        chain(&[("a1", "u2 edited"), ("u2 edited", "a3"), ("u2", "a2 again"), ("a3", "u4"), ("u4", "a4")]);
    assert_eq!(fixture.messages_with_parents().await[4..], branches);
    let tx = fixture.db.read(&fixture.scope).await.unwrap();
    let session = tx.get::<sessions::Entity>(fixture.session).await.unwrap().unwrap();
    assert_eq!(session.message_count, 9);
    assert_eq!(session.head_id, fixture.messages().await.last().map(|last| last.id));
}

async fn a_system_message_is_stored_once(database: Database) {
    let fixture = Fixture::new(database).await;
    fixture.record(&["s: be brief", "u1"], "a1").await;
    fixture.record(&["s: be brief", "u1", "a1", "u2"], "a2").await;
    fixture.record(&["s: it is Monday", "u1", "a1", "u2", "a2", "u3"], "a3").await;
    let expected = chain(&[
        ("-", "s: be brief"),
        ("s: be brief", "u1"),
        ("u1", "a1"),
        ("a1", "u2"),
        ("u2", "a2"),
        ("a2", "s: it is Monday"),
        ("s: it is Monday", "u3"),
        ("u3", "a3"),
    ]);
    assert_eq!(fixture.messages_with_parents().await, expected);
    let mut own = fixture.exchange(&["u1", "a1", "u2", "a2", "u3", "a3", "u4"], "a4");
    own.request_messages.insert(0, ChatMessage::text(ChatRole::System, "be kind"));
    fixture.conversation.exchanges.store_exchange(own).await.unwrap();
    assert_eq!(
        fixture.messages_with_parents().await[8..],
        chain(&[("a3", "u4"), ("u4", "a4")]),
        "the session's own system prompt"
    );
}

async fn a_repeated_exchange_is_recorded_once(database: Database) {
    let fixture = Fixture::new(database).await;
    let exchange = fixture.exchange(&["u1"], "a1");
    for _ in 0..3 {
        fixture.conversation.exchanges.store_exchange(exchange.clone()).await.unwrap();
    }
    assert_eq!(fixture.messages_with_parents().await, chain(&[("-", "u1"), ("u1", "a1")]));
}

async fn a_deferred_answer_completes_the_stored_message(database: Database) {
    let fixture = Fixture::new(database).await;
    let late = fixture.exchange(&["u1"], "a1");
    fixture.record(&["u1", "a1", "u2"], "a2").await;
    fixture.conversation.exchanges.store_exchange(late.clone()).await.unwrap();
    let expected = chain(&[("-", "u1"), ("u1", "a1"), ("a1", "u2"), ("u2", "a2")]);
    assert_eq!(fixture.messages_with_parents().await, expected);
    assert_eq!(fixture.messages().await[1].llm_call_id, Some(late.call));
}

async fn client_tool_calls_are_recorded(database: Database) {
    let fixture = Fixture::new(database).await;
    let mut first = fixture.exchange(&["u1"], "");
    first.response.tool_calls =
        Some(json!([{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}]));
    first.ended = ResponseEnd::Finished(Finish::ToolCalls);
    let tool_calls = first.response.clone();
    let call = first.call;
    fixture.conversation.exchanges.store_exchange(first).await.unwrap();
    let mut second = fixture.exchange(&["u1"], "a2");
    let result =
        ChatMessage { tool_call_id: Some("c1".to_owned()), ..ChatMessage::text(ChatRole::Tool, "rain") };
    second.request_messages.extend([tool_calls, result]);
    let rows = async || {
        let page = loam_kernel::PageQuery::default();
        let filter = loam_gateway::tool_calls::routes::ToolCallFilter::default();
        fixture
            .conversation
            .tools
            .0
            .gateway
            .list_tool_calls(&fixture.scope, filter, &page)
            .await
            .unwrap()
            .data
    };
    assert_eq!(format!("{:?}", rows().await[0].status), "Waiting");
    fixture.conversation.exchanges.store_exchange(second).await.unwrap();
    let row = &rows().await[0];
    assert_eq!((row.tool_name.as_str(), row.llm_call_id), ("weather", Some(call)));
    assert_eq!(format!("{:?}", row.status), "Succeeded");
    let whole = fixture.conversation.tools.0.gateway.get_tool_call(&fixture.scope, row.id).await.unwrap();
    assert_eq!(whole.result.as_deref(), Some("rain"));
    assert_eq!(
        fixture.messages().await.iter().map(|one| one.role).collect::<Vec<_>>(),
        [Role::User, Role::Assistant, Role::Tool, Role::Assistant]
    );
}

async fn concurrent_exchanges_are_not_interleaved(database: Database) {
    let fixture = Fixture::new(database).await;
    let all: Vec<(String, String)> = (0..16).map(|i| (format!("u{i}"), format!("a{i}"))).collect();
    let stored = all.iter().map(|(question, answer)| {
        let exchange = fixture.exchange(&[question], answer);
        fixture.conversation.exchanges.store_exchange(exchange)
    });
    for done in futures_util::future::join_all(stored).await {
        done.unwrap();
    }
    let messages = fixture.messages().await;
    assert_eq!(
        messages.iter().map(|one| one.sequence_number).collect::<Vec<_>>(),
        (1..=32).collect::<Vec<_>>()
    );
    for pair in messages.chunks(2) {
        assert_eq!(pair[1].parent_id, Some(pair[0].id));
        assert_eq!(pair[0].content.strip_prefix('u'), pair[1].content.strip_prefix('a'));
    }
}

async fn another_users_session_is_not_found(database: Database) {
    let fixture = Fixture::new(database).await;
    let (mine, theirs) = (UserId(fixture.clock.id()), UserId(fixture.clock.id()));
    let session = fixture.session("theirs", Some(theirs)).await;
    let permissions = Permissions::new(["gateway:call".to_owned(), "messages:write".to_owned()]);
    let mut scope = Scope::new(fixture.scope.tenant(), Actor::User(mine), permissions);
    scope.user = Some(mine);
    for name in ["theirs".to_owned(), session.to_string()] {
        assert_eq!(fixture.conversation.exchanges.find(&scope, &name).await.unwrap(), None);
        assert_eq!(fixture.conversation.exchanges.find(&fixture.scope, &name).await.unwrap(), Some(session));
        scope.user = Some(theirs);
        assert_eq!(fixture.conversation.exchanges.find(&scope, &name).await.unwrap(), Some(session));
        scope.user = Some(mine);
    }
    let mut late = fixture.exchange(&["u1"], "a1");
    late.conversation = ConversationRef {
        own_only: Some(mine),
        session: None,
        name: "theirs".to_owned(),
        ..late.conversation
    };
    fixture.conversation.exchanges.store_exchange(late).await.unwrap();
    assert!(fixture.messages().await.is_empty(), "nor when it is looked up after the call");
    assert_eq!(fixture.conversation.exchanges.find(&fixture.scope, "unknown").await.unwrap(), None);
    assert_eq!(
        fixture
            .conversation
            .exchanges
            .find(&fixture.scope, &LlmCallId(fixture.clock.id()).to_string())
            .await
            .unwrap(),
        None
    );
}

async fn an_archived_session_accepts_no_messages(database: Database) {
    let fixture = Fixture::new(database).await;
    let tx = fixture.db.write(&fixture.scope).await.unwrap();
    let mut row = tx.get::<sessions::Entity>(fixture.session).await.unwrap().unwrap().into_active_model();
    row.status = Set(SessionStatus::Archived);
    row.is_active = Set(false);
    tx.update(row).await.unwrap();
    tx.commit().await.unwrap();
    let error = fixture.conversation.exchanges.find(&fixture.scope, "the one").await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Conflict, "session_archived"));
    assert!(fixture.conversation.exchanges.store_exchange(fixture.exchange(&["u1"], "a1")).await.is_err());
    assert!(fixture.messages().await.is_empty());
}
