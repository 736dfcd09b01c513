use crate::edits::lines;
use crate::hunks::hunks;

/// A section that both sides changed, merged by lines: edits between which a line of the base is unchanged
/// are both taken, and an edit that both sides made, once. `None` if others meet, or if merging the result
/// with a side once more would change it. The texts are without white space at their ends.
pub(super) fn merge(base: &str, mine: &str, theirs: &str) -> Option<String> {
    let texts = [base, mine, theirs];
    // The last line, too, is one that ends, so that it is the same with others after it.
    let end_of_line = if texts.iter().any(|text| text.contains("\r\n")) { "\r\n" } else { "\n" };
    let [base, mine, theirs] = texts.map(|text| format!("{text}{end_of_line}"));
    let merged = merge_once(&base, &mine, &theirs)?;
    let stable =
        [&mine, &theirs].into_iter().all(|side| merge_once(&base, &merged, side).as_ref() == Some(&merged));
    stable.then(|| merged.strip_suffix(end_of_line).unwrap_or(&merged).trim_end().to_owned())
}

fn merge_once(base: &str, mine: &str, theirs: &str) -> Option<String> {
    match (base == mine, base == theirs || mine == theirs) {
        (true, _) => return Some(theirs.to_owned()),
        (_, true) => return Some(mine.to_owned()),
        _ => {}
    }
    let base = lines(base);
    let (mine, theirs) = (edits_of(&base, mine), edits_of(&base, theirs));
    let (mut mine, mut theirs) = (mine.into_iter().peekable(), theirs.into_iter().peekable());
    let (mut text, mut at) = (String::new(), 0);
    loop {
        let next = match (mine.peek(), theirs.peek()) {
            (Some(one), Some(other)) if one == other => {
                theirs.next();
                mine.next()
            }
            (Some(one), Some(other)) if one.0.start <= other.0.end && other.0.start <= one.0.end => {
                return None;
            }
            (Some(one), Some(other)) if other.0.start < one.0.start => theirs.next(),
            (Some(_), _) => mine.next(),
            (None, _) => theirs.next(),
        };
        let Some((range, added)) = next else { break };
        text.push_str(&base[at..range.start].concat());
        text.push_str(&added);
        at = range.end;
    }
    text.push_str(&base[at..].concat());
    Some(text)
}

/// The edits of a side: the lines of the base that it replaces, and by what.
fn edits_of(base: &[&str], side: &str) -> Vec<(std::ops::Range<usize>, String)> {
    let side = lines(side);
    hunks(base, &side).into_iter().map(|(removed, added)| (removed, side[added].concat())).collect()
}
