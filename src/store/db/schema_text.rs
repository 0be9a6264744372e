//! The text of `schema.sql` as each engine takes it. Functions of text alone: what runs it is elsewhere.
//!
//! The shared part is in SQLite's words. PostgreSQL has others for the types, has no options behind a table, and takes a table
//! only after those that it refers to. A section `-- engine: NAME` up to `-- engine: end` is for that engine alone;
//! PostgreSQL's lies in a comment, so that SQLite's own tools read the whole file.

const SQLITE: &str = "-- engine: sqlite";
const POSTGRES: &str = "-- engine: postgres";
const END: &str = "-- engine: end";

/// The schema for SQLite: one script.
pub(in crate::store) fn sqlite(schema: &str) -> String {
    let own = lines(schema).filter(|(section, _)| *section != Some(POSTGRES));
    own.map(|(_, line)| format!("{line}\n")).collect()
}

/// The schema for PostgreSQL: its statements, in an order in which they can be run.
pub(in crate::store) fn postgresql(schema: &str) -> Vec<String> {
    let of_section = |wanted: Option<&str>| -> String {
        let lines = lines(schema).filter(|(section, line)| *section == wanted && !["/*", "*/"].contains(&line.trim()));
        lines.map(|(_, line)| format!("{line}\n")).collect()
    };
    let (shared, own) = (of_section(None), of_section(Some(POSTGRES)));
    let shared = in_order(statements(&shared).iter().map(|tokens| Statement::of(tokens)).collect());
    let own = statements(&own).into_iter().map(|tokens| text_of(&tokens));
    shared.into_iter().map(|statement| statement.text).chain(own).collect()
}

/// Each line with the section that it is in. The lines that begin or end one are in none, and left out.
fn lines(schema: &str) -> impl Iterator<Item = (Option<&'static str>, &str)> {
    let mut section = None;
    schema.lines().filter_map(move |line| {
        match line.trim_end() {
            SQLITE => section = Some(SQLITE),
            POSTGRES => section = Some(POSTGRES),
            END => section = None,
            _ => return Some((section, line)),
        }
        None
    })
}

/// A statement of the shared part, in PostgreSQL's words.
struct Statement {
    text: String,
    /// The table that it makes.
    table: Option<String>,
    /// The tables that this one refers to.
    refers_to: Vec<String>,
}

impl Statement {
    fn of(tokens: &[Token<'_>]) -> Statement {
        let words: Vec<&str> = tokens.iter().filter(|token| token.is_word).map(|token| token.text).collect();
        let Some(["CREATE", "TABLE", table]) = words.first_chunk() else {
            return Statement { text: text_of(&translated(tokens)), table: None, refers_to: vec![] };
        };
        // What is behind its columns are SQLite's options.
        let end = tokens.iter().rposition(|token| token.text == ")").map_or(tokens.len(), |last| last + 1);
        let named = words.windows(2).filter_map(|pair| match pair {
            ["REFERENCES", other] if other != table => Some((*other).to_owned()),
            _ => None,
        });
        let text = text_of(&translated(tokens.get(..end).unwrap_or_default()));
        Statement { text, table: Some((*table).to_owned()), refers_to: named.collect() }
    }
}

/// Tables first, each after those that it refers to; then the rest as it is.
fn in_order(statements: Vec<Statement>) -> Vec<Statement> {
    let (mut tables, rest): (Vec<Statement>, Vec<Statement>) =
        statements.into_iter().partition(|statement| statement.table.is_some());
    let mut ordered: Vec<Statement> = vec![];
    let is_made = |name: &String, made: &[Statement]| made.iter().any(|other| other.table.as_ref() == Some(name));
    while let Some(next) = tables.iter().position(|table| table.refers_to.iter().all(|name| is_made(name, &ordered))) {
        ordered.push(tables.remove(next));
    }
    // If two tables refer to each other, PostgreSQL says so.
    ordered.into_iter().chain(tables).chain(rest).collect()
}

fn translated<'a>(tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    let word = |token: &Token<'a>| match token {
        // The order of bytes, and lower case and LIKE for ASCII letters, as in SQLite.
        Token { text: "TEXT", is_word: true } => Token { text: "TEXT COLLATE \"C\"", ..*token },
        Token { text: "INTEGER", is_word: true } => Token { text: "BIGINT", ..*token },
        Token { text: "BLOB", is_word: true } => Token { text: "BYTEA", ..*token },
        other => *other,
    };
    tokens.iter().map(word).collect()
}

