//! Each kind of stored bytes is registered, documented, and pinned in each version.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::sources::sources;

fn crates() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the folder of crates")
}

#[test]
fn each_version_of_each_kind_has_a_golden_file() {
    let formats = loam_server::stored_formats();
    let files = |format: &loam_platform::stored_format::StoredFormat| {
        let kind = format.kind();
        format.versions().map(move |version| format!("{kind}.v{version}.txt")).collect::<Vec<_>>()
    };
    let expected: BTreeSet<String> = formats.iter().flat_map(files).collect();
    let folder = crates().join("testkit/golden");
    let found: BTreeSet<String> = fs::read_dir(&folder)
        .expect("the folder of golden files")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(found, expected);
    let kinds: BTreeSet<&str> = formats.iter().map(|format| format.kind()).collect();
    assert_eq!(kinds.len(), formats.len(), "two formats have one name");
}

#[test]
fn each_kind_is_declared_by_its_domain_and_has_a_golden_test() {
    let (mut declared, mut tested) = (0, 0);
    for file in rust_sources() {
        let text = fs::read_to_string(&file).expect("a source");
        // the tests of the type itself declare kinds of their own
        if !file.ends_with("stored_format/tests.rs") {
            declared += text.matches("StoredFormat::new(\"").count();
        }
        tested += text.matches("check_golden(").count() - usize::from(text.contains("pub fn check_golden("));
    }
    let formats = loam_server::stored_formats().len();
    assert_eq!((declared, tested), (formats, formats));
}

#[test]
fn the_documentation_lists_each_kind_with_its_version() {
    let path = crates().parent().expect("the repository").join("docs/FORMATS.md");
    let document = fs::read_to_string(path).expect("the documentation");
    for format in loam_server::stored_formats() {
        let row = format!("| `{}` | {} |", format.kind(), format.version());
        assert!(document.contains(&row), "docs/FORMATS.md lacks a row that begins with {row}");
    }
}

fn rust_sources() -> Vec<PathBuf> {
    let all = sources(crates()).into_iter();
    let within =
        |file: &PathBuf| file.strip_prefix(crates()).is_ok_and(|path| path.iter().any(|part| part == "src"));
    all.filter(within).collect()
}
