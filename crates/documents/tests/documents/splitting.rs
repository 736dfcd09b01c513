use loam_documents::{Document, Error, Format, SectionTable};

use crate::{ids, json, markdown};

/// The concatenation of a Markdown document's sections.
fn joined(document: &Document) -> String {
    document.sections().iter().map(|section| &document.text()[section.range.clone()]).collect()
}

fn titles(text: &str) -> Vec<String> {
    let document = markdown(text);
    assert_eq!(joined(&document), text);
    document.sections().iter().map(|section| format!("{} {}", section.level, section.title)).collect()
}

#[test]
fn sections_are_a_tree_by_their_headings() {
    let document = markdown("# Shop\n\nText.\n\n## Goals\n\n### First\n\n## Risks\n");
    assert_eq!(ids(&document), ["shop", "shop/goals", "shop/goals/first", "shop/risks"]);
    let parents: Vec<_> = document.sections().iter().map(|section| section.parent).collect();
    assert_eq!(parents, [None, Some(0), Some(1), Some(0)]);
    assert_eq!(document.section_text(&"shop/goals".into()).as_deref(), Some("## Goals\n\n"));
}

#[test]
fn only_headings_begin_sections() {
    assert_eq!(titles("```\n# code\n```\n# A\n~~~md\n## code\n~~~\n"), ["0 ", "1 A"]);
    assert_eq!(titles("# A\n\n    # indented\n\n<!--\n# comment\n-->\n<pre>\n\n# html\n</pre>\n"), ["1 A"]);
    assert_eq!(titles("- # in a list\n\n  # there too\n\n> # quoted\n\n#no space\n"), ["0 "]);
    assert_eq!(titles("Long\ntitle\n===\n\nText\n---\n\n---\n\n* * *\n"), ["1 Long title", "2 Text"]);
    assert_eq!(titles("# A `code` *b* #\n####### seven\n"), ["1 A code b"]);
}

#[test]
fn what_precedes_the_first_heading_is_front_matter_and_preamble() {
    let document = markdown("\u{feff}---\ntitle: x\n# not a heading\n---\n\nHello.\n\n# A\n");
    assert_eq!(ids(&document), ["front-matter", "preamble", "a"]);
    assert_eq!(joined(&document), document.text());
    assert_eq!(ids(&markdown("+++\nx = 1\n+++\n# A\n")), ["front-matter", "a"]);
    // Not closed, so it is a rule and a heading.
    assert_eq!(ids(&markdown("---\n\n# A\n")), ["preamble", "a"]);
    assert_eq!(ids(&markdown("\u{feff}# A\n")), ["preamble", "a"]);
    assert_eq!(ids(&markdown("")), [""; 0]);
}

#[test]
fn any_text_is_split_without_loss() {
    let pieces = [
        "# 标题\n",
        "## 目标与范围 🎯\r\n",
        "标题\n===\n",
        "Text\r\n---\r\n",
        "```\n",
        "~~~\n",
        "<!--",
        "-->\n",
        "<div>\n",
        "</div>\n",
        "- a\n",
        "  # b\n",
        "> q\n",
        "\r",
        "\n",
        "\r\n",
        "\t",
        "    ",
        "# ",
        "#",
        "中文段落。",
        "👩‍👩‍👧\u{200d}",
        "|a|b|\n|-|-|\n",
        "[x]: /y\n",
        "***\n",
        "\u{feff}",
        "\0",
        "\u{2028}",
        "---\n",
        "+++\n",
        "\\# no\n",
        "1. x\n",
        "`",
        "**",
    ];
    let long = "长".repeat(20_000);
    let mut random = fastrand::Rng::with_seed(1);
    for round in 0..3_000 {
        let mut text: String =
            (0..random.usize(..30)).map(|_| pieces[random.usize(..pieces.len())]).collect();
        if round % 100 == 0 {
            text.push_str(&long);
        }
        let document = markdown(&text);
        assert_eq!(joined(&document), text);
        let restored = Document::restore(Format::Markdown, text.clone(), &document.ids());
        assert_eq!(restored.as_ref(), Ok(&document), "{text:?}");
        let mut unique = ids(&document);
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), document.sections().len(), "{text:?}");
    }
}

#[test]
fn json_is_divided_by_the_table_and_else_as_high_up_as_possible() {
    let document = json(
        r#"{"info":{"title":"x"},"paths":{"/a":{"get":{},"put":{}}},
        "architecture":{"type":"monolith","components":[{"name":"api"},{"name":"web/ui"}]}}"#,
    );
    let expected = [
        "layout",
        "/info",
        "/paths/~1a/get",
        "/paths/~1a/put",
        "/architecture/type",
        "/architecture/components/api",
        "/architecture/components/web~1ui",
    ];
    assert_eq!(ids(&document), expected);
    assert_eq!(document.section_text(&expected[6].into()).as_deref(), Some(r#"{"name":"web/ui"}"#));
    // Elements that their names don't tell apart are no sections of their own.
    let twice = json(r#"{"architecture":{"components":[{"name":"a"},{"name":"a"}]}}"#);
    assert_eq!(ids(&twice), ["layout", "/architecture/components"]);
    assert_eq!(ids(&json(" [1] ")), ["layout", ""]);
    assert_eq!(ids(&json("\u{feff}{\"paths\":null}\n")), ["layout", "/paths"]);
}

#[test]
fn what_is_no_json_or_ambiguous_is_refused() {
    let open = |text: &str| Document::new(Format::Json(SectionTable::openapi()), text).map(|_| ());
    assert!(matches!(open("{"), Err(Error::Json(_))));
    assert!(matches!(open(""), Err(Error::Json(_))));
    let twice = Error::DuplicateKey { pointer: "/a".to_owned(), key: "b".to_owned() };
    assert_eq!(open(r#"{"a":{"b":1,"\u0062":2}}"#), Err(twice));
    assert!(matches!(open(&"[".repeat(200_000)), Err(Error::Json(_))));
    assert_eq!(open(&format!("{}{}", "[".repeat(200), "]".repeat(200))), Err(Error::TooDeep(128)));
    for patterns in [&["a"][..], &["/a/[]"], &["/a", "/a/b"], &["/a/*", "/a/b/c"], &["/a", "/a"]] {
        assert!(
            matches!(SectionTable::new(patterns.iter().copied()), Err(Error::Pattern { .. })),
            "{patterns:?}"
        );
    }
}

#[test]
fn ids_of_another_text_are_refused() {
    let document = markdown("# A\n\n# B\n");
    let restored = Document::restore(Format::Markdown, "# A\n", &document.ids());
    assert_eq!(restored, Err(Error::Ids { sections: 1, ids: 2 }));
}
