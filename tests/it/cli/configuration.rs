//! A configuration that is wrong: everything is said at once, before anything starts, and without the secrets.

use std::collections::BTreeMap;

use crate::harness::shop::variables;
use crate::harness::{Folder, Till, process};

#[test]
fn all_faults_are_told_at_once_and_nothing_starts() {
    let folder = Folder::new();
    let mut variables = variables(&folder, "https://user:hunter2@stripe.example");
    let secret_file = folder.path("secret");
    std::fs::write(&secret_file, "whsec_from_a_file").unwrap();
    for (name, value) in [
        ("SPRITE_LISTEN", "localhost"),
        ("SPRITE_BASE_URL", "https://pay.example/shop"),
        ("SPRITE_STRIPE_SECRET_KEY", "pk_live_hunter2"),
        ("SPRITE_STRIPE_WEBHOOK_SECRET_FILE", secret_file.to_str().unwrap()),
        ("SPRITE_TOPUP_100_UNITS", "-1"),
        ("SPRITE_RETURN_ORIGINS", "*"),
        ("SPRITE_TRUSTED_PROXIES", "10.0.0.0/64"),
        ("SPRITE_RECONCILE_INTERVAL", "soon"),
        ("SPRITE_LOG", "verbose"),
    ] {
        variables.insert(name.to_owned(), value.to_owned());
    }
    let output = process::run(&variables, &["serve"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    for words in [
        "SPRITE_LISTEN is `localhost`: expected an IP address and a port",
        "SPRITE_BASE_URL is `https://pay.example/shop`: expected an origin",
        "SPRITE_STRIPE_SECRET_KEY is `pk_…(15 characters)`",
        "SPRITE_STRIPE_WEBHOOK_SECRET_FILE",
        "SPRITE_STRIPE_API_BASE is ",
        "SPRITE_TOPUP_100_UNITS is `-1`: expected a whole number",
        "SPRITE_RETURN_ORIGINS is `*`",
        "SPRITE_TRUSTED_PROXIES is `10.0.0.0/64`",
        "SPRITE_RECONCILE_INTERVAL is `soon`",
        "SPRITE_LOG is `verbose`",
    ] {
        assert!(said.contains(words), "{words} is not in {said}");
    }
    for hidden in ["hunter2", "whsec_from", "whsec_the"] {
        assert!(!said.contains(hidden), "{hidden} is in {said}");
    }
    assert!(!folder.path("till.db").exists(), "nothing was made");

    let empty = process::run(&BTreeMap::new(), &["serve"]);
    let said = String::from_utf8(empty.stderr).unwrap();
    assert_eq!(empty.status.code(), Some(2));
    assert!(said.contains("SPRITE_STRIPE_SECRET_KEY: "), "{said}");
}

#[test]
fn an_unknown_variable_is_a_warning_with_the_nearest_name() {
    let folder = Folder::new();
    let mut variables = variables(&folder, "http://127.0.0.1:1");
    let rows = [("SPRITE_LISTN", "SPRITE_LISTEN"), ("SPRITE_TRUSTED_PROXY", "SPRITE_TRUSTED_PROXIES")];
    variables.extend(rows.map(|(name, _)| (name.to_owned(), "hunter2".to_owned())));
    let till = Till::start(&variables);
    for (name, nearest) in rows {
        till.wait_for_log(name, |line| {
            let detail = line["detail"].as_str().unwrap_or_default();
            line["event"] == "configuration_warning" && detail.contains(name) && detail.contains(nearest)
        });
    }
    assert!(!till.log().contains("hunter2"), "{}", till.log());
}
