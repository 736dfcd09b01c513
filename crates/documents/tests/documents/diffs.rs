use loam_documents::{ChangeKind, Diff, Document, Error, WordChange, diff};

use crate::{json, markdown};

/// Each changed section with what happened to it; the diff is also stored, read and replayed.
fn kinds(parent: &Document, child: &Document) -> Vec<(String, Vec<ChangeKind>)> {
    let diff = replayed(parent, child);
    diff.changes.into_iter().map(|change| (change.section.to_string(), change.kinds)).collect()
}

fn replayed(parent: &Document, child: &Document) -> Diff {
    let diff = diff(parent, child).expect("one format");
    let stored = serde_json::to_string(&diff).expect("serializable");
    let read: Diff = serde_json::from_str(&stored).expect("readable");
    assert_eq!(read, diff);
    assert_eq!(read.apply(parent).as_ref(), Ok(child));
    diff
}

#[test]
fn each_kind_of_change_is_named() {
    use ChangeKind::{Added, Changed, Layout, Moved, Removed, Renamed};
    let first = markdown("# A\n\n## One\n\n1\n\n## Two\n\n2 is here.\n\n## Three\n\n3\n");
    let change = |text: &str| kinds(&first, &first.revise(text).expect("valid"));
    let named = |id: &str, kinds: &[ChangeKind]| (format!("a/{id}"), kinds.to_vec());
    assert_eq!(change(first.text()), []);
    assert_eq!(
        change("# A\n\n## One\n\nI\n\n## Zwei\n\n2 is here.\n\n## New\n\nQuite new.\n"),
        [
            named("one", &[Changed]),
            named("two", &[Renamed, Changed]),
            named("new", &[Added]),
            named("three", &[Removed]),
        ]
    );
    assert_eq!(
        change("# A\n\n## Three\n\n3\n\n## One\n\n1\n\n## Two\n\n2 is here.\n"),
        [named("three", &[Moved, Layout]), named("two", &[Layout])]
    );
    assert_eq!(
        change("# A\n\n## One\n\n1\n\n### Two\n\n2 is here.\n\n## Three\n\n3\n"),
        [named("two", &[Moved, Changed])]
    );
}

#[test]
fn a_section_that_moves_with_the_one_above_it_has_not_moved() {
    let first = markdown("# A\n\n## One\n\n1\n\n### Sub\n\ns\n\n## Two\n\n2\n\n## Three\n\n3\n\n");
    let second = first
        .revise("# A\n\n## Two\n\n2\n\n## Three\n\n3\n\n## One\n\n1\n\n### Sub\n\ns\n\n")
        .expect("valid");
    assert_eq!(kinds(&first, &second), [("a/one".to_owned(), vec![ChangeKind::Moved])]);
}

#[test]
fn edits_have_lines_and_words() {
    let first = markdown("# A\n\nThe first line.\n我们卖书。\nThe last line.\n");
    let second = first.revise("# A\n\nThe first line.\n我们卖花。\nThe last line.\n").expect("valid");
    let diff = replayed(&first, &second);
    let [edit] = &diff.changes[0].edits[..] else { panic!("{diff:?}") };
    assert_eq!((edit.line, edit.removed.as_str(), edit.added.as_str()), (4, "我们卖书。\n", "我们卖花。\n"));
    let same = |text: &str| WordChange::Same(text.to_owned());
    let expected = [
        same("我们卖"),
        WordChange::Removed("书".to_owned()),
        WordChange::Added("花".to_owned()),
        same("。\n"),
    ];
    assert_eq!(edit.words(), expected);
}

#[test]
fn json_changes_have_pointers() {
    let first = json(r#"{"paths": {"/a": {"get": {"tags": ["x"], "old": 1, "deep": {"n": 1}}, "put": {}}}}"#);
    let second = first
        .revise(r#"{"paths": {"/a": {"get": {"tags": ["y"], "deep": {"n": 2}, "new": null}, "put": { }}}}"#)
        .expect("valid");
    let diff = replayed(&first, &second);
    let pointers: Vec<_> = diff.changes[0]
        .pointers
        .iter()
        .map(|change| (change.pointer.as_str(), change.before.as_deref(), change.after.as_deref()))
        .collect();
    let expected = [
        ("/paths/~1a/get/old", Some("1"), None),
        ("/paths/~1a/get/tags/0", Some("\"x\""), Some("\"y\"")),
        ("/paths/~1a/get/deep/n", Some("1"), Some("2")),
        ("/paths/~1a/get/new", None, Some("null")),
    ];
    assert_eq!(pointers, expected);
    assert_eq!(diff.changes[1].kinds, [ChangeKind::Layout]);
}

#[test]
fn a_renamed_key_is_no_new_section() {
    let get = r#"{"summary":"list all the things","responses":{"200":{"description":"the things"}}}"#;
    let first = json(&format!(r#"{{"paths":{{"/a":{{"get":{get}}},"/b":{{"get":1}}}}}}"#));
    let second = first.revise(first.text().replace("/a", "/things")).expect("valid");
    let diff = replayed(&first, &second);
    let change = &diff.changes[1];
    assert_eq!(change.kinds, [ChangeKind::Renamed]);
    assert_eq!(change.section.as_str(), "/paths/~1things/get");
    assert_eq!(change.previous_id.as_ref().map(|id| id.as_str()), Some("/paths/~1a/get"));
    let moved =
        first.revise(format!(r#"{{"paths":{{"/b":{{"get":1}},"/a":{{"get":{get}}}}}}}"#)).expect("valid");
    replayed(&first, &moved);
}

#[test]
fn a_diff_is_applied_to_its_parent_alone() {
    let first = markdown("# A\n\n1\n");
    let second = first.revise("# A\n\n2\n").expect("valid");
    let mut change = diff(&first, &second).expect("one format");
    assert_eq!(change.apply(&second), Err(Error::DiffParent));
    assert_eq!(diff(&first, &json("{}")), Err(Error::Format));
    change.changes[0].edits[0].at = usize::MAX;
    assert_eq!(change.apply(&first), Err(Error::DiffParent));
    change.version = 2;
    assert_eq!(change.apply(&first), Err(Error::DiffVersion(2)));
}

#[test]
fn a_stored_diff_of_version_1_is_read() {
    let stored = r##"{"version":1,
        "parent":"0",
        "child":"0",
        "changes":[{"section":"a","title":"A","kinds":["renamed","changed"],"previous_title":"B",
            "edits":[{"at":0,"line":1,"removed":"# B\n","added":"# A\n"}]}]}"##;
    let read: Diff = serde_json::from_str(stored).expect("readable");
    assert_eq!(read.changes[0].edits[0].added, "# A\n");
    assert_eq!(read.apply(&markdown("# B\n")), Err(Error::DiffParent));
}
