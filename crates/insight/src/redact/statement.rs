//! Normalisation of database statements: without its values, a statement is the same for every call of one place in a
//! program, and reveals no data.

use serde_json::Value;

/// Maximum length in bytes; longer statements are truncated.
const MAX_LENGTH: usize = 8 * 1024;

/// Commands of document stores whose value is the name of a collection.
const COLLECTION_COMMANDS: [&str; 9] =
    ["find", "insert", "update", "delete", "aggregate", "count", "distinct", "findAndModify", "collection"];

/// A statement with `?` for its values, lists of values folded into one, comments removed and white space collapsed.
///
/// A string in double quotes is an identifier in standard SQL, and a value in MySQL: it is treated as a value where a
/// value is expected, after an operator or within a list of values.
pub(crate) fn statement(text: &str) -> String {
    if text.trim_start().starts_with('{') {
        // a truncated document can't be parsed
        let Ok(mut document) = serde_json::from_str::<Value>(text) else { return "{?}".to_owned() };
        strip_values(&mut document, true);
        // equal statements must be equal texts, however their fields are ordered
        document.sort_all_objects();
        return cut(document.to_string());
    }
    let mut writer = Writer::default();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if writer.out.len() > MAX_LENGTH {
            break;
        }
        rest = &rest[writer.token(first, rest)..];
    }
    cut(writer.finish())
}

fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_LENGTH));
    text
}

/// The fields of a document-store query without their values, except the name of the collection that a command refers
/// to.
fn strip_values(value: &mut Value, is_command: bool) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let named = is_command && COLLECTION_COMMANDS.contains(&name.as_str()) && value.is_string();
                if !named {
                    strip_values(value, false);
                }
            }
        }
        Value::Array(items) => {
            items.iter_mut().for_each(|item| strip_values(item, false));
            items.dedup();
        }
        value => *value = Value::from("?"),
    }
}

#[derive(Default)]
struct Writer {
    out: String,
    /// A space is due before the next token.
    blank: bool,
    /// The last token was an operator, or a keyword that a value follows.
    operator: bool,
    /// Within the values of an INSERT, or a list after IN.
    in_list: bool,
    /// Nesting depth of parentheses within a list.
    depth: u32,
    /// Where in `out` the open list of values starts; none once it contains anything else.
    list: Option<usize>,
}

