//! Embeds what `make console` built to `target/console`: a table of its files, each as it is or compressed.
//!
//! Without that folder the table is empty, so that the workspace builds without Node.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/console");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files = Vec::new();
    if folder.is_dir() {
        collect(&folder.canonicalize()?, &mut files)?;
        files.sort();
    }
    let mut table = String::from("&[\n");
    for file in &files {
        let base = folder.canonicalize()?;
        let Some(path) = file.strip_prefix(&base).ok().and_then(Path::to_str) else { continue };
        if path.ends_with(".br") || path.ends_with(".gz") {
            continue;
        }
        let compressed = |suffix: &str| {
            let file = PathBuf::from(format!("{}.{suffix}", file.display()));
            file.exists().then_some(file)
        };
        let content = match (compressed("br"), compressed("gz")) {
            (Some(br), Some(gz)) => {
                format!(
                    "Content::Compressed {{ brotli: include_bytes!({br:?}), gzip: include_bytes!({gz:?}) }}"
                )
            }
            _ => format!("Content::Plain(include_bytes!({file:?}))"),
        };
        writeln!(table, "    Asset {{ path: {path:?}, content: {content} }},").map_err(io::Error::other)?;
    }
    table.push_str("]\n");
    println!("cargo::rustc-check-cfg=cfg(has_files)");
    if !files.is_empty() {
        println!("cargo::rustc-cfg=has_files");
    }
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("Cargo sets OUT_DIR"))?;
    fs::write(Path::new(&out).join("assets.rs"), table)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
