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

/// Returns what each `*` of `pattern` matched, or `None` when `text` does not match as a whole.
pub fn capture<'t>(pattern: &str, text: &'t str, star: fn(char) -> bool) -> Option<Vec<&'t str>> {
    let mut captures = Vec::new();
    fits(pattern, text, star, &mut captures).then_some(captures)
}

fn fits<'t>(pattern: &str, text: &'t str, star: fn(char) -> bool, captures: &mut Vec<&'t str>) -> bool {
    let Some((literal, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(tail) = text.strip_prefix(literal) else { return false };
    let longest: usize = tail.chars().take_while(|c| star(*c)).map(char::len_utf8).sum();
    let depth = captures.len();
    // Longest match first, as is usual for `*`.
    (1..=longest).rev().filter(|end| tail.is_char_boundary(*end)).any(|end| {
        let (matched, after) = tail.split_at(end);
        captures.truncate(depth);
        captures.push(matched);
        fits(rest, after, star, captures)
    })
}

/// Whether `text` matches after `{1}` is replaced.
pub fn matches(pattern: &str, first: Option<&str>, text: &str, star: fn(char) -> bool) -> bool {
    match first.filter(|_| pattern.contains("{1}")) {
        Some(first) => capture(&pattern.replace("{1}", first), text, star).is_some(),
        None => capture(pattern, text, star).is_some(),
    }
}
