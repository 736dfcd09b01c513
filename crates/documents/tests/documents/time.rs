//! Large and unfavourable documents. The limits are wide: they tell n log n from n², on a busy machine,
//! without optimization.

use std::time::{Duration, Instant};

use loam_documents::{Document, Draft, Format, SectionTable, diff, merge, redraft};

use crate::markdown;

fn within<T>(limit: Duration, what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    assert!(start.elapsed() < limit, "{what} took {:?}", start.elapsed());
    result
}

/// Everything that is done with a document, on three versions.
fn all(what: &str, base: &Document, mine: String, theirs: String) {
    within(Duration::from_secs(5), what, || {
        let (mine, theirs) = (base.revise(mine).expect("valid"), base.revise(theirs).expect("valid"));
        let diff = diff(base, &mine).expect("one format");
        assert_eq!(diff.apply(base).as_ref(), Ok(&mine));
        merge(base, &mine, &theirs, &[]).expect("mergeable");
    });
}

#[test]
fn a_megabyte_in_a_thousand_sections_takes_no_time() {
    let text: String = (0..1_000)
        .map(|number| {
            format!("## Section {number}\n\n{}\n", format!("Line of section {number}.\n").repeat(40))
        })
        .collect();
    let base = markdown(&text);
    let mine = text.replace("of section 17.", "of my section 17.").replace("## Section 4", "## Part 4");
    let theirs = format!("{}\n## New\n", text.replace("## Section 99", "# Section 99"));
    all("Markdown", &base, mine, theirs);

    let path = |number| {
        let text = "A text. ".repeat(100);
        let get = format!(r#"{{"summary":"{number}","description":"{text}","tags":["a","b"]}}"#);
        format!(r#""/things/{number}":{{"get":{get}}}"#)
    };
    let text = format!(r#"{{"paths":{{{}}}}}"#, (0..1_000).map(path).collect::<Vec<_>>().join(","));
    let base = Document::new(Format::Json(SectionTable::openapi()), text.clone()).expect("valid");
    let mine = text.replace("/things/1", "/stuff/1").replace(r#""summary":"2"#, r#""summary":"two"#);
    all("JSON", &base, mine, text.replace(r#""summary":"3"#, r#""summary":"three"#));
    let draft = |number| Draft {
        section: format!("/paths/~1things~1{number}/put").into(),
        base: None,
        text: Some("{}".to_owned()),
        after: None,
    };
    let drafts: Vec<Draft> = (0..1_000).map(draft).collect();
    within(Duration::from_secs(5), "drafts", || redraft(&base, &drafts).expect("valid"));
}

#[test]
fn unfavourable_texts_take_bounded_time() {
    let mut random = fastrand::Rng::with_seed(3);
    let mut few_different = |lines: usize| -> String {
        (0..lines).map(|_| ["a\n", "b\n", "c\n", "d\n"][random.usize(..4)]).collect()
    };
    let texts = [
        ("few different lines", few_different(100_000), few_different(100_000), few_different(100_000)),
        (
            "every second line",
            (0..50_000).map(|line| format!("{line}\nx{line}\n")).collect(),
            (0..50_000).map(|line| format!("{line}\ny{line}\n")).collect(),
            (0..50_000).map(|line| format!("{line}\nx{line}\n")).rev().collect(),
        ),
        ("equal headings", "# A\n".repeat(30_000), "# A\nb\n".repeat(30_000), "# B\n".repeat(30_000)),
        ("one line", "长".repeat(300_000), "短".repeat(300_000), "x ".repeat(300_000)),
        ("brackets", "[".repeat(300_000), "![](".repeat(80_000), "*_`<a".repeat(60_000)),
        ("quotations", "> ".repeat(20_000), "- ".repeat(20_000), "  - x\n".repeat(50_000)),
        ("no ends", "<!--\n".repeat(50_000), "```\n".repeat(50_001), "---\n".repeat(50_000)),
        ("underlines", "a\n".repeat(100_000) + "===\n", "a\n===\n".repeat(50_000), "[a]: b\n".repeat(50_000)),
    ];
    for (what, base, mine, theirs) in texts {
        all(what, &markdown(&base), mine.clone(), theirs.clone());
        all(what, &markdown(&format!("# A\n\n{base}")), format!("# A\n\n{mine}"), format!("# A\n\n{theirs}"));
    }
    let numbers = |from: usize| {
        format!("[{}]", (from..from + 200_000).map(|n| n.to_string()).collect::<Vec<_>>().join(","))
    };
    let base = Document::new(Format::Json(SectionTable::openapi()), numbers(0)).expect("valid");
    all("numbers", &base, numbers(1_000_000), numbers(2_000_000));
}
