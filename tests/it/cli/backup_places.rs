//! Where `till backup` puts a copy: packed, given to a command, dated in a folder that keeps some days, on a disk that is full.
//! In each place there is a whole backup, or the command fails and what was there before is untouched.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::backup::{names, tamper};
use crate::harness::left_out::is_set;
use crate::harness::process::{parsed, prints, refused, said};
use crate::harness::shop;
use crate::harness::{Disk, Folder, eventually, is_about_a_file, left_out, process};

/// Books with a gift for each user, in a folder of their own, with no service on them.
fn books(folder: &Folder, users: i64) -> BTreeMap<String, String> {
    let variables = shop::variables(folder, "http://127.0.0.1:1");
    for number in 1..=users {
        let user = format!("user-{number}");
        prints(&variables, &["user", "add", &user]);
        prints(&variables, &["user", "grant", &user, "7", "--note", "a gift"]);
    }
    variables
}

/// Whether till finds zstd.
fn has_zstd() -> bool {
    has("zstd", "packed backups")
}

fn has(program: &str, what: &str) -> bool {
    let is_there = Command::new(program).arg("--version").output().is_ok();
    if !is_there {
        assert!(!is_set("CI"), "{program} is not on this machine");
        left_out(&format!("{what}: {program} is not on this machine"));
    }
    is_there
}

#[test]
fn the_units_of_the_daily_backup_are_sound_and_have_few_rights() {
    if !has("systemd-analyze", "the units of the daily backup") {
        return;
    }
    let folder = Folder::new();
    let units = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd");
    for unit in ["till-backup.service", "till-backup.timer"] {
        let text = fs::read_to_string(format!("{units}/{unit}")).unwrap();
        // The program is not installed there.
        let (from, to) = ("ExecStart=till ", format!("ExecStart={} ", process::binary().display()));
        fs::write(folder.path(unit), text.replace(from, &to)).unwrap();
    }
    let analyze = |arguments: &[&str]| {
        let mut command = Command::new("systemd-analyze");
        let output = command.args(arguments).current_dir(folder.path("")).output().unwrap();
        let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        (output.status.success(), said)
    };
    // Ten is an exposure of 1.0.
    let (is_safe, said) =
        analyze(&["security", "--offline=true", "--threshold=10", "--no-pager", "./till-backup.service"]);
    assert!(is_safe, "{said}");
    let (is_sound, said) = analyze(&["verify", "--man=no", "./till-backup.service", "./till-backup.timer"]);
    assert!(is_sound && !said.contains("till-backup"), "{said}");
}

