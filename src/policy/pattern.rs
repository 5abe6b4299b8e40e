//! Patterns: `*` stands for one or more characters of a set, `{1}` for what the first `*` of the
//! request's path matched.

/// What `*` matches in a path: within one component.
pub fn in_path(c: char) -> bool {
    c != '/'
}

/// What `*` matches in a DNS name: within one label.
pub fn in_label(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-'
}

/// What `*` matches in a subject: printable text without the colon, so that no pattern lets
/// `system:` identities through unless it spells them.
pub fn in_subject(c: char) -> bool {
    c.is_ascii_alphanumeric() || " ._@'()/+&,-".contains(c)
}

/// What the stars of `pattern` matched, or none when `text` does not match as a whole.
pub fn capture(pattern: &str, text: &str, star: fn(char) -> bool) -> Option<Vec<String>> {
    let Some((literal, rest)) = pattern.split_once('*') else {
        return (pattern == text).then(Vec::new);
    };
    let tail = text.strip_prefix(literal)?;
    let ends = tail.char_indices().take_while(|(_, c)| star(*c)).map(|(at, c)| at + c.len_utf8());
    // The longest match first, as a reader expects of `*`.
    let ends: Vec<usize> = ends.collect();
    ends.into_iter().rev().find_map(|end| {
        let (matched, after) = tail.split_at(end);
        let mut captures = vec![matched.to_owned()];
        captures.extend(capture(rest, after, star)?);
        Some(captures)
    })
}

/// Whether `text` matches, with `{1}` replaced first.
pub fn matches(pattern: &str, first: Option<&str>, text: &str, star: fn(char) -> bool) -> bool {
    let pattern = match first {
        Some(first) => pattern.replace("{1}", first),
        None => pattern.to_owned(),
    };
    capture(&pattern, text, star).is_some()
}
