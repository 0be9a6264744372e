//! The units as systemd reads them, wherever there is systemd: they are sound, and leave little open.

use std::path::Path;
use std::process::Command;

use crate::harness::Folder;
use crate::harness::left_out;
use crate::harness::process::binary;
use crate::harness::python::run;

#[test]
fn the_units_are_sound_and_leave_little_open() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        return left_out("the units: there is no systemd-analyze on this machine");
    }
    let folder = Folder::new();
    run(Command::new(binary()).args(["install", "--root"]).arg(folder.path(""))).unwrap();
    let units = folder.path("usr/local/lib/systemd/system");
    let service = units.join("till.service");
    let text = std::fs::read_to_string(&service).unwrap();
    // The program is not installed on this machine.
    let here = text.replace("ExecStart=till ", &format!("ExecStart={} ", binary().display()));
    std::fs::write(&service, here).unwrap();
    let verify = ["verify", "--man=no"];
    run(Command::new("systemd-analyze").args(verify).arg(units.join("till.socket")).arg(&service)).unwrap();

    let said = run(Command::new("systemd-analyze").args(["security", "--offline=true", "--no-pager"]).arg(&service));
    let said = said.unwrap();
    let exposure = said.split("Overall exposure level for till.service: ").nth(1).unwrap();
    let exposure: f64 = exposure.split_whitespace().next().unwrap().parse().unwrap();
    assert!(exposure <= 1.0, "{said}");
    assert!(Path::new(&folder.path("etc/till/credentials")).is_dir());
}
