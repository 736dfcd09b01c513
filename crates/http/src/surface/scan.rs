//! Checks of unparsed JSON, in one pass and without allocating.
//!
//! A body is untrusted. Checks before parsing must take linear time, and constant memory.

use memchr::{memchr2, memmem};

/// Maximum depth of a path.
const LEVELS: usize = 8;
/// Maximum bytes of a name in a path.
const MAX_NAME: usize = 60;
/// The memory of an object, as a multiple of that of a number.
const OBJECT: usize = 16;

/// The path of the first NUL in JSON, in a string or in a name. `None` also if the data before it is not JSON.
pub(super) fn nul_path(bytes: &[u8]) -> Option<String> {
    let at = memmem::find_iter(bytes, b"\\u0000").find(|at| is_escape(bytes, *at))?;
    path_of(bytes, at)
}

/// Whether the backslash at `at` begins an escape: an even number of others stands before it.
fn is_escape(bytes: &[u8], at: usize) -> bool {
    bytes[..at].iter().rev().take_while(|byte| **byte == b'\\').count().is_multiple_of(2)
}

/// A container on a path.
#[derive(Clone, Copy)]
enum Level<'a> {
    Array(usize),
    Object { name: &'a [u8], named: bool },
}

/// The path of the string that contains the byte at `at`.
fn path_of(bytes: &[u8], at: usize) -> Option<String> {
    let mut levels = [Level::Array(0); LEVELS];
    let (mut depth, mut i) = (0_usize, 0);
    while i < at {
        let inner = depth.checked_sub(1).and_then(|inner| levels.get_mut(inner));
        match bytes[i] {
            b'"' => {
                let end = string_end(bytes, i);
                if let Some(Level::Object { name, named: named @ false }) = inner {
                    (*name, *named) = (&bytes[i + 1..end.min(bytes.len())], true);
                }
                if end > at {
                    return Some(render(&levels[..depth.min(LEVELS)], depth > LEVELS));
                }
                i = end;
            }
            b',' => match inner {
                Some(Level::Array(index)) => *index += 1,
                Some(Level::Object { named, .. }) => *named = false,
                None => {}
            },
            open @ (b'[' | b'{') => {
                if let Some(level) = levels.get_mut(depth) {
                    *level = match open {
                        b'[' => Level::Array(0),
                        _ => Level::Object { name: b"", named: false },
                    };
                }
                depth += 1;
            }
            b']' | b'}' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        i += 1;
    }
    None
}

/// The end of the string that begins at `start`: the index of its closing quotation mark, or the end of the bytes.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut i = start + 1;
    while let Some(found) = bytes.get(i..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        if bytes[i + found] == b'"' {
            return i + found;
        }
        i += found + 2;
    }
    bytes.len()
}

fn render(levels: &[Level<'_>], deeper: bool) -> String {
    let mut path = String::new();
    for level in levels {
        match level {
            Level::Array(index) => path.push_str(&format!("[{index}]")),
            Level::Object { name, .. } => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(&String::from_utf8_lossy(&name[..name.len().min(MAX_NAME)]));
                if name.len() > MAX_NAME {
                    path.push('…');
                }
            }
        }
    }
    if deeper {
        path.push('…');
    }
    path
}

/// Whether JSON has more than `most` values, where an object counts as sixteen: two bytes may take 32 in memory, and eight
/// six hundred.
pub(super) fn is_heavy(bytes: &[u8], most: usize) -> bool {
    let (mut weight, mut i) = (0_usize, 0);
    while let Some(byte) = bytes.get(i) {
        match byte {
            b'"' => i = string_end(bytes, i),
            b',' | b'[' => weight += 1,
            b'{' => weight += OBJECT,
            _ => {}
        }
        if weight > most {
            return true;
        }
        i += 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nul_is_named_by_its_path() {
        let at = |json: &str| nul_path(json.as_bytes());
        assert_eq!(at(r#"{"name": "a\u0000b"}"#).unwrap(), "name");
        assert_eq!(at(r#"{"a": [1, {"b": 2}, {"c, \"[": ["x", "\u0000"]}]}"#).unwrap(), r#"a[2].c, \"[[1]"#);
        assert_eq!(at(r#"["x", "\u0000"]"#).unwrap(), "[1]");
        assert_eq!(at(r#""\u0000""#).unwrap(), "");
        assert_eq!(at(r#"{"a": {"b\u0000": 1}}"#).unwrap(), r"a.b\u0000", "a name");
        assert_eq!(at(r#"{"a": "b", "c": {"d": [[], [[0], "\u0000"]]}}"#).unwrap(), "c.d[1][1]");
        assert_eq!(at(r#"{"a": "\\u0000", "b": "\\\\u0000"}"#), None, "the six characters, escaped");
        assert_eq!(at(r#"{"a": "\\\u0000"}"#).unwrap(), "a", "a backslash, then a NUL");
        assert_eq!(at(r#"{"a": "\\u0000", "b": "\u0000"}"#).unwrap(), "b");
        assert_eq!(at(r"]\u0000"), None);
        assert_eq!(at(r"\u0000"), None, "in no text");
        assert!(at(r#"{"a": "\u0000"#).is_some(), "cut off");
    }

    #[test]
    fn a_path_is_as_long_as_it_can_be_read() {
        let name = "k".repeat(1_000_000);
        let json = format!(r#"{{"{name}": [{}"\u0000"]}}"#, "0,".repeat(100_000));
        let path = nul_path(json.as_bytes()).expect("found");
        assert_eq!(path, format!("{}…[100000]", "k".repeat(60)));
        let deep = format!(r#"{}"\u0000"{}"#, "[".repeat(1_000_000), "]".repeat(1_000_000));
        assert_eq!(nul_path(deep.as_bytes()).expect("found"), format!("{}…", "[0]".repeat(8)));
    }

    #[test]
    fn what_is_heavy_in_memory_is_known_from_the_bytes() {
        assert!(!is_heavy(br#"{"a": ",,,,,,,,[[[[{{{{"}"#, 20));
        assert!(is_heavy(b"[0,0,0,0]", 3) && !is_heavy(b"[0,0,0,0]", 4));
        assert!(is_heavy(b"[{},{}]", 33) && !is_heavy(b"[{},{}]", 34));
        assert!(!is_heavy(br#"["#, 1) && !is_heavy(br#""\"#, 1));
    }
}
