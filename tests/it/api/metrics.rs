//! `/metrics`: what an operator wants to know, under names that alerts, the dashboard and the manual use, judged by Prometheus'
//! own tool; and no label that a stranger chooses.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use crate::harness::promtool::{judge, promtool};
use crate::harness::shop::GOOD_CARD;
use crate::harness::{Client, Folder, Shop, eventually, is_about_a_file, postgres, wire};

const RULES: &str = include_str!("../../../systemd/till.rules.yml");
const DASHBOARD: &str = include_str!("../../../systemd/grafana.json");
const MANUAL: &str = include_str!("../../../docs/operate.md");
const ALERTS: &str = include_str!("../../prometheus/alerts.yml");

fn metrics(shop: &Shop) -> String {
    shop.api.get("/metrics").must(200).body
}

/// The value of a line, by all that stands before it.
#[track_caller]
fn value(metrics: &str, name: &str) -> f64 {
    let line = metrics.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
    let line = line.unwrap_or_else(|| panic!("no {name} in {metrics}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

/// Words that are names of metrics of ours.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("till_")).map(str::to_owned).collect()
}

/// The names of all lines.
fn names_of_lines(metrics: &str) -> BTreeSet<String> {
    let lines = metrics.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split(['{', ' ']).next().unwrap().to_owned()).collect()
}

/// A shop in which most things have happened once.
fn busy_shop() -> Shop {
    let shop = Shop::open();
    shop.user("alice");
    let checkout = shop.checkout("alice", "topup_100").1;
    shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    shop.wait_for_units("alice", 100);
    shop.give("alice", 20);
    shop.api.call_once("/v1/users/alice/spends", "s1", &json!({"units": 7})).must(201);
    shop.api.call_once("/v1/users/alice/holds", "h1", &json!({"units": 5})).must(201);
    shop
}

#[test]
fn an_operators_questions_are_answered() {
    if is_about_a_file() {
        return;
    }
    let shop = busy_shop();
    eventually("a delivery", || shop.deliveries().iter().all(|row| row["progress"] == "delivered").then_some(()));
    let before = metrics(&shop);
    for (kind, units) in
        [("sold", 100), ("given", 20), ("spent", 7), ("expired", 0), ("reversed", 0), ("outstanding", 113), ("held", 5)]
    {
        assert_eq!(value(&before, &format!("till_books_units{{kind=\"{kind}\"}}")), f64::from(units), "{kind}");
    }
    assert!((0.0..600.0).contains(&value(&before, "till_stripe_event_age_seconds")), "{before}");
    assert!(value(&before, "till_inbox_events{kind=\"applied\"}") >= 1.0);
    assert!(value(&before, "till_stripe_call_seconds_count{outcome=\"answered\"}") >= 2.0, "{before}");
    assert_eq!(value(&before, "till_stripe_call_seconds_count{outcome=\"unanswered\"}"), 0.0);
    for name in ["till_comparison_age_seconds", "till_backup_age_seconds"] {
        assert_eq!(value(&before, name), -1.0, "{name}");
    }
    let commits = value(&before, "till_commit_seconds_count");
    assert!(commits >= 4.0 && value(&before, "till_commit_flush_seconds_count") == commits);
    assert!(value(&before, "till_commit_seconds_sum") >= value(&before, "till_commit_flush_seconds_sum"));
    assert_eq!(value(&before, "till_writer_queue_writes"), 0.0);
    let is_in_a_file = !postgres::is_chosen();
    if is_in_a_file {
        assert!(value(&before, "till_database_bytes") > 0.0 && value(&before, "till_wal_bytes") > 0.0);
        assert!(value(&before, "till_disk_free_bytes") <= value(&before, "till_disk_size_bytes"));
    }

    // What waits is counted at each look, what is long once a minute; a comparison says what it found.
    shop.webhook(&crate::harness::webhook::event(
        "refund.created",
        &json!({"id": "re_1", "object": "refund",
        "status": "succeeded", "amount": 900, "currency": "usd", "payment_intent": "pi_never", "charge": "ch_never"}),
    ));
    shop.till(&["reconcile"]);
    if is_in_a_file {
        shop.till_prints(&["backup", shop.file("copy").to_str().unwrap()]);
    }
    let after = metrics(&shop);
    assert_eq!(value(&after, "till_inbox_events{kind=\"waiting\"}"), 1.0, "{after}");
    assert!((0.0..600.0).contains(&value(&after, "till_comparison_age_seconds")));
    assert_eq!((0.0..600.0).contains(&value(&after, "till_backup_age_seconds")), is_in_a_file);
    assert_eq!(value(&after, "till_comparison_differences{kind=\"unconfirmed\"}"), 0.0);
    assert_eq!(value(&after, "till_doubtful_payments"), 0.0);
}

#[test]
fn calls_that_stripe_refuses_or_does_not_answer_are_told_apart() {
    let limited = crate::harness::canned::start(vec![("/", "429 Too Many Requests", "{}".to_owned())]);
    let failing = crate::harness::canned::start(vec![("/", "500 Internal Server Error", "{}".to_owned())]);
    let refusing = crate::harness::canned::start(vec![("/", "401 Unauthorized", "{}".to_owned())]);
    for (base, outcome) in [
        (limited.as_str(), "limited"),
        (&failing, "failed"),
        (&refusing, "refused"),
        ("http://127.0.0.1:1", "unanswered"),
    ] {
        let shop = Shop::open_with(&[("SPRITE_STRIPE_API_BASE", base)]);
        shop.user("alice");
        let pressed = shop.api.call("POST", "/v1/users/alice/checkout", &json!({"plan": "topup_100"}));
        assert_eq!(pressed.status, 502, "{outcome}: {}", pressed.body);
        let counted = metrics(&shop);
        assert!(
            value(&counted, &format!("till_stripe_call_seconds_count{{outcome=\"{outcome}\"}}")) >= 1.0,
            "{counted}"
        );
        assert_eq!(value(&counted, "till_stripe_call_seconds_count{outcome=\"answered\"}"), 0.0, "{counted}");
    }
}

#[test]
fn paths_and_methods_that_strangers_make_up_are_one_label() {
    let shop = Shop::open();
    let stranger = Client::new(&shop.till.url, &[]);
    let routes = || -> BTreeSet<String> {
        let text = metrics(&shop);
        let lines = text.lines().filter(|line| line.starts_with("till_http_request_seconds_count{"));
        lines.map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
    };
    let made_up = |number: usize| {
        for path in ["", "v1/", "v1/users/", "admin/", "billing/", "dashboard/", "healthz/"] {
            let _any = stranger.get(&format!("/{path}made-up-{number}"));
        }
        let _any = wire::ask(&shop.till.url, &format!("PURGE{number} /healthz"), &[]);
        let _any = wire::ask(&shop.till.url, &format!("M{number} /made-up-{number}"), &[]);
        let _any = wire::ask(&shop.till.url, "DELETE /dashboard", &[]);
    };
    let _looked = routes();
    (0..5).for_each(made_up);
    let few = routes();
    (5..60).for_each(made_up);
    assert_eq!(routes(), few);
    assert!(few.iter().all(|line| !line.contains("made-up")), "{few:?}");
    assert!(few.iter().any(|line| line.contains("method=\"other\",route=\"none\"")), "{few:?}");
}

#[test]
fn every_metric_of_the_alerts_and_the_dashboard_is_there_and_every_one_is_in_the_manual() {
    // On a server some are not there, which the check of a server tests.
    if is_about_a_file() {
        return;
    }
    let shop = busy_shop();
    let text = metrics(&shop);
    let there = names_of_lines(&text);
    for (place, named) in
        [("till.rules.yml", names(RULES)), ("grafana.json", names(DASHBOARD)), ("alerts.yml", names(ALERTS))]
    {
        assert!(named.len() > 10, "{place}: {named:?}");
        assert_eq!(
            named.difference(&there).collect::<Vec<_>>(),
            Vec::<&String>::new(),
            "{place} names what is not there"
        );
    }
    let manual = names(MANUAL);
    let base = |name: &String| {
        ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name).to_owned()
    };
    let unknown: BTreeSet<String> = there.iter().map(base).filter(|name| !manual.contains(name)).collect();
    assert_eq!(unknown, BTreeSet::new(), "docs/operate.md does not say what these are");
    // A caller that reads OpenMetrics gets it, with the same lines.
    let open =
        shop.api.send("GET", "/metrics", &[("accept", "application/openmetrics-text;version=1.0.0,*/*;q=0.1")], b"");
    assert!(open.header("content-type").starts_with("application/openmetrics-text"), "{}", open.body);
    assert!(open.body.ends_with("# EOF\n"));
    assert_eq!(names_of_lines(&open.body), there);
}

