//! Keeping what is said, over real SQL.

use loam_db::Db;
use loam_gateway::hook::{
    ChatMessage, ChatRole, ConversationRef, Conversations, Exchange, Finish, ResponseEnd,
};
use loam_kernel::{Actor, ChatSessionId, Clock, Kind, LlmCallId, Permissions, Scope, TenantId, UserId};
use loam_testkit::{Database, on_both};
use sea_orm::{IntoActiveModel, QueryOrder, Set};
use serde_json::json;

use crate::Conversation;
use crate::chat_sessions::entity::{self as sessions, SessionStatus};
use crate::messages::entity::{Column, Entity, FinishReason, Model, Role};
use crate::tests::bed;

on_both![
    a_conversation_is_kept_once_however_often_its_client_repeats_it,
    what_was_edited_begins_a_branch,
    a_system_message_is_kept_once,
    an_exchange_is_kept_once_though_it_is_told_twice,
    an_answer_that_came_late_completes_what_is_there,
    tools_that_a_client_uses_are_on_record,
    calls_at_once_stay_together,
    another_users_session_is_none,
    an_archived_session_takes_nothing,
];

pub(crate) struct Bed {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) conversation: Conversation,
    pub(crate) scope: Scope,
    pub(crate) session: ChatSessionId,
    /// Deleted when the bed is.
    _database: Database,
}

impl Bed {
    pub(crate) async fn new(database: Database) -> Self {
        let bed = bed::Bed::new(database).await;
        let (scope, session) = (bed.scope(), ChatSessionId::NIL);
        let bed::Bed { clock, conversation, database, .. } = bed;
        let mut bed =
            Self { db: database.db.clone(), clock, conversation, scope, session, _database: database };
        bed.session = bed.session("the one", None).await;
        bed
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

    /// What a client said, and what a model answered: `u…` the user, `a…` the model, `s…` the application.
    fn exchange(&self, asked: &[&str], answer: &str) -> Exchange {
        let said = |text: &&str| {
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
            request_messages: asked.iter().map(said).collect(),
            response: ChatMessage::text(ChatRole::Assistant, answer),
            ended: ResponseEnd::Finished(Finish::Stop),
            tokens: Some((3, 4)),
        }
    }

    async fn say(&self, asked: &[&str], answer: &str) {
        self.conversation.store(self.exchange(asked, answer)).await.unwrap();
    }

    async fn messages(&self) -> Vec<Model> {
        let tx = self.db.read(&self.scope).await.unwrap();
        tx.find::<Entity>().order_by_asc(Column::SequenceNumber).all().await.unwrap()
    }

    /// Each message with the one that it follows.
    async fn told(&self) -> Vec<(String, String)> {
        let all = self.messages().await;
        let text = |id| all.iter().find(|one| Some(one.id) == id).map_or("-", |one| one.content.as_str());
        all.iter().map(|one| (text(one.parent_id).to_owned(), one.content.clone())).collect()
    }
}

fn chain(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(parent, text)| ((*parent).to_owned(), (*text).to_owned())).collect()
}

async fn a_conversation_is_kept_once_however_often_its_client_repeats_it(database: Database) {
    let bed = Bed::new(database).await;
    bed.say(&["u1"], "a1").await;
    bed.say(&["u1", "a1", "u2"], "a2").await;
    bed.say(&["u2", "a2", "u3"], "a3").await;
    bed.say(&["u4 alone"], "a4").await;
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
    assert_eq!(bed.told().await, expected);
    let all = bed.messages().await;
    assert_eq!(all.iter().map(|one| one.sequence_number).collect::<Vec<_>>(), (1..=8).collect::<Vec<_>>());
    let answer = &all[1];
    assert_eq!((answer.role, answer.finish_reason), (Role::Assistant, Some(FinishReason::Stop)));
    assert_eq!((answer.prompt_tokens, answer.completion_tokens), (Some(3), Some(4)));
    assert_eq!(answer.model.as_deref(), Some("mock/m"));
    assert!(answer.llm_call_id.is_some() && all[0].llm_call_id.is_none());
}

async fn what_was_edited_begins_a_branch(database: Database) {
    let bed = Bed::new(database).await;
    bed.say(&["u1"], "a1").await;
    bed.say(&["u1", "a1", "u2"], "a2").await;
    bed.say(&["u1", "a1", "u2 edited"], "a3").await;
    bed.say(&["u1", "a1", "u2"], "a2 again").await;
    bed.say(&["u1", "a1", "u2 edited", "a3", "u4"], "a4").await;
    let branches =
        chain(&[("a1", "u2 edited"), ("u2 edited", "a3"), ("u2", "a2 again"), ("a3", "u4"), ("u4", "a4")]);
    assert_eq!(bed.told().await[4..], branches);
    let tx = bed.db.read(&bed.scope).await.unwrap();
    let session = tx.get::<sessions::Entity>(bed.session).await.unwrap().unwrap();
    assert_eq!(session.message_count, 9);
    assert_eq!(session.head_id, bed.messages().await.last().map(|last| last.id));
}

async fn a_system_message_is_kept_once(database: Database) {
    let bed = Bed::new(database).await;
    bed.say(&["s: be brief", "u1"], "a1").await;
    bed.say(&["s: be brief", "u1", "a1", "u2"], "a2").await;
    bed.say(&["s: it is Monday", "u1", "a1", "u2", "a2", "u3"], "a3").await;
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
    assert_eq!(bed.told().await, expected);
    let mut own = bed.exchange(&["u1", "a1", "u2", "a2", "u3", "a3", "u4"], "a4");
    own.request_messages.insert(0, ChatMessage::text(ChatRole::System, "be kind"));
    bed.conversation.store(own).await.unwrap();
    assert_eq!(bed.told().await[8..], chain(&[("a3", "u4"), ("u4", "a4")]), "what the session itself says");
}

