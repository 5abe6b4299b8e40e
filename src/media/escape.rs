//! Escaping of untrusted text for display: letters are kept, and characters that could move the cursor,
//! reverse a line, be invisible, or imitate others become `\u{..}`.

use std::ffi::OsStr;

use unicode_security::MixedScript;

/// Invisible characters that `char::escape_debug` keeps: fillers and the blank Braille pattern.
const UNSEEN: [char; 5] = ['\u{115f}', '\u{1160}', '\u{2800}', '\u{3164}', '\u{ffa0}'];

/// Escapes untrusted text for display: control and format characters (including bidirectional marks),
/// separators except the space, invisible, private-use and unassigned characters, combining marks, and
/// every non-ASCII letter in a word that mixes scripts (UTS #39 5.1).
pub fn shown(text: &str) -> String {
    if text.bytes().all(|octet| matches!(octet, b' '..=b'~')) {
        return text.to_owned();
    }
    let mut safe = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_word = first.is_alphabetic();
        let end = rest.find(|c: char| c.is_alphabetic() != is_word).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        let mixed = is_word && !part.is_single_script();
        part.chars().for_each(|c| push(&mut safe, c, mixed));
        rest = after;
    }
    safe
}

/// Quotes a word for a POSIX shell.
pub fn quoted(word: impl AsRef<OsStr>) -> String {
    let word = word.as_ref().to_string_lossy();
    if !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-+=,:@%".contains(&b)) {
        return word.into_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn push(safe: &mut String, c: char, mixed: bool) {
    let plain = match c {
        ' '..='~' => true,
        _ => !UNSEEN.contains(&c) && c.escape_debug().len() == 1 && !mixed,
    };
    match plain {
        true => safe.push(c),
        false => safe.extend(c.escape_unicode()),
    }
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn letters_are_kept_and_misleading_characters_escaped() {
        for same in [
            "O=Müller AG",
            "Jürgen Müller-Lüdenscheidt",
            "Škoda, Ærø, Łódź, Nguyễn",
            "Ελλάδα",
            "Москва",
            "東京タワーのひと",
            "한국",
            "price 5 € at 20 °C",
            "back\\slash \"quoted\"",
        ] {
            assert_eq!(shown(same), same);
        }
        for (text, safe) in [
            ("a\u{1b}[2J\r\n\t", "a\\u{1b}[2J\\u{d}\\u{a}\\u{9}"),
            ("\u{202e}gnp.exe\u{2066}", "\\u{202e}gnp.exe\\u{2066}"),
            ("a\u{200b}b\u{feff}c\u{ad}", "a\\u{200b}b\\u{feff}c\\u{ad}"),
            ("a\u{a0}b\u{2028}c\u{3000}", "a\\u{a0}b\\u{2028}c\\u{3000}"),
            ("\u{3164}\u{2800}", "\\u{3164}\\u{2800}"),
            ("\u{e000}\u{378}\u{e0041}", "\\u{e000}\\u{378}\\u{e0041}"),
            ("e\u{301}", "e\\u{301}"),
            ("sys\u{442}em:m\u{430}sters", "sys\\u{442}em:m\\u{430}sters"),
            ("\u{3b1}dmin", "\\u{3b1}dmin"),
        ] {
            assert_eq!(shown(text), safe);
        }
    }
}
