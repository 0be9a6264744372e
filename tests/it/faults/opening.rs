//! Starting where one should not: a database that is in use, newer, or not one of ours. The sentence says what to do.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread;

use crate::harness::shop::variables;
use crate::harness::{Folder, Shop, is_about_a_file, postgres, process};

#[test]
fn a_second_appliance_is_told_who_has_the_books_and_every_other_command_works_beside_it() {
    let shop = Shop::open();
    shop.user("alice");
    if !postgres::is_chosen() {
        let second = shop.till(&["serve"]);
        let said = String::from_utf8(second.stderr).unwrap();
        assert_eq!(second.status.code(), Some(1), "{said}");
        let holder = format!("process {}", shop.till.id());
        assert!(said.contains(&holder) && said.contains("in use") && said.contains("stop that one"), "{said}");
    }

    // Beside one another, and beside the appliance.
    let commands: &[&[&str]] = &[
        &["user", "list"],
        &["user", "show", "alice"],
        &["user", "add", "bob"],
        &["user", "grant", "alice", "5", "--note", "by hand"],
        &["token", "create", "more", "--scopes", "read"],
        &["token", "list"],
        &["event", "list"],
        &["ledger", "export"],
        &["ledger", "verify"],
    ];
    thread::scope(|scope| {
        for arguments in commands {
            scope.spawn(|| shop.till_prints(arguments));
        }
    });
    assert_eq!(shop.remaining("alice"), 5);
    shop.user("carol");
    assert!(shop.till.terminate().success());
}

#[test]
fn a_database_with_a_second_name_is_served_by_neither() {
    if is_about_a_file() {
        return;
    }
    let folder = Folder::new();
    let mut variables = variables(&folder, "http://127.0.0.1:1");
    assert!(process::run(&variables, &["user", "add", "alice"]).status.success());
    fs::hard_link(folder.path("till.db"), folder.path("second.db")).unwrap();
    for name in ["till.db", "second.db"] {
        variables.insert("SPRITE_DATABASE".to_owned(), folder.path(name).display().to_string());
        let output = process::run(&variables, &["serve"]);
        let said = process::said(&output);
        assert!(output.status.code() == Some(1) && said.contains("2 names (hard links)"), "{name}: {said}");
        assert!(said.contains("remove all but one"), "{name}: {said}");
        // Who only looks takes no lock.
        assert!(process::run(&variables, &["user", "list"]).status.success());
    }
    fs::remove_file(folder.path("till.db")).unwrap();
    assert!(crate::harness::Till::start(&variables).terminate().success());
}

#[test]
fn a_database_that_is_not_ours_to_open_is_refused_by_every_command() {
    if is_about_a_file() {
        return;
    }
    let check = |make: fn(&Path), expected: &[&str]| {
        let folder = Folder::new();
        make(&folder.path("till.db"));
        for arguments in [&["serve"][..], &["user", "list"], &["user", "add", "alice"]] {
            let output = process::run(&variables(&folder, "http://127.0.0.1:1"), arguments);
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
            assert!(expected.iter().all(|words| said.contains(words)), "{arguments:?}: {said}");
        }
    };
    check(|path| fs::write(path, "Dear diary,\n".repeat(100)).unwrap(), &["till.db", "is not a database"]);
    check(
        |path| run(path, "CREATE TABLE songs (a INTEGER)"),
        &["till.db", "another program's", "songs", "name a file that does not exist yet"],
    );
    check(|path| fs::create_dir(path).unwrap(), &["till.db", "folder"]);
    let newer = |path: &Path| {
        let variables = variables_of(path);
        assert!(process::run(&variables, &["user", "add", "alice"]).status.success());
        run(path, "INSERT INTO schema_version (version, applied_at, checked_at) VALUES (99, 0, 0)");
    };
    check(newer, &["till.db", "schema 99", "use the newer till"]);
}

fn run(path: &Path, script: &str) {
    rusqlite::Connection::open(path).unwrap().execute_batch(script).unwrap();
}

fn variables_of(path: &Path) -> std::collections::BTreeMap<String, String> {
    [("SPRITE_DATABASE".to_owned(), path.to_str().unwrap().to_owned())].into()
}

#[test]
fn a_first_start_that_is_killed_is_finished_by_the_next_one() {
    if is_about_a_file() {
        return;
    }
    for (number, end) in ["", "-wal", "-shm"].iter().enumerate() {
        let folder = Folder::new();
        let path = folder.path("till.db");
        let variables = variables_of(&path);
        let mut command = process::command(&variables);
        let mut child = command.args(["user", "add", "alice"]).stdout(Stdio::null()).spawn().unwrap();
        let file = folder.path(&format!("till.db{end}"));
        while !file.exists() && child.try_wait().unwrap().is_none() {}
        let _ended_already = child.kill();
        child.wait().unwrap();
        for user in ["bob", "carol"] {
            assert!(process::run(&variables, &["user", "add", user]).status.success(), "{number}");
        }
        assert!(process::run(&variables, &["ledger", "verify"]).status.success(), "{number}");
    }
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    if is_about_a_file() {
        return;
    }
    let folder = Folder::new();
    let mut variables = variables(&folder, "http://127.0.0.1:1");
    variables.insert("SPRITE_DATABASE".to_owned(), folder.path("none/till.db").to_str().unwrap().to_owned());
    for arguments in [&["serve"][..], &["user", "add", "alice"]] {
        let output = process::run(&variables, arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains("none/till.db") && said.contains("No such file or directory"), "{said}");
    }
}
