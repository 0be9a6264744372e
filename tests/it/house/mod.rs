//! Checks the layout of the sources: reads the tree and fails with `path:line: what, do instead`. Each rule is in the file
//! that its subject names, and each has a row that trips it, there or below. A rule is never silenced in the file it finds
//! fault with: either the file changes, or the rule does, here, where it is seen.

mod circles;
mod dependencies;
mod documented;
mod documents;
mod language;
mod layers;
mod names;
mod paths;
mod rules;
mod rust;
mod sizes;
mod sql;
mod templates;
mod tree;
mod variables;
mod words;

use rust::Source;
use tree::{File, Finding};

/// All that is wrong with these files.
fn findings(files: &[File]) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in files {
        sizes::check(file, &mut found);
        words::check_text(file, &mut found);
        sql::check_schema(file, &mut found);
        if file.is_rust() {
            let source = Source::read(file);
            words::check_code(&source, &mut found);
            layers::check(&source, &mut found);
            sql::check(&source, &mut found);
            documented::check(&source, &mut found);
            names::check(&source, &mut found);
        }
        if file.is_template() {
            templates::check(file, &mut found);
            templates::check_words(file, &mut found);
        }
    }
    tree::check_named(files, &mut found);
    layers::check_map(files, &mut found);
    circles::check(files, &mut found);
    templates::check_use(files, &mut found);
    variables::check(files, &mut found);
    documents::check(files, &mut found);
    found
}

#[test]
fn the_house_is_in_order() {
    let files = tree::files();
    assert!(files.len() > 100, "only {} files were found", files.len());
    let found = findings(&files);
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert!(found.is_empty(), "{} to put in order:\n{}", lines.len(), lines.join("\n"));
}

/// A file with `text` after the first line that the rules want, and what is found in it: `line: words`.
fn check(path: &str, text: &str, expected: &[&str]) {
    let first = if path.ends_with(".rs") { "//! What lives here.\n" } else { "" };
    let found = findings(&[File::new(path, &format!("{first}{text}"))]);
    let found: Vec<String> = found.iter().map(Finding::to_string).collect();
    assert_eq!(found.len(), expected.len(), "{path} {text:?}: {found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        let (line, words) = expected.split_once(": ").unwrap();
        assert!(found.starts_with(&format!("{path}:{line}: ")) && found.contains(words), "{found}\nis not\n{expected}");
    }
}

#[test]
fn each_rule_finds_what_it_is_for() {
    check("src/usecase/spend.rs", "use crate::app::App;\nuse crate::{ledger, store::users};\n", &[]);
    check("src/ledger/spend.rs", "use crate::error::Fault;\n", &["2: `ledger` may not use `error`"]);
    check("src/error.rs", "fn f() { crate::store::open() }\n", &["2: `error` may not use `store`"]);
    check("src/store/users.rs", "use crate::{\n    id,\n    usecase::{buy, sell},\n};\n", &["4: `store` may not use"]);
    check("src/sandbox/mod.rs", "use crate::ledger::Units;\n", &["2: `sandbox` may not use `ledger`"]);
    check("src/http/mod.rs", "use crate::sandbox;\n", &["2: `http` may not use `sandbox`"]);
    check("src/lib.rs", "pub mod ledger;\npub mod helpers;\n", &["3: `helpers` has no row"]);
    check("src/http/mod.rs", "// crate::cli\nconst A: &str = \"crate::cli\";\n", &[]);

    check("src/http/a.rs", "const A: &str = \"SELECT id FROM users\";\n", &["2: SQL outside store/"]);
    check("src/http/a.rs", "const A: &str = r#\"\n  DELETE FROM users\"#;\n", &["2: SQL outside store/"]);
    check("src/http/a.rs", "const A: &str = \"UPDATES are nice, SELECT one\";\n", &[]);
    check("src/http/a.rs", "const A: &str = \"DELETE /v1/users\";\n", &[]);
    check("src/store/a.rs", "const A: &str = \"SELECT id FROM users\";\n", &[]);
    check(
        "src/store/a.rs",
        "const A: &str = \"DELETE FROM codes WHERE expires_at < now()\";\n",
        &["2: the database's clock"],
    );
    check("schema.sql", "    at TEXT DEFAULT current_timestamp\n", &["1: the database's clock"]);
    check("src/store/a.rs", "use rusqlite::Row;\n", &["2: a database driver outside"]);
    check("src/store/db/sqlite/mod.rs", "use rusqlite::Row;\n", &[]);
    check("src/store/a.rs", concat!("const A: &str = \"UPDATE ", "entries SET x = 1\";\n"), &["2: entries are never"]);
    check("schema.sql", concat!("DELETE  FROM ", "entries;\n"), &["1: entries are never"]);
    check("schema.sql", concat!("DELETE  FROM ", "books;\n"), &["1: entries are never"]);
    let change = |condition: &str, then: &str| {
        format!(
            "fn f() {{\n    const A: &str = \"{} SET x = 1 WHERE {condition}\";{then}\n}}\n",
            concat!("UPDATE ", "books")
        )
    };
    check("src/store/a.rs", &change("part = 1", " tx.mark_changed(1);"), &[]);
    check("src/store/a.rs", &change("part = 0", " tx.mark_changed(1);"), &["3: entries are never"]);
    check("src/store/a.rs", &change("part = 1", ""), &["3: an account is changed in silence"]);
    check(
        "src/usecase/a.rs",
        &change("part = 1", " tx.mark_changed(1);"),
        &["3: accounts only in store/", "3: SQL outside store/"],
    );
    check("tests/it/a.rs", &change("part = 0", ""), &[]);

    check("src/worker.rs", concat!("fn f() { un", "safe { g() } }\n"), &["2: `unsafe`"]);
    check("src/worker.rs", concat!("// TO", "DO: more\n"), &["2: left unfinished"]);
    check("src/worker.rs", "// more \n", &["2: a line that ends in a space"]);

    check("src/worker.rs", &"//\n".repeat(400), &["401: 401 lines"]);

    check("src/config/a.rs", "const A: &str = \"SPRITE_COLOUR\";\n", &["2: SPRITE_COLOUR is not in"]);
    check("src/config/a.rs", "const A: &str = \"SPRITE_STRIPE_\";\n", &[]);
    check("src/config/tests.rs", "const A: &str = \"SPRITE_COLOUR\";\n", &[]);
    check("src/config/a.rs", "#[cfg(test)]\nmod tests {\n    const A: &str = \"SPRITE_COLOUR\";\n}\n", &[]);
}

