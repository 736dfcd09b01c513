//! Creates a new migration in a source tree.

use std::fs;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use loam_kernel::{Error, Kind, Result};

const MARK: &str = "    // new migrations go above this line";

/// Writes an empty migration below `root`, the top of Loam's source tree, and registers it. Returns its path.
pub fn new_revision(root: &Path, name: &str, now: DateTime<Utc>) -> Result<PathBuf> {
    let valid =
        !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !valid {
        return Err(Error::invalid("name", "must be lower-case letters, digits and `_`"));
    }
    let folder = root.join("crates/db/src/migrations");
    let register = folder.join("mod.rs");
    let io = |e: std::io::Error| {
        let message = format!(
            "cannot write below {}: {e}; run this at the top of Loam's source tree",
            folder.display()
        );
        Error::new(Kind::Invalid, "no_source_tree", message)
    };
    let module = format!("m{}_{name}", now.format("%Y%m%d_%H%M%S"));
    let text = fs::read_to_string(&register).map_err(io)?;
    let text = text.replace(MARK, &format!("    {module},\n{MARK}"));
    let text = text
        .replace("\n/// One step of the schema.", &format!("mod {module};\n\n/// One step of the schema."));
    let path = folder.join(format!("{module}.rs"));
    let body = "//! What this migration does, and why.\n\nuse crate::schema::Schema;\n\npub(crate) fn up(schema: &mut Schema) {\n    \
                let _ = schema;\n}\n";
    fs::write(&path, body).map_err(io)?;
    fs::write(&register, text).map_err(io)?;
    Ok(path)
}
