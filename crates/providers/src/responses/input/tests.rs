use super::*;
use crate::openai::OPENAI;

fn messages_of(items: Value) -> Vec<Value> {
    messages(&OPENAI.dialect, Some("Be brief."), Some(&items)).expect("messages")
}

#[test]
fn results_follow_their_calls_whatever_the_client_sends_in_between() {
    let call = |id: &str| json!({"type": "function_call", "call_id": id, "name": "f", "arguments": ""});
    let result = |id: &str| json!({"type": "function_call_output", "call_id": id, "output": id});
    let user = json!({"role": "user", "content": "and?"});
    let seen = messages_of(json!([
        {"role": "developer", "content": "In English."},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
        call("a"), user, call("b"), result("b"), result("a"), {"type": "web_search_call", "id": "w"}, result("c"),
    ]));
    let shape: Vec<_> = seen
        .iter()
        .map(|message| {
            let id = message["tool_call_id"].as_str().or(message["tool_calls"][0]["id"].as_str());
            (message["role"].as_str().unwrap_or_default(), id.unwrap_or_default())
        })
        .collect();
    assert_eq!(
        shape,
        [
            ("system", ""),
            ("assistant", "a"),
            ("tool", "a"),
            ("user", ""),
            ("assistant", "b"),
            ("tool", "b"),
            ("tool", "c")
        ]
    );
    assert_eq!(seen[0]["content"], "Be brief.\n\nIn English.");
    assert_eq!(seen[1]["tool_calls"][0]["function"]["arguments"], "{}");
}

#[test]
fn what_no_other_provider_can_read_is_refused_with_its_place() {
    for (item, param) in [
        (json!({"type": "item_reference", "id": "msg_1"}), "input.0.type"),
        (json!({"type": "local_shell_call", "call_id": "c"}), "input.0.type"),
        (
            json!({"role": "user", "content": [{"type": "input_image", "file_id": "file-1"}]}),
            "input.0.content.0.file_id",
        ),
        (json!({"role": "user", "content": [{"type": "input_text"}]}), "input.0.content.0.text"),
        (json!({"role": "robot", "content": "x"}), "input.0.role"),
    ] {
        let error = messages(&OPENAI.dialect, None, Some(&json!([item]))).expect_err("refused");
        assert_eq!((error.param(), error.status()), (Some(param), 400), "{item}");
    }
}
