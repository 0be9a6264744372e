//! What the server's words for a definition come to. A check that was just made is worded `((a AND b) AND c)` where its author
//! wrote `a BETWEEN … AND c`, and `(a AND b AND c)` once a dump has brought it back: they are one condition.

/// The same words, with conditions that `AND` or `OR` joins side by side, however they were nested.
pub(super) fn flattened(words: &str) -> String {
    let mut rest = words;
    // Words whose parentheses do not fit together are no definition, and stay as they are.
    pieces(&mut rest, false).map_or_else(|| words.to_owned(), |pieces| text_of(&pieces))
}

/// A piece of a definition.
enum Piece<'a> {
    /// A word, a quoted text with its quotes, white space, or one other character.
    Token(&'a str),
    /// What stands between parentheses.
    Group(Vec<Piece<'a>>),
}

/// The pieces up to the end of the group that `rest` begins in, behind which it then begins. `None` if there is no such end.
fn pieces<'a>(rest: &mut &'a str, is_group: bool) -> Option<Vec<Piece<'a>>> {
    let mut found = vec![];
    while let Some(first) = rest.chars().next() {
        let (token, behind) = rest.split_at(length(rest, first));
        *rest = behind;
        match token {
            "(" => found.push(Piece::Group(pieces(rest, true)?)),
            ")" => return is_group.then(|| joined(found)),
            _ => found.push(Piece::Token(token)),
        }
    }
    (!is_group).then(|| joined(found))
}

fn length(text: &str, first: char) -> usize {
    let is_of_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    match first {
        // A doubled quote is two texts side by side, which come out as they were.
        '\'' | '"' => text[1..].find(first).map_or(text.len(), |at| at + 2),
        _ if is_of_word(first) => text.find(|letter| !is_of_word(letter)).unwrap_or(text.len()),
        _ => first.len_utf8(),
    }
}

/// A group's pieces, in which no group is left that only the same word joins.
fn joined(pieces: Vec<Piece<'_>>) -> Vec<Piece<'_>> {
    let Some(joint) = joint(&pieces) else { return pieces };
    let words: Vec<Option<&str>> = pieces.iter().filter(|piece| !piece.is_space()).map(Piece::word).collect();
    let mut place: usize = 0;
    let mut flat = vec![];
    for piece in pieces {
        let is_space = piece.is_space();
        let neighbour = |at: Option<usize>| at.and_then(|at| words.get(at)).is_none_or(|word| *word == Some(joint));
        let stands_alone = neighbour(place.checked_sub(1)) && neighbour(place.checked_add(1));
        match piece {
            Piece::Group(inner) if stands_alone && self::joint(&inner) == Some(joint) => flat.extend(inner),
            other => flat.push(other),
        }
        place += usize::from(!is_space);
    }
    flat
}

/// The word that joins these pieces, if it alone does.
fn joint<'a>(pieces: &[Piece<'a>]) -> Option<&'a str> {
    let has = |wanted: &str| pieces.iter().any(|piece| piece.word() == Some(wanted));
    // Between CASE and END, and behind other words of a statement, the word may join something smaller.
    let is_plain = !["CASE", "BETWEEN", "SELECT", "WHERE", "WHEN", "CHECK"].into_iter().any(has);
    match (has("AND"), has("OR")) {
        (true, false) if is_plain => Some("AND"),
        (false, true) if is_plain => Some("OR"),
        _ => None,
    }
}

impl<'a> Piece<'a> {
    fn word(&self) -> Option<&'a str> {
        match self {
            Piece::Token(token) => Some(token),
            Piece::Group(_) => None,
        }
    }

    fn is_space(&self) -> bool {
        self.word().is_some_and(|word| word.trim().is_empty())
    }
}

fn text_of(pieces: &[Piece<'_>]) -> String {
    let text = |piece: &Piece<'_>| match piece {
        Piece::Token(token) => (*token).to_owned(),
        Piece::Group(inner) => format!("({})", text_of(inner)),
    };
    pieces.iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_that_one_word_joins_are_the_same_however_they_are_nested() {
        for (nested, flat) in [
            (
                "CHECK ((((length(id) >= 1) AND (length(id) <= 128)) AND (a <> ''::text)))",
                "CHECK (((length(id) >= 1) AND (length(id) <= 128) AND (a <> ''::text)))",
            ),
            ("((a OR b) OR (c OR (d OR e)))", "(a OR b OR c OR d OR e)"),
            ("WHEN (((new.a = 0) AND b) AND c) EXECUTE", "WHEN ((new.a = 0) AND b AND c) EXECUTE"),
        ] {
            assert_eq!(flattened(nested), flat);
            assert_eq!(flattened(flat), flat);
        }
    }

    #[test]
    fn conditions_that_differ_stay_different() {
        for words in [
            "((a AND b) OR c)",
            "(a AND (b OR c))",
            "((NOT (a AND b)) AND c)",
            "(f(a AND b) AND c)",
            "((a AND b) IS NULL AND c)",
            "((a = ' AND ((') AND (\"(\" = 'it''s)'))",
            "a) AND (b",
            "('open",
        ] {
            assert_eq!(flattened(words), words);
        }
    }
}
