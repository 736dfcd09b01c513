//! Runs every target over its corpus, and for a few seconds over random mutations of it.
//!
//! The seed is fixed, so that results are reproducible; `LOAM_SOAK` uses a random seed, and ten times as long. A failure
//! prints its input as hex. `LOAM_FUZZ_SECONDS` sets the seconds per target, `LOAM_FUZZ_SEED` the seed.

mod mutate;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use loam_fuzz::TARGETS;

/// Maximum length of an input, in bytes.
const MAX_INPUT: usize = 4096;
/// Default seed.
const SEED: u64 = 12;

#[expect(clippy::disallowed_methods, reason = "tests are configured by the environment of the runner")]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("readable")).collect()
}

fn run(name: &str) {
    let (_, target) = TARGETS.into_iter().find(|(known, _)| *known == name).expect("a target");
    let check = |input: &[u8], from: &str| {
        if catch_unwind(AssertUnwindSafe(|| target(input))).is_err() {
            panic!("{name} failed on {from}: {}", loam_kernel::hex(input));
        }
    };
    let corpus = corpus(name);
    assert!(!corpus.is_empty(), "no corpus");
    for input in &corpus {
        check(input, "its corpus");
    }
    let soak = setting("LOAM_SOAK").map(|_| fastrand::u64(..));
    let seed = setting("LOAM_FUZZ_SEED").or(soak).unwrap_or(SEED);
    let seconds = if soak.is_some() { 30 } else { 3 };
    let mut random = fastrand::Rng::with_seed(seed);
    let end = Instant::now() + Duration::from_secs(setting("LOAM_FUZZ_SECONDS").unwrap_or(seconds));
    while Instant::now() < end {
        let input = mutate::input(&mut random, &corpus, MAX_INPUT);
        check(&input, &format!("seed {seed}"));
    }
}

#[test]
fn json_body() {
    run("json_body");
}

#[test]
fn provider_stream() {
    run("provider_stream");
}

#[test]
fn otlp() {
    run("otlp");
}

#[test]
fn record_batch() {
    run("record_batch");
}

#[test]
fn form() {
    run("form");
}

#[test]
fn cursor() {
    run("cursor");
}

#[test]
fn journal() {
    run("journal");
}

#[test]
fn every_target_has_a_corpus_a_test_and_a_fuzzer() {
    let fuzzers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/fuzz_targets");
    let tests = include_str!("corpus.rs");
    for (name, _) in TARGETS {
        assert!(!corpus(name).is_empty(), "{name} has no corpus");
        assert!(fuzzers.join(format!("{name}.rs")).is_file(), "{name} has no file in {}", fuzzers.display());
        assert!(tests.contains(&format!("run(\"{name}\")")), "{name} has no test");
    }
}
