//! Pages: a text in parts that stand on a screen.

use super::wrap::{WIDTH, wrap};

/// Wraps a text and parts it into pages that stand on a screen of so many lines, with room for a
/// question below. What a further indented line continues stays with it.
pub fn pages(text: &str, rows: usize) -> Vec<String> {
    /// Lines of the longest question and of its answer.
    const QUESTION: usize = 5;
    let wrapped = wrap(text, WIDTH);
    let lines: Vec<&str> = wrapped.split('\n').collect();
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

#[cfg(test)]
mod tests {
    use super::pages;

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
