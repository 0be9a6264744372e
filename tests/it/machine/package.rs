//! The Debian package by real dpkg: installed, upgraded with its data, upgraded half-way, removed and purged.

use std::process::Stdio;
use std::thread;

use crate::harness::{Folder, Machine, eventually};

use super::{CONFIGURATION, admin, ask, brought, configure, installed, package, packed, wait_for_state};

#[test]
fn a_package_is_installed_upgraded_removed_and_purged_and_the_books_stay() {
    let Some(machine) = Machine::without_systemd("the package, by dpkg") else { return };
    let first = brought(&machine, &package("0.1.0"));
    let said = machine.shell(&format!("dpkg -i {first}"));
    assert!(said.contains("till setup, or edit /etc/till/till.env"), "{said}");
    let stat = |paths: &str| machine.shell(&format!("stat -c '%U:%G %a %n' {paths}"));
    assert_eq!(
        stat("/etc/till /etc/till/credentials /etc/till/till.env /var/lib/till /usr/bin/till"),
        "root:till 750 /etc/till\nroot:root 700 /etc/till/credentials\nroot:till 640 /etc/till/till.env\n\
         till:till 700 /var/lib/till\nroot:root 755 /usr/bin/till\n"
    );
    assert!(machine.shell("getent passwd till").contains(":/usr/sbin/nologin"));
    machine.shell(
        "zcat /usr/share/man/man1/till.1.gz | grep -q 'TH till' && test -s /usr/share/man/man1/till-user-grant.1.gz
         grep -q complete /usr/share/bash-completion/completions/till
         grep -q compdef /usr/share/zsh/vendor-completions/_till
         grep -q 'complete -c till' /usr/share/fish/vendor_completions.d/till.fish
         test -s /usr/lib/systemd/system/till.service && test -s /usr/lib/systemd/system/till.socket
         test -s /usr/share/doc/till/copyright && dpkg --verify till",
    );

    // What the administrator wrote and sold is there after an upgrade, and what root made is the service's.
    configure(&machine);
    admin(&machine, "till user add alice && till user grant alice 7 --note 'a gift'");
    assert_eq!(super::owners(&machine), "till:till");
    let second = brought(&machine, &package("0.1.1"));
    machine.shell(&format!("dpkg -i {second}"));
    let units = || super::json(&admin(&machine, "till user show alice --json"))["units"]["remaining"].clone();
    assert_eq!((units().as_i64(), machine.shell("cat /etc/till/till.env")), (Some(7), CONFIGURATION.to_owned()));

    // Cut off in the middle of an upgrade, dpkg goes on where it was, or says that the package is to be installed again.
    let mut upgrade = machine.command(&["dpkg", "-i", &brought(&machine, &package("0.1.2"))]);
    let mut cut = upgrade.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually("the new program beside the old one", || {
        let is_there = machine.path("/usr/bin/till.dpkg-new").exists() || cut.try_wait().unwrap().is_some();
        is_there.then_some(())
    });
    machine.shell("kill -KILL $(pidof dpkg)");
    cut.wait().unwrap();
    machine.shell("dpkg --configure -a 2>/root/said || grep 'reinstall it' /root/said");
    machine.shell(&format!("dpkg -i {second}; dpkg --verify till"));
    assert_eq!(units(), 7);

    machine.shell("dpkg --remove till && test ! -e /usr/bin/till && test -e /etc/till/till.env");
    let purged = machine.shell("dpkg --purge till");
    assert!(purged.contains("the books stay in /var/lib/till"), "{purged}");
    machine.shell("test ! -e /etc/till && test -s /var/lib/till/till.db");
    machine.shell(&format!("dpkg -i {first} && till user show alice --database /var/lib/till/till.db"));
}

#[test]
fn a_package_whose_program_does_not_start_is_replaced_by_the_one_before_and_no_request_is_lost() {
    let Some(machine) = installed("an upgrade that fails") else { return };
    assert_eq!(ask(&machine, "/readyz"), 200);
    let folder = Folder::new();
    let good = package("0.1.1");
    let runs = good.parent().unwrap().parent().unwrap().join("till");
    let broken = brought(&machine, &packed("/bin/false".as_ref(), &folder, "0.1.9", &runs));
    machine.shell(&format!("dpkg -i {broken} && dpkg --verify till"));
    wait_for_state(&machine, "till.service", "activating");
    assert_eq!(super::property(&machine, "till.socket", "ActiveState"), "active", "nobody else can take the port");
    thread::scope(|scope| {
        // It waits until somebody answers.
        let waiting = scope.spawn(|| ask(&machine, "/readyz"));
        eventually("a start that fails", || {
            (super::property(&machine, "till.service", "NRestarts") != "0").then_some(())
        });
        machine.shell(&format!("dpkg -i {}", brought(&machine, &good)));
        assert_eq!(waiting.join().unwrap(), 200);
    });
    wait_for_state(&machine, "till.service", "active");
    machine.shell("dpkg --remove till && test -s /var/lib/till/till.db && test -s /etc/till/till.env");
    for unit in ["till.service", "till.socket"] {
        assert_eq!(super::property(&machine, unit, "ActiveState"), "inactive", "{unit}");
    }
    assert_eq!(ask(&machine, "/readyz"), 0);
}
