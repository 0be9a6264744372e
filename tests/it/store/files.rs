//! The files on the disk: who may read them, and that a file which is not ours is left as it is.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;

use till::clock::Clock;
use till::store::Lock;

use super::{Books, NOW, add_user, count_users, open, try_to_open};
use crate::harness::{Folder, Hand, is_about_a_file};

#[test]
fn files_with_peoples_addresses_are_their_owners_alone() {
    if is_about_a_file() {
        return;
    }
    let books = Books::open();
    let clock = Clock::manual(NOW);
    let _lock = Lock::take(&books.folder.path("till.db").into(), "till serve", &clock).unwrap();
    books.store.write(|tx| add_user(tx, 1)).unwrap();
    for file in ["till.db", "till.db-wal", "till.db-shm", "till.db.lock"] {
        let mode = fs::metadata(books.folder.path(file)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{file} has mode {mode:o}");
    }
}

#[test]
fn an_operator_may_choose_another_mode() {
    if is_about_a_file() {
        return;
    }
    let folder = Folder::new();
    let path = folder.path("till.db");
    drop(open(&folder.database("till.db")));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let store = open(&folder.database("till.db"));
    store.write(|tx| add_user(tx, 1)).unwrap();
    let mode = |file: &str| fs::metadata(folder.path(file)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("till.db"), mode("till.db-wal")), (0o640, 0o640));
}

#[test]
fn one_appliance_holds_the_lock() {
    if is_about_a_file() {
        return;
    }
    let folder = Folder::new();
    let (path, clock) = (folder.path("till.db"), Clock::manual(NOW));
    let lock = Lock::take(&path.clone().into(), "till serve", &clock).unwrap();
    let refused = Lock::take(&path.clone().into(), "till serve", &clock).err().unwrap().to_string();
    assert!(refused.contains(&format!("process {}", std::process::id())), "{refused}");
    drop(lock);
    Lock::take(&path.clone().into(), "till serve", &clock).unwrap();
}

#[test]
fn several_may_make_the_same_database_at_once() {
    let folder = Folder::new();
    let place = folder.empty_database("till.db");
    let threads: Vec<_> = (0..4)
        .map(|number| {
            let place = place.clone();
            thread::spawn(move || open(&place).write(move |tx| add_user(tx, number)).unwrap())
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(count_users(&open(&place)), 4);
}

/// Opening the file is refused with these words, and leaves no trace.
fn check(make: impl Fn(&Path), expected: &[&str]) {
    let folder = Folder::new();
    let path = folder.path("till.db");
    make(&path);
    let before = fs::read(&path).unwrap();
    let refused = try_to_open(path.to_str().unwrap()).err().expect("a refusal").to_string();
    assert!(expected.iter().all(|words| refused.contains(words)), "{refused}");
    assert!(fs::read(&path).unwrap() == before, "the file was changed: {refused}");
    let files: Vec<_> = fs::read_dir(folder.path("")).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files, ["till.db"], "{refused}");
}

#[test]
fn a_file_that_is_not_ours_is_refused_and_left_as_it_is() {
    if is_about_a_file() {
        return;
    }
    let run = |path: &Path, script: &str| Hand::open(path.to_str().unwrap()).run(script);
    check(|path| fs::write(path, "Dear diary,\n".repeat(100)).unwrap(), &["cannot be used", "not a database"]);
    check(|path| run(path, "CREATE TABLE songs (a INTEGER)"), &["another program's database", "songs"]);
    check(|path| run(path, "PRAGMA application_id = 7; CREATE TABLE schema_version (a)"), &["another program's"]);
    // 2 and 3 were never released, and are not what a later version of that number will be.
    for version in [2, 3, 99] {
        check(
            |path| {
                drop(open(path.to_str().unwrap()));
                run(
                    path,
                    &format!("INSERT INTO schema_version (version, applied_at, checked_at) VALUES ({version}, 0, 0)"),
                );
            },
            &[&format!("schema {version}"), "newer till"],
        );
    }
}

#[test]
fn a_database_opens_and_is_read_while_somebody_else_writes() {
    let books = Books::open();
    books.store.write(|tx| add_user(tx, 1)).unwrap();
    let outside = books.outside();
    outside.run("BEGIN IMMEDIATE; INSERT INTO users (account, id, created_at) VALUES (9, 'x', 0)");
    assert_eq!(count_users(&books.store), 1);
    assert_eq!(count_users(&open(&books.folder.database("till.db"))), 1);
}
