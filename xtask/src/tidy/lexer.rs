//! Just enough of Rust's lexer to tell code from comments and text, and tests from the rest. It
//! replaces what is not code by blanks, so that lines and columns stay where they are.

/// A source file, with and without what is not code.
pub(super) struct Source<'a> {
    /// Every line as it is.
    pub(super) lines: Vec<&'a str>,
    /// Every line without comments, and without what is inside of quotes.
    pub(super) code: Vec<String>,
    /// Whether the line is only compiled for tests.
    pub(super) test: Vec<bool>,
}

impl<'a> Source<'a> {
    pub(super) fn new(text: &'a str) -> Source<'a> {
        let blanked = blank(text);
        let lines: Vec<&str> = text.lines().collect();
        let test = tests(&blanked, lines.len());
        Source { lines, code: blanked.lines().map(str::to_owned).collect(), test }
    }

    /// The modules that are files of their own: line, name, and whether only tests have them.
    pub(super) fn modules(&self) -> Vec<(usize, &str, bool)> {
        let mut found = Vec::new();
        for (at, line) in self.code.iter().enumerate() {
            for (start, _) in line.match_indices("mod ") {
                let begins = line[..start].chars().next_back().is_none_or(|c| !identifier(c));
                let rest = line[start + 4..].trim_start();
                let name = rest.split(|c| !identifier(c)).next().unwrap_or_default();
                if begins && !name.is_empty() && rest[name.len()..].trim_start().starts_with(';') {
                    found.push((at, name, self.test[at]));
                }
            }
        }
        found
    }
}

/// Whether a name may hold this character.
pub(super) fn identifier(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether `words` occurs in a line of code, not as a part of longer names.
pub(super) fn has(code: &str, words: &str) -> bool {
    let inside = |edge: Option<char>| edge.is_some_and(identifier);
    code.match_indices(words).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + words.len()..].chars().next();
        let starts = !words.starts_with(identifier) || !inside(before);
        let ends = !words.ends_with(identifier) || !inside(after);
        starts && ends
    })
}

/// Replaces comments and what is inside of quotes by blanks; line ends stay.
fn blank(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    let mut last = ' ';
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => comment(rest),
            '"' => quoted(rest),
            'r' | 'b' | 'c' if !identifier(last) => prefixed(rest),
            '\'' => character(rest),
            _ => 0,
        };
        if length == 0 {
            code.push(c);
            last = c;
            rest = &rest[c.len_utf8()..];
            continue;
        }
        code.extend(rest[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        last = ' ';
        rest = &rest[length..];
    }
    code
}

/// The length of a comment in `/* */`, which may hold others.
fn comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// The length of a text in quotes.
fn quoted(text: &str) -> usize {
    let mut escaped = true; // the first quote opens
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of a text like `r#"…"#`, `b"…"` or `b'…'`; 0 if it is only a name.
fn prefixed(text: &str) -> usize {
    let letters = text.len() - text.trim_start_matches(['r', 'b', 'c']).len();
    let rest = &text[letters..];
    if letters > 2 {
        return 0;
    }
    if !text[..letters].contains('r') {
        return match rest.chars().next() {
            Some('"') => letters + quoted(rest),
            Some('\'') => letters + character(rest),
            _ => 0,
        };
    }
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    if !rest[hashes..].starts_with('"') {
        return 0;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    let open = letters + hashes + 1;
    text[open..].find(&close).map_or(text.len(), |at| open + at + close.len())
}

/// The length of `'x'`; 0 if it is a lifetime.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        // The escaped character may itself be a quote.
        (Some((_, '\\')), Some(_)) => chars.find(|(_, c)| *c == '\'').map_or(0, |(at, _)| at + 1),
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 0,
    }
}

/// Marks the lines of items under `#[cfg(test)]`.
fn tests(code: &str, lines: usize) -> Vec<bool> {
    let mut marks = vec![false; lines];
    let attributes = code.match_indices("#[cfg(").filter(|(at, _)| {
        let condition = code[*at..].split(']').next().unwrap_or_default();
        has(condition, "test") && !condition.contains("not(")
    });
    for (start, _) in attributes {
        let rest = &code[start..];
        let mut depth = 0;
        // An item ends with its braces, or with a semicolon if it has none.
        let end = rest.char_indices().find(|(_, c)| {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            depth == 0 && matches!(c, '}' | ';')
        });
        let end = end.map_or(code.len(), |(at, _)| start + at);
        let line = |at: usize| code[..at].matches('\n').count();
        let last = line(end).min(lines.saturating_sub(1));
        marks[line(start)..=last].fill(true);
    }
    marks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_is_left() {
        let text =
            "a(\"b // c\"); // d\n/* e /* f */ g */ h('\"', 'i', '\\'') r#\"j\"k\"# 'life b'l'";
        let want = "a(        );     \n                  h(   ,    ,     )          'life     ";
        assert_eq!(blank(text), want);
    }

    #[test]
    fn names_that_begin_like_texts_stay() {
        assert_eq!(blank("bytes r#type br cr"), "bytes r#type br cr");
    }

    #[test]
    fn tests_are_marked() {
        let source =
            Source::new("a\n#[cfg(test)]\nmod tests {\n  b {}\n}\nc\n#[cfg(test)] mod d;\n");
        assert_eq!(source.test, [false, true, true, true, true, false, true]);
        assert_eq!(source.modules(), [(6, "d", true)]);
    }

    #[test]
    fn words_are_whole() {
        assert!(has("use tokio::net", "tokio"));
        assert!(!has("my_tokio", "tokio"));
        assert!(has("x.unwrap()", ".unwrap()"));
        assert!(!has("x.unwrap_or()", ".unwrap()"));
        assert!(has("std::thread::spawn", "thread::"));
        assert!(!has("my_thread::spawn", "thread::"));
    }
}