/// A piece of SQL: a word, a quoted text with its quotes, or one other character.
#[derive(Clone, Copy)]
struct Token<'a> {
    text: &'a str,
    is_word: bool,
}

/// The statements of a script, without its comments.
fn statements(script: &str) -> Vec<Vec<Token<'_>>> {
    let mut statements = vec![vec![]];
    let mut rest = script;
    while !rest.is_empty() {
        let (length, is_comment) = first_token(rest);
        let (text, behind) = rest.split_at(length);
        rest = behind;
        let is_word = text.starts_with(is_of_word);
        match statements.last_mut() {
            _ if is_comment => {}
            _ if text == ";" => statements.push(vec![]),
            Some(statement) => statement.push(Token { text, is_word }),
            None => {}
        }
    }
    statements.retain(|statement| statement.iter().any(|token| !token.text.trim().is_empty()));
    statements
}

/// How long the first token is, and whether it is a comment.
fn first_token(text: &str) -> (usize, bool) {
    let up_to = |begin: usize, end: &str| {
        let inside = text.get(begin..).unwrap_or_default();
        inside.find(end).map_or(text.len(), |at| begin + at + end.len())
    };
    let first = text.chars().next().unwrap_or_default();
    match first {
        _ if text.starts_with("--") => (text.find('\n').unwrap_or(text.len()), true),
        _ if text.starts_with("/*") => (up_to(2, "*/"), true),
        '\'' => (up_to(1, "'"), false),
        '"' => (up_to(1, "\""), false),
        // A function's body between $$ and $$, or between $name$ and $name$.
        '$' => match text[1..].find(|letter| !is_of_word(letter)).map(|at| 1 + at) {
            Some(end) if text[end..].starts_with('$') => (up_to(end + 1, &text[..=end]), false),
            _ => (1, false),
        },
        letter if is_of_word(letter) => (text.find(|letter| !is_of_word(letter)).unwrap_or(text.len()), false),
        other => (other.len_utf8(), false),
    }
}

fn is_of_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