impl Writer {
    /// Consumes one token; returns its length in bytes.
    fn token(&mut self, first: char, rest: &str) -> usize {
        let bytes = rest.as_bytes();
        match first {
            c if c.is_whitespace() => {
                self.blank = true;
                c.len_utf8()
            }
            '-' if rest.starts_with("--") => self.skip(rest.find('\n').unwrap_or(rest.len())),
            '/' if rest.starts_with("/*") => {
                self.skip(rest[2..].find("*/").map_or(rest.len(), |end| end + 4))
            }
            '\'' => self.value(quoted(bytes, b'\'')),
            '"' => {
                let length = quoted(bytes, b'"');
                let named = rest[length..].trim_start().starts_with('.');
                if (self.operator || self.in_list) && !named {
                    self.value(length)
                } else {
                    self.word(rest, length)
                }
            }
            '`' => self.word(rest, quoted(bytes, b'`')),
            '[' if rest[1..].starts_with(|c: char| c.is_alphabetic()) => {
                self.word(rest, rest.find(']').map_or(rest.len(), |end| end + 1))
            }
            '$' => match dollar(rest) {
                Some(length) => self.value(length),
                None => self.value(1 + run(&bytes[1..], |byte| byte.is_ascii_alphanumeric() || byte == b'_')),
            },
            '?' => self.value(1 + run(&bytes[1..], |byte| byte.is_ascii_digit())),
            ':' if rest.starts_with("::") => {
                self.out.push_str("::");
                (self.blank, self.operator) = (false, false);
                2
            }
            ':' | '@' if bytes.get(1).is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_') => {
                self.value(1 + run(&bytes[1..], |byte| byte.is_ascii_alphanumeric() || byte == b'_'))
            }
            '%' if rest.starts_with("%s") => self.value(2),
            '%' if rest.starts_with("%(") => self.value(rest.find(")s").map_or(rest.len(), |end| end + 2)),
            '0'..='9' => self.value(number(bytes)),
            '.' if self.operator && bytes.get(1).is_some_and(u8::is_ascii_digit) => self.value(number(bytes)),
            c if c.is_alphanumeric() || c == '_' || c == '#' => {
                let length = rest
                    .find(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '$' | '#'))
                    .unwrap_or(rest.len());
                // E'…', N'…', x'…', _utf8'…'
                if rest[length..].starts_with('\'') { self.skip(length) } else { self.word(rest, length) }
            }
            c => self.mark(c),
        }
    }

    fn skip(&mut self, length: usize) -> usize {
        self.blank = true;
        length
    }

    fn space(&mut self) {
        if std::mem::take(&mut self.blank) && !self.out.is_empty() && !self.out.ends_with('(') {
            self.out.push(' ');
        }
    }

    fn value(&mut self, length: usize) -> usize {
        self.space();
        // the sign of a negative number stays
        self.out.push('?');
        self.operator = false;
        length
    }

    fn word(&mut self, rest: &str, length: usize) -> usize {
        let word = &rest[..length];
        self.space();
        self.out.push_str(word);
        self.list = None;
        let is = |names: &[&str]| names.iter().any(|name| word.eq_ignore_ascii_case(name));
        self.operator = is(&["LIKE", "ILIKE", "BETWEEN", "AND", "THEN", "ELSE", "LIMIT", "OFFSET"]);
        if is(&["VALUES", "IN"]) {
            (self.in_list, self.depth) = (true, 0);
        } else if self.depth == 0 {
            self.in_list = false;
        }
        length
    }

    fn mark(&mut self, mark: char) -> usize {
        match mark {
            '(' => {
                // function calls have no space before the parenthesis, lists do
                if self.in_list && self.depth == 0 && !self.out.ends_with(')') {
                    self.blank = true;
                }
                self.space();
                self.depth += u32::from(self.in_list);
                self.list = self.in_list.then_some(self.out.len());
                self.out.push('(');
                self.operator = false;
            }
            ')' => {
                self.blank = false;
                self.depth = self.depth.saturating_sub(1);
                self.operator = false;
                if let Some(begin) = self.list.take().filter(|begin| self.out[begin + 1..].contains('?')) {
                    self.out.truncate(begin);
                    self.out.push_str("(?");
                    // one row stands for all
                    if let Some(before) = self.out[..begin].trim_end().strip_suffix("(?),") {
                        let before = before.len() + "(?".len();
                        self.out.truncate(before);
                    }
                }
                self.out.push(')');
            }
            ',' => {
                self.blank = true;
                self.out.push(',');
            }
            ';' => {
                self.out.push(';');
                (self.in_list, self.depth, self.list) = (false, 0, None);
                self.blank = true;
            }
            mark => {
                self.space();
                self.out.push(mark);
                self.operator =
                    matches!(mark, '=' | '<' | '>' | '!' | '~' | '+' | '-' | '*' | '/' | '|' | ':');
            }
        }
        mark.len_utf8()
    }

    fn finish(mut self) -> String {
        let end = self.out.trim_end_matches([' ', ';']).len();
        self.out.truncate(end);
        self.out
    }
}

