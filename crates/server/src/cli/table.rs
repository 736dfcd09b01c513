//! Tables that fit the terminal. Where the output is no terminal, every row is one line and nothing is cut.

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};

/// Columns of a cell's padding.
const PADDING: u16 = 2;
/// A column is not made narrower than its longest word, up to this width: longer words are paths and addresses, which
/// can be read in parts.
const LONGEST_WORD: u16 = 16;
/// The length of an id, which is copied as a whole.
const ID: usize = 36;

/// Rows as a table. In a terminal that is too narrow for it, ids move below their rows and columns wrap; if that is not
/// enough, each row becomes a list of its fields.
pub(super) fn table(header: &[String], rows: &[Vec<String>], terminal: Option<u16>) -> String {
    let whole = plain(header, rows);
    let Some(terminal) = terminal.filter(|terminal| width_of(&whole.column_max_content_widths()) > *terminal)
    else {
        return whole.trim_fmt() + "\n";
    };
    let (ids, columns): (Vec<usize>, Vec<usize>) =
        (0..header.len()).partition(|column| is_id_column(rows, *column));
    let pick = |cells: &[String]| columns.iter().map(|column| breakable(&cells[*column])).collect::<Vec<_>>();
    let (short_header, short_rows) = (pick(header), rows.iter().map(|row| pick(row)).collect::<Vec<_>>());
    let Some(widths) = narrowed(&short_header, &short_rows, terminal) else {
        return expanded(header, rows, terminal);
    };
    let mut text = wrapped(&short_header, &widths);
    for (row, short) in rows.iter().zip(&short_rows) {
        text += &wrapped(short, &widths);
        for id in ids.iter().filter(|id| row[**id].len() == ID) {
            text += &format!("   {} {}\n", header[*id].to_lowercase(), row[*id]);
        }
    }
    text
}

/// Fields with their values, one per line.
pub(super) fn fields(fields: &[(String, String)], terminal: Option<u16>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if let Some(terminal) = terminal {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(terminal);
    }
    for (name, value) in fields {
        table.add_row([name, value]);
    }
    table.trim_fmt() + "\n"
}

fn plain(header: &[String], rows: &[Vec<String>]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header).add_rows(rows);
    table
}

fn width_of(columns: &[u16]) -> u16 {
    columns.iter().fold(0, |sum, width| sum.saturating_add(*width).saturating_add(PADDING))
}

fn is_id_column(rows: &[Vec<String>], column: usize) -> bool {
    let is_id =
        |text: &str| text.len() == ID && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let mut values = rows.iter().map(|row| row[column].as_str()).filter(|text| *text != "-").peekable();
    values.peek().is_some() && values.all(is_id)
}

/// A timestamp can be broken between date and time.
fn breakable(text: &str) -> String {
    let is_timestamp = text.len() >= 20 && text.as_bytes()[10] == b'T' && text.ends_with('Z');
    if is_timestamp { text.replacen('T', " ", 1) } else { text.to_owned() }
}

/// The widths of columns in a terminal, the widest ones narrowed; none if their words don't fit.
fn narrowed(header: &[String], rows: &[Vec<String>], terminal: u16) -> Option<Vec<u16>> {
    let words = |cells: &[String]| {
        cells.iter().map(|cell| cell.split_whitespace().collect::<Vec<_>>().join("\n")).collect::<Vec<_>>()
    };
    let by_word = plain(&words(header), &rows.iter().map(|row| words(row)).collect::<Vec<_>>());
    let headers = plain(&words(header), &[]).column_max_content_widths();
    let least: Vec<u16> = by_word
        .column_max_content_widths()
        .into_iter()
        .zip(headers)
        .map(|(word, header)| word.min(LONGEST_WORD).max(header))
        .collect();
    let mut widths = plain(header, rows).column_max_content_widths();
    while width_of(&widths) > terminal {
        let spare = |column: &usize| widths[*column] > least[*column];
        let widest = (0..widths.len()).filter(spare).max_by_key(|column| widths[*column])?;
        widths[widest] -= 1;
    }
    Some(widths)
}

/// A row in columns of fixed widths.
fn wrapped(cells: &[String], widths: &[u16]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).add_row(cells);
    table.set_constraints(
        widths.iter().map(|width| ColumnConstraint::Absolute(Width::Fixed(width.saturating_add(PADDING)))),
    );
    table.trim_fmt() + "\n"
}

/// Each row as a list of its fields.
fn expanded(header: &[String], rows: &[Vec<String>], terminal: u16) -> String {
    let lists = rows.iter().map(|row| {
        let named: Vec<(String, String)> = header.iter().cloned().zip(row.iter().cloned()).collect();
        fields(&named, Some(terminal))
    });
    lists.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|cell| (*cell).to_owned()).collect()
    }

    fn users(terminal: Option<u16>) -> String {
        let id = "01890000-0000-7000-8000-000000000000";
        let row = |name: &str, email: &str| {
            owned(&[name, email, "developer, user", "true", id, "2030-01-31T00:00:00Z"])
        };
        table(
            &owned(&["USERNAME", "EMAIL", "ROLES", "IS ACTIVE", "ID", "CREATED AT"]),
            &[row("ada", "ada@example.com"), row("李雷", "lilei.with.a.long.name@example.com")],
            terminal,
        )
    }

    #[test]
    fn without_a_terminal_a_row_is_a_line() {
        let text = users(None);
        assert_eq!(text.lines().count(), 3, "{text}");
        assert_eq!(users(Some(200)), text, "as in a wide terminal");
    }

    #[test]
    fn in_a_narrow_terminal_ids_are_below_their_rows() {
        let text = users(Some(80));
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert_eq!(text.matches("   id 01890000-0000-7000-8000-000000000000\n").count(), 2, "{text}");
        assert!(text.contains("developer, user") && text.contains(" 2030-01-31\n"), "{text}");
    }

    #[test]
    fn numbers_are_never_broken() {
        let header = owned(&["PROVIDER", "PROMPT TOKENS", "COMPLETION TOKENS", "COST USD", "LATENCY P95 MS"]);
        let rows = [owned(&["deepseek", "123456789012", "123456789012", "1234.567891", "12345678.5"])];
        for width in [40, 60, 80] {
            let text = table(&header, &rows, Some(width));
            assert!(text.contains("123456789012") && text.contains("1234.567891"), "{width}:\n{text}");
            assert!(text.lines().all(|line| line.len() <= width.into()), "{width}:\n{text}");
        }
        assert!(table(&header, &rows, Some(40)).starts_with(" PROVIDER           deepseek"));
    }
}