#[test]
fn a_packed_backup_is_proved_and_restored_and_a_damaged_one_is_refused() {
    if is_about_a_file() {
        return;
    }
    if !has_zstd() {
        return;
    }
    let folder = Folder::new();
    let variables = books(&folder, 3);
    let out = Folder::new();
    let at = |name: &str| out.path(name).display().to_string();
    let packed = parsed(&variables, &["backup", &at("till.db.zst")]);
    let plain = parsed(&variables, &["backup", &at("plain.db")]);
    prints(&variables, &["backup", "--zstd", &at("packed.db")]);
    let bytes = fs::read(out.path("till.db.zst")).unwrap();
    assert!(
        bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
            && fs::read(out.path("packed.db")).unwrap().starts_with(&bytes[..4])
    );
    assert_eq!(packed["bytes"].as_u64(), Some(bytes.len() as u64));
    assert!(packed["bytes"].as_u64().unwrap() * 2 < plain["bytes"].as_u64().unwrap(), "{packed} {plain}");
    assert_eq!(out.path("till.db.zst").metadata().unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(names(&out.path("")), ["packed.db", "plain.db", "till.db.zst"], "nothing else is left");
    let streamed = process::run(&variables, &["backup", "-", "--zstd"]);
    assert!(streamed.status.success() && streamed.stdout.starts_with(&bytes[..4]), "{}", said(&streamed));

    // Cut short, changed in the middle, or packed out of something else: refused, and nothing is changed.
    let mut changed = bytes.clone();
    let middle = changed.len() / 2;
    changed[middle..middle + 16].fill(0x55);
    fs::write(out.path("cut.zst"), &bytes[..bytes.len() - 9]).unwrap();
    fs::write(out.path("changed.zst"), changed).unwrap();
    fs::write(out.path("text"), "no database, but a text that is long enough").unwrap();
    let pack = Command::new("zstd").args(["-q", &at("text")]).status().unwrap();
    assert!(pack.success());
    for (name, words) in
        [("cut.zst", "cannot be unpacked"), ("changed.zst", "cannot be unpacked"), ("text.zst", "cannot be restored")]
    {
        refused(&process::run(&variables, &["restore", &at(name)]), words);
    }
    prints(&variables, &["user", "grant", "user-1", "5", "--note", "later"]);
    let anchor = packed["anchor"].as_str().unwrap();
    prints(&variables, &["restore", &at("till.db.zst"), "--dry-run", "--anchor", anchor]);
    prints(&variables, &["restore", &at("till.db.zst"), "--anchor", anchor]);
    assert_eq!(parsed(&variables, &["user", "show", "user-1"])["units"]["remaining"], 7);
    prints(&variables, &["ledger", "verify"]);

    // Without the program it says what to do, and leaves nothing.
    let mut without = variables.clone();
    without.insert("PATH".to_owned(), at("nowhere"));
    refused(&process::run(&without, &["backup", &at("late.zst")]), "apt install zstd");
    refused(&process::run(&without, &["restore", &at("till.db.zst")]), "apt install zstd");
    assert!(names(&out.path("")).iter().all(|name| !name.contains("late") && !name.contains("partial")));
    assert!(names(&folder.path("")).iter().all(|name| !name.contains("partial")), "{:?}", names(&folder.path("")));
}

#[test]
fn a_command_takes_all_of_the_backup_or_there_is_none() {
    if is_about_a_file() {
        return;
    }
    let folder = Folder::new();
    let variables = books(&folder, 3);
    let out = Folder::new();
    let target = out.path("taken.db").display().to_string();
    for (command, words) in [
        ("exit 3", "exit status: 3"),
        ("cat > /dev/null; exit 1", "exit status: 1"),
        ("no-such-command-here", "exit status: 127"),
        ("kill -9 $$", "signal: 9"),
        ("true", "bytes unread"),
        ("head -c 100000 > /dev/null", "bytes unread"),
    ] {
        refused(&process::run(&variables, &["backup", "--to-command", command]), words);
        assert_eq!(parsed(&variables, &["status"])["last_backup"], Value::Null, "{command}");
    }
    let before = names(&folder.path(""));
    let noisy = format!("echo what it says; cat > '{target}'; echo >&2 and more");
    let report = parsed(&variables, &["backup", "--to-command", &noisy]);
    assert_eq!(
        (&report["path"], report["bytes"].as_u64()),
        (&json!("a command"), Some(fs::metadata(&target).unwrap().len()))
    );
    assert_eq!(parsed(&variables, &["status"])["last_backup"], "a command");
    prints(&variables, &["restore", &target, "--dry-run", "--anchor", report["anchor"].as_str().unwrap()]);
    if has_zstd() {
        let packed = out.path("taken.zst").display().to_string();
        let command = format!("cat > '{packed}'");
        prints(&variables, &["backup", "--zstd", "--to-command", &command]);
        prints(&variables, &["restore", &packed, "--dry-run"]);
        refused(&process::run(&variables, &["backup", "--zstd", "--to-command", "exit 9"]), "exit status: 9");
    }
    assert_eq!(names(&folder.path("")), before, "no copy stays beside the database");
    let both = process::run(&variables, &["backup", &target, "--to-command", "cat"]);
    assert_eq!(both.status.code(), Some(2), "{}", said(&both));
    assert_eq!(process::run(&variables, &["backup"]).status.code(), Some(2));
}

#[test]
fn dated_backups_are_kept_for_some_days_and_nothing_else_is_touched() {
    if is_about_a_file() {
        return;
    }
    let folder = Folder::new();
    let variables = books(&folder, 1);
    let kept = folder.path("backups");
    let keep = || parsed(&variables, &["backup", "--keep", "7", kept.to_str().unwrap()]);
    let first = keep();
    let mode = kept.metadata().unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode, names(&kept).len(), &first["removed"]), (0o700, 1, &json!([])));
    assert_eq!(first["path"].as_str(), kept.join(&names(&kept)[0]).to_str());

    let old = [
        "till-20200101T000000Z.db",
        "till-20200102T000000Z.db.zst",
        "till-20200103T000000Z.db.0123456789abcdef.partial",
    ];
    let foreign = [
        "notes.txt",
        "other-20200101T000000Z.db",
        "till-20200101T000000Z.db.age",
        "till-20201301T000000Z.db",
        "till-before-restore-20200101T000000Z.db",
        "till-test-20200101T000000Z.db",
    ];
    old.iter().chain(&foreign).for_each(|name| fs::write(kept.join(name), name).unwrap());
    symlink(kept.join("notes.txt"), kept.join("till-20200104T000000Z.db")).unwrap();
    fs::create_dir(kept.join("till-20200105T000000Z.db")).unwrap();
    let mut others: Vec<String> = foreign.iter().map(|name| (*name).to_owned()).collect();
    others.extend(["till-20200104T000000Z.db".to_owned(), "till-20200105T000000Z.db".to_owned()]);
    let rest = || names(&kept).into_iter().filter(|name| others.contains(name)).count();

    // One that fails removes nothing.
    tamper(&folder.path("till.db"), "CREATE TABLE planted (a INTEGER)");
    refused(&process::run(&variables, &["backup", "--keep", "7", kept.to_str().unwrap()]), "planted");
    assert!(old.iter().all(|name| kept.join(name).exists()));
    tamper(&folder.path("till.db"), "DROP TABLE planted");

    let second = keep();
    assert_eq!(second["removed"].as_array().unwrap().len(), 3, "{second}");
    assert!(old.iter().all(|name| !kept.join(name).exists()), "{:?}", names(&kept));
    assert_eq!(rest(), others.len(), "{:?}", names(&kept));
    assert!(kept.join(Path::new(first["path"].as_str().unwrap()).file_name().unwrap()).exists(), "it is young");
    prints(&variables, &["restore", second["path"].as_str().unwrap(), "--dry-run"]);
    let told = prints(&variables, &["backup", "--keep", "7", kept.to_str().unwrap()]);
    assert!(!told.contains("removed"), "{told}");

    for (arguments, code) in [
        (&["backup", "--keep", "7", "-"][..], 2),
        (&["backup", "--keep", "0", kept.to_str().unwrap()], 2),
        (&["backup", "--keep", "7", first["path"].as_str().unwrap()], 2),
        (&["backup", "--keep", "7", "/proc/none"], 1),
    ] {
        let output = process::run(&variables, arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", said(&output));
    }
}

