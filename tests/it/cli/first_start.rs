//! `till setup`: from nothing to a configuration with which till starts.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;

use till::config::EnvironmentFile;
use till::sandbox::Sandbox;

use crate::harness::life;
use crate::harness::{Client, Folder, process};

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
        let variables = BTreeMap::from([("SPRITE_STRIPE_API_BASE".to_owned(), self.stripe.url())]);
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
    // Lines of somebody else's stay, and so does who may read the file.
    std::fs::write(shop.file(), "# ours\nSPRITE_LOG=debug\n").unwrap();
    std::fs::set_permissions(shop.file(), std::fs::Permissions::from_mode(0o640)).unwrap();
    let flags = ["--yes", "--stripe-key-file", key, "--base-url", "https://pay.example.com", "--at-stripe", "no"];
    let (status, said) = shop.set_up(&flags, &[]);
    assert_eq!((status, shop.endpoints()), (Some(0), 0), "{said}");
    assert!(shop.text().starts_with("# ours\nSPRITE_LOG=debug\n"), "{}", shop.text());
    assert_eq!(shop.file().metadata().unwrap().permissions().mode() & 0o777, 0o640);
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
