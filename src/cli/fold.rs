//! Lines no longer than a terminal is wide: broken at spaces, and indented like their beginning. A
//! command stays one where it is broken.

/// The width of a terminal that everybody has.
pub const WIDTH: usize = 79;

/// Folds every line that is longer than `width` characters. A word that is longer stands by itself.
pub fn fold(text: &str, width: usize) -> String {
    text.split('\n').map(|line| fold_line(line, width)).collect::<Vec<_>>().join("\n")
}

/// Folds a text and parts it into pages that stand on a screen of so many lines, with room for a
/// question below. What a further indented line continues stays with it.
pub fn pages(text: &str, rows: usize) -> Vec<String> {
    /// Lines of the longest question and of its answer.
    const QUESTION: usize = 5;
    let folded = fold(text, WIDTH);
    let lines: Vec<&str> = folded.split('\n').collect();
    let most = rows.saturating_sub(QUESTION).max(QUESTION);
    let mut pages: Vec<Vec<&str>> = vec![Vec::new()];
    let entries = lines.chunk_by(|_, next| next.starts_with("    "));
    for entry in entries.flat_map(|entry| entry.chunks(most)) {
        match pages.last_mut() {
            Some(page) if page.len() + entry.len() <= most => page.extend(entry),
            _ => pages.push(entry.to_vec()),
        }
    }
    pages.iter().map(|page| page.join("\n")).collect()
}

fn fold_line(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.to_owned();
    }
    let text = line.trim_start_matches(' ');
    let indent = line.len() - text.len();
    let (end, width) = match text.starts_with("keyrite ") || text.starts_with("cd ") {
        true => (" \\\n", width.saturating_sub(2)),
        false => ("\n", width),
    };
    let next = if indent == 0 { 0 } else { indent + 2 };
    let mut lines = vec![" ".repeat(indent)];
    let mut length = indent;
    for word in text.split(' ') {
        let long = word.chars().count();
        let begins = length == indent || (lines.len() > 1 && length == next);
        if !begins && length + 1 + long > width {
            lines.push(" ".repeat(next));
            length = next;
        } else if !begins {
            length += 1;
            if let Some(last) = lines.last_mut() {
                last.push(' ');
            }
        }
        if let Some(last) = lines.last_mut() {
            last.push_str(word);
        }
        length += long;
    }
    lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join(end)
}

#[cfg(test)]
mod tests {
    use super::{fold, pages};

    #[test]
    fn long_lines_are_folded_and_nothing_is_lost() {
        assert_eq!(fold("short\n  line", 10), "short\n  line");
        assert_eq!(fold("  one two three four", 11), "  one two\n    three\n    four");
        assert_eq!(fold("  one abcdefghijklmnop x", 10), "  one\n    abcdefghijklmnop\n    x");
        assert_eq!(fold("  keyrite a bb cc dd", 14), "  keyrite a \\\n    bb cc dd");
        let text = "Ann (operator): compare all of it with the approved digest, then type words 1, 2 and 3";
        let folded = fold(text, 40);
        assert!(folded.lines().all(|line| line.chars().count() <= 40), "{folded}");
        assert_eq!(folded.split_whitespace().collect::<Vec<_>>().join(" "), text);
    }

    #[test]
    fn pages_are_whole_and_fit() {
        let text = (0..50).map(|number| format!("  line {number}")).collect::<Vec<_>>().join("\n");
        let parted = pages(&text, 24);
        assert_eq!(parted.iter().map(|page| page.lines().count()).collect::<Vec<_>>(), [19, 19, 12]);
        assert_eq!(parted.join("\n"), text);
        assert_eq!(pages("one", 0), ["one"]);
        let entries = (0..15).map(|number| format!("  request {number}\n    its names")).collect::<Vec<_>>();
        let parted = pages(&entries.join("\n"), 24);
        assert_eq!(parted.iter().map(|page| page.lines().count()).collect::<Vec<_>>(), [18, 12]);
    }
}