#[test]
fn each_alert_is_explained_and_has_a_case_that_fires() {
    let alerts: Vec<&str> = RULES.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() > 20, "{alerts:?}");
    for alert in &alerts {
        assert!(MANUAL.contains(&format!("| `{alert}` |")), "{alert} is not in the manual");
        let cases = ALERTS.matches(&format!("alertname: {alert}\n")).count();
        assert_eq!(cases, 2, "{alert} has one case in which it fires and one in which it does not");
    }
    let explained = MANUAL.lines().filter_map(|line| line.strip_prefix("| `Till")?.split('`').next());
    for name in explained {
        assert!(alerts.contains(&format!("Till{name}").as_str()), "Till{name} is in the manual and is no alert");
    }
}

#[test]
fn prometheus_own_tool_accepts_the_metrics_the_alerts_and_the_queries_of_the_dashboard() {
    let Some(tool) = promtool("metrics and alerts, judged by Prometheus' own tool") else { return };
    let said = |output: std::process::Output| {
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(text).unwrap())
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = |path: &str| root.join(path).to_str().unwrap().to_owned();
    let rules = said(judge(&tool, &["check", "rules", "--lint-fatal", &file("systemd/till.rules.yml")], ""));
    assert!(rules.0, "{}", rules.1);
    let cases = said(judge(&tool, &["test", "rules", &file("tests/prometheus/alerts.yml")], ""));
    assert!(cases.0, "{}", cases.1);
    let shop = busy_shop();
    let text = metrics(&shop);
    let linted = said(judge(&tool, &["check", "metrics"], &text));
    assert!(linted.0 && linted.1.trim().is_empty(), "{}", linted.1);

    // Each query of the dashboard as a rule, because the tool reads these.
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let queries =
        panels.filter_map(|panel| panel["targets"].as_array()).flatten().map(|target| target["expr"].as_str().unwrap());
    let rule = |query: &str| {
        let query = query.replace("$__rate_interval", "5m");
        json!({"record": "till:query", "expr": query, "labels": {"number": till::id::secret("").unwrap()}})
    };
    let rules: Vec<Value> = queries.map(rule).collect();
    assert!(rules.len() > 30, "{}", rules.len());
    let folder = Folder::new();
    let path = folder.path("queries.yml");
    // JSON is YAML.
    std::fs::write(&path, json!({"groups": [{"name": "queries", "rules": rules}]}).to_string()).unwrap();
    let queries = said(judge(&tool, &["check", "rules", path.to_str().unwrap()], ""));
    assert!(queries.0, "{}", queries.1);
}
