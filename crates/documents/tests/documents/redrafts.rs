use loam_documents::{ConflictKind, Document, Draft, Error, redraft};

use crate::{ids, json, markdown};

fn draft(section: &str, base: Option<&str>, text: Option<&str>) -> Draft {
    Draft {
        section: section.into(),
        base: base.map(str::to_owned),
        text: text.map(str::to_owned),
        after: None,
    }
}

const TEXT: &str = "# A\n\nintro\n\n## B\n\nfour\n\nfive\n\nsix\n\n## C\n\nseven";

fn edited(from: &str, to: &str) -> Document {
    markdown(TEXT).revise(TEXT.replace(from, to)).expect("valid")
}

#[test]
fn only_drafted_sections_change() {
    let base = "## B\n\nfour\n\nfive\n\nsix\n\n";
    let draft = draft("a/b", Some(base), Some("## B\n\nfour\n\nfive\n\nthe model's six"));
    let redraft = redraft(&edited("four", "a person's four"), &[draft]).expect("valid");
    let expected = TEXT.replace("four", "a person's four").replace("six", "the model's six");
    assert_eq!(redraft.document.text(), expected);
    assert_eq!(redraft.conflicts, []);
}

#[test]
fn a_persons_change_stays_and_the_draft_is_a_conflict() {
    let current = edited("four", "a person's four");
    let base = Some("## B\n\nfour\n\nfive\n\nsix\n\n");
    let proposed = "## B\n\nthe model's four\n\nfive\n\nsix\n\n";
    let redrafted = redraft(&current, &[draft("a/b", base, Some(proposed))]).expect("valid");
    assert_eq!(redrafted.document, current);
    let [conflict] = &redrafted.conflicts[..] else { panic!("{redrafted:?}") };
    assert_eq!((conflict.kind, conflict.theirs.as_deref()), (ConflictKind::BothChanged, Some(proposed)));
    assert_eq!(conflict.mine.as_deref(), Some("## B\n\na person's four\n\nfive\n\nsix\n\n"));
    let removal = redraft(&current, &[draft("a/b", base, None)]).expect("valid");
    assert_eq!((removal.document, removal.conflicts[0].kind), (current.clone(), ConflictKind::TheirsRemoved));
    // A person has removed the section since.
    let gone = draft("a/z", Some("## Z\n\nold\n"), Some("## Z\n\nnew\n"));
    let redrafted = redraft(&current, &[gone]).expect("valid");
    assert_eq!((redrafted.document, redrafted.conflicts[0].kind), (current, ConflictKind::MineRemoved));
}

#[test]
fn new_sections_have_a_place_and_old_ones_can_go() {
    let current = markdown(TEXT);
    let new = |after: Option<&str>| Draft {
        after: after.map(Into::into),
        ..draft("a/new", None, Some("## New\n\nn\n"))
    };
    let document = redraft(&current, &[new(Some("a/b"))]).expect("valid").document;
    assert_eq!(ids(&document), ["a", "a/b", "a/new", "a/c"]);
    let document =
        redraft(&current, &[new(None), draft("a/b", Some("## B\n\nfour\n\nfive\n\nsix\n\n"), None)]);
    assert_eq!(document.expect("valid").document.text(), "# A\n\nintro\n\n## C\n\nseven\n## New\n\nn\n\n");
    assert!(matches!(redraft(&current, &[new(Some("a/nowhere"))]), Err(Error::DraftPlace { .. })));
}

#[test]
fn a_draft_is_one_section() {
    let current = markdown(TEXT);
    let base = Some("## C\n\nseven");
    for text in ["seven", "# C\n\n7\n", "## C\n\n7\n\n## D\n", "## C\n\n### Sub\n", "## C\n\n```\nopen\n", ""]
    {
        let refused = redraft(&current, &[draft("a/c", base, Some(text))]);
        assert_eq!(refused, Err(Error::DraftShape("a/c".into())), "{text:?}");
    }
    let twice = [draft("a/c", base, None), draft("a/c", base, None)];
    assert_eq!(redraft(&current, &twice), Err(Error::DraftTwice("a/c".into())));
}

#[test]
fn drafts_of_json_are_values() {
    let text = "{\n  \"paths\": {\n    \"/a\": {\n      \"get\": {\"n\": 1, \"m\": 1}\n    }\n  }\n}\n";
    let current = json(text).revise(text.replace("\"m\": 1", "\"m\": 2")).expect("valid");
    let drafts = [
        draft("/paths/~1a/get", Some("{\"n\": 1, \"m\": 1}"), Some("{\"n\": 3, \"m\": 1}")),
        draft("/paths/~1b/put", None, Some("{}")),
        draft("/info", None, Some("{\"title\": \"t\"}")),
        draft("/absent", None, None),
    ];
    let redrafted = redraft(&current, &drafts).expect("valid");
    assert_eq!(redrafted.conflicts, []);
    let expected = r#"{
  "paths": {
    "/a": {
      "get": {"n": 3, "m": 2}
    },
    "/b": {
      "put": {}
    }
  },
  "info": {"title": "t"}
}
"#;
    assert_eq!(redrafted.document.text(), expected);
    let clash = [draft("/paths/~1a/get", Some("{\"n\": 1, \"m\": 1}"), Some("{\"n\": 1, \"m\": 9}"))];
    let redrafted = redraft(&current, &clash).expect("valid");
    assert_eq!((&redrafted.document, redrafted.conflicts[0].pointers.len()), (&current, 1));
    assert!(matches!(redraft(&current, &[draft("/info", None, Some("{"))]), Err(Error::Json(_))));
    for nowhere in ["/paths/~1a/get/n", "/architecture/components/x", "no pointer", "/paths"] {
        let refused = redraft(&current, &[draft(nowhere, None, Some("{\"name\": \"y\"}"))]);
        assert!(matches!(refused, Err(Error::DraftPlace { .. })), "{nowhere}: {refused:?}");
    }
}
