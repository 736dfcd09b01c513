use loam_documents::{Choice, Conflict, ConflictKind, Document, Error, Merge, Take, merge};

use crate::{json, markdown};

/// Merges both ways, which must give the same with sides exchanged, and if there is no conflict once more,
/// which must change nothing.
fn merged(base: &Document, mine: &str, theirs: &str) -> Merge {
    let (mine, theirs) = (base.revise(mine).expect("valid"), base.revise(theirs).expect("valid"));
    let merged = merge(base, &mine, &theirs, &[]).expect("mergeable");
    let exchanged = merge(base, &theirs, &mine, &[]).expect("mergeable");
    assert_eq!(merged.document, exchanged.document);
    assert_eq!(merged.conflicts.len(), exchanged.conflicts.len());
    if let Some(document) = &merged.document {
        assert_eq!(merge(base, document, &theirs, &[]).expect("mergeable").document.as_ref(), Some(document));
        assert_eq!(merge(base, &mine, document, &[]).expect("mergeable").document.as_ref(), Some(document));
    }
    merged
}

fn text(merge: &Merge) -> &str {
    merge.document.as_ref().unwrap_or_else(|| panic!("{:?}", merge.conflicts)).text()
}

fn conflict(merge: &Merge) -> (&str, ConflictKind) {
    assert_eq!(merge.document, None);
    let [conflict] = &merge.conflicts[..] else { panic!("{:?}", merge.conflicts) };
    (conflict.section.as_str(), conflict.kind)
}

const BASE: &str = "# A\n\none\ntwo\nthree\n\n## B\n\nfour\n\n## C\n\nfive\n";

#[test]
fn changes_of_different_sections_merge() {
    let merge = merged(&markdown(BASE), &BASE.replace("four", "4"), &BASE.replace("five", "5"));
    assert_eq!(text(&merge), BASE.replace("four", "4").replace("five", "5"));
}

#[test]
fn lines_merge_if_an_unchanged_one_is_between_them() {
    let base = markdown(BASE);
    let merge = merged(&base, &BASE.replace("one", "1"), &BASE.replace("three", "3"));
    assert_eq!(text(&merge), BASE.replace("one", "1").replace("three", "3"));
    let merge = merged(&base, &BASE.replace("one", "1"), &BASE.replace("two", "2"));
    assert_eq!(conflict(&merge), ("a", ConflictKind::BothChanged));
    let Conflict { base, mine, theirs, .. } = &merge.conflicts[0];
    let sides = [base, mine, theirs].map(|side| side.as_deref().unwrap_or_default());
    assert_eq!(sides, ["# A\n\none\ntwo\nthree\n\n", "# A\n\n1\ntwo\nthree\n\n", "# A\n\none\n2\nthree\n\n"]);
}

#[test]
fn the_same_change_of_both_is_taken_once() {
    let both = BASE.replace("two", "2");
    assert_eq!(text(&merged(&markdown(BASE), &both, &both)), both);
    let merge = merged(&markdown(BASE), &both, &both.replace("five", "5"));
    assert_eq!(text(&merge), both.replace("five", "5"));
}

#[test]
fn a_removal_against_a_change_is_a_conflict() {
    let base = markdown(BASE);
    let without_b = BASE.replace("## B\n\nfour\n\n", "");
    assert_eq!(text(&merged(&base, &without_b, BASE)), without_b);
    assert_eq!(text(&merged(&base, &without_b, &without_b)), without_b);
    let merge = merged(&base, &without_b, &BASE.replace("four", "4"));
    assert_eq!(conflict(&merge), ("a/b", ConflictKind::MineRemoved));
    let under = merged(&base, &BASE.replace("four\n", "four\n\n### New\n\nunder b\n"), &without_b);
    assert_eq!(conflict(&under), ("a/b", ConflictKind::TheirsRemoved));
}

#[test]
fn two_new_sections_of_one_place_are_both_kept() {
    let base = markdown(BASE);
    let merge = merged(&base, &format!("{BASE}\n## Y\n\nmine\n"), &format!("{BASE}\n## X\n\ntheirs\n"));
    assert_eq!(text(&merge), format!("{BASE}\n## X\n\ntheirs\n## Y\n\nmine\n"));
    let merge = merged(&base, &format!("{BASE}\n## X\n\nmine\n"), &format!("{BASE}\n## X\n\ntheirs\n"));
    assert_eq!(conflict(&merge), ("a/x", ConflictKind::BothAdded));
}

