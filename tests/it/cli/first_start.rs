//! `till setup`: from nothing to a configuration with which till starts.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;

use till::config::EnvironmentFile;
use till::sandbox::Sandbox;

use crate::harness::executable::write_script;
use crate::harness::life;
use crate::harness::{Client, Disk, Folder, process};

const KEY: &str = "sk_test_stories";

/// A Stripe in which nothing is sold yet, and a folder for the files.
struct NewShop {
    stripe: Sandbox,
    folder: Folder,
}

impl NewShop {
    fn open() -> NewShop {
        NewShop { stripe: life::stripe(), folder: Folder::new() }
    }

    /// Runs `till setup` with these answers; its exit status, and all that it said.
    fn set_up(&self, more: &[&str], answers: &[&str]) -> (Option<i32>, String) {
        self.set_up_with(&[], more, answers)
    }

    /// The same, with further variables.
    fn set_up_with(&self, variables: &[(&str, &str)], more: &[&str], answers: &[&str]) -> (Option<i32>, String) {
        let url = self.stripe.url();
        let own = [("SPRITE_STRIPE_API_BASE", url.as_str())];
        let variables = variables.iter().chain(&own);
        let variables = variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let file = self.file();
        let arguments = [&["setup", "--file", file.to_str().unwrap()], more].concat();
        let output = process::run_with_input(&variables, &arguments, &answers.join("\n"));
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(!said.contains(KEY) && !said.contains("whsec_"), "a secret is shown: {said}");
        (output.status.code(), said)
    }

    fn file(&self) -> std::path::PathBuf {
        self.folder.path("till.env")
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.file()).unwrap()
    }

    fn variables(&self) -> BTreeMap<String, String> {
        EnvironmentFile::parse(&self.text()).variables()
    }

    fn endpoints(&self) -> usize {
        let api = Client::new(&self.stripe.url(), &[("authorization", &format!("Bearer {KEY}"))]);
        api.get("/v1/webhook_endpoints").must(200).json()["data"].as_array().unwrap().len()
    }
}

