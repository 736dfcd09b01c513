use loam_documents::{Dependencies, Document, Error, SectionRef, Source, StaleReason};

use crate::markdown;

fn section(document: &str, section: &str) -> SectionRef {
    SectionRef { document: document.to_owned(), section: section.into() }
}

/// A section as it is now.
fn source(name: &str, document: &Document, id: &str) -> Source {
    let revision = match id {
        "" => document.content_revision(),
        id => document.section_revision(&id.into()).expect("a section"),
    };
    Source { from: section(name, id), revision }
}

/// A requirement, a PRD made from it, and a design made from the PRD.
fn chain() -> (Document, Document, Dependencies) {
    let requirement = markdown("# R\n\n## Sell\n\ns\n\n## Send\n\nt\n");
    let prd = markdown("# P\n\n## Shop\n\nx\n\n## Post\n\ny\n");
    let mut dependencies = Dependencies::default();
    for (to, from) in [("p/shop", "r/sell"), ("p/post", "r/send")] {
        dependencies
            .record(section("prd", to), vec![source("requirement", &requirement, from)])
            .expect("no cycle");
    }
    // Its name sorts before its source, so that the order is by dependency and not by name.
    dependencies.record(section("design", "d"), vec![source("prd", &prd, "p/shop")]).expect("no cycle");
    (requirement, prd, dependencies)
}

#[test]
fn what_was_made_from_a_changed_section_is_stale() {
    let (requirement, prd, dependencies) = chain();
    assert_eq!(dependencies.stale([("requirement", &requirement), ("prd", &prd)]), []);
    let changed = requirement.revise(requirement.text().replace("\ns\n", "\nsell more\n")).expect("valid");
    let stale = dependencies.stale([("requirement", &changed), ("prd", &prd)]);
    let sections: Vec<_> = stale.iter().map(|stale| stale.section.clone()).collect();
    assert_eq!(sections, [section("prd", "p/shop"), section("design", "d")]);
    let StaleReason::Changed { source: was, now } = &stale[0].reasons[0] else { panic!("{stale:?}") };
    assert_eq!(*was, source("requirement", &requirement, "r/sell"));
    assert_eq!(Some(now), changed.section_revision(&"r/sell".into()).as_ref());
    assert!(matches!(stale[1].reasons[..], [StaleReason::SourceStale { .. }]));

    let removed = requirement.revise("# R\n\n## Sell\n\ns\n").expect("valid");
    let stale = dependencies.stale([("requirement", &removed)]);
    assert_eq!(stale.len(), 1, "the end of the text is no content: {stale:?}");
    assert!(matches!(stale[0].reasons[..], [StaleReason::Removed { .. }]));
}

#[test]
fn a_section_made_again_is_fresh() {
    let (requirement, prd, mut dependencies) = chain();
    let changed = requirement.revise(requirement.text().replace("\ns\n", "\nsell more\n")).expect("valid");
    dependencies
        .record(section("prd", "p/shop"), vec![source("requirement", &changed, "r/sell")])
        .expect("no cycle");
    assert_eq!(dependencies.stale([("requirement", &changed), ("prd", &prd)]), []);
    dependencies.record(section("design", "d"), Vec::new()).expect("no cycle");
    assert_eq!(dependencies.sources(&section("design", "d")), []);
}

#[test]
fn a_whole_document_as_a_source_notices_new_sections() {
    let (requirement, _, mut dependencies) = chain();
    dependencies
        .record(section("prd", "p"), vec![source("requirement", &requirement, "")])
        .expect("no cycle");
    let more = requirement.revise(format!("{}\n## Pay\n\nu\n", requirement.text())).expect("valid");
    let stale = dependencies.stale([("requirement", &more)]);
    assert_eq!(stale.iter().map(|stale| &stale.section).collect::<Vec<_>>(), [&section("prd", "p")]);
}

#[test]
fn cycles_are_refused() {
    let (_, prd, mut dependencies) = chain();
    let before = dependencies.clone();
    let design = markdown("# D\n");
    for (to, from) in [("r/sell", "d"), ("r/sell", "")] {
        let refused = dependencies.record(section("requirement", to), vec![source("design", &design, from)]);
        assert!(matches!(refused, Err(Error::Cycle(_))), "{from}");
    }
    let itself = dependencies.record(section("prd", "p/shop"), vec![source("prd", &prd, "")]);
    assert!(matches!(itself, Err(Error::Cycle(_))));
    assert_eq!(dependencies, before);

    let stored = serde_json::to_string(&dependencies).expect("serializable");
    assert_eq!(serde_json::from_str::<Dependencies>(&stored).expect("readable"), dependencies);
    let cyclic = stored.replace("\"requirement\"", "\"design\"").replace("\"r/sell\"", "\"d\"");
    assert!(serde_json::from_str::<Dependencies>(&cyclic).is_err(), "{cyclic}");
}