#[test]
fn a_moved_section_takes_the_other_sides_change() {
    let moved = "# A\n\none\ntwo\nthree\n\n## C\n\nfive\n\n## B\n\nfour\n";
    let merge = merged(&markdown(BASE), moved, &BASE.replace("four", "4\n\n### Sub\n\nbelow b"));
    // The white space at the end of B is that of the side that changed it.
    assert_eq!(text(&merge), moved.replace("four", "4\n### Sub\n\nbelow b\n"));
    let base = markdown("# A\na\n# B\nb\n# C\nc\n");
    let merge = merged(&base, "# B\nb\n# A\na\n# C\nc\n", "# A\na\n# C\nc\n# B\nb\n");
    assert_eq!(conflict(&merge), ("", ConflictKind::Order));
    assert_eq!(merge.conflicts[0].mine.as_deref(), Some("b\na\nc"));
}

#[test]
fn ends_of_lines_and_of_the_text_are_kept_apart() {
    let base = markdown("# A\r\n\r\none\r\n\r\n# B\r\n\r\ntwo");
    let merge = merged(
        &base,
        "# A\r\n\r\n1\r\n\r\n# B\r\n\r\ntwo",
        "# A\r\n\r\none\r\n\r\n# B\r\n\r\n2\r\n\r\n# C\r\n",
    );
    assert_eq!(text(&merge), "# A\r\n\r\n1\r\n\r\n# B\r\n\r\n2\r\n\r\n# C\r\n");
    let moved = merged(&base, "# B\r\n\r\ntwo\r\n\r\n# A\r\n\r\none", "# A\r\n\r\n1\r\n\r\n# B\r\n\r\ntwo");
    assert_eq!(text(&moved), "# B\r\n\r\ntwo\r\n\r\n# A\r\n\r\n1");
}

#[test]
fn white_space_at_the_end_of_a_section_is_no_conflict() {
    let base = markdown("# A\n\n# B\n\nb\n");
    let merge = merged(&base, "# A\n\n# B\n\nb\n\n# C\n", "# A\n\n# B\n\nb\n\n\n# C");
    assert_eq!(text(&merge), "# A\n\n# B\n\nb\n\n\n# C\n");
    assert_eq!(text(&merged(&base, "# A\n", "# A\n\n# B\n\nb\n\n")), "# A\n");
}

#[test]
fn lines_that_would_swallow_what_follows_do_not_merge() {
    let base = markdown("# A\n\none\n\ntwo\n\nthree\n\n# B\n");
    let merge = merged(
        &base,
        "# A\n\n```\none\n\ntwo\n\nthree\n```\n\n# B\n",
        "# A\n\none\n\ntwo\n\n```\nthree\n```\n\n# B\n",
    );
    assert_eq!(conflict(&merge).1, ConflictKind::BothChanged);
    // An underlined heading takes in the paragraph above it, so a moved one is kept off.
    let base = markdown("# A\n\na\n\nB\n===\n\nb\n\n# C\n\nlast");
    let merge =
        merged(&base, "# A\n\na\n\n# C\n\nlast\n\nB\n===\n\nb\n", "# A\n\na\n\nB\n===\n\nb\n\n# C\n\nlast\n");
    assert_eq!(merge.document.expect("merged").sections().len(), 3);
}

#[test]
fn choices_resolve_a_conflict() {
    let base = markdown(BASE);
    let mine = base.revise(BASE.replace("four", "4").replace("one", "1")).expect("valid");
    let theirs = base.revise(BASE.replace("four", "IV")).expect("valid");
    let id = merge(&base, &mine, &theirs, &[]).expect("mergeable").conflicts[0].id.clone();
    let resolved = |take| {
        let choice = Choice { conflict: id.clone(), take };
        merge(&base, &mine, &theirs, &[choice])
            .expect("mergeable")
            .document
            .expect("resolved")
            .text()
            .to_owned()
    };
    assert_eq!(resolved(Take::Mine), mine.text());
    assert_eq!(resolved(Take::Theirs), mine.text().replace('4', "IV"));
    assert_eq!(resolved(Take::Text("## B\n\n4 = IV\n\n".to_owned())), mine.text().replace('4', "4 = IV"));
    assert_eq!(resolved(Take::Text(String::new())), mine.text().replace("## B\n\n4\n\n", ""));
    // Their side has changed since: the choice was made between other texts.
    let later = theirs.revise(BASE.replace("four", "vier")).expect("valid");
    let choice = Choice { conflict: id.clone(), take: Take::Mine };
    assert_eq!(merge(&base, &mine, &later, &[choice]), Err(Error::UnknownConflict(id)));
}

