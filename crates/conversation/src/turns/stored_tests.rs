use loam_testkit::check_golden;
use uuid::Uuid;

use super::super::entity::TurnState;
use super::super::event::{Tokens, ToolCall, TurnFailure};
use super::*;
use crate::messages::entity::{FinishReason, Role};

fn events() -> Vec<TurnEvent> {
    let id = Uuid::from_u128;
    let call = ToolCall { id: "c".to_owned(), name: "f".to_owned(), arguments: "{}".to_owned() };
    let message = |(role, finish_reason, tokens)| TurnEvent::Message {
        id: id(4).into(),
        number: 300,
        role,
        finish_reason: Some(finish_reason),
        tokens,
    };
    let ended = |(state, finish_reason)| TurnEvent::Ended {
        state,
        finish_reason,
        tokens: Tokens { prompt_tokens: 1_000, completion_tokens: 2 },
        failure: (state == TurnState::Failed)
            .then(|| TurnFailure { code: "provider_error".to_owned(), message: "no answer".to_owned() }),
    };
    let mut events = vec![
        TurnEvent::Started {
            turn: id(1).into(),
            session: id(2).into(),
            user_message: Some(id(3).into()),
            model: "m/n".to_owned(),
        },
        TurnEvent::Reasoning("hm".to_owned()),
        TurnEvent::Delta("a\n沃".to_owned()),
        TurnEvent::ToolCalls(vec![call.clone()]),
        TurnEvent::ToolResult { call_id: "c".to_owned(), content: "1".to_owned(), is_error: true },
        TurnEvent::RequiresAction(vec![call]),
    ];
    let tokens = Some(Tokens { prompt_tokens: 7, completion_tokens: 8 });
    events.extend(
        [
            (Role::System, FinishReason::Stop, None),
            (Role::User, FinishReason::Length, None),
            (Role::Assistant, FinishReason::ToolCalls, tokens),
            (Role::Tool, FinishReason::ContentFilter, None),
        ]
        .map(message),
    );
    events.extend(
        [
            (TurnState::Queued, None),
            (TurnState::Running, Some(FinishReason::Stopped)),
            (TurnState::RequiresAction, Some(FinishReason::Interrupted)),
            (TurnState::Completed, Some(FinishReason::Failed)),
            (TurnState::Stopped, None),
            (TurnState::Interrupted, None),
            (TurnState::Failed, None),
        ]
        .map(ended),
    );
    events
}

#[test]
fn all_versions_of_events_are_read() {
    let packed = pack_events(&events()).expect("packed");
    check_golden(TURN_EVENTS.kind(), TURN_EVENTS.versions(), &packed, |packed| {
        format!("{:#?}", unpack_events(packed).expect("read"))
    });
    let many = vec![TurnEvent::Delta("word ".repeat(2_000)); 2];
    let packed = pack_events(&many).expect("packed");
    assert!(packed.len() < 2_000, "it is compressed");
    assert_eq!(unpack_events(&packed).expect("read"), many);
    assert_eq!(unpack_events(&[]).expect("none"), []);
}

#[test]
fn all_versions_of_frames_are_read() {
    let (tenant, turn) = (Uuid::from_u128(5).into(), Uuid::from_u128(6).into());
    let frame = EventsFrame { tenant, turn, first: 200, events: events().into() }.encode().expect("encoded");
    check_golden(TURN_EVENTS_FRAME.kind(), TURN_EVENTS_FRAME.versions(), &frame, |payload| {
        format!("{:#?}", EventsFrame::decode(payload).expect("read"))
    });
    let frame = StoredFrame { tenant, turn, up_to: 200 }.encode().expect("encoded");
    check_golden(TURN_STORED_FRAME.kind(), TURN_STORED_FRAME.versions(), &frame, |payload| {
        format!("{:#?}", StoredFrame::decode(payload).expect("read"))
    });
}
