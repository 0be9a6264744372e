//! Templates work under a strict content security policy, and each is shown by something. Letters are read elsewhere, where a
//! style can only be inline.

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