#[test]
fn each_rule_for_templates_finds_what_it_is_for() {
    let check = |text: &str, expected: &[&str]| {
        let page = File::new("src/http/pages/a.rs", "//! A.\n#[template(path = \"a.html\")]\nstruct A;\n");
        let files = [page, File::new("templates/a.html", text)];
        let found: Vec<String> = findings(&files).iter().map(Finding::to_string).collect();
        assert_eq!(found.len(), expected.len(), "{text:?}: {found:#?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with("templates/a.html:") && found.contains(expected), "{found}\nis not\n{expected}");
        }
    };
    check("<p class=\"on\">{{ on(\"a\") }} = 1</p>\n<script src=\"a.js\" defer></script>\n", &[]);
    check("<p>{{ a }}\nand</p>\n", &["2: words in a template"]);
    check("<p title=\"{{ a }}\" aria-label=\"on\">{% if b %}\n{# c #}</p>\n", &["1: words in an attribute"]);
    check("<p style=\"color: red\">\n", &["1: an inline style"]);
    check("<p>\n<a href=\"/\" onclick=\"x()\">\n", &["2: an inline handler"]);
    check("<script>1</script>\n", &["1: an inline script"]);
    check("<script src=\"a.js\">1</script>\n", &["1: an inline script"]);
    check("<style>{}</style>\n", &["1: an inline style"]);
    check("<input value=\"{{ one }}\"data-one>\n", &[]);

    check_page("templates/b.html", &["1: no page shows this"]);
    check_page("templates/layout.html", &[]);
    check_page("templates/parts/a.html", &[]);
}

/// A template of nothing, beside one that extends and includes others.
fn check_page(path: &str, expected: &[&str]) {
    let page = File::new("src/http/pages/a.rs", "//! A.\n#[template(path = \"a.html\")]\nstruct A;\n");
    let shown = "{% extends \"layout.html\" %}\n{%- include \"parts/a.html\" -%}\n";
    let files = [page, File::new("templates/a.html", shown), File::new(path, "\n")];
    let found: Vec<String> = findings(&files).iter().map(Finding::to_string).collect();
    assert_eq!(found.len(), expected.len(), "{path}: {found:#?}");
    assert!(found.iter().zip(expected).all(|(found, expected)| found.contains(expected)), "{found:#?}");
}

#[test]
fn what_a_document_names_is_there() {
    let program = File::new(
        "src/http/pages/checkout.rs",
        "//! A.\n/// A.\npub struct Shelf;\nimpl Shelf {\n    fn open() {}\n}\n",
    );
    for (name, is_there) in [
        ("src/http/pages/checkout.rs", true),
        ("pages/checkout.rs", true),
        ("checkout.rs", true),
        ("src/http/", true),
        ("src/http/checkout.rs", false),
        ("tests/it/", false),
        ("out.rs", false),
        ("/etc/till/", true),
        ("http::pages::checkout::open", true),
        ("pages::checkout", true),
        ("Shelf::open", true),
        ("Shelf::close", false),
        ("pages::portal", false),
        ("a::b = c", true),
    ] {
        let text = format!("```\n`no.rs`\n```\nSee `{name}`.\n");
        let found = findings(&[File::new("README.md", &text), File::new(&program.path, &program.text)]);
        let expected = format!("README.md:4: {name} is not there");
        assert!(found.len() == usize::from(!is_there), "{name}: {found:#?}", found = found.len());
        assert!(found.iter().all(|found| found.to_string().starts_with(&expected)), "{name}");
    }
}

#[test]
fn tests_that_nothing_names_are_found() {
    let [main, spend] = ["main", "spend"].map(|name| format!("tests/it/{name}.rs"));
    for (names, expected) in [("mod spend;\n", 0), ("mod spender;\n", 1), ("// mod spend;\n", 1)] {
        let files = [File::new(&main, &format!("//! M.\n{names}")), File::new(&spend, "//! S.\n")];
        assert_eq!(findings(&files).len(), expected, "{names}");
    }
    for (names, expected) in [("pub mod spend;\n", 0), ("mod spender;\n", 1)] {
        let files = [
            File::new(&main, "//! M.\nmod api;\n"),
            File::new("tests/it/api/mod.rs", &format!("//! A.\n{names}")),
            File::new("tests/it/api/spend.rs", "//! S.\n"),
        ];
        assert_eq!(findings(&files).len(), expected, "api: {names}");
    }
}

#[test]
fn a_file_begins_by_saying_what_lives_in_it() {
    let found = findings(&[File::new("tests/it/a.rs", "use std::fs;\n")]);
    assert_eq!(found.len(), 1);
    assert!(found[0].to_string().starts_with("tests/it/a.rs:1: the first line is not `//!`"));
}