async fn an_exchange_is_kept_once_though_it_is_told_twice(database: Database) {
    let bed = Bed::new(database).await;
    let exchange = bed.exchange(&["u1"], "a1");
    for _ in 0..3 {
        bed.conversation.store(exchange.clone()).await.unwrap();
    }
    assert_eq!(bed.told().await, chain(&[("-", "u1"), ("u1", "a1")]));
}

async fn an_answer_that_came_late_completes_what_is_there(database: Database) {
    let bed = Bed::new(database).await;
    let late = bed.exchange(&["u1"], "a1");
    bed.say(&["u1", "a1", "u2"], "a2").await;
    bed.conversation.store(late.clone()).await.unwrap();
    let expected = chain(&[("-", "u1"), ("u1", "a1"), ("a1", "u2"), ("u2", "a2")]);
    assert_eq!(bed.told().await, expected);
    assert_eq!(bed.messages().await[1].llm_call_id, Some(late.call));
}

async fn tools_that_a_client_uses_are_on_record(database: Database) {
    let bed = Bed::new(database).await;
    let mut first = bed.exchange(&["u1"], "");
    first.response.tool_calls =
        Some(json!([{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}]));
    first.ended = ResponseEnd::Finished(Finish::ToolCalls);
    let asked = first.response.clone();
    let call = first.call;
    bed.conversation.store(first).await.unwrap();
    let mut second = bed.exchange(&["u1"], "a2");
    let result =
        ChatMessage { tool_call_id: Some("c1".to_owned()), ..ChatMessage::text(ChatRole::Tool, "rain") };
    second.request_messages.extend([asked, result]);
    let rows = async || {
        let page = loam_kernel::PageQuery::default();
        let filter = loam_gateway::tool_calls::routes::ToolCallFilter::default();
        bed.conversation.0.gateway.list_tool_calls(&bed.scope, filter, &page).await.unwrap().data
    };
    assert_eq!(format!("{:?}", rows().await[0].status), "Waiting");
    bed.conversation.store(second).await.unwrap();
    let row = &rows().await[0];
    assert_eq!((row.tool_name.as_str(), row.llm_call_id), ("weather", Some(call)));
    assert_eq!(format!("{:?}", row.status), "Succeeded");
    let whole = bed.conversation.0.gateway.get_tool_call(&bed.scope, row.id).await.unwrap();
    assert_eq!(whole.result.as_deref(), Some("rain"));
    assert_eq!(
        bed.messages().await.iter().map(|one| one.role).collect::<Vec<_>>(),
        [Role::User, Role::Assistant, Role::Tool, Role::Assistant]
    );
}

async fn calls_at_once_stay_together(database: Database) {
    let bed = Bed::new(database).await;
    let all: Vec<(String, String)> = (0..16).map(|i| (format!("u{i}"), format!("a{i}"))).collect();
    let stored = all.iter().map(|(asked, answer)| {
        let exchange = bed.exchange(&[asked], answer);
        bed.conversation.store(exchange)
    });
    for done in futures_util::future::join_all(stored).await {
        done.unwrap();
    }
    let messages = bed.messages().await;
    assert_eq!(
        messages.iter().map(|one| one.sequence_number).collect::<Vec<_>>(),
        (1..=32).collect::<Vec<_>>()
    );
    for pair in messages.chunks(2) {
        assert_eq!(pair[1].parent_id, Some(pair[0].id));
        assert_eq!(pair[0].content.strip_prefix('u'), pair[1].content.strip_prefix('a'));
    }
}

async fn another_users_session_is_none(database: Database) {
    let bed = Bed::new(database).await;
    let (mine, theirs) = (UserId(bed.clock.id()), UserId(bed.clock.id()));
    let session = bed.session("theirs", Some(theirs)).await;
    let permissions = Permissions::new(["gateway:call".to_owned(), "messages:write".to_owned()]);
    let mut scope = Scope::new(bed.scope.tenant(), Actor::User(mine), permissions);
    scope.user = Some(mine);
    for name in ["theirs".to_owned(), session.to_string()] {
        assert_eq!(bed.conversation.find(&scope, &name).await.unwrap(), None);
        assert_eq!(bed.conversation.find(&bed.scope, &name).await.unwrap(), Some(session));
        scope.user = Some(theirs);
        assert_eq!(bed.conversation.find(&scope, &name).await.unwrap(), Some(session));
        scope.user = Some(mine);
    }
    let mut late = bed.exchange(&["u1"], "a1");
    late.conversation = ConversationRef {
        own_only: Some(mine),
        session: None,
        name: "theirs".to_owned(),
        ..late.conversation
    };
    bed.conversation.store(late).await.unwrap();
    assert!(bed.messages().await.is_empty(), "nor when it is looked for after the call");
    assert_eq!(bed.conversation.find(&bed.scope, "unknown").await.unwrap(), None);
    assert_eq!(
        bed.conversation.find(&bed.scope, &LlmCallId(bed.clock.id()).to_string()).await.unwrap(),
        None
    );
}

async fn an_archived_session_takes_nothing(database: Database) {
    let bed = Bed::new(database).await;
    let tx = bed.db.write(&bed.scope).await.unwrap();
    let mut row = tx.get::<sessions::Entity>(bed.session).await.unwrap().unwrap().into_active_model();
    row.status = Set(SessionStatus::Archived);
    row.is_active = Set(false);
    tx.update(row).await.unwrap();
    tx.commit().await.unwrap();
    let error = bed.conversation.find(&bed.scope, "the one").await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Conflict, "session_archived"));
    assert!(bed.conversation.store(bed.exchange(&["u1"], "a1")).await.is_err());
    assert!(bed.messages().await.is_empty());
}
