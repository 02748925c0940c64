//! `cargo xtask tidy --fix`: paragraphs of comments with a line that is too long are filled anew;
//! rustfmt leaves comments as they are. Lists, tables, headings and code stay for a person to mend.

use super::source::LINE_CHARS;

/// The text with its comments within the columns, or `None` if nothing had to change.
pub(super) fn wrapped(text: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut out = String::with_capacity(text.len());
    let mut fenced = false;
    let mut at = 0;
    while at < lines.len() {
        let paragraph = paragraph(&lines[at..]);
        fenced ^= words(lines[at]).is_some_and(|(_, words)| words.starts_with("```"));
        if fenced || paragraph < 1 || !lines[at..at + paragraph].iter().any(|line| long(line)) {
            let end = at + if fenced { 1 } else { paragraph.max(1) };
            for line in &lines[at..end] {
                out += line;
                out.push('\n');
            }
            at = end;
            continue;
        }
        fill(&lines[at..at + paragraph], &mut out);
        at += paragraph;
    }
    (out != text).then_some(out)
}

fn long(line: &str) -> bool {
    line.chars().count() > LINE_CHARS
}

/// A line that is a comment: everything up to its words, and these.
fn words(line: &str) -> Option<(&str, &str)> {
    let indent = line.len() - line.trim_start().len();
    let slashes = ["//! ", "/// ", "// "].into_iter().find(|s| line[indent..].starts_with(s))?;
    Some(line.split_at(indent + slashes.len()))
}

/// A comment whose words may flow into the next line.
fn flowing(line: &str) -> Option<(&str, &str)> {
    words(line).filter(|(_, words)| {
        let number = words.trim_start_matches(|c: char| c.is_ascii_digit());
        let listed = number.len() < words.len() && number.starts_with(['.', ')']);
        let defines = words.starts_with('[') && words.contains("]: ");
        let code = words.starts_with("```");
        !listed && !defines && !code && !words.starts_with([' ', '-', '*', '|', '#', '>'])
    })
}

/// How many lines the paragraph has that begins here; 0 if none does.
fn paragraph(lines: &[&str]) -> usize {
    let Some((prefix, _)) = flowing(lines[0]) else { return 0 };
    let same = |line: &&&str| flowing(line).is_some_and(|(other, _)| other == prefix);
    lines.iter().take_while(same).count()
}

fn fill(lines: &[&str], out: &mut String) {
    let Some((prefix, _)) = words(lines[0]) else { return };
    let mut chars = 0;
    for word in lines.iter().flat_map(|line| line[prefix.len()..].split_whitespace()) {
        let length = word.chars().count();
        if chars > 0 && chars + 1 + length > LINE_CHARS {
            out.push('\n');
            chars = 0;
        }
        if chars == 0 {
            *out += prefix;
            chars = prefix.chars().count();
        } else {
            out.push(' ');
            chars += 1;
        }
        *out += word;
        chars += length;
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_paragraphs_are_filled() {
        let long = format!("    /// {} end\n    /// of it.\n", "word ".repeat(18).trim_end());
        let want = format!("    /// {}\n    /// end of it.\n", "word ".repeat(18).trim_end());
        let around = |text| format!("//! Short\n//! lines.\n\n{text}    fn f() {{}}\n");
        assert_eq!(wrapped(&around(long)), Some(around(want)));
    }

    #[test]
    fn code_tables_and_lists_stay() {
        let long = "x".repeat(120);
        for start in ["- ", "| ", "# ", "1. ", "    "] {
            assert_eq!(wrapped(&format!("/// {start}{long} {long}\n")), None);
        }
        assert_eq!(wrapped(&format!("/// ```\n/// {long} {long}\n/// ```\n")), None);
    }
}
