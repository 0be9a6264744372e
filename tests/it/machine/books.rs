//! The books of an installed till: where they may lie, whose they are, and what happens to them when a request begins the service
//! in the middle of a restore.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};
use std::thread;

use crate::harness::eventually;
use crate::harness::python::run;

use super::{admin, ask, installed, json, owners, property};

#[test]
fn a_request_in_the_middle_of_a_restore_waits_and_is_answered_from_the_restored_books() {
    let Some(machine) = installed("a restore beside the socket") else { return };
    // Enough for the proof to take a while.
    let users: String = (0..4000).map(|number| format!("u{number},7,7\n")).collect();
    machine.write("/root/users.csv", &format!("id,units_total,units_remaining\n{users}"));
    admin(&machine, "till user add alice && till import /root/users.csv && till backup /root/saved.db");
    admin(&machine, "till user add bob");
    assert_eq!(ask(&machine, "/readyz"), 200);
    machine.shell("systemctl stop till.service");
    let file = machine.path("/var/lib/till/till.db");
    let before = file.metadata().unwrap().ino();

    let line = &format!("{}; exec till restore /root/saved.db", super::WITH_CONFIGURATION);
    let mut command = machine.command(&["sh", "-c", line]);
    let mut restore = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let is_copied = || {
        let names = fs::read_dir(machine.path("/var/lib/till")).unwrap();
        names.flatten().any(|entry| entry.file_name().to_string_lossy().ends_with(".partial"))
    };
    eventually("the copy", || (is_copied() || restore.try_wait().unwrap().is_some()).then_some(()));
    machine.shell("kill -STOP $(grep -lz '^restore$' /proc/[0-9]*/cmdline | cut -d/ -f3)");
    assert!(is_copied(), "the restore was too quick to be met in its middle");

    thread::scope(|scope| {
        let waiting = scope.spawn(|| ask(&machine, "/readyz"));
        eventually("a start that is refused", || {
            machine.journal("till.service").contains("in use by till restore").then_some(())
        });
        assert_eq!(file.metadata().unwrap().ino(), before, "nothing was replaced, and nothing was opened");
        assert_ne!(property(&machine, "till.service", "ActiveState"), "active");
        machine.shell("kill -CONT $(grep -lz '^restore$' /proc/[0-9]*/cmdline | cut -d/ -f3)");
        // nsenter stops and goes on with what it has begun.
        run(Command::new("kill").args(["-CONT", &restore.id().to_string()])).unwrap();
        assert!(restore.wait().unwrap().success());
        assert_eq!(waiting.join().unwrap(), 200);
    });
    assert_ne!(file.metadata().unwrap().ino(), before);
    let listed = admin(&machine, "till user list --json");
    assert!(listed.contains("\"alice\"") && !listed.contains("\"bob\""), "{listed}");
    admin(&machine, "till ledger verify");
    assert_eq!(owners(&machine), "till:till");
}

#[test]
fn what_is_in_the_way_of_the_books_is_named_and_the_service_comes_back_by_itself() {
    let Some(machine) = installed("what is in the way of the books") else { return };
    assert_eq!(ask(&machine, "/readyz"), 200);
    admin(&machine, "till user add alice");
    for (harm, words, mend) in [
        (
            "mount --bind /var/lib/till /var/lib/till && mount -o remount,bind,ro /var/lib/till",
            "Read-only file system",
            "umount /var/lib/till",
        ),
        ("chown root: /var/lib/till/till.db", "belongs to root", "chown till: /var/lib/till/till.db"),
        ("mv /etc/till/credentials /etc/till/away", "credentials", "mv /etc/till/away /etc/till/credentials"),
        ("echo SPRITE_LISTEN=eighty >> /etc/till/till.env", "eighty", "sed -i /eighty/d /etc/till/till.env"),
    ] {
        machine.shell(&format!("systemctl stop till.service; {harm}"));
        thread::scope(|scope| {
            let waiting = scope.spawn(|| ask(&machine, "/readyz"));
            // What systemd itself has to say is in its own lines.
            let said = eventually(words, || {
                let said = machine.journal("till.service");
                said.contains(words).then_some(said)
            });
            machine.shell(mend);
            assert_eq!(waiting.join().unwrap(), 200, "{said}");
        });
    }
    assert_eq!(json(&admin(&machine, "till user list --json"))["data"].as_array().unwrap().len(), 1);
    assert_eq!(owners(&machine), "till:till");
}

#[test]
fn the_books_may_lie_behind_a_link_or_a_mount_and_belong_to_a_dynamic_user() {
    let Some(machine) = installed("where the books lie") else { return };
    let add = |user: &str| {
        assert_eq!(ask(&machine, "/readyz"), 200, "{}", machine.journal("till.service"));
        admin(&machine, &format!("till user add {user}"));
        let listed = json(&admin(&machine, "till user list --json"));
        let owner = owners(&machine);
        machine.shell("systemctl stop till.service");
        (listed["data"].as_array().unwrap().len(), owner)
    };
    assert_eq!(add("alice"), (1, "till:till".to_owned()));
    machine.shell("mv /var/lib/till /srv/books && ln -s /srv/books /var/lib/till");
    assert_eq!(add("bob"), (2, "till:till".to_owned()));
    // By its other name it is the same database, with the same lock.
    assert_eq!(ask(&machine, "/readyz"), 200);
    let refused = machine
        .refuses(&format!("{}; till restore /root/none --database /srv/books/till.db", super::WITH_CONFIGURATION));
    assert!(refused.contains("cannot be read"), "{refused}");
    admin(&machine, "till backup /root/saved.db");
    let refused = machine
        .refuses(&format!("{}; till restore /root/saved.db --database /srv/books/till.db", super::WITH_CONFIGURATION));
    assert!(refused.contains("in use by till serve"), "{refused}");
    machine.shell("systemctl stop till.service && rm /var/lib/till && mkdir /var/lib/till && mount --bind /srv/books /var/lib/till");
    assert_eq!(add("carol"), (3, "till:till".to_owned()));
    // A mount that root owns is the service's from its start on.
    machine.shell("umount /var/lib/till && mount -t tmpfs books /var/lib/till");
    assert_eq!(add("dave"), (1, "till:till".to_owned()));
    machine.shell("umount /var/lib/till && rmdir /var/lib/till && mv /srv/books /var/lib/till");

    let (_, dynamic) = include_str!("../../../docs/operate.md").split_once("**A dynamic user**").unwrap();
    let dynamic = dynamic.split("```").nth(1).unwrap();
    machine.write("/etc/systemd/system/till.service.d/dynamic.conf", dynamic);
    machine.shell("systemctl daemon-reload");
    let (users, owner) = add("erin");
    assert_eq!(users, 4);
    assert!(!owner.contains("root") && !owner.contains('\n'), "one owner, and not root: {owner}");
}
