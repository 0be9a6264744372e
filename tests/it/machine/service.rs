//! The service under its own systemd: begun by the socket, restarted and upgraded under load, ended by the watchdog when the
//! writer stands still, and run with what it may have.

use std::fs;
use std::os::unix::fs::MetadataExt;

use crate::harness::{Machine, eventually};

use super::{
    Helper, admin, ask, brought, in_network, installed, json, owners, package, property, script, wait_for_state,
};

/// Units of a user who spends one with each call of the load.
const UNITS: i64 = 1_000_000;

fn token(machine: &Machine) -> String {
    let made = admin(machine, "till token create load --scopes spend --json");
    json(&made)["token"].as_str().unwrap().to_owned()
}

#[test]
fn a_restart_and_an_upgrade_under_load_lose_no_request() {
    let Some(machine) = installed("restarts under load") else { return };
    assert_eq!(property(&machine, "till.service", "ActiveState"), "inactive");
    let taken = machine.refuses("SPRITE_STRIPE_SECRET_KEY=sk_test_x SPRITE_STRIPE_WEBHOOK_SECRET=whsec_x till serve");
    assert!(taken.contains("another program does already"), "{taken}");
    assert_eq!(ask(&machine, "/readyz"), 200, "the first request begins the service");
    wait_for_state(&machine, "till.service", "active");
    admin(&machine, &format!("till user add alice && till user grant alice {UNITS} --note load"));
    let token = token(&machine);

    let load = in_network(&machine, "python3", &[&script("load.py"), "127.0.0.1:8080", &token, "alice"]);
    let load = Helper::start(load, "begun");
    for _ in 0..3 {
        machine.shell("systemctl restart till.service");
    }
    let process = property(&machine, "till.service", "MainPID");
    machine.shell(&format!("dpkg -i {}", brought(&machine, &package("0.1.1"))));
    assert_ne!(property(&machine, "till.service", "MainPID"), process, "the upgrade has started it again");
    let load = json(&load.finish());

    assert_eq!(load["failed"], serde_json::json!([]));
    let units = json(&admin(&machine, "till user show alice --json"))["units"]["remaining"].as_i64().unwrap();
    assert_eq!(UNITS - units, load["done"].as_i64().unwrap(), "each call once");
    admin(&machine, "till ledger verify && till backup /var/lib/till/by-root.db");
    assert_eq!(owners(&machine), "till:till", "nothing of root's is left behind");
    assert_eq!(property(&machine, "till.service", "NRestarts"), "0");
    machine.shell("systemctl stop till.socket till.service");
}

#[test]
fn the_watchdog_ends_a_service_whose_writer_stands_still() {
    let Some(machine) = installed("the watchdog") else { return };
    machine.write("/etc/systemd/system/till.service.d/test.conf", "[Service]\nWatchdogSec=2s\n");
    machine.shell("systemctl daemon-reload && systemctl start till.service");
    let process = property(&machine, "till.service", "MainPID");
    let thread = machine.shell(&format!("grep -lx till-writer /proc/{process}/task/*/comm"));
    let thread = thread.trim().rsplit('/').nth(1).unwrap().to_owned();
    let mut command = std::process::Command::new("nsenter");
    command.args(["--target", &machine.init().to_string(), "--pid", "python3", &script("stand_still.py"), &thread]);
    let still = Helper::start(command, "stopped");
    assert_eq!(ask(&machine, "/healthz"), 200, "everything else goes on");

    let timeout = || machine.journal("till.service").contains("Watchdog timeout").then_some(());
    eventually("the watchdog", timeout);
    // A thread that is looked at from outside ends when that ends.
    still.finish();
    eventually("another start", || (property(&machine, "till.service", "NRestarts") == "1").then_some(()));
    wait_for_state(&machine, "till.service", "active");

    assert_ne!(property(&machine, "till.service", "MainPID"), process);
    assert_eq!(ask(&machine, "/readyz"), 200);
    assert_eq!(machine.shell("ls /var/lib/systemd/coredump 2>/dev/null || true"), "", "no dump");
}

#[test]
fn a_full_disk_is_no_reason_for_the_watchdog_because_a_start_makes_no_room() {
    let Some(machine) = installed("the watchdog and a full disk") else { return };
    machine.write("/etc/systemd/system/till.service.d/test.conf", "[Service]\nWatchdogSec=2s\n");
    machine.shell("systemctl daemon-reload && mount -t tmpfs -o size=8m books /var/lib/till");
    assert_eq!(ask(&machine, "/readyz"), 200);
    // Room for the log's index and some writes; the probes use it up.
    machine.shell(
        "systemctl stop till.service
         dd if=/dev/zero of=/var/lib/till/large bs=4k status=none || true
         truncate -s -98304 /var/lib/till/large && systemctl start till.service",
    );
    eventually("more probes than fit into the time of the watchdog", || {
        let said = machine.journal("till.service");
        (said.matches("watchdog_probe_failed").count() > 9).then_some(())
    });
    assert_eq!(ask(&machine, "/readyz"), 503);
    assert_eq!((property(&machine, "till.service", "NRestarts"), ask(&machine, "/healthz")), ("0".to_owned(), 200));
    machine.shell("rm /var/lib/till/large");
    eventually("readiness", || (ask(&machine, "/readyz") == 200).then_some(()));
}

