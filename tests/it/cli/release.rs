//! A release, put together as from a tag: what is in it, and that it says so.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::harness::process::binary;
use crate::harness::python::run;
use crate::harness::{Folder, left_out};

#[test]
fn a_release_has_the_program_its_package_what_is_inside_and_sums_of_all() {
    if Command::new("dpkg-deb").arg("--version").output().is_err() {
        return left_out("a release: there is no dpkg-deb on this machine");
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = Folder::new();
    let (stripped, made) = (folder.path("till"), folder.path("release"));
    run(Command::new("strip").arg("-o").arg(&stripped).arg(binary())).unwrap();
    let mut release = Command::new(root.join(".ci/release"));
    release.arg("--binary").arg(&stripped).arg(&made).env("TILL_COMPRESSION", "none");
    run(&mut release).unwrap_or_else(|said| panic!("{said}"));

    run(Command::new("sha256sum").args(["--check", "--strict", "SHA256SUMS"]).current_dir(&made)).unwrap();
    let file = |end: &str| {
        let mut names = fs::read_dir(&made).unwrap().map(|entry| entry.unwrap().path());
        names.find(|path| path.to_str().unwrap().ends_with(end)).unwrap_or_else(|| panic!("no {end}"))
    };
    let (bill, licences) = (file(".cdx.json"), fs::read_to_string(file(".licences.txt")).unwrap());
    let bill: Value = serde_json::from_str(&fs::read_to_string(bill).unwrap()).unwrap();
    assert_eq!((&bill["bomFormat"], &bill["specVersion"]), (&Value::from("CycloneDX"), &Value::from("1.5")));
    let components = bill["components"].as_array().unwrap();
    let names: BTreeSet<&str> = components.iter().map(|one| one["name"].as_str().unwrap()).collect();
    for name in ["rusqlite", "rustls", "ring", "tokio", "sqlite", "glibc", "libgcc", "rust-std"] {
        assert!(names.contains(name), "{name}");
    }
    // What tests or builds it is not inside.
    for name in ["proptest", "jsonschema", "serde_derive", "cc"] {
        assert!(!names.contains(name), "{name}");
    }
    let lock = fs::read_to_string(root.join("Cargo.lock")).unwrap();
    for component in components {
        let (name, version) = (component["name"].as_str().unwrap(), component["version"].as_str().unwrap());
        assert!(licences.contains(&format!("{name} {version}")), "{name} has no licence");
        assert!(component["licenses"][0]["expression"].is_string(), "{component}");
        if component["purl"].as_str().unwrap().starts_with("pkg:cargo/") {
            let checksum = component["hashes"][0]["content"].as_str().unwrap();
            assert!(lock.contains(&format!("name = \"{name}\"\nversion = \"{version}\"")) && lock.contains(checksum));
        }
    }
    let listed = run(Command::new("dpkg-deb").arg("--contents").arg(file(".deb"))).unwrap();
    for path in ["./usr/bin/till", "./usr/share/doc/till/copyright", "./usr/lib/systemd/system/till.socket"] {
        assert!(listed.contains(path), "{path}: {listed}");
    }
    assert!(fs::read_to_string(file(".changes.md")).unwrap().starts_with("## ["));

    // Without a tag there is no release, and nothing is built for one.
    let tags = run(Command::new("git").args(["tag", "--points-at", "HEAD"]).current_dir(root));
    if tags.is_ok_and(|tags| tags.lines().any(|tag| tag.starts_with('v'))) {
        return left_out("a release without a tag: this commit has one");
    }
    let refused = run(Command::new(root.join(".ci/release")).arg(folder.path("untagged"))).unwrap_err();
    assert!(refused.contains("no tag v") || refused.contains("has no section"), "{refused}");
}
