//! The generated files of `docs/` are reviewed with the change that alters them.

use std::path::Path;

fn same(name: &str, generated: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = kept.lines().zip(generated.lines()).position(|(kept, generated)| kept != generated);
    let line = differs.unwrap_or_else(|| kept.lines().count().min(generated.lines().count()));
    assert!(
        kept == generated,
        "docs/{name} is not what the code generates, from line {} on:\n  kept:      {}\n  generated: {}\nrun `make docs`, and \
         read the difference before you commit it",
        line + 1,
        kept.lines().nth(line).unwrap_or("(the end)"),
        generated.lines().nth(line).unwrap_or("(the end)"),
    );
}

// a document is made from routes, which are made over a pool, which wants a runtime
#[tokio::test]
async fn the_openapi_document_is_the_reviewed_one() {
    same("openapi.json", &loam_server::openapi_text().unwrap());
}

#[test]
fn the_data_dictionary_is_the_entities() {
    same("DATA-DICTIONARY.md", &loam_db::data_dictionary(&loam_server::entities()));
}

#[test]
fn the_entity_diagram_is_the_entities() {
    same("ENTITIES.md", &loam_db::entity_diagram(&loam_server::entities()));
}
