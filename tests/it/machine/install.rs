//! `till install`: the same without a package, on a machine with systemd.

use std::path::Path;
use std::process::Command;

use crate::harness::executable::copy_program;
use crate::harness::process::binary;
use crate::harness::python::run;
use crate::harness::{Disk, Machine};

use super::{admin, ask, configure, program_folder, property};

#[test]
fn a_program_installs_itself_once_and_says_how_it_is_taken_away() {
    let Some(machine) = Machine::boot("till install") else { return };
    copy_program(&binary(), &machine.path("/root/till"));
    let tried = machine.shell("/root/till install --dry-run");
    assert!(tried.contains("Nothing was done") && tried.contains("make      /usr/local/bin/till"), "{tried}");
    machine.shell("test ! -e /usr/local/bin/till && ! getent passwd till");
    machine.shell("cp /root/till /srv/till");
    let refused = machine.refuses("setpriv --reuid=65534 --regid=65534 --clear-groups /srv/till install");
    assert!(refused.contains("only root can install till"), "{refused}");

    let done = machine.shell("/root/till install");
    assert_eq!(done.lines().filter(|line| line.starts_with("make ")).count(), tried.matches("make ").count(), "{done}");
    let stat = machine.shell(
        "stat -c '%U:%G %a %n' /etc/till /etc/till/credentials /etc/till/till.env /var/lib/till /usr/local/bin/till",
    );
    assert_eq!(
        stat,
        "root:till 750 /etc/till\nroot:root 700 /etc/till/credentials\nroot:till 640 /etc/till/till.env\n\
         till:till 700 /var/lib/till\nroot:root 755 /usr/local/bin/till\n"
    );
    machine.shell("systemd-run --quiet --unit=stand-in till sandbox --listen 127.0.0.1:12111");
    configure(&machine);
    machine.shell("systemctl enable --quiet --now till.socket till.service");
    assert_eq!(ask(&machine, "/readyz"), 200, "{}", machine.journal("till.service"));

    // Again, by the installed program itself: nothing is changed, and what the administrator wrote stays.
    let again = machine.shell("till install");
    let is_change = |line: &str| ["make ", "replace ", "run "].iter().any(|verb| line.starts_with(verb));
    assert!(!again.lines().any(is_change), "{again}");
    assert!(again.contains("keep      /etc/till/till.env"), "{again}");
    assert_eq!(machine.shell("cat /etc/till/till.env"), super::CONFIGURATION);
    // A unit by hand would go before it.
    machine.shell("cp /usr/local/lib/systemd/system/till.service /etc/systemd/system/");
    assert!(machine.shell("till install").contains("note      /etc/systemd/system/till.service goes before"));
    machine.shell("rm /etc/systemd/system/till.service");

    // The set-up goes on from what is there, and begins the daily backup.
    let set_up = "till setup --yes --file /etc/till/till.env --at-stripe no --operator olga --backups yes";
    let said = admin(&machine, set_up);
    assert!(
        said.contains("A backup is made every day.") && said.contains("systemctl enable --now till.socket"),
        "{said}"
    );
    assert_eq!(property(&machine, "till-backup.timer", "UnitFileState"), "enabled");
    assert_ne!(property(&machine, "till-backup.timer", "NextElapseUSecRealtime"), "", "when it is due");
    machine.shell("systemctl start till-backup.service && test -s /var/lib/till/backups/till-*.db");
    assert_eq!(super::owners(&machine), "till:till");
    machine.shell("systemctl restart till.service");
    assert_eq!(ask(&machine, "/readyz"), 200, "{}", machine.journal("till.service"));

    let (_, undoing) = again.split_once("(configuration and books stay):").unwrap();
    machine.shell(undoing);
    machine.shell("test ! -e /usr/local/bin/till && test -s /etc/till/till.env && test -s /var/lib/till/till.db");
    machine.shell("! systemctl cat till.service && ! systemctl is-enabled till-backup.timer");
}

#[test]
fn an_installation_on_a_full_disk_leaves_nothing_half_and_a_second_one_goes_on() {
    let program = program_folder().path("till");
    let size = program.metadata().unwrap().len();
    let Some(disk) = Disk::mount(&format!("size={}", 2 * size + (8 << 20))) else { return };
    let root = disk.path("root");
    let installs = || run(Command::new(&program).args(["install", "--root"]).arg(&root));
    let files = || run(Command::new("find").args([root.as_path(), Path::new("-type"), Path::new("f")])).unwrap();
    for room in [0, 16 << 10, size / 2] {
        let filling = disk.fill_but(room);
        let said = installs().expect_err("no room");
        assert!(said.contains("cannot write /") && said.contains("No space left"), "{room}: {said}");
        drop(filling);
        let there = if root.exists() { files() } else { String::new() };
        assert!(!there.contains("partial") && !there.contains("/bin/till\n"), "{room}: {there}");
    }
    installs().unwrap();
    assert_eq!(std::fs::read(root.join("usr/local/bin/till")).unwrap(), std::fs::read(&program).unwrap());
    // A new version that has no room leaves the one that is there.
    let filling = disk.fill_but(size / 2);
    let installed = root.join("usr/local/bin/till");
    std::fs::set_permissions(&installed, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    installs().expect_err("no room");
    drop(filling);
    assert_eq!(installed.metadata().unwrap().len(), size);
}