#[test]
fn a_backup_that_is_killed_leaves_the_one_from_before() {
    if is_about_a_file() {
        return;
    }
    let folder = Folder::new();
    let variables = books(&folder, 3);
    let out = Folder::new();
    let target = out.path("till.db");
    prints(&variables, &["backup", target.to_str().unwrap()]);
    let before = fs::read(&target).unwrap();
    prints(&variables, &["user", "grant", "user-1", "5", "--note", "later"]);
    for step in [".partial", ".partial-wal"] {
        let mut command = process::command(&variables);
        let quiet = Stdio::null;
        let mut child = command
            .args(["backup", target.to_str().unwrap()])
            .stdin(quiet())
            .stdout(quiet())
            .stderr(quiet())
            .spawn()
            .unwrap();
        let is_there = || names(&out.path("")).iter().any(|name| name.ends_with(step));
        eventually(step, || (is_there() || child.try_wait().unwrap().is_some()).then_some(()));
        let _ended_already = child.kill();
        let is_done = child.wait().unwrap().success();
        assert!(is_done || fs::read(&target).unwrap() == before, "{step}");
        prints(&variables, &["restore", target.to_str().unwrap(), "--dry-run"]);
        prints(&variables, &["ledger", "verify"]);
        let partial = names(&out.path("")).into_iter().filter(|name| name.contains("partial"));
        partial.for_each(|name| fs::remove_file(out.path(&name)).unwrap());
        fs::write(&target, &before).unwrap();
    }
    // The next one is whole.
    let made = parsed(&variables, &["backup", target.to_str().unwrap()]);
    assert_eq!(made["entries"], 4);
}