/// The statement again, without what its comments left of their lines.
fn text_of(tokens: &[Token<'_>]) -> String {
    let text: String = tokens.iter().map(|token| token.text).collect();
    let lines = text.lines().map(str::trim_end).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = include_str!("../../../schema.sql");

    const SMALL: &str = "
-- Not a BLOB; not 'one quote.
CREATE VIEW seen AS SELECT id FROM later;
CREATE TABLE first (
    id    TEXT    NOT NULL PRIMARY KEY CHECK (id <> 'TEXT; -- INTEGER'),  -- a TEXT; so
    later INTEGER REFERENCES later (id) /* BLOB; */,
    first TEXT REFERENCES first (id), \"BLOB\" BLOB DEFAULT 'it''s'
) STRICT, WITHOUT ROWID;
CREATE INDEX of_first ON first (later) WHERE later > 0;
CREATE TABLE later (id INTEGER NOT NULL PRIMARY KEY CHECK (id IN (1, 2))) STRICT;
-- engine: sqlite
CREATE TRIGGER one BEFORE DELETE ON first BEGIN SELECT 1; SELECT 2; END;
-- engine: end
-- engine: postgres
/*
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN SELECT 'INTEGER;'; RETURN NEW; END $$;   -- TEXT
CREATE FUNCTION g() RETURNS INTEGER LANGUAGE sql AS $body$ SELECT 1; $$;$body$;
*/
-- engine: end
";

    #[test]
    fn each_engine_gets_its_own_words_in_its_own_order() {
        let for_sqlite = sqlite(SMALL);
        assert!(for_sqlite.contains("CREATE TRIGGER one") && !for_sqlite.contains("FUNCTION"), "{for_sqlite}");
        assert!(for_sqlite.contains("-- a TEXT; so") && for_sqlite.contains("STRICT, WITHOUT ROWID"));
        assert_eq!(
            postgresql(SMALL),
            [
                "CREATE TABLE later (id BIGINT NOT NULL PRIMARY KEY CHECK (id IN (1, 2)))",
                "CREATE TABLE first (
    id    TEXT COLLATE \"C\"    NOT NULL PRIMARY KEY CHECK (id <> 'TEXT; -- INTEGER'),
    later BIGINT REFERENCES later (id) ,
    first TEXT COLLATE \"C\" REFERENCES first (id), \"BLOB\" BYTEA DEFAULT 'it''s'
)",
                "CREATE VIEW seen AS SELECT id FROM later",
                "CREATE INDEX of_first ON first (later) WHERE later > 0",
                "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$\nBEGIN SELECT 'INTEGER;'; RETURN NEW; END $$",
                "CREATE FUNCTION g() RETURNS INTEGER LANGUAGE sql AS $body$ SELECT 1; $$;$body$",
            ]
        );
        assert_eq!((sqlite(""), postgresql("-- nothing;")), (String::new(), vec![]));
        assert_eq!(postgresql("SELECT 'open"), ["SELECT 'open"]);
    }

    /// The first words of each statement: what it makes, and its name.
    fn made(statements: &[String], what: &[&str]) -> Vec<String> {
        let begins = |statement: &String| {
            let mut words = statement.split_whitespace();
            what.iter().all(|word| words.next() == Some(word)).then(|| words.next().unwrap_or_default().to_owned())
        };
        let mut names: Vec<String> = statements.iter().filter_map(begins).collect();
        names.sort();
        names
    }

    #[test]
    fn both_engines_have_the_same_tables_views_and_rules() {
        let (for_sqlite, for_postgres) = (sqlite(SCHEMA), postgresql(SCHEMA));
        let of_sqlite = |what: &str| {
            let mut names: Vec<String> = for_sqlite
                .lines()
                .filter_map(|line| line.strip_prefix(what)?.split_whitespace().next().map(str::to_owned))
                .collect();
            names.sort();
            names
        };
        for what in ["CREATE TABLE", "CREATE VIEW", "CREATE INDEX"] {
            let words: Vec<&str> = what.split(' ').collect();
            assert_eq!(made(&for_postgres, &words), of_sqlite(&format!("{what} ")), "{what}");
        }
        // Every rule that a trigger keeps is kept on both, in the same words.
        let triggers = made(&for_postgres, &["CREATE", "TRIGGER"]);
        for trigger in of_sqlite("CREATE TRIGGER ") {
            assert!(triggers.contains(&trigger), "{trigger} has no twin in the section {POSTGRES}");
        }
        let refusals = for_sqlite.split("RAISE(ABORT, ").skip(1).filter_map(|rest| rest.split('\'').nth(1));
        for refusal in refusals {
            let quoted = format!("'{refusal}'");
            assert!(for_postgres.iter().any(|statement| statement.contains(&quoted)), "{refusal}");
        }
        // Unique over all accounts: an engine that spreads them could not keep it.
        let mut uniques = of_sqlite("CREATE UNIQUE INDEX ");
        uniques.retain(|name| name != "entries_of_stripe");
        assert_eq!(made(&for_postgres, &["CREATE", "UNIQUE", "INDEX"]), uniques);
        for statement in for_postgres.iter().filter(|statement| statement.starts_with("CREATE TABLE")) {
            let is_left = |word: &str| statement.split(|letter| !is_of_word(letter)).any(|other| other == word);
            assert!(!["STRICT", "ROWID", "INTEGER", "BLOB"].into_iter().any(is_left), "{statement}");
        }
    }
}
