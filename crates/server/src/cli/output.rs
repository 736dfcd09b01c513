//! Tables for people, JSON for programs.

use std::io::Write;

use anyhow::Result;
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use serde_json::Value;

/// Prints a text as it is.
pub(super) fn text(text: &str) -> Result<()> {
    bytes(text.as_bytes())
}

/// Prints bytes as they are.
pub(super) fn bytes(bytes: &[u8]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()?;
    Ok(())
}

/// Prints a line, or nothing with `--json`.
pub(super) fn line(json: bool, line: &str) -> Result<()> {
    if json { Ok(()) } else { text(&format!("{line}\n")) }
}

/// Prints a value as JSON.
pub(super) fn json(value: &impl Serialize) -> Result<()> {
    text(&(serde_json::to_string_pretty(value)? + "\n"))
}

/// Prints rows: some of their fields as a table, or all of them as JSON.
pub(super) fn rows<T: Serialize>(as_json: bool, rows: &[T], fields: &[&str]) -> Result<()> {
    if as_json {
        return json(&rows);
    }
    let mut table = plain();
    table.set_header(fields.iter().map(|field| field.replace('_', " ").to_uppercase()));
    for row in rows {
        let row = serde_json::to_value(row)?;
        // a row is a line
        table.add_row(fields.iter().map(|field| shown(&row[*field]).replace(['\n', '\r'], " ")));
    }
    text(&(table.trim_fmt() + "\n"))
}

/// Prints one resource: all its fields, nested ones too, one per line, or as JSON.
pub(super) fn one(as_json: bool, value: &impl Serialize) -> Result<()> {
    if as_json {
        return json(value);
    }
    let mut table = plain();
    if let Value::Object(fields) = serde_json::to_value(value)? {
        // a schema is for programs
        for (name, value) in fields.into_iter().filter(|(name, _)| !name.ends_with("_schema")) {
            let name = name.replace('_', " ");
            match value {
                Value::Object(inner) if !inner.is_empty() => {
                    for (inner, value) in inner {
                        table.add_row([format!("{name}: {}", inner.replace('_', " ")), shown(&value)]);
                    }
                }
                value => drop(table.add_row([name, shown(&value)])),
            }
        }
    }
    text(&(table.trim_fmt() + "\n"))
}

fn plain() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_f64() {
            // more digits say nothing to people
            Some(float) if number.is_f64() => ((float * 1e6).round() / 1e6).to_string(),
            _ => number.to_string(),
        },
        Value::Array(items) if items.iter().all(Value::is_string) => {
            items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}