/// At every amount of room: a whole backup, or the one from before and nothing half.
#[test]
fn a_disk_that_is_full_at_any_step_leaves_the_last_backup_and_the_books() {
    if is_about_a_file() {
        return;
    }
    let Some(disk) = Disk::mount("size=12m") else { return };
    let folder = Folder::new();
    let variables = books(&folder, 2);
    let (is_packed, target) = (has_zstd(), disk.path("till.db"));
    prints(&variables, &["backup", target.to_str().unwrap()]);
    let (before, size) = (fs::read(&target).unwrap(), target.metadata().unwrap().len());
    let mut failed = 0;
    for room in [0, 4096, size / 4, size / 2, size - 4096, size + 8192, 2 * size] {
        let filling = disk.fill_but(room);
        let output = process::run(&variables, &["backup", target.to_str().unwrap()]);
        let is_kept = fs::read(&target).unwrap() == before;
        failed += usize::from(!output.status.success());
        assert_eq!(output.status.success(), !is_kept, "{room}: {}", said(&output));
        prints(&variables, &["restore", target.to_str().unwrap(), "--dry-run"]);
        if is_packed {
            let packed = disk.path("till.zst");
            let done = process::run(&variables, &["backup", packed.to_str().unwrap()]).status.success();
            assert_eq!(packed.exists(), done, "{room}");
            let _none = fs::remove_file(packed);
        }
        drop(filling);
        assert_eq!(names(&disk.path("")), ["till.db"], "{room}");
        fs::write(&target, &before).unwrap();
    }
    assert!(failed >= 4, "{failed}");

    // The disk of the database is full when a backup comes back, and when it is given to a command.
    let saved = folder.path("saved.db");
    prints(&variables, &["backup", saved.to_str().unwrap()]);
    fs::remove_file(&target).unwrap();
    let mut small = variables.clone();
    small.insert("SPRITE_DATABASE".to_owned(), target.display().to_string());
    prints(&small, &["user", "add", "user-1"]);
    for room in [0, 4096, size / 2, size - 4096] {
        let filling = disk.fill_but(room);
        let restored = process::run(&small, &["restore", saved.to_str().unwrap()]);
        let given = process::run(&small, &["backup", "--to-command", "cat > /dev/null"]);
        assert!(!restored.status.success(), "{room}: restored with no room for it");
        drop(filling);
        assert!(names(&disk.path("")).iter().all(|name| !name.contains("partial")), "{:?}", names(&disk.path("")));
        prints(&small, &["ledger", "verify"]);
        assert_eq!(parsed(&small, &["user", "show", "user-1"])["units"]["remaining"], 0, "{}", said(&given));
    }
    prints(&small, &["restore", saved.to_str().unwrap()]);
    assert_eq!(parsed(&small, &["user", "show", "user-1"])["units"]["remaining"], 7);
}
