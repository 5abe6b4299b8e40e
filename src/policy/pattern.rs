//! Patterns: `*` matches one or more characters of a set; `{1}` is what the first `*` of the
//! request's path matched.

/// Characters that `*` matches in a path: within one component.
pub fn in_path(c: char) -> bool {
    c != '/'
}

/// Characters that `*` matches in a DNS name: within one label.
pub fn in_label(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-'
}

/// Characters that `*` matches in a subject: printable text without the colon, so that no pattern
/// allows `system:` identities unless it spells them out.
pub fn in_subject(c: char) -> bool {
    c.is_ascii_alphanumeric() || " ._@'()/+&,-".contains(c)
}

/// Returns what each `*` of `pattern` matched, or `None` when `text` does not match as a whole. Of several
/// ways to match, the first `*` gets the longest text possible, then the second, and so on.
///
/// Takes time in proportion to the number of `*` and the length of the text.
pub fn capture<'t>(pattern: &str, text: &'t str, star: fn(char) -> bool) -> Option<Vec<&'t str>> {
    let mut literals = pattern.split('*');
    let start = text.len() - text.strip_prefix(literals.next()?)?.len();
    let mut literals: Vec<&str> = literals.collect();
    match literals.last() {
        None => return (start == text.len()).then(Vec::new),
        Some(last) if !text.ends_with(last) => return None,
        Some(_) => {}
    }
    // For each `*`, from the last to the first: where its match can end, by where it begins.
    let mut steps = Vec::with_capacity(literals.len());
    while let Some(literal) = literals.pop() {
        let ends = longest(text, star, |end| {
            let after = text.get(end..)?.strip_prefix(literal)?;
            fits(steps.last(), text.len() - after.len(), text.len())
        });
        steps.push((ends, literal.len()));
    }
    let mut captures = Vec::with_capacity(steps.len());
    let mut at = start;
    while let Some((ends, literal)) = steps.pop() {
        let end = ends.get(at).copied().flatten()?;
        captures.push(text.get(at..end)?);
        at = end + literal;
    }
    Some(captures)
}

/// Ends of the matches of one `*` by the octet at which they begin, and the length of the literal after it.
type Step = (Vec<Option<usize>>, usize);

/// Whether the rest of the text matches from here: by the next `*`, or because nothing is left.
fn fits(next: Option<&Step>, at: usize, length: usize) -> Option<()> {
    match next {
        Some((ends, _)) => ends.get(at).copied().flatten().map(drop),
        None => (at == length).then_some(()),
    }
}

/// For each octet of the text, the furthest end of a match of `*` that begins there and for which `accepts`.
fn longest(text: &str, star: fn(char) -> bool, accepts: impl Fn(usize) -> Option<()>) -> Vec<Option<usize>> {
    let mut ends = vec![None; text.len() + 1];
    let mut furthest = None;
    for (at, c) in text.char_indices().rev() {
        let next = at + c.len_utf8();
        furthest = match star(c) {
            true => furthest.or_else(|| accepts(next).map(|()| next)),
            false => None,
        };
        if let Some(end) = ends.get_mut(at) {
            *end = furthest;
        }
    }
    ends
}

/// Whether `text` matches after `{1}` is replaced.
pub fn matches(pattern: &str, first: Option<&str>, text: &str, star: fn(char) -> bool) -> bool {
    match first.filter(|_| pattern.contains("{1}")) {
        Some(first) => capture(&pattern.replace("{1}", first), text, star).is_some(),
        None => capture(pattern, text, star).is_some(),
    }
}
