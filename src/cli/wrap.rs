//! Wraps lines to the width of a terminal, at spaces and with a hanging indent. A command continues
//! with a backslash.

use std::os::fd::AsFd;

use rustix::termios::tcgetwinsize;

/// Columns that fit on any terminal.
const NARROW: usize = 79;
/// Columns beyond which text is hard to read.
const WIDE: usize = 100;

/// Returns the columns that text may have on this terminal: one fewer than it has, for some terminals wrap
/// after the last one.
pub fn width(terminal: impl AsFd) -> usize {
    let columns = tcgetwinsize(terminal).map_or(0, |size| usize::from(size.ws_col));
    if columns == 0 { NARROW } else { columns.saturating_sub(1).clamp(40, WIDE) }
}

/// Wraps lines longer than `width` characters. A longer word is put on a separate line.
pub fn wrap(text: &str, width: usize) -> String {
    text.split('\n').map(|line| wrap_line(line, width)).collect::<Vec<_>>().join("\n")
}

fn wrap_line(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.to_owned();
    }
    let text = line.trim_start_matches(' ');
    let indent = line.len() - text.len();
    let command = ["keyrite ", "cd ", "(cd "].iter().any(|begin| text.starts_with(begin));
    let (end, width) = if command { (" \\\n", width.saturating_sub(2)) } else { ("\n", width) };
    // Below the second column, if there is one and it leaves room.
    let column = text.find("  ").filter(|_| !command).map(|end| {
        let gap = text.get(end..).map_or(0, |rest| rest.len() - rest.trim_start_matches(' ').len());
        text.get(..end).map_or(0, |first| first.chars().count()) + gap + indent
    });
    let next = match column.filter(|column| 3 * column <= width) {
        Some(column) => column,
        None if indent == 0 && !command => 0,
        None => indent + 2,
    };
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
    use super::wrap;

    #[test]
    fn wraps_long_lines_without_losing_words() {
        assert_eq!(wrap("short\n  line", 10), "short\n  line");
        assert_eq!(wrap("  one two three four", 11), "  one two\n    three\n    four");
        assert_eq!(wrap("  one abcdefghijklmnop x", 10), "  one\n    abcdefghijklmnop\n    x");
        assert_eq!(wrap("  keyrite a bb cc dd", 14), "  keyrite a \\\n    bb cc dd");
        assert_eq!(
            wrap("refused    servers/a.csr: no roster line", 33),
            "refused    servers/a.csr: no\n           roster line"
        );
        let text = "Ann (operator): compare all of it with the approved digest, then type words 1, 2 and 3";
        let wrapped = wrap(text, 40);
        assert!(wrapped.lines().all(|line| line.chars().count() <= 40), "{wrapped}");
        assert_eq!(wrapped.split_whitespace().collect::<Vec<_>>().join(" "), text);
    }
}