#[test]
fn what_is_answered_is_checked_written_and_enough_to_start() {
    let shop = NewShop::open();
    let nowhere = "/nowhere/till.db";
    let answers = [
        "pk_test_1",
        KEY,
        "",
        "pay.example.com",
        "https://pay.example.com",
        "one",
        "",
        nowhere,
        "",
        "Fox \"&\" Pictures",
        "olga olga",
        "olga",
        "maybe",
        "yes",
    ];
    let (status, said) = shop.set_up(&[], &answers);
    assert_eq!(status, Some(0), "{said}");
    for expected in [
        "SPRITE_STRIPE_SECRET_KEY is `pk_…(9 characters)`",
        "SPRITE_BASE_URL is `pay.example.com`",
        "SPRITE_TRUSTED_PROXIES is `one`",
        "there is no folder /nowhere",
        "yes or no was expected",
        "topup_100: would make a price of 900 usd",
        "till user sign-in olga",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    assert_eq!(shop.file().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let variables = shop.variables();
    assert_eq!(variables["SPRITE_STRIPE_SECRET_KEY"], KEY);
    assert!(variables["SPRITE_STRIPE_WEBHOOK_SECRET"].starts_with("whsec_"));
    assert_eq!(variables.keys().filter(|name| name.ends_with("_PRICE_ID")).count(), 4);
    assert!(shop.text().contains("# From Stripe's dashboard under API keys"), "the example's words are there");

    // The file alone is enough.
    let operators = process::run(&variables, &["user", "admin", "--json"]);
    assert_eq!(String::from_utf8_lossy(&operators.stdout), "{\"operators\":[\"olga\"]}\n");
    let catalog = process::run(&variables, &["catalog", "--json"]);
    assert!(catalog.status.success(), "{}", String::from_utf8_lossy(&catalog.stderr));
    let written = std::fs::read_to_string(&variables["SPRITE_CATALOG"]).unwrap();
    assert!(written.contains("name = \"Fox \\\"&\\\" Pictures\""), "{written}");

    // Once more, with nothing new to say: nothing is made twice, and nothing changes.
    let before = shop.text();
    let (status, said) = shop.set_up(&["--yes"], &[]);
    assert_eq!((status, shop.endpoints()), (Some(0), 1), "{said}");
    assert_eq!(shop.text(), before);
}

#[test]
fn flags_answer_everything_and_what_is_missing_is_named_before_anything_is_written() {
    let shop = NewShop::open();
    let key = shop.folder.path("key");
    std::fs::write(&key, KEY).unwrap();
    let key = key.to_str().unwrap();
    for (more, expected) in [
        (&["--yes"][..], "--stripe-key is not answered"),
        (&["--yes", "--stripe-key-file", key], "--base-url is not answered"),
        (&["--yes", "--stripe-key", KEY, "--base-url", "pay"], "--base-url: SPRITE_BASE_URL is `pay`"),
        (&["--yes", "--stripe-key", KEY, "--base-url", "https://a.example", "--operator", ".."], "--operator: "),
    ] {
        let (status, said) = shop.set_up(more, &[]);
        assert!(status == Some(2) && said.contains(expected) && !shop.file().exists(), "{expected}: {said}");
    }
    // Nor is it written where the database is.
    let file = shop.file();
    let own = file.to_str().unwrap();
    let more = ["--yes", "--stripe-key-file", key, "--base-url", "https://pay.example.com", "--database", own];
    let (status, said) = shop.set_up(&more, &[]);
    assert!(status == Some(2) && said.contains("is the database") && !file.exists(), "{said}");
    // Lines of somebody else's stay, and so does who may read the file.
    std::fs::write(shop.file(), "# ours\nSPRITE_LOG=debug\n").unwrap();
    std::fs::set_permissions(shop.file(), std::fs::Permissions::from_mode(0o640)).unwrap();
    let flags = ["--yes", "--stripe-key-file", key, "--base-url", "https://pay.example.com", "--at-stripe", "no"];
    let (status, said) = shop.set_up(&flags, &[]);
    assert_eq!((status, shop.endpoints()), (Some(0), 0), "{said}");
    assert!(shop.text().starts_with("# ours\nSPRITE_LOG=debug\n"), "{}", shop.text());
    assert_eq!(shop.file().metadata().unwrap().permissions().mode() & 0o777, 0o640);
    assert!(!shop.variables().contains_key("SPRITE_LISTEN"), "a proxy leads to the default");
    // Without a proxy, serve listens where the public address leads; an address that is given stays.
    let trial = ["--yes", "--stripe-key-file", key, "--at-stripe", "no", "--base-url"];
    for (base_url, listen) in [
        ("http://127.0.0.1", None),
        ("http://localhost:21320", Some("127.0.0.1:21320")),
        ("http://127.0.0.1:21321", Some("127.0.0.1:21320")),
    ] {
        let (status, said) = shop.set_up(&[&trial[..], &[base_url]].concat(), &[]);
        assert_eq!(status, Some(0), "{base_url}: {said}");
        assert_eq!(shop.variables().get("SPRITE_LISTEN").map(String::as_str), listen, "{base_url}");
    }
    // A catalogue that is there is not overwritten.
    std::fs::write(shop.folder.path("catalog.toml"), "ours").unwrap();
    let (status, said) = shop.set_up(&["--yes", "--shop", "Fox"], &[]);
    assert!(status == Some(1) && said.contains("is there already"), "{said}");
    assert_eq!(std::fs::read_to_string(shop.folder.path("catalog.toml")).unwrap(), "ours");
}

#[test]
fn secrets_go_where_the_service_has_its_credentials() {
    let shop = NewShop::open();
    let credentials = shop.folder.path("credentials");
    std::fs::create_dir(&credentials).unwrap();
    let flags = ["--yes", "--stripe-key", KEY, "--base-url", "https://pay.example.com"];
    let (status, said) = shop.set_up(&flags, &[]);
    assert!(status == Some(0) && said.contains("CREDENTIALS_DIRECTORY="), "{said}");
    let secret = |name: &str| std::fs::read_to_string(credentials.join(name)).unwrap();
    assert_eq!(secret("sprite_stripe_secret_key"), format!("{KEY}\n"));
    assert!(secret("sprite_stripe_webhook_secret").starts_with("whsec_"));
    assert!(!shop.text().contains(KEY) && !shop.variables().contains_key("SPRITE_STRIPE_WEBHOOK_SECRET"));
    let mode = credentials.join("sprite_stripe_secret_key").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // They are found again, and nothing is in two places.
    let before = (shop.text(), secret("sprite_stripe_webhook_secret"));
    assert_eq!(shop.set_up(&["--yes"], &[]).0, Some(0));
    assert_eq!((shop.text(), secret("sprite_stripe_webhook_secret")), before);
    std::fs::write(shop.file(), format!("{}SPRITE_STRIPE_SECRET_KEY={KEY}\n", shop.text())).unwrap();
    let (status, said) = shop.set_up(&["--yes"], &[]);
    assert!(status == Some(2) && said.contains("is set twice"), "{said}");
}

/// Answers as systemd does, and writes down what it was asked for.
const SYSTEMCTL: &str = r#"#!/bin/sh
echo "$*" >> "${0%/*}/asked"
case "$1" in
show) echo "{ path=/usr/bin/till ; argv[]=till backup --database $(cat "${0%/*}/books") --keep 14 /srv ; ignore_errors=no }" ;;
enable) [ ! -e "${0%/*}/refuses" ] || { echo "Failed to enable unit: Access denied" >&2; exit 1; } ;;
esac
"#;

#[test]
fn the_timer_of_the_backups_is_enabled_or_it_is_said_why_not_and_all_else_is_kept() {
    let shop = NewShop::open();
    let bin = shop.folder.path("bin");
    std::fs::create_dir(&bin).unwrap();
    let set_up = |more: &[&str]| {
        let flags = ["--yes", "--stripe-key", KEY, "--base-url", "https://pay.example.com"];
        let (status, said) = shop.set_up_with(&[("PATH", bin.to_str().unwrap())], &[&flags, more].concat(), &[]);
        let asked = std::fs::read_to_string(bin.join("asked")).unwrap_or_default();
        let _none = std::fs::remove_file(bin.join("asked"));
        (status, said, asked)
    };
    // An answer that is none is refused before anything is written.
    let (status, said, _) = set_up(&["--backups", "daily"]);
    assert!(status == Some(2) && said.contains("--backups: yes or no was expected") && !shop.file().exists(), "{said}");
    let (status, said, _) = set_up(&["--backups", "yes"]);
    assert!(status == Some(1) && said.contains("there is no systemctl on this machine"), "{said}");
    assert!(said.contains("cron") && said.contains("till.env is written. Next"), "{said}");
    let before = shop.text();
    assert!(shop.variables()["SPRITE_STRIPE_WEBHOOK_SECRET"].starts_with("whsec_"));
    assert_eq!(set_up(&[]).0, Some(0), "nobody asked for backups");

    // The stand-in uses the shell and cat of this machine.
    for program in ["sh", "cat"] {
        std::os::unix::fs::symlink(format!("/bin/{program}"), bin.join(program)).unwrap();
    }
    std::fs::write(bin.join("books"), "/elsewhere/till.db").unwrap();
    write_script(&bin.join("systemctl"), SYSTEMCTL);
    let (status, said, asked) = set_up(&["--backups", "yes"]);
    assert!(status == Some(1) && said.contains("till-backup.service backs up other books"), "{said}");
    assert!(!asked.contains("enable"), "{asked}");
    std::fs::write(bin.join("books"), shop.folder.path("till.db").to_str().unwrap()).unwrap();
    std::fs::write(bin.join("refuses"), "").unwrap();
    let (status, said, _) = set_up(&[]);
    assert!(status == Some(1) && said.contains("(Failed to enable unit: Access denied): run, as root"), "{said}");
    std::fs::remove_file(bin.join("refuses")).unwrap();
    let (status, said, asked) = set_up(&["--backups", "no"]);
    assert!(status == Some(0) && !asked.contains("enable"), "{said} {asked}");
    let (status, said, asked) = set_up(&[]);
    assert!(status == Some(0) && said.contains("A backup is made every day."), "{said}");
    assert_eq!(asked.lines().last(), Some("enable --now till-backup.timer"));
    assert_eq!((shop.text(), shop.endpoints()), (before, 1));
}

#[test]
fn a_disk_that_is_full_keeps_the_file_and_loses_no_secret() {
    /// One page of the disk.
    const PAGE: usize = 4096;
    let Some(disk) = Disk::mount("size=1m") else { return };
    let shop = NewShop::open();
    let (file, database) = (disk.path("till.env"), shop.folder.path("till.db"));
    let flags =
        ["--stripe-key", KEY, "--base-url", "https://pay.example.com", "--database", database.to_str().unwrap()];
    let set_up = |more: &[&str]| {
        let variables = BTreeMap::from([("SPRITE_STRIPE_API_BASE".to_owned(), shop.stripe.url())]);
        let line = [&["setup", "--yes", "--file", file.to_str().unwrap()], &flags[..], more].concat();
        let output = process::run(&variables, &line);
        let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        (output.status.code(), out, err)
    };
    std::fs::write(&file, "# ours\n").unwrap();
    let filling = disk.fill();
    let (status, _, said) = set_up(&[]);
    assert!(status == Some(1) && said.contains("till.env cannot be written: No space left"), "{said}");
    drop(filling);
    assert_eq!((std::fs::read_to_string(&file).unwrap().as_str(), shop.endpoints()), ("# ours\n", 0));
    assert_eq!(std::fs::read_dir(disk.path("")).unwrap().count(), 1, "nothing half is left");
    // There is room for what is asked, and none for what Stripe says: its secret is said on standard output.
    assert_eq!(set_up(&["--at-stripe", "no"]).0, Some(0));
    let mut text = std::fs::read_to_string(&file).unwrap();
    text.push_str(&format!("# {}\n", "x".repeat(PAGE - text.len() - 3)));
    std::fs::write(&file, &text).unwrap();
    let filling = disk.fill_but(PAGE as u64);
    let (status, out, said) = set_up(&[]);
    assert!(status == Some(1) && said.contains("till.env cannot be written: No space left"), "{said}");
    assert!(out.contains("environment file:\n") && out.contains("SPRITE_STRIPE_WEBHOOK_SECRET=whsec_"), "{said}");
    drop(filling);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}

#[test]
fn a_start_with_nothing_configured_says_how_to_begin() {
    let output = process::run(&BTreeMap::new(), &["serve"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said.contains("SPRITE_STRIPE_SECRET_KEY") && said.contains("till setup") && said.contains("till demo"),
        "{said}"
    );
}
