//! The service API and its description are the same: judged by schemathesis, which makes requests from the description,
//! right ones and wrong ones, and holds each answer against it; and by OpenAPI's own rules.

use std::process::Command;

use serde_json::json;

use crate::harness::python::{python, run};
use crate::harness::{Client, Folder, Shop};

const PATH: &str = "/v1/openapi.json";
const JUDGE: &str = "schemathesis==4.32.5";
const RULES: &str = "openapi-spec-validator==0.9.0";
/// How long the judge may look for a fault.
const SECONDS: &str = "45";

/// Users, units and a hold, by the names of the description's examples.
fn shop() -> Shop {
    let shop = Shop::open();
    for user in ["alice", "bob"] {
        shop.user(user);
        shop.give(user, 1_000_000);
        shop.api.call_once(&format!("/v1/users/{user}/holds"), "first", &json!({"units": 100})).must(201);
    }
    shop
}

#[test]
fn a_judge_finds_nothing() {
    let what = "the service API against its description";
    let Some(python) = python("schemathesis", &[JUDGE, RULES], what) else { return };
    let shop = shop();
    let folder = Folder::new();
    let file = folder.path("openapi.json");
    std::fs::write(&file, shop.visitor().get(PATH).must(200).body).unwrap();
    run(Command::new(&python).args(["-m", "openapi_spec_validator"]).arg(&file))
        .unwrap_or_else(|said| panic!("{said}"));

    let tests = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python");
    let session = shop.sign_in("alice").cookies();
    let mut judge = Command::new(python.with_file_name("schemathesis"));
    judge
        .current_dir(folder.path(""))
        .env("PYTHONPATH", tests)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("SCHEMATHESIS_HOOKS", "schemathesis_hooks")
        .env("TILL_TOKEN", shop.token())
        .env("TILL_SESSION", session.trim_start_matches("till="))
        .args(["--config-file", &format!("{tests}/schemathesis.toml"), "run", &format!("{}{PATH}", shop.till.url)])
        .args(["--checks", "all", "--continue-on-failure", "--no-shrink", "--no-color"])
        .args(["--max-time", SECONDS, "--generation-deterministic"]);
    let said = run(&mut judge).unwrap_or_else(|said| panic!("{said}"));
    assert!(said.contains("Tested: ") && !said.contains("FAILURES"), "{said}");
    shop.verify_books();
    assert!(!shop.till.log().contains("\"event\":\"fault\""), "{}", shop.till.log());
}

#[test]
fn the_description_is_for_everybody_and_kept() {
    let shop = Shop::open();
    let anybody = Client::new(&shop.till.url, &[]);
    let answer = anybody.get(PATH).must(200);
    assert_eq!(answer.header("content-type"), "application/json");
    let document = answer.json();
    assert_eq!(document["servers"][0]["url"], json!(shop.till.url));
    let tag = answer.header("etag").to_owned();
    let again = anybody.send("GET", PATH, &[("if-none-match", &tag)], b"").must(304);
    assert_eq!((again.body.as_str(), again.header("etag")), ("", tag.as_str()));
    anybody.send("GET", PATH, &[("if-none-match", "W/\"other\"")], b"").must(200);
}

/// Nothing described is missing, and no other method is there without a description.
#[test]
fn every_call_that_is_described_is_there_and_no_other() {
    let shop = Shop::open();
    let anybody = Client::new(&shop.till.url, &[]);
    let document = anybody.get(PATH).must(200).json();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let address = path.replace("{id}", "nobody");
        for method in ["get", "post", "put", "patch", "delete"] {
            let status = anybody.send(&method.to_uppercase(), &address, &[], b"").status;
            match methods.get(method) {
                None => assert_eq!(status, 405, "{method} {path}"),
                Some(call) => {
                    let open = call["security"].as_array().unwrap().is_empty();
                    assert_eq!(status, if open { 200 } else { 401 }, "{method} {path}");
                }
            }
        }
    }
}

/// A token that has all other scopes than the one that is stated is turned away.
#[test]
fn the_scopes_are_as_described() {
    let shop = Shop::open();
    shop.user("alice");
    let document = shop.api.get(PATH).must(200).json();
    let programs = ["read", "spend", "sell", "admin"].map(|scope| (scope, shop.program(scope)));
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, call) in methods.as_object().unwrap() {
            let Some(scope) = call["x-scope"].as_str() else { continue };
            for (has, program) in &programs {
                let answer = program.send(&method.to_uppercase(), &path.replace("{id}", "alice"), &[], b"");
                let is_let_in = *has == scope || *has == "admin";
                assert_eq!(answer.status != 403, is_let_in, "{method} {path} with {has}: {}", answer.body);
            }
        }
    }
}

#[test]
fn the_reference_for_people_has_every_call_with_its_words() {
    let shop = Shop::open();
    let document = shop.api.get(PATH).must(200).json();
    for reader in [shop.visitor(), {
        shop.user("alice");
        shop.sign_in("alice")
    }] {
        assert!(reader.get("/").must(200).body.contains("href=\"/docs\""));
        let page = reader.get("/docs").must(200).body;
        for methods in document["paths"].as_object().unwrap().values() {
            for call in methods.as_object().unwrap().values() {
                let name = call["operationId"].as_str().unwrap();
                assert!(
                    page.contains(&format!("id=\"{name}\"")) && page.contains(&format!("href=\"#{name}\"")),
                    "{name}"
                );
            }
        }
        for words in ["insufficient_units", "topup_url", "1 to 1,000,000,000", "Idempotency-Key: job-7f3a", "86,400"] {
            assert!(page.contains(words), "{words}");
        }
        assert!(!page.contains("http://") || page.contains(&shop.till.url), "nothing is loaded from elsewhere");
    }
}
