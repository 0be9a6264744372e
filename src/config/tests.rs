//! The configuration's rules, one row each.

use std::ops::Deref;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::*;

const KEY: &str = "SPRITE_STRIPE_SECRET_KEY";
const WEBHOOK: &str = "SPRITE_STRIPE_WEBHOOK_SECRET";

/// `NAME=value` pairs, separated by line breaks.
fn sources(text: &str) -> Sources {
    Sources::from_variables(text.lines().filter_map(|line| line.split_once('=')))
}

/// What load says: faults, or else warnings.
fn said(sources: &Sources, need: Need) -> Vec<String> {
    match load(sources, need) {
        Ok(loaded) => loaded.warnings,
        Err(faulty) => faulty.faults.iter().map(ConfigFault::to_string).collect(),
    }
}

fn config(text: &str) -> Config {
    let faults = |faulty: FaultyConfig| -> Config { panic!("{text}: {faulty:?}") };
    load(&sources(text), Need::Nothing).map(|loaded| loaded.config).unwrap_or_else(faults)
}

/// An empty directory of this test's own, which goes with it.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Directory {
        let path = std::env::temp_dir().join(format!("till-config-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Directory(path)
    }
}

impl Deref for Directory {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _left_behind = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn without_any_variable_the_defaults_hold() {
    let loaded = load(&Sources::default(), Need::Nothing).unwrap();
    let config = loaded.config;
    assert_eq!(loaded.warnings, [""; 0]);
    assert_eq!(config.base_url.as_str(), "http://127.0.0.1:8080");
    assert_eq!(config.return_origins, std::slice::from_ref(&config.base_url));
    assert_eq!(config.database.file(), Some(Path::new("./till.db")));
    assert_eq!(config.catalog, Catalog::built_in());
    assert_eq!(config.trusted_proxies, ["127.0.0.1/32".parse().unwrap(), "::1/128".parse().unwrap()]);
    assert_eq!(config.metrics_listen, None);
    assert_eq!((config.stripe.mode(), config.stripe.api_base.as_str()), (None, STRIPE_API_BASE));
    assert_eq!(config.reconcile_interval, Some(Duration::from_secs(900)));
    assert_eq!((config.stripe.is_polled(), config.stripe.poll_interval), (true, Duration::from_secs(30)));
    assert_eq!((config.log.as_str(), config.log_format), ("info", LogFormat::Auto));
}

#[test]
fn each_value_means_what_the_contract_says() {
    let check = |text: &str, sound: fn(&Config) -> bool| assert!(sound(&config(text)), "{text}");
    check("SPRITE_LISTEN=[::1]:90", |c| c.base_url.as_str() == "http://[::1]:90");
    check("SPRITE_LISTEN=127.0.0.1:80", |c| c.base_url.as_str() == "http://127.0.0.1");
    check("SPRITE_LISTEN= ", |c| c.listen.port() == 8080);
    check("SPRITE_BASE_URL=HTTPS://Pay.Example.com:443/", |c| {
        c.return_origins[0].as_str() == "https://pay.example.com"
    });
    check("SPRITE_DATABASE=postgres://u:p@db/till", |c| c.database.to_string() == "postgres://u@db/till");
    check("SPRITE_DATABASE= /srv/x.db ", |c| c.database.file() == Some(Path::new("/srv/x.db")));
    check("SPRITE_STRIPE_SECRET_KEY=rk_live_a1", |c| c.stripe.mode() == Some(Mode::Live));
    check("SPRITE_STRIPE_SECRET_KEY=sk_test_a1", |c| c.stripe.mode() == Some(Mode::Test));
    check("SPRITE_STRIPE_WEBHOOK_SECRET=whsec_a, whsec_b,", |c| c.stripe.webhook_secrets[1].reveal() == "whsec_b");
    check("SPRITE_STRIPE_API_BASE=http://localhost:12111/", |c| c.stripe.api_base == "http://localhost:12111");
    check("SPRITE_STRIPE_TOPUP_100_PRICE_ID=price_1", |c| c.catalog.by_price("price_1").unwrap().key() == "topup_100");
    check("SPRITE_STRIPE_TIER1_PRICE_ID=price_1", |c| c.catalog.by_price("price_1").unwrap().key() == "starter");
    check("SPRITE_TOPUP_100_UNITS=120", |c| c.catalog.offer("topup_100").unwrap().name() == "120 pictures");
    check("SPRITE_TIER2_UNITS=7", |c| c.catalog.offer("pro").unwrap().units() == 7);
    check("SPRITE_RETURN_ORIGINS=https://a.example, http://localhost:3000", |c| c.return_origins.len() == 2);
    check("SPRITE_TRUSTED_PROXIES=10.1.2.3/8,fd00::1", |c| c.trusted_proxies[0].to_string() == "10.0.0.0/8");
    check("SPRITE_HOOK_PRIVATE_NETWORKS=127.0.0.0/8,10.1.2.3", |c| c.hook_private_networks.len() == 2);
    check("SPRITE_LOW_BALANCE=0", |c| c.catalog.low_balance == 0);
    check("SPRITE_LOW_BALANCE=1000000000", |c| c.catalog.low_balance == 1_000_000_000);
    check("SPRITE_TRUSTED_PROXIES=none", |c| c.trusted_proxies.is_empty());
    check("SPRITE_METRICS_LISTEN=127.0.0.1:9100", |c| c.metrics_listen.is_some_and(|listen| listen.port() == 9100));
    // What no feature uses yet is accepted all the same.
    check("SPRITE_SIGNUP=invite", |_| true);
    check("SPRITE_PROXY_AUTH_HEADER=Remote-Email", |_| true);
    check("SPRITE_OIDC_ISSUER=https://id.example/t\nSPRITE_OIDC_CLIENT_ID=x", |c| {
        c.oidc.as_ref().is_some_and(|provider| provider.name == "id.example" && provider.issuer.ends_with("/t"))
    });
    check("SPRITE_RECONCILE_INTERVAL=off", |c| c.reconcile_interval.is_none());
    check("SPRITE_RECONCILE_INTERVAL=1h", |c| c.reconcile_interval == Some(Duration::from_secs(3600)));
    check("SPRITE_POLL_INTERVAL=15m", |c| c.stripe.poll_interval == Duration::from_secs(900));
    check("SPRITE_LOG=info,till::stripe=debug", |c| c.log == "info,till::stripe=debug");
    check("SPRITE_LOG_FORMAT=json", |c| c.log_format == LogFormat::Json);
}

#[test]
fn what_does_not_parse_is_said_with_its_value_and_what_was_expected() {
    let rows = [
        ("SPRITE_LISTEN=8080", "SPRITE_LISTEN is `8080`: expected an IP address and a port"),
        ("SPRITE_METRICS_LISTEN=9100", "SPRITE_METRICS_LISTEN is `9100`: expected an IP address and a port"),
        ("SPRITE_BASE_URL=pay.example.com", "SPRITE_BASE_URL is `pay.example.com`: expected an origin"),
        ("SPRITE_BASE_URL=https://a.example/shop", "without path, query or fragment"),
        ("SPRITE_BASE_URL=ftp://a.example", "SPRITE_BASE_URL is `ftp://a.example`: expected an origin"),
        (
            "SPRITE_BASE_URL=https://u:pass@a.example",
            "is `…(24 characters)`: expected an origin such as https://pay.example.com, without user",
        ),
        ("SPRITE_DATABASE=mysql://u:p@db/till", "is `…(19 characters)`: expected the path of a file"),
        ("SPRITE_DATABASE=host=h password=p", "is `…(17 characters)`: expected postgres://"),
        ("SPRITE_DATABASE=postgres://h/db?password=p&sslmode=x", "is `…(36 characters)`: sslmode: expected disable"),
        ("SPRITE_DATABASE=:memory:", "the books must outlive the process"),
        ("SPRITE_CATALOG=/nowhere.toml", "SPRITE_CATALOG is `/nowhere.toml`: the file cannot be read: No such file"),
        ("SPRITE_STRIPE_SECRET_KEY=sk_x", "is `sk_…(4 characters)`: expected a secret key (sk_test_… or sk_live_…)"),
        ("SPRITE_STRIPE_SECRET_KEY=sk_test_a b", "is `sk_…(11 characters)`: expected a secret key"),
        ("SPRITE_STRIPE_SECRET_KEY=hunter2", "is `…(7 characters)`: expected a secret key"),
        ("SPRITE_STRIPE_SECRET_KEY=pk_test_a1", "is `pk_…(10 characters)`: this is a publishable key"),
        ("SPRITE_STRIPE_WEBHOOK_SECRET=whsec_a;whsec_b", "expected one or more signing secrets"),
        ("SPRITE_STRIPE_SECRET_KEY=whsec_a1", "this is a webhook signing secret"),
        (
            "SPRITE_STRIPE_WEBHOOK_SECRET=whsec_a,sk_test_b",
            "is `whsec_…(7 characters),sk_…(9 characters)`: expected one or more signing secrets",
        ),
        ("SPRITE_STRIPE_API_BASE=http://stripe.example", "the secret key would cross the network in clear"),
        ("SPRITE_STRIPE_PRO_PRICE_ID=prod_1", "SPRITE_STRIPE_PRO_PRICE_ID is `prod_1`: expected a price id"),
        ("SPRITE_STRIPE_PRO_PRICE_ID=sk_live_abc", "SPRITE_STRIPE_PRO_PRICE_ID is `sk_…(11 characters)`"),
        ("SPRITE_PRO_UNITS=many", "SPRITE_PRO_UNITS is `many`: expected a whole number"),
        (
            "SPRITE_PRO_UNITS=1000000001",
            "SPRITE_PRO_UNITS is `1000000001`: plan \"pro\": units is 1000000001; expected 0 to",
        ),
        ("SPRITE_TOPUP_100_UNITS=0", "expected 1 to 1000000000"),
        ("SPRITE_FREE_UNITS=5", "SPRITE_FREE_UNITS is `5`: plan \"free\": units is 5; expected 0"),
        (
            "SPRITE_STRIPE_STARTER_PRICE_ID=p1\nSPRITE_STRIPE_PRO_PRICE_ID=p1",
            "SPRITE_STRIPE_PRO_PRICE_ID is `p1`: plan \"pro\": the price id \"p1\" already belongs to plan \"starter\"",
        ),
        ("SPRITE_RETURN_ORIGINS=https://*.a.example", "expected origins one by one"),
        ("SPRITE_RETURN_ORIGINS=https://a.example,b", "is `https://a.example,b`: expected an origin"),
        ("SPRITE_TRUSTED_PROXIES=10.0.0.0/33", "expected networks separated by commas"),
        ("SPRITE_SIGNUP=yes", "expected open, closed or invite"),
        ("SPRITE_PROXY_AUTH_HEADER=Remote Email", "expected the name of an HTTP header"),
        ("SPRITE_OIDC_ISSUER=http://id.example\nSPRITE_OIDC_CLIENT_ID=x", "plain http is taken for this machine's own"),
        (
            "SPRITE_OIDC_ISSUER=https://id.example/.well-known/openid-configuration\nSPRITE_OIDC_CLIENT_ID=x",
            "without /.well-known/openid-configuration",
        ),
        ("SPRITE_OIDC_ISSUER=https://id.example", "SPRITE_OIDC_CLIENT_ID: it is not set, but SPRITE_OIDC_ISSUER is"),
        ("SPRITE_OIDC_NAME=x", "SPRITE_OIDC_ISSUER: it is not set, but SPRITE_OIDC_NAME is"),
        ("SPRITE_SMTP_URL=smtps://u:p@h", "SPRITE_MAIL_FROM: it is not set, but SPRITE_SMTP_URL is"),
        ("SPRITE_MAIL_FROM=a@b.example", "SPRITE_SMTP_URL: it is not set, but SPRITE_MAIL_FROM is"),
        ("SPRITE_MAIL_FROM=nobody\nSPRITE_SMTP_URL=smtps://h", "SPRITE_MAIL_FROM is `nobody`: expected a sender"),
        ("SPRITE_RECONCILE_INTERVAL=15", "is `15`: expected a duration from 1s to 7d"),
        ("SPRITE_RECONCILE_INTERVAL=0s", "or off"),
        ("SPRITE_RECONCILE_INTERVAL=8d", "expected a duration"),
        ("SPRITE_RECONCILE_INTERVAL=15é", "expected a duration"),
        ("SPRITE_POLL_INTERVAL=0s", "expected a duration from 1s to 15m"),
        ("SPRITE_POLL_INTERVAL=16m", "such as 30s"),
        ("SPRITE_LOG=inof", "SPRITE_LOG is `inof`: expected error, warn, info"),
        ("SPRITE_LOG_FORMAT=xml", "expected auto, text or json"),
        ("SPRITE_LISTEN=a\u{7}b", "holds a line break or another control character"),
    ];
    for (text, expected) in rows {
        let said = said(&sources(text), Need::Nothing);
        assert!(said.iter().any(|line| line.contains(expected)), "{expected}\nin {said:?}\nof {text}");
        assert!(!said.iter().any(|line| line.contains("hunter") || line.contains("u:p")), "{said:?}");
    }
}

#[test]
fn all_faults_are_listed_at_once() {
    let all = said(&sources("SPRITE_LISTEN=x\nSPRITE_LOG_FORMAT=x\nSPRITE_PRO_UNITS=x"), Need::Serve);
    assert_eq!(all.len(), 4, "{all:?}");
    for (need, missing) in [(Need::Nothing, 0), (Need::StripeKey, 1), (Need::Serve, 1)] {
        assert_eq!(load(&Sources::default(), need).err().unwrap_or_default().faults.len(), missing);
    }
    let misspelt = said(&sources("SPRITE_STRIPE_SECRETKEY=sk_test_1"), Need::StripeKey);
    assert!(misspelt.len() == 1 && misspelt[0].ends_with("; SPRITE_STRIPE_SECRETKEY is set, which till does not know"));
    let faulty = load(&sources("SPRITE_STRIPE_SECRET_KEY=pk_test_1"), Need::StripeKey).unwrap_err();
    assert_eq!(faulty.faults.len(), 1, "a faulty key is not also missing");
}

#[test]
fn a_flag_goes_first_and_two_other_sources_are_an_error() {
    let directory = Directory::new("sources");
    let file = directory.join("key");
    std::fs::write(&file, "sk_test_file\r\n").unwrap();
    let credential = directory.join("sprite_stripe_webhook_secret");
    std::fs::write(&credential, "whsec_credential\n").unwrap();
    std::fs::set_permissions(&credential, std::fs::Permissions::from_mode(0o400)).unwrap();
    std::fs::write(directory.join("sprite_listn"), "x").unwrap();
    std::fs::write(directory.join("tls_key"), "x").unwrap();

    let mut given = sources(&format!("{KEY}_FILE={}", file.display()));
    given.credentials_directory = Some(directory.to_path_buf());
    given.state_directory = Some("/var/lib/till:/var/lib/other".into());
    let with_mode = |mode| {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        load(&given, Need::Serve).unwrap()
    };
    for (mode, is_open) in [(0o644, true), (0o602, true), (0o640, false), (0o400, false)] {
        let open_files = with_mode(mode).config.open_files;
        assert_eq!(open_files.len(), usize::from(is_open), "{mode:o}: {open_files:?}");
    }
    let loaded = with_mode(0o600);
    assert_eq!(loaded.config.stripe.secret_key, Some(Secret::new("sk_test_file")));
    assert_eq!(loaded.config.stripe.webhook_secrets, [Secret::new("whsec_credential")]);
    assert_eq!(loaded.config.database.file(), Some(Path::new("/var/lib/till/till.db")));
    assert_eq!(loaded.warnings.len(), 1, "{:?}", loaded.warnings);
    assert!(
        loaded.warnings[0].contains("SPRITE_LISTN is not a variable of till")
            && loaded.warnings[0].contains("is SPRITE_LISTEN")
    );

    given.env.insert(WEBHOOK.into(), "whsec_env".into());
    given.env.insert(KEY.into(), "".into());
    let clash = said(&given, Need::Serve);
    assert!(
        clash.len() == 1 && clash[0].contains("the environment variable SPRITE_STRIPE_WEBHOOK_SECRET"),
        "{clash:?}"
    );
    assert!(clash[0].contains("the credential") && !clash[0].contains("whsec_"), "{clash:?}");

    let mut flagged = sources("SPRITE_LISTEN=127.0.0.1:1\nSPRITE_LOG=debug");
    flagged.flags.insert("SPRITE_LISTEN".into(), "127.0.0.1:2".into());
    assert_eq!(load(&flagged, Need::Nothing).unwrap().config.listen.port(), 2);
}

#[test]
fn every_clash_and_every_bad_file_is_named() {
    let directory = Directory::new("files");
    let write = |name: &str, bytes: &[u8]| std::fs::write(directory.join(name), bytes).unwrap();
    write("empty", b"\n");
    write("large", &[b'a'; 65 * 1024]);
    write("binary", &[0xff, 0xfe]);
    write("lines", b"whsec_a\nwhsec_b");
    write("catalog", b"[[pack]]\nkey = 'a'\namount = 0\nunits = 0\n");
    write("level", b"inof");
    write("sound", b"[[pack]]\nkey = 'song'\namount = 100\nunits = 1\nprice_id = 'price_file'\n");
    let rows = [
        (
            "SPRITE_LOG=debug\nSPRITE_LOG_FILE=@/empty",
            "SPRITE_LOG: it is set twice, by the environment variable SPRITE_LOG and by SPRITE_LOG_FILE",
        ),
        (
            "SPRITE_STRIPE_STARTER_PRICE_ID=p1\nSPRITE_STRIPE_TIER1_PRICE_ID=p2",
            "set twice, by the environment variable SPRITE_STRIPE_STARTER_PRICE_ID and by the environment variable SPRITE_STRIPE_TIER1_PRICE_ID",
        ),
        ("SPRITE_LOG_FILE=@/empty", "@/empty) is empty; write the value into it"),
        (
            "SPRITE_LOG_FILE=@/level",
            "SPRITE_LOG is `inof`: expected error, warn, info, debug, trace, off, or a filter such as info,till::stripe=debug; it comes from SPRITE_LOG_FILE (the file @/level)",
        ),
        ("SPRITE_LOG_FILE=@/large", "is larger than the 65536 bytes"),
        ("SPRITE_LOG_FILE=@/binary", "is not UTF-8 text"),
        ("SPRITE_LOG_FILE=@/none", "cannot be read: No such file"),
        ("SPRITE_STRIPE_WEBHOOK_SECRET_FILE=@/lines", "holds a line break"),
        ("SPRITE_CATALOG=@/catalog", "SPRITE_CATALOG is `@/catalog`: line 2: pack \"a\": amount is 0; expected 1 to"),
        ("SPRITE_CATALOG=@/catalog\nSPRITE_A_UNITS=x", "SPRITE_A_UNITS is `x`: expected a whole number"),
        (
            "SPRITE_CATALOG=@/sound\nSPRITE_STRIPE_PRO_PRICE_ID=p",
            "SPRITE_STRIPE_PRO_PRICE_ID is not a variable of till and is ignored (the catalogue has no \"pro\"); the nearest known name is SPRITE_STRIPE_SONG_PRICE_ID",
        ),
    ];
    let here = directory.display().to_string();
    for (text, expected) in rows {
        let said = said(&sources(&text.replace('@', &here)), Need::Nothing);
        let expected = expected.replace('@', &here);
        assert!(said.iter().any(|line| line.contains(&expected)), "{expected}\nin {said:?}");
    }
    let overridden = config(&format!("SPRITE_CATALOG={here}/sound\nSPRITE_STRIPE_SONG_PRICE_ID=price_env"));
    assert_eq!(overridden.catalog.offer("song").unwrap().price_id(), Some("price_env"));
}

#[test]
fn warnings_name_what_is_unknown_unused_or_risky() {
    let rows = [
        (
            "SPRITE_STRIPE_SECRET=sk_test_1",
            "SPRITE_STRIPE_SECRET is not a variable of till and is ignored; the nearest known name is SPRITE_STRIPE_SECRET_KEY",
        ),
        ("SPRITE_LITSEN_FILE=/x", "the nearest known name is SPRITE_LISTEN_FILE"),
        (
            "SPRITE_STRIPE_TOPUP_500_PRICE_ID=p",
            "(the catalogue has no \"topup_500\"); the nearest known name is SPRITE_STRIPE_TOPUP_",
        ),
        ("SPRITE_LISTEN=0.0.0.0:80", "SPRITE_BASE_URL is not set, and links to http://0.0.0.0 reach nobody"),
        ("SPRITE_BASE_URL=http://pay.example", "sign-ins cross the network in clear"),
        ("SPRITE_STRIPE_SECRET_KEY=sk_live_1", "Stripe sends live events to public https origins only"),
    ];
    for (text, expected) in rows {
        let loaded = load(&sources(text), Need::Nothing).unwrap();
        assert!(
            loaded.warnings.len() == 1 && loaded.warnings[0].contains(expected),
            "{expected}\nin {:?}",
            loaded.warnings
        );
    }
    // A credential that everybody can open; a closed folder is enough.
    let directory = Directory::new("open");
    let file = directory.join("sprite_stripe_secret_key");
    std::fs::write(&file, "sk_test_1").unwrap();
    let mode = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(&file, 0o644);
    for (of_folder, is_open) in [(0o755, true), (0o700, false)] {
        mode(&directory, of_folder);
        let sources = Sources { credentials_directory: Some(directory.to_path_buf()), ..Sources::default() };
        let said = load(&sources, Need::Nothing).unwrap().warnings;
        assert_eq!(
            said.iter().any(|line| line.contains(&format!("chmod 600 {}", file.display()))),
            is_open,
            "{said:?}"
        );
    }
    let silent = load(&sources("PATH=/bin\nSPRITE_EMPTY=\nSPRITEX=1"), Need::Nothing).unwrap();
    assert_eq!(silent.warnings, [""; 0]);
}

#[test]
fn an_origin_is_what_the_url_standard_says() {
    let origin = Origin::parse("https://App.Example.com").unwrap();
    let rows = [
        ("https://app.example.com/paid?x=1#y", true),
        ("https://APP.example.com:443", true),
        ("https://app.example.com:8443/", false),
        ("http://app.example.com/", false),
        ("https://app.example.com.evil.example/", false),
        ("https://app.example.com@evil.example/", false),
        ("https://user@app.example.com/", false),
        ("https:\\\\app.example.com\\x", false),
        ("https://app.exa\nmple.com/", false),
        ("blob:https://app.example.com/1", false),
        ("javascript:alert(1)", false),
        ("//app.example.com/", false),
        ("/dashboard", false),
        ("", false),
    ];
    for (url, allowed) in rows {
        assert_eq!(origin.allows(url), allowed, "{url}");
    }
    assert_eq!(origin_of("http://bücher.example/x").unwrap().as_str(), "http://xn--bcher-kva.example");
    assert!(
        origin_of("http://127.9.9.9:1").unwrap().is_loopback()
            && origin_of("http://a.localhost").unwrap().is_loopback()
    );
    assert!(!origin_of("http://localhost.example").unwrap().is_loopback());
}

#[test]
fn the_example_names_every_variable_and_loads_when_uncommented() {
    let example = include_str!("../../systemd/till.env.example");
    for variable in VARIABLES {
        let found =
            example.contains(&format!("#{}=", variable.name)) || example.contains(&format!("# {}:", variable.name));
        assert!(found, "{} is missing", variable.name);
    }
    let lines = example.lines().filter_map(|line| line.strip_prefix('#')).filter(|line| line.starts_with("SPRITE_"));
    let catalog = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/catalog.example.toml");
    let text = lines.collect::<Vec<_>>().join("\n").replace("/etc/till/catalog.toml", &catalog.display().to_string());
    let loaded = load(&sources(&text), Need::Serve).unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    assert_eq!(loaded.config.catalog.missing_price_ids(), []);
    assert!(!format!("{:?}", loaded.config).contains("REPLACE_ME\""), "Debug shows no secret");
}

#[test]
fn a_url_is_sent_in_ascii_and_as_it_was_written_where_it_can_be() {
    let rows = [
        ("https://app.example", "https://app.example"),
        ("https://App.example:443/a/../b?x=%20&y=[1]#z", "https://App.example:443/a/../b?x=%20&y=[1]#z"),
        ("https://app.example/zurück?x=ü#ü", "https://app.example/zur%C3%BCck?x=%C3%BC#%C3%BC"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        // No character is assigned to it.
        ("https://app.example/\u{4b8a1}", "https://app.example/%F1%8B%A2%A1"),
        ("https://app.example/\"<{a}>?x=a|b^`#{c}", "https://app.example/%22%3C%7Ba%7D%3E?x=a%7Cb%5E%60#%7Bc%7D"),
        ("https:app.example/x", "https://app.example/x"),
        ("https:/app.example/x", "https://app.example/x"),
        ("https:///app.example/x", "https://app.example/x"),
    ];
    for (url, sent) in rows {
        assert_eq!(in_ascii(url).as_deref(), Some(sent), "{url}");
        assert_eq!(origin_of(sent), origin_of(url), "{url}");
    }
    assert_eq!(in_ascii("/dashboard"), None);
}
