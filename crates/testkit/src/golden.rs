//! Golden files: the bytes of each version of each kind that Loam stores.

use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;

/// Bytes per line of a golden file.
const LINE: usize = 48;

/// Compares stored bytes with the golden files of their kind, `golden/<kind>.v<version>.txt` in this crate: the bytes in
/// hexadecimal, an empty line, and what `read` makes of them. Each version must be read as it was when its file was
/// written, and the current one must be written as it was.
///
/// The file of a new version is written, and a file that has only bytes is completed. Either fails the test once: check the
/// file, and commit it. Otherwise files never change: changed bytes need a new version.
///
/// # Panics
/// When bytes differ, or a file is missing or incomplete.
pub fn check_golden(
    kind: &str,
    versions: RangeInclusive<u8>,
    current: &[u8],
    read: impl Fn(&[u8]) -> String,
) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let newest = *versions.end();
    let mut completed = Vec::new();
    for version in versions {
        let name = format!("{kind}.v{version}.txt");
        let golden = match fs::read_to_string(folder.join(&name)) {
            Ok(golden) => golden,
            Err(_) if version == newest => hex(current),
            Err(error) => panic!("{name}, of an earlier version: {error}"),
        };
        let Some((bytes, expected)) = golden.split_once("\n\n") else {
            let whole = format!("{}\n\n{}\n", golden.trim_end(), read(&unhex(&golden)));
            fs::write(folder.join(&name), whole).expect("the folder exists");
            completed.push(name);
            continue;
        };
        assert_eq!(
            read(&unhex(bytes)),
            expected.trim_end(),
            "version {version} of {kind} is read differently"
        );
        if version == newest {
            assert_eq!(hex(current), bytes, "the bytes of {kind} have changed: this needs a new version");
        }
    }
    assert!(completed.is_empty(), "now complete, check and commit: {}", completed.join(", "));
}

fn hex(bytes: &[u8]) -> String {
    let line = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    bytes.chunks(LINE).map(line).collect::<Vec<_>>().join("\n")
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte =
        |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).expect("ASCII"), 16).expect("hexadecimal");
    digits.chunks(2).map(byte).collect()
}
