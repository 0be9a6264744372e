//! Plain English in comments, documents and templates: phrases that make a reader stop are not used, and a comment cites a
//! page that is in this repository.

use super::rust::Source;
use super::tree::{self, File, Finding};

/// In two halves each where this page would trip over itself.
const PHRASES: &[(&str, &str)] = &[
    ("whoever", "say who: a caller, a reader, the operator"),
    ("hears of", "say what arrives"),
    ("is told", "say what is sent, returned or logged"),
    ("what is over", "say what has expired or ended"),
    ("anew", "say again, or what starts from the beginning"),
];
/// So many words after `contract`, a section or a rule of it is cited.
const CITATION_WORDS: usize = 5;

/// A word with the offset at which it begins.
type Word<'a> = (usize, &'a str);

/// Finds the phrases above.
pub fn check_phrases(file: &File, found: &mut Vec<Finding>) {
    let is_prose = file.is_document() || file.is_template() || file.path == "schema.sql";
    let prose = if is_prose { words(0, &file.text).collect() } else { words_of_comments(file) };
    for (phrase, instead) in PHRASES {
        let phrase: Vec<&str> = phrase.split(' ').collect();
        for window in prose.windows(phrase.len()) {
            if window.iter().zip(&phrase).all(|((_, word), wanted)| word.eq_ignore_ascii_case(wanted)) {
                let what = format!("not plain English: {}", phrase.join(" "));
                found.push(file.finding(file.line_at(window[0].0), what, *instead));
            }
        }
    }
}

/// Finds comments that cite the contract, which is not in this repository.
pub fn check_citations(file: &File, found: &mut Vec<Finding>) {
    let prose = words_of_comments(file);
    for (index, (at, word)) in prose.iter().enumerate() {
        let mut after = prose[index + 1..].iter().take(CITATION_WORDS).map(|(_, word)| *word);
        if *word == "contract" && after.any(|word| ["section", "sections", "rule", "rules"].contains(&word)) {
            let instead = "cite docs/rules.md and the rule's number, or say it in words";
            found.push(file.finding(file.line_at(*at), "the contract is not in this repository", instead));
        }
    }
}

/// The words of the program's comments; none of any other file.
fn words_of_comments(file: &File) -> Vec<Word<'_>> {
    if !file.is_rust() || !file.path.starts_with("src/") {
        return Vec::new();
    }
    Source::read(file).comments.into_iter().flat_map(|(at, comment)| words(at, comment)).collect()
}

fn words(from: usize, text: &str) -> impl Iterator<Item = Word<'_>> {
    let offset = move |word: &str| from + word.as_ptr().addr() - text.as_ptr().addr();
    text.split(|letter: char| !letter.is_alphabetic())
        .filter(|word| !word.is_empty())
        .map(move |word| (offset(word), word))
}

/// What a finder finds in the whole tree, a line each.
fn in_tree(finder: fn(&File, &mut Vec<Finding>)) -> Vec<String> {
    let mut found = Vec::new();
    tree::files().iter().for_each(|file| finder(file, &mut found));
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn comments_and_documents_are_in_plain_english() {
    let found = in_tree(check_phrases);
    assert!(found.is_empty(), "{} to put in plain words:\n{}", found.len(), found.join("\n"));
}

#[test]
fn comments_cite_what_is_in_this_repository() {
    let found = in_tree(check_citations);
    assert!(found.is_empty(), "{} to cite from docs/rules.md:\n{}", found.len(), found.join("\n"));
}

#[test]
fn phrases_and_citations_are_found() {
    let check = |finder: fn(&File, &mut Vec<Finding>), path: &str, text: &str, expected: usize| {
        let mut found = Vec::new();
        finder(&File::new(path, text), &mut found);
        assert_eq!(found.len(), expected, "{path} {text:?}");
    };
    check(check_phrases, "src/a.rs", "// Whoever asks is\n// told anew.\nfn f() {}", 3);
    check(check_phrases, "src/a.rs", "const A: &str = \"anew\";\nfn anew() {} // renewed", 0);
    check(check_phrases, "docs/a.md", "What is over.\nHe hears of it.", 2);
    check(check_phrases, "templates/a.html", "<p>anew</p>", 1);
    check(check_phrases, "tests/it/a.rs", "// anew", 0);
    check(check_citations, "src/a.rs", "/// So it is (contract, section\n/// 5, rule 7).", 1);
    check(check_citations, "src/a.rs", "/// As the contract fixes it (section 4); contract: rule 6.", 2);
    check(
        check_citations,
        "src/a.rs",
        "/// See docs/rules.md, rule 7. A contract is a contract.\nconst A: &str = \"contract, section\";",
        0,
    );
}
