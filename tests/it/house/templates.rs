//! Templates work under a strict content security policy, hold no words of their own, and each is shown by something.
//! Letters are read elsewhere, where a style can only be inline.

use super::tree::{File, Finding};

/// Finds what the content security policy would forbid anyway.
pub fn check(file: &File, found: &mut Vec<Finding>) {
    for (index, line) in file.text.lines().enumerate() {
        let mut finding = |what: &str, instead: &str| found.push(file.finding(index + 1, what, instead));
        for tag in tags(line) {
            let is_letter = file.path.starts_with("templates/mail/");
            if tag.starts_with("<style") || (!is_letter && attributes(tag).any(|name| name == "style")) {
                finding("an inline style", "write it into assets/");
            }
            if attributes(tag).any(|name| name.starts_with("on")) {
                finding("an inline handler", "listen for the event in assets/");
            }
            let body = line.split_once(tag).map_or("", |(_, body)| body);
            if tag.starts_with("<script") && !(tag.contains(" src=") && body.starts_with("</script>")) {
                finding("an inline script", "write it into assets/ and name it by src");
            }
        }
    }
}

/// Templates in one language: the stand-in, and the reference of the service API, which programmers read.
const ENGLISH: [&str; 2] = ["templates/sandbox/", "templates/reference.html"];
/// Attributes whose values people read or hear.
const SPOKEN: [&str; 7] = ["aria-label", "aria-description", "title", "alt", "placeholder", "label", "data-busy"];

/// Finds words in a template: they belong into `templates/words/`, so that each language has them.
pub fn check_words(file: &File, found: &mut Vec<Finding>) {
    if ENGLISH.iter().any(|path| file.path.starts_with(path)) {
        return;
    }
    let has_words = |text: &str| text.chars().any(char::is_alphabetic);
    for (index, line) in without_code(&file.text).lines().enumerate() {
        let mut finding = |what: &str| {
            let instead = "write it into templates/words/ and call it by its name";
            found.push(file.finding(index + 1, what, instead));
        };
        let text: String = line.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect();
        let is_doctype = line.starts_with("<!doctype");
        if !is_doctype && has_words(&text) {
            finding("words in a template");
        }
        for name in SPOKEN {
            let opening = format!(" {name}=\"");
            if line.split(&opening).skip(1).filter_map(|rest| rest.split('"').next()).any(has_words) {
                finding("words in an attribute");
            }
        }
    }
}

/// The template without its expressions, statements and comments; each line stays a line.
fn without_code(text: &str) -> String {
    let mut rest = text;
    let mut kept = String::new();
    while let Some(at) = ["{{", "{%", "{#"].iter().filter_map(|open| rest.find(open)).min() {
        let close = match rest.as_bytes().get(at + 1) {
            Some(b'{') => "}}",
            Some(b'%') => "%}",
            _ => "#}",
        };
        kept.push_str(&rest[..at]);
        let end = rest[at..].find(close).map_or(rest.len(), |end| at + end + 2);
        kept.extend(rest[at..end].chars().filter(|letter| *letter == '\n'));
        rest = &rest[end..];
    }
    kept + rest
}

/// Finds templates that no page struct names and no template extends or includes.
pub fn check_use(files: &[File], found: &mut Vec<Finding>) {
    for file in files.iter().filter(|file| file.is_template()) {
        let name = file.path.trim_start_matches("templates/");
        let used = files.iter().any(|other| match other.is_rust() {
            true => other.text.contains(&format!("path = \"{name}\"")),
            false => other.is_template() && (names(other, "extends", name) || names(other, "include", name)),
        });
        if !used {
            found.push(file.finding(1, "no page shows this", "give it its struct with #[template], or remove it"));
        }
    }
}

fn names(file: &File, verb: &str, name: &str) -> bool {
    file.text.contains(&format!("{verb} \"{name}\""))
}

/// From each `<` that opens a tag to its `>`; to the end of the line where the tag goes on.
fn tags(line: &str) -> impl Iterator<Item = &str> {
    let opens = line.match_indices('<').map(|(at, _)| &line[at..]);
    opens
        .filter(|rest| rest[1..].starts_with(|letter: char| letter.is_ascii_alphabetic()))
        .map(|rest| &rest[..rest.find('>').map_or(rest.len(), |end| end + 1)])
}

/// The names of a tag's attributes: what stands before `=` and after a space or a quote.
fn attributes(tag: &str) -> impl Iterator<Item = &str> {
    tag.match_indices("=\"").map(|(at, _)| {
        let before = &tag[..at];
        &before[before.rfind(|letter: char| !letter.is_ascii_alphabetic() && letter != '-').map_or(0, |i| i + 1)..]
    })
}
