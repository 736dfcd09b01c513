//! What a crate may see of the others.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::sources::sources;

const DOMAINS: [&str; 5] = ["identity", "gateway", "conversation", "insight", "delivery"];

/// Its own tests may look at the rows that a domain caused elsewhere.
fn is_test(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with("tests.rs")
        || name == "fixture.rs"
        || file.components().any(|part| part.as_os_str() == "tests")
}

/// The paths of a source that begin so: each all that a `use` names, or a path in the code.
fn paths<'a>(text: &'a str, start: &str) -> impl Iterator<Item = &'a str> {
    text.match_indices(start).map(|(at, start)| {
        let path = &text[at + start.len()..];
        let end = match text[..at].ends_with("use ") {
            true => path.find(';'),
            false => path.find(|char| !is_in_name(char) && char != ':'),
        };
        &path[..end.unwrap_or(path.len())]
    })
}

fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split(|char| !is_in_name(char)).filter(|name| !name.is_empty())
}

fn is_in_name(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

/// Whether a source reads the entity of a module that it uses.
fn reads_entity_of(text: &str, module: &str) -> bool {
    text.match_indices(&format!("{module}::entity"))
        .any(|(at, _)| !text[..at].ends_with(|char| is_in_name(char) || char == ':'))
}

#[test]
fn no_domain_reads_the_entity_of_another() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the folder of crates");
    let (mut read, mut found) = (0, Vec::new());
    for domain in DOMAINS {
        for file in sources(&crates.join(domain).join("src")).into_iter().filter(|file| !is_test(file)) {
            let text = fs::read_to_string(&file).expect("a source");
            for other in DOMAINS.map(|other| format!("loam_{other}::")) {
                for path in paths(&text, &other) {
                    read += 1;
                    if names(path).any(|name| name == "entity" || reads_entity_of(&text, name)) {
                        found.push(format!("{}: {other}{path}", file.display()));
                    }
                }
            }
        }
    }
    assert!(read > 30, "{read} uses of other domains");
    assert_eq!(found, Vec::<String>::new(), "ask the other domain's handle instead");
}

#[test]
fn the_lowest_crates_build_without_a_database_library() {
    for name in ["loam-documents", "loam-kernel", "loam-providers"] {
        let tree = Command::new(env!("CARGO"))
            .args([
                "tree",
                "--locked",
                "--offline",
                "--edges",
                "normal",
                "--prefix",
                "none",
                "--package",
                name,
            ])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("cargo runs");
        let tree = String::from_utf8(tree.stdout).expect("text");
        let packages: Vec<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
        assert!(packages.contains(&"serde"), "{name}: {tree}");
        let database =
            packages.iter().filter(|package| package.starts_with("sea-") || package.starts_with("sqlx"));
        assert_eq!(database.collect::<Vec<_>>(), Vec::<&&str>::new(), "{name}");
    }
}
