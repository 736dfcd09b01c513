//! Tables for people, JSON for programs.

use std::io::Write;
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};
use comfy_table::Table;
use serde::Serialize;
use serde_json::Value;

use super::table::{self, table};

/// The only field to print, of this process's command.
static FIELD: OnceLock<String> = OnceLock::new();

/// Prints only this field from now on.
pub(super) fn choose_field(field: Option<String>) {
    field.map(|field| FIELD.get_or_init(|| field));
}

/// Refuses `--field` for an output that is no list or resource.
pub(super) fn refuse_field(of: &str) -> Result<()> {
    ensure!(FIELD.get().is_none(), "--field doesn't apply to {of}; leave it out");
    Ok(())
}

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

/// Prints a value as JSON, or the chosen field of it.
pub(super) fn json(value: &impl Serialize) -> Result<()> {
    match FIELD.get() {
        Some(field) => text(&field_lines(&serde_json::to_value(value)?, field)?),
        None => text(&(serde_json::to_string_pretty(value)? + "\n")),
    }
}

/// A field of a resource, or of each row of a list, one per line.
fn field_lines(value: &Value, field: &str) -> Result<String> {
    let rows = match (value, value.get("data")) {
        (Value::Array(rows), _) | (_, Some(Value::Array(rows))) => rows.as_slice(),
        _ => std::slice::from_ref(value),
    };
    let mut lines = String::new();
    for row in rows {
        let found = field.split('.').try_fold(row, |value, name| value.get(name));
        let found = found.with_context(|| {
            let names: Vec<&str> =
                row.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
            format!("there is no field `{field}`; the fields are {}", names.join(", "))
        })?;
        lines += &(shown(found) + "\n");
    }
    Ok(lines)
}

/// Prints rows: some of their fields as a table, or all of them as JSON.
pub(super) fn rows<T: Serialize>(as_json: bool, rows: &[T], fields: &[&str]) -> Result<()> {
    if as_json {
        return json(&rows);
    }
    let header: Vec<String> = fields.iter().map(|field| field.replace('_', " ").to_uppercase()).collect();
    let mut cells = Vec::new();
    for row in rows {
        let row = serde_json::to_value(row)?;
        // a row is a line
        cells.push(fields.iter().map(|field| cell(&row[*field]).replace(['\n', '\r'], " ")).collect());
    }
    text(&table(&header, &cells, terminal_width()))
}

/// Prints one resource: all its fields, nested ones too, one per line, or as JSON.
pub(super) fn one(as_json: bool, value: &impl Serialize) -> Result<()> {
    if as_json {
        return json(value);
    }
    let mut lines = Vec::new();
    if let Value::Object(fields) = serde_json::to_value(value)? {
        // a schema is for programs
        for (name, value) in fields.into_iter().filter(|(name, _)| !name.ends_with("_schema")) {
            let name = name.replace('_', " ");
            match value {
                Value::Object(inner) if !inner.is_empty() => {
                    for (inner, value) in inner {
                        lines.push((format!("{name}: {}", inner.replace('_', " ")), shown(&value)));
                    }
                }
                value => lines.push((name, shown(&value))),
            }
        }
    }
    text(&table::fields(&lines, terminal_width()))
}

/// The width of the terminal; none if the output is something else.
fn terminal_width() -> Option<u16> {
    Table::new().width()
}

/// A value in a table: of an object its fields that aren't null.
fn cell(value: &Value) -> String {
    let Value::Object(fields) = value else { return shown(value) };
    let fields = fields.iter().filter(|(_, value)| !value.is_null());
    let texts = fields.map(|(name, value)| format!("{} {}", name.replace('_', " "), shown(value)));
    texts.collect::<Vec<_>>().join(", ")
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{cell, field_lines};

    #[test]
    fn an_object_in_a_table_is_shown_by_its_fields() {
        assert_eq!(
            cell(&json!({ "budget_per_day": 1.25, "none": null, "code": "x" })),
            "budget per day 1.25, code x"
        );
        assert_eq!(cell(&json!(null)), "-");
    }

    #[test]
    fn a_field_is_printed_for_a_resource_and_for_each_row_of_a_list() {
        let one = json!({ "id": "a", "api_key": { "key": "k" }, "models": ["x", "y"] });
        assert_eq!(field_lines(&one, "id").expect("a field"), "a\n");
        assert_eq!(field_lines(&one, "api_key.key").expect("a field"), "k\n");
        assert_eq!(field_lines(&one, "models").expect("a field"), "x, y\n");
        let rows = json!([{ "id": "a" }, { "id": "b" }]);
        assert_eq!(field_lines(&rows, "id").expect("a field"), "a\nb\n");
        assert_eq!(field_lines(&json!({ "data": rows }), "id").expect("a field"), "a\nb\n");
        let error = field_lines(&one, "ids").expect_err("no such field").to_string();
        assert!(error.starts_with("there is no field `ids`; the fields are "), "{error}");
    }
}
