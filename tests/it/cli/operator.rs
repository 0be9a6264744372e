//! What an operator asks the command line for: a sign-in link, the configuration in force, the catalogue, the state of the
//! appliance; and what the words of a refusal are.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::harness::shop::variables;
use crate::harness::{Folder, Shop, is_about_a_file, left_out, process};

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

/// `till` in a folder of its own, with nothing of the test's surroundings.
fn till(folder: &Folder, variables: &[(&str, &str)], line: &[&str]) -> Output {
    let mut command = Command::new(process::binary());
    command.args(line).current_dir(folder.path("")).env_clear().envs(variables.iter().copied());
    command.stdin(Stdio::null()).output().unwrap()
}

#[test]
fn a_sign_in_link_is_made_by_command_and_works_once() {
    let shop = Shop::open();
    shop.user("alice");
    let base = [("SPRITE_BASE_URL", shop.till.url.as_str())];
    let make = |more: &[&str]| {
        let database = &shop.variables()["SPRITE_DATABASE"];
        let line = [&["--database", database, "user", "sign-in", "alice"], more].concat();
        let output = till(&Folder::new(), &base, &line);
        assert!(output.status.success(), "{}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let link = make(&[]);
    assert!(link.trim().starts_with(&format!("{}/login?token=", shop.till.url)), "{link}");
    let browser = shop.visitor();
    assert_eq!(browser.follow(link.trim()).must(303).header("location"), "/dashboard");
    browser.get("/dashboard").must(200);
    shop.visitor().get(link.trim()).must(410);
    let made: Value = serde_json::from_str(&make(&["--return-to", "/docs", "--json"])).unwrap();
    assert!(made["expires_at"].is_string());
    let answer = shop.visitor().follow(made["url"].as_str().unwrap()).must(303);
    assert!(answer.header("location").ends_with("/docs"), "{}", answer.header("location"));
    for (line, code, words) in [
        (&["user", "sign-in", "bob"][..], 1, "There is no user \"bob\""),
        (&["user", "sign-in", "alice", "--return-to", "https://evil.example/"], 1, "return_to"),
    ] {
        let output = shop.till(line);
        assert!(output.status.code() == Some(code) && said(&output).contains(words), "{line:?}: {}", said(&output));
    }
    let audit: Value = serde_json::from_str(&shop.till_prints(&["audit", "list", "--json"])).unwrap();
    assert_eq!((&audit["data"][1]["actor"], &audit["data"][1]["action"]), (&json!("cli"), &json!("login_link_made")));
    assert!(shop.till.log().contains(r#""event":"signed_in","user_id":"alice""#), "{}", shop.till.log());
}

#[test]
fn a_command_that_fails_on_its_arguments_leaves_no_database() {
    let folder = Folder::new();
    let long = "x".repeat(101);
    for line in [
        &["user", "add", "bad id"][..],
        &["user", "add", "..", "--name", "Dots"],
        &["user", "add", "alice", "--email", "nobody"],
        &["user", "add", "alice", "--name", " "],
        &["user", "add", "alice", "--name", "a\u{7}"],
        &["token", "create", "", "--scopes", "read"],
        &["token", "create", &long, "--scopes", "read"],
        &["token", "create", "pipe", "--scopes", "read,write"],
        &["token", "create", "pipe", "--scopes", ""],
        &["token", "create", "pipe", "--scopes", "self"],
        &["token", "create", "pipe", "--scopes", "self,read", "--user", "alice"],
        &["token", "create", "pipe", "--scopes", "read", "--user", "alice"],
        &["user", "grant", "alice", "0", "--note", "n"],
        &["check"],
        &["stripe", "setup"],
        &["serve", "--listen", ":8080"],
    ] {
        let output = till(&folder, &[], line);
        let left: Vec<_> = fs::read_dir(folder.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(left.is_empty(), "{line:?} leaves {left:?}");
        // There is nobody yet who could be given units.
        let expected = if line.contains(&"grant") { 1 } else { 2 };
        assert_eq!(output.status.code(), Some(expected), "{line:?}: {}", said(&output));
    }
    // A token of somebody who is not there needs the books first.
    let own = ["token", "create", "pipe", "--scopes", "self", "--user", "alice"];
    assert_eq!(till(&folder, &[], &own).status.code(), Some(1));
    assert_eq!(fs::read_dir(folder.path("")).unwrap().count(), 0);
}

#[test]
fn refusals_say_what_to_write_instead() {
    let folder = Folder::new();
    for (line, words) in [
        (&["serve", "--listen", ":8080"][..], "every address of this machine is 0.0.0.0:8080"),
        (&["serve", "--listen", "localhost:8080"], "write 127.0.0.1:8080"),
        (&["serve", "--listen", "8080"], "write 127.0.0.1:8080"),
        (&["demo", "--listen", ":8080"], "every address of this machine is 0.0.0.0:8080"),
        (&["sandbox", "--listen", "*:12111"], "every address of this machine is 0.0.0.0:12111"),
        (&["healthcheck", "--listen", "localhost:1"], "write 127.0.0.1:1"),
        (&["--database", "a.db", "demo"], "unexpected argument '--database'"),
        (&["man", "user", "gift"], "there is no command \"gift\" here: expected add"),
    ] {
        let output = till(&folder, &[], line);
        assert!(output.status.code() == Some(2) && said(&output).contains(words), "{line:?}: {}", said(&output));
    }
    let version = said(&till(&folder, &[], &["--version"]));
    let commit = version.trim().strip_suffix(')').and_then(|text| text.split_once(" (")).map(|(_, commit)| commit);
    assert!(commit.is_none_or(|commit| commit.len() >= 7), "{version}");
    for shell in ["bash", "zsh", "fish"] {
        let script = said(&till(&folder, &[], &["completions", shell]));
        assert!(script.contains("low-balance") && script.contains("till"), "{shell}: {script}");
    }
    let page = said(&till(&folder, &[], &["man", "user", "grant"]));
    assert!(page.contains(".TH") && page.contains("till-user-grant"), "{page}");
}

#[test]
fn the_configuration_shows_each_value_with_its_source_and_no_secret() {
    let folder = Folder::new();
    fs::write(folder.path("key"), "sk_test_hunter2\n").unwrap();
    fs::set_permissions(folder.path("key"), fs::Permissions::from_mode(0o600)).unwrap();
    let key = folder.path("key").display().to_string();
    let given = [
        ("SPRITE_STRIPE_SECRET_KEY_FILE", key.as_str()),
        ("SPRITE_STRIPE_WEBHOOK_SECRET", "whsec_hunter2,whsec_hunter3"),
        ("SPRITE_SMTP_URL", "smtps://me:hunter2@mail.example"),
        ("SPRITE_MAIL_FROM", "billing@example.com"),
        ("SPRITE_STRIPE_TIER1_PRICE_ID", "price_1"),
        ("SPRITE_LISTEN", "127.0.0.1:9090"),
    ];
    let line = ["config", "--json", "--database", "other.db"];
    let output = till(&folder, &given, &line);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    let settings: BTreeMap<&str, (&Value, &str)> = shown["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["variable"].as_str().unwrap(), (&row["value"], row["source"].as_str().unwrap())))
        .collect();
    let file = format!("file {key}");
    for (variable, value, source) in [
        ("SPRITE_BASE_URL", json!("http://127.0.0.1:9090"), "default"),
        ("SPRITE_LISTEN", json!("127.0.0.1:9090"), "environment"),
        ("SPRITE_DATABASE", json!("other.db"), "flag"),
        ("SPRITE_STRIPE_SECRET_KEY", json!("sk_…(15 characters)"), file.as_str()),
        ("SPRITE_STRIPE_WEBHOOK_SECRET", json!("whsec_…(13 characters),whsec_…(13 characters)"), "environment"),
        ("SPRITE_SMTP_URL", json!("…(31 characters)"), "environment"),
        ("SPRITE_STRIPE_TIER1_PRICE_ID", json!("price_1"), "environment"),
        ("SPRITE_STRIPE_PRO_PRICE_ID", Value::Null, "catalogue"),
        ("SPRITE_TOPUP_100_UNITS", json!("100"), "catalogue"),
        ("SPRITE_RECONCILE_INTERVAL", json!("15m"), "default"),
        ("SPRITE_METRICS_LISTEN", Value::Null, "default"),
    ] {
        let found = settings.get(variable).unwrap_or_else(|| panic!("{variable} is not in {shown}"));
        assert_eq!((found.0, found.1), (&value, source), "{variable}");
    }
    let text = till(&folder, &given, &["config"]);
    assert!(!said(&text).contains("hunter") && said(&text).contains("VARIABLE"), "{}", said(&text));
    // A faulty one is shown, and the faults as well.
    let faulty = till(&folder, &[("SPRITE_LISTEN", "x"), ("SPRITE_LOG", "loud")], &["config"]);
    let words = said(&faulty);
    assert_eq!(faulty.status.code(), Some(2), "{words}");
    for part in ["SPRITE_LISTEN is `x`: expected", "SPRITE_LOG is `loud`", "SPRITE_RETURN_ORIGINS"] {
        assert!(words.contains(part), "{part}: {words}");
    }
    assert_eq!(fs::read_dir(folder.path("")).unwrap().count(), 1, "no database was made");
}

#[test]
fn catalogue_and_status_are_shown_and_the_service_is_asked_whether_it_is_ready() {
    let mut shop = Shop::open();
    shop.user("alice");
    let catalog: Value = serde_json::from_str(&shop.till_prints(&["catalog", "--json"])).unwrap();
    assert_eq!(catalog["catalog"], shop.api.get("/v1/catalog").must(200).json());
    assert_eq!(catalog["prices"]["starter"]["price_id"], "price_starter");
    let text = shop.till_prints(&["catalog"]);
    for part in ["topup_250", "plan, monthly", "price_pro", "$29", "picture, pictures"] {
        assert!(text.contains(part), "{part}: {text}");
    }

    let status: Value = serde_json::from_str(&shop.till_prints(&["status", "--json"])).unwrap();
    assert_eq!((&status["users"], &status["stripe_mode"]), (&json!(1), &json!("test")));
    let serving = format!("till serve, process {}", shop.till.id());
    assert!(status["served_by"].as_str().unwrap().starts_with(&serving), "{status}");
    let text = shop.till_prints(&["status"]);
    assert!(text.lines().count() == 10 && text.contains(&serving) && text.contains("1 user"), "{text}");

    let address = shop.till.url.trim_start_matches("http://").to_owned();
    let ask = || shop.till(&["healthcheck", "--listen", &address]);
    let ready = ask();
    assert_eq!((ready.status.code(), said(&ready).as_str()), (Some(0), "ready\n"));
    shop.till.ask_to_stop();
    assert!(shop.till.wait_for_end().success());
    let gone = shop.till(&["healthcheck", "--listen", &address]);
    assert!(gone.status.code() == Some(1) && said(&gone).contains("is till serve running there?"), "{}", said(&gone));
    assert!(shop.till_prints(&["status"]).contains("nobody serves on this database"));
}

#[test]
fn an_event_is_shown_field_by_field_and_counted_in_words() {
    let shop = Shop::open();
    let event = json!({"id": "evt_1", "object": "event", "type": "plan.created", "created": 1_790_000_000,
        "livemode": false, "api_version": "2026-05-27.dahlia", "data": {"object": {"id": "plan_1", "object": "plan"}}});
    shop.webhook(&event).must(200);
    let text = shop.till_prints(&["event", "show", "evt_1"]);
    assert!(text.contains("\n  \"data\": {\n") && text.contains("once, the last at "), "{text}");
}

/// Runs `till serve` as the user `nobody` on root's files, which only root can arrange.
#[test]
fn the_wrong_user_reads_which_file_is_whose_and_what_to_do() {
    if is_about_a_file() {
        return;
    }
    let folder = Folder::new();
    let variables = variables(&folder, "http://127.0.0.1:1");
    assert!(process::run(&variables, &["user", "add", "alice"]).status.success());
    if !is_root() {
        return left_out("the wrong user: only root can become another one");
    }
    let as_nobody = |line: &[&str]| {
        let mut command = process::command(&variables);
        command.args(line).uid(65_534).gid(65_534).stdin(Stdio::null()).output()
    };
    // The program itself has to be within reach of that user.
    if as_nobody(&["--version"]).is_err() {
        return left_out("the wrong user: it cannot reach the program here");
    }
    let refused = |line: &[&str], parts: &[&str]| {
        let output = as_nobody(line).unwrap();
        let words = said(&output);
        assert_eq!(output.status.code(), Some(1), "{line:?}: {words}");
        assert!(!words.contains("Error code") && !words.contains("os error"), "{words}");
        for part in parts {
            assert!(words.contains(part), "{part:?}: {words}");
        }
    };
    let usual = ["belongs to root", "by nobody", "run till as root (sudo till …)"];
    refused(&["user", "list"], &[&usual[..], &["till.db"]].concat());
    refused(&["serve"], &usual);
    // Secrets that are somebody else's.
    let secret = folder.path("secret");
    fs::write(&secret, "sk_test_1").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let closed = folder.path("credentials");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    for (name, path, words) in [
        ("SPRITE_STRIPE_SECRET_KEY_FILE", &secret, "secret belongs to root and cannot be read by nobody"),
        ("CREDENTIALS_DIRECTORY", &closed, "credentials belongs to root and cannot be entered by nobody"),
    ] {
        let mut variables = variables.clone();
        variables.remove("SPRITE_STRIPE_SECRET_KEY");
        variables.insert(name.to_owned(), path.display().to_string());
        let output = process::command(&variables).arg("serve").uid(65_534).gid(65_534).stdin(Stdio::null()).output();
        let output = output.unwrap();
        let words_said = said(&output);
        assert!(output.status.code() == Some(2) && words_said.contains(words), "{words_said}");
    }
    // The file is theirs, the folder is not.
    std::os::unix::fs::chown(folder.path("till.db"), Some(65_534), Some(65_534)).unwrap();
    refused(&["user", "list"], &["the folder", "belongs to root"]);
    // A folder in which they may look for nothing.
    fs::set_permissions(folder.path(""), fs::Permissions::from_mode(0o700)).unwrap();
    refused(&["user", "list"], &["the folder", "cannot be entered by nobody"]);
}

#[test]
fn what_root_makes_beside_the_database_belongs_to_the_owner_of_the_folder() {
    if is_about_a_file() {
        return;
    }
    if !is_root() {
        return left_out("files of root's in another user's folder: only root makes them");
    }
    let folder = Folder::new();
    std::os::unix::fs::chown(folder.path(""), Some(65_534), Some(65_534)).unwrap();
    let variables = variables(&folder, "http://127.0.0.1:1");
    let at = |name: &str| folder.path(name).display().to_string();
    let elsewhere = Folder::new();
    let other = elsewhere.path("saved.db").display().to_string();
    for line in [
        &["user", "add", "alice"][..],
        &["user", "list"],
        &["backup", &at("saved.db")],
        &["backup", &other],
        &["restore", &at("saved.db")],
        &["user", "add", "bob"],
    ] {
        let output = process::run(&variables, line);
        assert!(output.status.success(), "{line:?}: {}", said(&output));
    }
    let mut till = crate::harness::Till::start(&variables);
    assert!(process::run(&variables, &["user", "list"]).status.success());
    let names: Vec<String> =
        fs::read_dir(folder.path("")).unwrap().map(|entry| owner(&entry.unwrap().path())).collect();
    // The database with its log, index and lock; the backup; the former database.
    assert!(names.len() >= 6 && names.iter().all(|name| name.starts_with("65534:65534 ")), "{names:?}");
    till.ask_to_stop();
    assert!(till.wait_for_end().success());
    assert!(owner(other.as_ref()).starts_with("0:"), "elsewhere root keeps what is root's");
}

fn owner(path: &std::path::Path) -> String {
    let file = path.metadata().unwrap();
    format!("{}:{} {}", file.uid(), file.gid(), path.display())
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

#[test]
fn what_is_refused_prints_no_header_and_says_what_was_expected() {
    let shop = Shop::open();
    shop.user("alice");
    let unknown = shop.till(&["ledger", "export", "--user", "nobody"]);
    assert_eq!((unknown.status.code(), unknown.stdout.len()), (Some(1), 0));
    let part = shop.till(&["user", "grant", "alice", "1.5", "--note", "n"]);
    let said = process::said(&part);
    assert!(part.status.code() == Some(2) && said.contains("a whole number of units was expected"), "{said}");
}

#[test]
fn books_without_their_version_are_not_taken_for_no_books() {
    let shop = Shop::open();
    shop.hand().run("DELETE FROM schema_version");
    let output = shop.till(&["user", "list"]);
    let said = process::said(&output);
    assert!(output.status.code() == Some(1) && said.contains("schema_version has no row"), "{said}");
}
