//! The paths in Rust code: what `use` items bring in, one path per name, and what the rest of the code names by `a::b`.
//! Like the scanner below it, this knows no grammar beyond that.

/// A path as it is written, and where.
pub struct Path<'a> {
    /// Each part with its offset in the code: `crate`, `store`, `Tx`. A `use` of everything ends in `*`.
    pub parts: Vec<(usize, &'a str)>,
    /// The name under which a `use` item makes it known.
    pub name: Option<&'a str>,
    /// Whether it is in a `pub use` item.
    pub is_public: bool,
}

/// Every path in the code; a single word that is not in a `use` item is none.
pub fn paths(code: &str) -> Vec<Path<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(from) = code[at..].find(is_letter).map(|offset| at + offset) {
        let word = identifier(&code[from..]);
        at = from + word.len();
        let rest = &code[at..];
        if word == "use" && rest.starts_with(char::is_whitespace) {
            let end = at + rest.find(';').unwrap_or(rest.len());
            let (before, first) = (code[..from].trim_end(), found.len());
            tree(code, at..end, &[], &mut found);
            let is_public = before.ends_with("pub") || (before.ends_with(')') && is_restricted(before));
            found[first..].iter_mut().for_each(|path| path.is_public = is_public);
            at = end;
        } else if rest.starts_with("::") && !code[..from].ends_with(['.', ':']) {
            let mut parts = vec![(from, word)];
            while let Some(next) = code[at..].strip_prefix("::").map(identifier).filter(|next| !next.is_empty()) {
                parts.push((at + 2, next));
                at += 2 + next.len();
            }
            found.push(Path { parts, name: None, is_public: false });
        }
    }
    found
}

/// Whether the code ends in `pub(crate)` or the like.
fn is_restricted(before: &str) -> bool {
    before.rsplit_once('(').is_some_and(|(before, _)| before.ends_with("pub"))
}

/// The paths of a `use` tree that follows `before`.
fn tree<'a>(code: &'a str, span: std::ops::Range<usize>, before: &[(usize, &'a str)], found: &mut Vec<Path<'a>>) {
    let (mut parts, mut at) = (before.to_vec(), span.start);
    let mut name = None;
    while let Some(letter) = code[at..span.end].chars().next() {
        if letter == '{' {
            let end = closing(code, at).min(span.end);
            for part in branches(code, at + 1..end) {
                tree(code, part, &parts, found);
            }
            return;
        }
        let word = if letter == '*' { &code[at..=at] } else { identifier(&code[at..span.end]) };
        match word {
            "" => at += letter.len_utf8(),
            "as" => {
                name = Some(code[at + 2..span.end].trim());
                break;
            }
            word => {
                parts.push((at, word));
                at += word.len();
            }
        }
    }
    // `use a::{self, b}` brings in `a`.
    if parts.len() > 1 && parts.last().is_some_and(|(_, last)| *last == "self") {
        parts.pop();
    }
    if parts.len() > before.len().min(1) {
        let name = name.or(parts.last().map(|(_, last)| *last));
        found.push(Path { parts, name, is_public: false });
    }
}

/// What the commas outside of inner braces divide.
fn branches(code: &str, span: std::ops::Range<usize>) -> Vec<std::ops::Range<usize>> {
    let (mut depth, mut from, mut found) = (0_usize, span.start, Vec::new());
    for (offset, letter) in code[span.clone()].char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.push(from..span.start + offset);
                from = span.start + offset + 1;
            }
            _ => {}
        }
    }
    found.push(from..span.end);
    found.retain(|part| !code[part.clone()].trim().is_empty());
    found
}

fn closing(code: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, letter) in code[open..].char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 1 => return open + offset,
            '}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

fn is_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

fn identifier(text: &str) -> &str {
    &text[..text.find(|letter| !is_letter(letter)).unwrap_or(text.len())]
}

#[test]
fn paths_are_read_from_use_items_and_from_code() {
    for (code, expected) in [
        ("use crate::store::Tx;", &["crate::store::Tx=Tx"][..]),
        (
            "use crate::{id, store::{self, users as u}};",
            &["crate::id=id", "crate::store=store", "crate::store::users=u"],
        ),
        ("pub use super::a::*;", &["super::a::*=*"]),
        ("fn f() -> crate::a::B<c::D> { e.f(g::<H>()) }", &["crate::a::B", "c::D", "g"]),
        ("fn f() -> impl A + use<'a> {}", &[]),
        ("use std::fmt;\nb::c()", &["std::fmt=fmt", "b::c"]),
    ] {
        let said = |path: &Path<'_>| {
            let parts: Vec<&str> = path.parts.iter().map(|(_, part)| *part).collect();
            parts.join("::") + &path.name.map_or(String::new(), |name| format!("={name}"))
        };
        assert_eq!(paths(code).iter().map(said).collect::<Vec<_>>(), expected, "{code}");
    }
}