const SPEC: &str = r#"{
  "info": {"title": "x", "version": "1"},
  "paths": {
    "/a": {"get": {"summary": "a", "tags": ["t"]}, "put": {}}
  },
  "architecture": {"components": [{"name": "api", "n": 1}, {"name": "web", "n": 1}]}
}
"#;

#[test]
fn json_merges_key_by_key() {
    let base = json(SPEC);
    let mine = SPEC
        .replace(r#""summary": "a""#, r#""summary": "mine""#)
        .replace(r#""api", "n": 1"#, r#""api", "n": 2"#);
    let theirs = SPEC.replace(r#"["t"]"#, r#"["u"]"#).replace(r#""web", "n": 1"#, r#""web", "n": 3"#);
    let expected = theirs
        .replace(r#""summary": "a""#, r#""summary": "mine""#)
        .replace(r#""api", "n": 1"#, r#""api", "n": 2"#);
    assert_eq!(text(&merged(&base, &mine, &theirs)), expected);
    let added = merged(
        &base,
        &SPEC.replace(r#""put": {}"#, r#""put": {}, "post": 1"#),
        &SPEC.replace(r#", "put": {}"#, ""),
    );
    assert_eq!(text(&added), SPEC.replace(r#""put": {}"#, r#""post": 1"#));
}

#[test]
fn json_conflicts_are_by_section() {
    let base = json(SPEC);
    let merge = merged(
        &base,
        &SPEC.replace(r#""summary": "a""#, r#""summary": "mine""#),
        &SPEC.replace(r#""summary": "a""#, r#""summary": "theirs""#).replace("\"1\"", "\"2\""),
    );
    assert_eq!(conflict(&merge), ("/paths/~1a/get", ConflictKind::BothChanged));
    assert_eq!(merge.conflicts[0].pointers, ["/paths/~1a/get/summary"]);
    assert_eq!(merge.conflicts[0].mine.as_deref(), Some(r#"{"summary": "mine", "tags": ["t"]}"#));

    // One side removes all paths, of which the other changed one.
    let removed = "{\n  \"info\": {\"title\": \"x\", \"version\": \"1\"}\n}\n";
    let changed = SPEC.replace(r#""put": {}"#, r#""put": {"x": 1}"#);
    let merge = merged(&base, removed, &changed);
    assert_eq!(conflict(&merge), ("/paths/~1a/put", ConflictKind::MineRemoved));
    let (mine, theirs) = (base.revise(removed).expect("valid"), base.revise(changed).expect("valid"));
    let resolved = |take| {
        let choice = Choice { conflict: merge.conflicts[0].id.clone(), take };
        loam_documents::merge(&base, &mine, &theirs, &[choice]).map(|merge| merge.document)
    };
    assert_eq!(resolved(Take::Mine), Ok(Some(mine.clone())));
    let kept = resolved(Take::Theirs).expect("valid").expect("resolved");
    assert_eq!(kept.section_text(&"/paths/~1a/put".into()).as_deref(), Some(r#"{"x": 1}"#));
    assert!(matches!(resolved(Take::Text("{".to_owned())), Err(Error::Json(_))));
}

#[test]
fn only_white_space_of_json_is_no_conflict() {
    let base = json(r#"{"info": {"a": 1, "tags": [1, 2]}}"#);
    let merge =
        merged(&base, r#"{ "info":{"a":1,"tags":[1,2]} }"#, r#"{"info": {"a": 2, "tags": [1, 2, 3]}}"#);
    assert_eq!(text(&merge), r#"{ "info":{"a":2,"tags":[1, 2, 3]} }"#);
}
