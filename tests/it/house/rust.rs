//! Rust as the rules read it: the code with comments and the insides of literals blanked out, so that a word in it is a
//! word of the program, and the string literals by themselves. A scanner, not a parser: it knows no grammar.

use super::tree::File;

/// A Rust file, taken apart.
pub struct Source<'a> {
    /// Where it is from.
    pub file: &'a File,
    /// As long as the text, byte for byte, with the same lines; what is not code is spaces.
    pub code: String,
    /// What stands between the quotes, with the offset at which it begins.
    pub strings: Vec<(usize, &'a str)>,
    /// Each comment from its mark on, with the offset at which it begins.
    pub comments: Vec<(usize, &'a str)>,
}

impl<'a> Source<'a> {
    /// Takes a file apart.
    pub fn read(file: &'a File) -> Source<'a> {
        let bytes = file.text.as_bytes();
        let mut code = bytes.to_vec();
        let (mut strings, mut comments) = (Vec::new(), Vec::new());
        let mut at = 0;
        while at < bytes.len() {
            let (end, string) = token(bytes, at);
            if let Some((from, to)) = string {
                strings.push((from, &file.text[from..to]));
                blank(&mut code[from..to]);
            } else if end - at > 1 {
                blank(&mut code[at..end]);
                if bytes[at] == b'/' {
                    comments.push((at, &file.text[at..end]));
                }
            }
            at = end;
        }
        Source { file, code: String::from_utf8(code).unwrap(), strings, comments }
    }

    /// The offsets at which `word` stands by itself in the code.
    pub fn words<'s>(&'s self, word: &'s str) -> impl Iterator<Item = usize> + 's {
        let is_part = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        self.code.match_indices(word).map(|(at, _)| at).filter(move |at| {
            let bytes = self.code.as_bytes();
            !is_part(at.checked_sub(1).map(|before| bytes[before])) && !is_part(bytes.get(at + word.len()).copied())
        })
    }

    /// The offset of the brace that closes the one at `open`; the end when none does.
    pub fn closing(&self, open: usize) -> usize {
        let mut depth = 0_usize;
        for (at, byte) in self.code.bytes().enumerate().skip(open) {
            match byte {
                b'{' => depth += 1,
                b'}' if depth == 1 => return at,
                b'}' => depth -= 1,
                _ => {}
            }
        }
        self.code.len()
    }

    /// Whether `name` is defined here by one of these keywords.
    pub fn defines(&self, keywords: &[&str], name: &str) -> bool {
        self.definitions(keywords, name).next().is_some()
    }

    /// The offsets at which `name` is defined by one of these keywords.
    pub fn definitions<'s>(&'s self, keywords: &'s [&str], name: &'s str) -> impl Iterator<Item = usize> + 's {
        self.words(name).filter(|at| {
            let before = self.code[..*at].trim_end();
            let keyword = before.rsplit(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default();
            before.len() < *at && keywords.contains(&keyword)
        })
    }

    /// The stretches that are compiled for tests only: `#[cfg(test)]` and the block that follows.
    pub fn test_blocks(&self) -> Vec<std::ops::Range<usize>> {
        let starts = self.code.match_indices("#[cfg(test)]").map(|(at, _)| at);
        starts
            .filter_map(|at| {
                let open = at + self.code[at..].find(['{', ';'])?;
                Some(at..if self.code.as_bytes()[open] == b'{' { self.closing(open) } else { open })
            })
            .collect()
    }
}

fn blank(bytes: &mut [u8]) {
    for byte in bytes.iter_mut().filter(|byte| **byte != b'\n') {
        *byte = b' ';
    }
}

type Literal = Option<(usize, usize)>;

/// Where what begins at `at` ends, and the inside of a string literal. Plain code is one byte long; whatever is longer
/// is to be blanked.
fn token(bytes: &[u8], at: usize) -> (usize, Literal) {
    let rest = &bytes[at..];
    let is_joined = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
    match rest {
        [b'/', b'/', ..] => (at + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()), None),
        [b'/', b'*', ..] => (comment_end(bytes, at), None),
        [b'"', ..] => quoted(bytes, at + 1, "\"", true),
        [b'r', b'"' | b'#', ..] if !is_joined || bytes[at - 1] == b'b' => raw(bytes, at),
        [b'\'', b'\\', ..] => (quoted(bytes, at + 1, "'", true).0, None),
        [b'\'', ..] => (character_end(rest).map_or(at + 1, |length| at + length), None),
        _ => (at + 1, None),
    }
}

fn comment_end(bytes: &[u8], at: usize) -> usize {
    let (mut depth, mut end) = (0_usize, at);
    while end < bytes.len() {
        match &bytes[end..] {
            [b'/', b'*', ..] => (depth, end) = (depth + 1, end + 2),
            [b'*', b'/', ..] if depth == 1 => return end + 2,
            [b'*', b'/', ..] => (depth, end) = (depth - 1, end + 2),
            _ => end += 1,
        }
    }
    end
}

fn quoted(bytes: &[u8], from: usize, close: &str, escapes: bool) -> (usize, Literal) {
    let mut end = from;
    while end < bytes.len() {
        match bytes[end] {
            b'\\' if escapes => end += 2,
            _ if bytes[end..].starts_with(close.as_bytes()) => return (end + close.len(), Some((from, end))),
            _ => end += 1,
        }
    }
    (bytes.len(), None)
}

/// `r"…"` and `r#"…"#`; a raw identifier (`r#type`) is code.
fn raw(bytes: &[u8], at: usize) -> (usize, Literal) {
    let hashes = bytes[at + 1..].iter().take_while(|byte| **byte == b'#').count();
    let from = at + 2 + hashes;
    match bytes.get(from - 1) {
        Some(b'"') => quoted(bytes, from, &format!("\"{}", "#".repeat(hashes)), false),
        _ => (at + 1, None),
    }
}

/// The length of a character literal such as `'{'` or `'ä'`; `None` for a lifetime.
fn character_end(rest: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(&rest[1..rest.len().min(6)]);
    let text = text.unwrap_or_else(|why| std::str::from_utf8(&rest[1..=why.valid_up_to()]).unwrap_or_default());
    let length = text.chars().next()?.len_utf8();
    (rest.get(1 + length) == Some(&b'\'')).then_some(length + 2)
}

#[test]
fn comments_and_literals_are_no_code() {
    for (text, code, strings) in [
        ("a // \"b\"\nc", "a       \nc", vec![]),
        ("a /* b /* c */ d */ e", "a                   e", vec![]),
        ("f(\"a\\\"b\", 'c', b\"d\")", "f(\"    \",    , b\" \")", vec!["a\\\"b", "d"]),
        ("r#\"a\"b\"# + r\"\\\"", "r#\"   \"# + r\" \"", vec!["a\"b", "\\"]),
        ("r#type<'a>('\\'', '{', 'ä')", "r#type<'a>(    ,    ,     )", vec![]),
    ] {
        let file = File::new("a.rs", text);
        let source = Source::read(&file);
        assert_eq!(source.code, code, "{text}");
        assert_eq!(!source.comments.is_empty(), text.contains("/*") || text.contains("//"), "{text}");
        assert_eq!(source.strings.iter().map(|(_, string)| *string).collect::<Vec<_>>(), strings, "{text}");
    }
}
