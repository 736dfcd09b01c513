//! Whatever is sealed under the master key is sealed anew by its rotation: no column is forgotten.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::sources::sources;

/// Seals for a table of a floor below the keyring, which therefore declares it.
const DECLARED_ELSEWHERE: &str = "server/src/surface/idempotency.rs";

fn declared() -> BTreeSet<(String, String)> {
    let tables = loam_server::sealed().into_iter();
    tables.flat_map(|table| table.columns().into_iter().map(move |column| (table.table(), column))).collect()
}

#[test]
fn every_column_that_says_it_is_sealed_is_declared() {
    let declared = declared();
    let (mut said, mut there) = (BTreeSet::new(), BTreeSet::new());
    for entity in loam_server::entities() {
        for column in entity.columns {
            let place = (entity.table.clone(), column.name);
            // "SHA-256 of …" is a digest; what is sealed says so
            if column.comment.contains("sealed") {
                said.insert(place.clone());
            }
            there.insert(place);
        }
    }
    let none: Vec<&(String, String)> = Vec::new();
    assert_eq!(said.difference(&declared).collect::<Vec<_>>(), none, "sealed, and not declared");
    assert_eq!(declared.difference(&there).collect::<Vec<_>>(), none, "declared, and not there");
    assert!(said.len() >= 8, "{said:?}");
}

#[test]
fn whatever_seals_declares_its_columns() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the folder of crates");
    let (mut sealing, mut declaring) = (Vec::new(), 0);
    for file in sources(crates) {
        let text = fs::read_to_string(&file).expect("a source");
        let name = file.strip_prefix(crates).expect("within").to_string_lossy().into_owned();
        if !name.contains("/src/") {
            continue;
        }
        declaring += text.matches("impl SealedRows for ").count();
        let seals = text.contains(".seal(") || text.contains(".seal_json(");
        if seals && !name.starts_with("platform/src/seal/") && !text.contains("impl SealedRows for ") {
            sealing.push(name);
        }
    }
    assert_eq!(
        sealing,
        [DECLARED_ELSEWHERE],
        "these seal values that a rotation of the master key would forget"
    );
    assert_eq!(loam_server::sealed().len(), declaring, "declared, and not in the list of its crate");
}
