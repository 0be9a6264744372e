//! `docs/rules.md` states the rules of the books. Each of its rules names the functions that keep it and the tests that
//! prove it; these exist; and no comment or document cites a rule that is not there.

use super::rust::Source;
use super::tree::{self, File, Finding};

const RULES: &str = "docs/rules.md";
const HEADING: &str = "## Rule ";

/// Finds citations of rules that are not there, in the program's comments and in documents.
fn check_citations(rules: &File, files: &[File], found: &mut Vec<Finding>) {
    let known: Vec<u32> = rules.text.lines().filter_map(number).collect();
    for file in files {
        let citations = match file.is_document() {
            true => citations(&[(0, &file.text)]),
            false if file.is_rust() && file.path.starts_with("src/") => citations(&Source::read(file).comments),
            false => continue,
        };
        for (at, number) in citations.into_iter().filter(|(_, number)| !known.contains(number)) {
            let what = format!("rule {number} is not in {RULES}");
            found.push(file.finding(file.line_at(at), what, "cite one that is there"));
        }
    }
}

/// Finds rules that do not name what keeps and proves them, and names that are not there.
fn check_rules(rules: &File, files: &[File], found: &mut Vec<Finding>) {
    let sections = rules.text.match_indices(HEADING).map(|(at, _)| at).filter(|at| rules.text[..*at].ends_with('\n'));
    for start in sections {
        let end = rules.text[start + 1..].find("\n## ").map_or(rules.text.len(), |length| start + 1 + length);
        let section = &rules.text[start..end];
        let title = section.lines().next().unwrap_or_default().trim_start_matches("## ");
        for (mark, is_there) in
            [("- Kept by: ", is_function as fn(&Source<'_>, &str) -> bool), ("- Proven by: ", is_test)]
        {
            let lines: Vec<&str> = section.lines().filter_map(|line| line.strip_prefix(mark)).collect();
            if lines.is_empty() {
                let what = format!("{title}: nothing is named as `{mark}`");
                found.push(rules.finding(rules.line_at(start), what, "name a file and a function"));
            }
            for line in lines {
                let names: Vec<&str> = line.split('`').skip(1).step_by(2).collect();
                let (path, functions) = names.split_first().unwrap_or((&"", &[]));
                let file = files.iter().find(|file| file.path == *path).map(Source::read);
                let has = |name: &&str| file.as_ref().is_some_and(|file| is_there(file, name));
                if functions.is_empty() || !functions.iter().all(has) {
                    let at = line.as_ptr().addr() - rules.text.as_ptr().addr();
                    let what = format!("{title}: {line} is not there");
                    found.push(rules.finding(rules.line_at(at), what, "name a file and functions in it"));
                }
            }
        }
    }
}

fn is_function(source: &Source<'_>, name: &str) -> bool {
    source.defines(&["fn"], name)
}

fn is_test(source: &Source<'_>, name: &str) -> bool {
    let is_marked = |at: usize| {
        let before = &source.code[..at];
        before.rfind("#[test]").is_some_and(|mark| !before[mark..].contains(['{', '}']))
    };
    source.definitions(&["fn"], name).any(is_marked)
}

/// The number of the rule that this line begins.
fn number(line: &str) -> Option<u32> {
    let rest = line.strip_prefix(HEADING)?;
    rest[..rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len())].parse().ok()
}

/// The numbers that follow `rule` or `rules`, with where each stands.
fn citations(texts: &[(usize, &str)]) -> Vec<(usize, u32)> {
    let is_edge = |letter: char| letter.is_whitespace() || "`/!()[],.;:".contains(letter);
    let words = texts.iter().flat_map(|(from, text)| {
        let offset = move |word: &str| from + word.as_ptr().addr() - text.as_ptr().addr();
        text.split(is_edge).filter(|word| !word.is_empty()).map(move |word| (offset(word), word))
    });
    let (mut found, mut is_list) = (Vec::new(), false);
    for (at, word) in words {
        match word.parse() {
            Ok(number) if is_list => found.push((at, number)),
            _ if word.eq_ignore_ascii_case("rule") || word.eq_ignore_ascii_case("rules") => is_list = true,
            _ => is_list &= ["and", "or", "to"].contains(&word),
        }
    }
    found
}

/// The rules, and every file of ours.
fn read() -> (File, Vec<File>) {
    let files = tree::files();
    let rules = files.iter().find(|file| file.path == RULES).expect("docs/rules.md is there");
    assert!(rules.text.lines().any(|line| number(line).is_some()), "{RULES} states no rule");
    (File::new(&rules.path, &rules.text), files)
}

fn assert_empty(found: &[Finding]) {
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert!(found.is_empty(), "{} to mend:\n{}", found.len(), found.join("\n"));
}

#[test]
fn each_rule_of_the_books_names_what_keeps_and_proves_it() {
    let (rules, files) = read();
    let mut found = Vec::new();
    check_rules(&rules, &files, &mut found);
    assert_empty(&found);
}

#[test]
fn each_rule_that_is_cited_is_there() {
    let (rules, files) = read();
    let mut found = Vec::new();
    check_citations(&rules, &files, &mut found);
    assert_empty(&found);
}

#[test]
fn rules_without_what_keeps_or_proves_them_are_found() {
    let source = File::new("src/a.rs", "fn keep() {}\n#[test]\n#[ignore]\nfn prove() {}\nfn help() {}\n");
    for (lines, expected) in [
        ("- Kept by: `src/a.rs` `keep`\n- Proven by: `src/a.rs` `prove`", 0),
        ("- Kept by: `src/a.rs` `keep`", 1),
        ("- Proven by: `src/a.rs` `prove`", 1),
        ("- Kept by: `src/a.rs` `lost`\n- Proven by: `src/a.rs` `help`", 2),
        ("- Kept by: `src/b.rs` `keep`\n- Proven by: `src/a.rs`", 2),
        ("- Kept by: the ledger\n- Proven by: `src/a.rs` `prove`", 1),
        ("- Kept by: `src/a.rs` `keep`\n- Proven by: `src/a.rs` `prove`\n- Proven by: `src/a.rs` `lost`", 1),
    ] {
        let rules = File::new(RULES, &format!("# Rules\n\n## Rule 1: one\n\nWords.\n\n{lines}\n"));
        let mut found = Vec::new();
        check_rules(&rules, &[File::new(&source.path, &source.text)], &mut found);
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), expected, "{lines}: {found:?}");
    }
}

#[test]
fn citations_of_rules_that_are_not_there_are_found() {
    for (path, text, expected) in [
        ("src/a.rs", "//! As docs/rules.md, rule 1 says.", 0),
        ("src/a.rs", "//! As `docs/rules.md`, rules 1, 2 and 7 say.\n// docs/rules.md,\n// rule 8", 2),
        ("src/a.rs", "// A rule of 7\nconst A: &str = \"docs/rules.md, rule 9\";", 0),
        ("README.md", "By rule 1 and rule 12, not by [rule 2](docs/rules.md).", 1),
    ] {
        let rules = File::new(RULES, "## Rule 1: one\n## Rule 2: two\n");
        let mut found = Vec::new();
        check_citations(&rules, &[File::new(path, text)], &mut found);
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), expected, "{text}: {found:?}");
    }
}
