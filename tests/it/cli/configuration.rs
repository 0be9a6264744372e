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
        ("SPRITE_SINGUP", "closed"),
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
        "warning: SPRITE_SINGUP is not a variable of till and is ignored; the nearest known name is SPRITE_SIGNUP",
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
fn a_faulty_connection_string_is_told_with_the_other_faults_and_never_shown() {
    let folder = Folder::new();
    let mut variables = variables(&folder, "http://127.0.0.1:1");
    variables.insert("SPRITE_LISTEN".to_owned(), "localhost".to_owned());
    for (place, words) in [
        ("host=h user=till password=hunter2 dbname=till", "expected postgres://"),
        ("postgres:/till:hunter2@h/till", "expected postgres://"),
        ("POSTGRES://q:a@hunter2@h/db", "%40"),
        ("postgres://q:a/hunter2@x@h/db", "%40"),
        ("postgres://q:hunter2@h:port/db", "a port is no number"),
        ("postgres://q:hunter2/db", "a port is no number"),
        ("postgres://h/db?password=hunter2&sslmode=bogus", "sslmode: expected disable, allow"),
        ("postgres://q:hunter2@h/db?what=1", "a parameter that till does not know"),
        ("postgres:///db?password=hunter2", "it names no host"),
    ] {
        variables.insert("SPRITE_DATABASE".to_owned(), place.to_owned());
        for command in [&["serve"][..], &["config"], &["check"], &["user", "add", "alice"]] {
            let output = process::command(&variables).current_dir(folder.path("")).args(command).output().unwrap();
            let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), process::said(&output));
            assert!(said.contains(words) && said.contains("SPRITE_LISTEN"), "{place}: {command:?}: {said}");
            assert!(!said.contains("hunter2"), "{place}: {command:?}: {said}");
            assert_eq!(output.status.code(), Some(2), "{place}: {command:?}: {said}");
        }
    }
    let files: Vec<_> = std::fs::read_dir(folder.path("")).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert!(files.iter().all(|name| !name.to_string_lossy().contains("hunter2")), "{files:?}");
}

#[test]
fn a_password_with_any_sign_in_it_is_shown_by_no_command() {
    for password in
        ["hunter2?hunter2", "hunter2#hunter2", "hunter2/hunter2", "hunter2%40hunter2", "a:hunter2", "?host=hunter2"]
    {
        let place = format!("Postgres://q:{password}@127.0.0.1:1/db?sslmode=disable&application_name=hunter2");
        let variables = BTreeMap::from([("SPRITE_DATABASE".to_owned(), place)]);
        for command in [&["user", "list"][..], &["config"], &["status"]] {
            let output = process::run(&variables, command);
            let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), process::said(&output));
            assert!(said.contains("postgres://q@127.0.0.1:1/db?sslmode=disable"), "{command:?}: {said}");
            assert!(!said.contains("hunter2"), "{command:?}: {said}");
        }
    }
}

#[test]
fn a_variable_that_is_set_three_times_is_told_with_all_three_places() {
    let folder = Folder::new();
    let mut variables = variables(&folder, "http://127.0.0.1:1");
    std::fs::write(folder.path("sprite_log"), "info").unwrap();
    let place = |name: &str| folder.path(name).display().to_string();
    variables.insert("SPRITE_LOG".to_owned(), "info".to_owned());
    variables.insert("SPRITE_LOG_FILE".to_owned(), place("sprite_log"));
    variables.insert("CREDENTIALS_DIRECTORY".to_owned(), place(""));
    let said = process::said(&process::run(&variables, &["user", "list"]));
    assert!(said.contains("it is set 3 times, by the environment variable SPRITE_LOG, by SPRITE_LOG_FILE"), "{said}");
    assert!(said.contains("sprite_log; keep one"), "{said}");
}

#[test]
fn a_currency_that_stripe_does_not_charge_in_is_a_warning() {
    let folder = Folder::new();
    let mut variables = variables(&folder, "http://127.0.0.1:1");
    let file = "currency = \"xyz\"\n[[pack]]\nkey = \"a\"\namount = 900\nunits = 100\n";
    std::fs::write(folder.path("catalog.toml"), file).unwrap();
    variables.retain(|name, _| !name.ends_with("_PRICE_ID"));
    variables.insert("SPRITE_CATALOG".to_owned(), folder.path("catalog.toml").display().to_string());
    let said = process::said(&process::run(&variables, &["token", "create", "a", "--scopes", "read"]));
    assert!(said.contains("currency is \"xyz\"") && said.contains("Supported currencies"), "{said}");
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
