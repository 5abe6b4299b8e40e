//! Splits text into pages that fit on the screen.

use super::wrap::wrap;

/// Wraps text and splits it into pages for a screen of this size, leaving room for a question.
/// Lines with a deeper indent stay on the page of the line that they continue.
pub fn pages(text: &str, (rows, columns): (usize, usize)) -> Vec<String> {
    /// Maximum lines of a question and its answer.
    const QUESTION: usize = 5;
    let wrapped = wrap(text, columns);
    let lines: Vec<&str> = wrapped.split('\n').collect();
    let max = rows.saturating_sub(QUESTION).max(QUESTION);
    let mut pages: Vec<Vec<&str>> = vec![Vec::new()];
    let entries = lines.chunk_by(|_, next| next.starts_with("    "));
    for entry in entries.flat_map(|entry| entry.chunks(max)) {
        match pages.last_mut() {
            Some(page) if page.len() + entry.len() <= max => page.extend(entry),
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
        let split = pages(&text, (24, 79));
        assert_eq!(split.iter().map(|page| page.lines().count()).collect::<Vec<_>>(), [19, 19, 12]);
        assert_eq!(split.join("\n"), text);
        assert_eq!(pages("one", (0, 79)), ["one"]);
        let entries = (0..15).map(|number| format!("  request {number}\n    its names")).collect::<Vec<_>>();
        let split = pages(&entries.join("\n"), (24, 79));
        assert_eq!(split.iter().map(|page| page.lines().count()).collect::<Vec<_>>(), [18, 12]);
    }
}