/// The length of a quoted string with its quotes. A quote within is doubled, or escaped as in MySQL.
fn quoted(bytes: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' if quote != b'`' => at += 1,
            byte if *byte == quote && bytes.get(at + 1) == Some(&quote) => at += 1,
            byte if *byte == quote => return at + 1,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// The length of a PostgreSQL dollar-quoted string, `$tag$…$tag$`.
fn dollar(rest: &str) -> Option<usize> {
    let end = 1 + run(&rest.as_bytes()[1..], |byte| byte.is_ascii_alphabetic() || byte == b'_');
    if rest.as_bytes().get(end) != Some(&b'$') {
        return None;
    }
    let tag = &rest[..=end];
    Some(rest[tag.len()..].find(tag).map_or(rest.len(), |at| at + 2 * tag.len()))
}

fn number(bytes: &[u8]) -> usize {
    run(bytes, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_'))
}

fn run(bytes: &[u8], of: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|byte| !of(*byte)).unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::statement;

    #[test]
    fn statements_lose_their_values() {
        for (before, after) in [
            (
                "SELECT * FROM users WHERE id = 42 AND name = 'O''Neil'",
                "SELECT * FROM users WHERE id = ? AND name = ?",
            ),
            (
                "select\n  a,b\tfrom t -- why\n where x>-1.5e3 /* so */ limit 10",
                "select a, b from t where x>-? limit ?",
            ),
            (
                "SELECT \"t\".\"id\" FROM \"t\" WHERE \"t\".\"id\" = \"u\".\"t_id\"",
                "SELECT \"t\".\"id\" FROM \"t\" WHERE \"t\".\"id\" = \"u\".\"t_id\"",
            ),
            (
                "SELECT 1 FROM t WHERE name = \"alice\" AND b LIKE \"x%\"",
                "SELECT ? FROM t WHERE name = ? AND b LIKE ?",
            ),
            (
                "UPDATE t SET a = $1::jsonb, b = E'\\'x' WHERE c = :id",
                "UPDATE t SET a = ?::jsonb, b = ? WHERE c = ?",
            ),
            ("SELECT $tag$it's$tag$, count(*) FROM `a b`", "SELECT ?, count(*) FROM `a b`"),
            (
                "SELECT * FROM t1 WHERE a2 = @p1 OR b = %s OR c = %(name)s OR d = ?3",
                "SELECT * FROM t1 WHERE a2 = ? OR b = ? OR c = ? OR d = ?",
            ),
            ("BEGIN;", "BEGIN"),
            ("", ""),
        ] {
            assert_eq!(statement(before), after);
        }
    }

    #[test]
    fn lists_of_values_are_folded() {
        for (before, after) in [
            ("SELECT a FROM t WHERE id IN (1, 2,3)", "SELECT a FROM t WHERE id IN (?)"),
            (
                "SELECT a FROM t WHERE id IN('a') AND f(1,2) = 3",
                "SELECT a FROM t WHERE id IN (?) AND f(?, ?) = ?",
            ),
            (
                "INSERT INTO t (\"a\", b) VALUES (1,'x'), (2,\"y\"),(3, 'z') ON CONFLICT (a) DO NOTHING",
                "INSERT INTO t (\"a\", b) VALUES (?) ON CONFLICT (a) DO NOTHING",
            ),
            (
                "SELECT a FROM t WHERE id IN (SELECT b FROM u WHERE c = 5)",
                "SELECT a FROM t WHERE id IN (SELECT b FROM u WHERE c = ?)",
            ),
            ("INSERT INTO t VALUES (now(), 1)", "INSERT INTO t VALUES (now(), ?)"),
        ] {
            assert_eq!(statement(before), after);
        }
    }

    #[test]
    fn document_queries_lose_their_values_and_broken_input_ends() {
        let query = r#"{"find": "users", "filter": {"name": "alice", "age": {"$in": [5, 6]}}}"#;
        assert_eq!(statement(query), r#"{"filter":{"age":{"$in":["?"]},"name":"?"},"find":"users"}"#);
        assert_eq!(statement(r#"{"find": "users", "name": ["abc", "abc"#), "{?}");
        for broken in ["SELECT 'abc", "SELECT \"a", "$x$ abc", "/* a", "%(a", "'\\", "ä'ö"] {
            assert!(!statement(broken).contains("abc"), "{broken}");
        }
        let long = format!("SELECT {}", "ä, ".repeat(10_000));
        assert!(statement(&long).len() <= super::MAX_LENGTH);
    }
}