#[test]
fn it_has_what_it_needs_and_no_more() {
    let Some(machine) = installed("the service's rights") else { return };
    assert_eq!(ask(&machine, "/readyz"), 200);
    let process = property(&machine, "till.service", "MainPID");
    let limits = machine.shell(&format!("cat /proc/{process}/limits"));
    let limit = |name: &str| {
        let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().to_owned()
    };
    assert_eq!((limit("Max core file size"), limit("Max open files")), ("0".to_owned(), "16384".to_owned()));
    let status = machine.shell(&format!("cat /proc/{process}/status"));
    let has = |line: &str| status.lines().any(|found| found.split_whitespace().collect::<Vec<_>>().join(" ") == line);
    assert!(has("NoNewPrivs: 1") && has("CapBnd: 0000000000000000") && has("Seccomp: 2"), "{status}");
    // No secret is in the environment; each is in a file that only the service reads.
    let environment = machine.shell(&format!("tr '\\0' '\\n' < /proc/{process}/environ"));
    assert!(
        !environment.contains("sk_test_machine") && environment.contains("CREDENTIALS_DIRECTORY="),
        "{environment}"
    );

    // Without the files the environment has them; with both, till says so.
    machine.shell("rm /etc/till/credentials/*");
    let file = machine.path("/etc/till/till.env");
    let secrets = "SPRITE_STRIPE_SECRET_KEY=sk_test_machine\nSPRITE_STRIPE_WEBHOOK_SECRET=whsec_machine\n";
    fs::write(&file, format!("{}{secrets}", super::CONFIGURATION)).unwrap();
    machine.shell("systemctl restart till.service");
    assert_eq!(ask(&machine, "/readyz"), 200);
    machine.write("/etc/till/credentials/sprite_stripe_secret_key", "sk_test_machine\n");
    let _refused = machine.run(&["systemctl", "restart", "till.service"]);
    let said = eventually("the fault", || {
        Some(machine.journal("till.service")).filter(|said| said.contains("it is set twice"))
    });
    assert!(said.contains("SPRITE_STRIPE_SECRET_KEY"), "{said}");
    // It comes back by itself once that is mended.
    machine.shell("rm /etc/till/credentials/sprite_stripe_secret_key");
    assert_eq!(ask(&machine, "/readyz"), 200);
}

#[test]
fn a_proxy_is_served_by_a_unix_socket_that_nobody_else_can_open() {
    let Some(machine) = installed("a Unix socket") else { return };
    let drop_in = "/etc/systemd/system/till.socket.d/proxy.conf";
    let socket = "[Socket]\nListenStream=/run/till.sock\nSocketGroup=www-data\nSocketMode=0660\n";
    machine.write(drop_in, socket);
    machine.shell("systemctl daemon-reload && systemctl restart till.socket");
    let file = machine.path("/run/till.sock");
    let there = file.symlink_metadata().unwrap();
    assert_eq!((there.uid(), there.gid(), there.mode() & 0o777), (0, 33, 0o660));
    let opens = "perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(q(/run/till.sock)) or die $!'";
    let with_group = |group: &str| format!("setpriv --reuid=nobody --regid={group} --clear-groups {opens}");
    machine.shell(&with_group("www-data"));
    let refused = machine.refuses(&with_group("nogroup"));
    assert!(refused.contains("Permission denied"), "{refused}");
    let ask = |headers: &[&str]| {
        let mut command = std::process::Command::new("curl");
        command.args(["-s", "-m", "60", "-o", "/dev/null", "-w", "%{http_code}", "--unix-socket"]).arg(&file);
        for header in headers {
            command.args(["-H", header]);
        }
        crate::harness::python::run(command.arg("http://pay/v1/me")).unwrap()
    };
    assert_eq!((ask(&[]).as_str(), super::ask(&machine, "/v1/me")), ("401", 401), "both sockets are served");
    // With the Unix socket alone no address says where till is.
    machine.write(drop_in, &socket.replace("[Socket]", "[Socket]\nListenStream="));
    fs::write(machine.path("/etc/till/till.env"), super::CONFIGURATION.replace("SPRITE_BASE_URL", "#")).unwrap();
    machine.shell("systemctl daemon-reload && systemctl stop till.service && systemctl restart till.socket");
    let _refused = machine.run(&["systemctl", "start", "till.service"]);
    let said = machine.journal("till.service");
    assert!(said.contains("SPRITE_BASE_URL: it is not set, and does not follow from a Unix socket"), "{said}");
    fs::write(machine.path("/etc/till/till.env"), super::CONFIGURATION).unwrap();
    assert_eq!(super::ask(&machine, "/v1/me"), 0, "nobody is at the port any more");
    // The address that the proxy names is the client's.
    machine.write("/etc/systemd/system/till.service.d/test.conf", "[Service]\nEnvironment=SPRITE_LOG=debug\n");
    machine.shell("systemctl daemon-reload && systemctl restart till.service");
    assert_eq!(ask(&["X-Forwarded-For: 198.51.100.1, 203.0.113.7"]), "401");
    eventually("the client in the log", || machine.journal("till.service").contains("203.0.113.7").then_some(()));
    let said = machine.journal("till.service");
    assert!(said.contains("unix:/run/till.sock"), "{said}");
}
