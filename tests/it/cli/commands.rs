//! The command line, as a shell sees it: the real binary in a folder of its own, its exit status, what it prints.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use sha2::{Digest, Sha256};
use till::clock::parse_rfc3339;
use till::id;

use crate::harness::{Folder, Hand, is_about_sqlite, postgres};

/// A folder with a till's books, which are there without being named.
struct Books(Folder);

impl Books {
    fn new() -> Books {
        Books(Folder::new())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path(name)
    }

    /// The binary in this folder, with nothing of the test's surroundings.
    fn command(&self, line: &[&str]) -> Command {
        let mut command = Command::new(crate::harness::process::binary());
        command.args(line).current_dir(self.path("")).env_clear().env("TMPDIR", self.path("")).stdin(Stdio::null());
        if postgres::is_chosen() {
            command.env("SPRITE_DATABASE", self.0.database("till.db"));
        }
        command
    }

    fn run(&self, line: &[&str]) -> Output {
        self.command(line).output().unwrap()
    }

    /// What a command that succeeds prints.
    fn text(&self, line: &[&str]) -> String {
        let output = self.run(line);
        assert_eq!(output.status.code(), Some(0), "{line:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, line: &[&str]) -> Value {
        serde_json::from_str(&self.text(line)).unwrap()
    }

    /// A command's exit status, and a part of what it says on either output.
    fn check(&self, line: &[&str], code: i32, says: &str) {
        let output = self.run(line);
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.code(), Some(code), "{line:?}: {said}");
        assert!(said.contains(says), "{line:?} says {said:?}, and not {says:?}");
    }

    fn sql(&self, script: &str) {
        Hand::open_unbound(&self.0.database("till.db")).run(script);
    }
}

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn each_exit_status_means_what_the_contract_says() {
    let till = Books::new();
    if !postgres::is_chosen() {
        till.check(&["user", "list"], 1, "there is no database at ./till.db");
    }
    let rows: [(&[&str], i32, &str); 21] = [
        (&["--version"], 0, "till 0."),
        (&["serve", "--help"], 0, "SPRITE_STRIPE_SECRET_KEY"),
        (&[], 2, "Usage: till"),
        (&["sell"], 2, "unrecognized subcommand"),
        (&["user", "list", "--limit", "0"], 2, "1..=1000"),
        (&["event", "list", "--status", "lost"], 2, "applied, ignored, waiting, unmatched, failed"),
        (&["user", "add", "a b"], 2, "is no user id"),
        (&["user", "add", "alice", "--name", "Al", "--email", "a@example.org"], 0, "added alice, Al, a@example.org"),
        (&["user", "add", "alice"], 0, "known before, now alice, Al, a@example.org"),
        (&["user", "show", "bob"], 1, "There is no user \"bob\""),
        (&["user", "grant", "alice", "20", "--note", "hello", "--key", "k"], 0, "granted +20 for alice, balance 20"),
        (&["user", "grant", "alice", "20", "--note", "hello", "--key", "k"], 0, "done before: +20"),
        (&["user", "grant", "alice", "21", "--note", "hello", "--key", "k"], 1, "was used for another grant"),
        (&["user", "grant", "alice", "-5", "--note", "back"], 0, "granted -5 for alice, balance 15"),
        (&["user", "grant", "alice", "0", "--note", "none"], 2, "units is 0"),
        (&["user", "grant", "alice", "1", "--note", "x", "--expires-at", "soon"], 2, "RFC 3339"),
        (&["user", "show", "alice"], 0, "15 pictures available"),
        (&["token", "create", "pipe", "--scopes", "read,write"], 2, "read, spend, sell, admin"),
        (&["token", "revoke", "tok_1"], 1, "There is no token"),
        (&["event", "show", "evt_1"], 1, "There is no event"),
        (&["event", "replay", "evt_1"], 2, "SPRITE_STRIPE_SECRET_KEY: it is not set"),
    ];
    for (line, code, says) in rows {
        till.check(line, code, says);
    }
    let wrong = [("SPRITE_LISTEN", "x"), ("SPRITE_SIGNUP", "maybe"), ("SPRITE_STRIPE_SECRET_KEY", "pk_test_1")];
    let output = till.command(&["serve"]).envs(wrong).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let all = ["SPRITE_LISTEN is", "SPRITE_SIGNUP is", "SPRITE_STRIPE_SECRET_KEY is"];
    assert!(output.status.code() == Some(2) && all.iter().all(|fault| said.contains(fault)), "{said}");
    let live = [("SPRITE_STRIPE_SECRET_KEY", "sk_live_1")];
    assert_eq!(till.command(&["sandbox"]).envs(live).output().unwrap().status.code(), Some(2));
}

#[test]
fn json_has_the_shapes_of_the_api() {
    let till = Books::new();
    till.text(&["user", "add", "alice", "--database", &till.0.database("till.db")]);
    let entry = till.json(&["user", "grant", "alice", "7", "--note", "n", "--key", "k", "--json"]);
    let expected = ["balance_after", "created_at", "delta", "id", "kind", "note", "reason", "user_id"];
    assert_eq!((keys(&entry), &entry["reason"]), (expected.to_vec(), &Value::from("grant_k")));

    let user = till.json(&["user", "show", "alice", "--json"]);
    let listed = till.json(&["user", "list", "--json"])["data"][0].clone();
    assert_eq!(keys(&listed), ["created_at", "email", "features", "id", "name", "plan", "subscription", "units"]);
    // Everything else is beside it.
    assert!(listed.as_object().unwrap().iter().all(|(key, value)| user[key] == *value), "{user}");
    assert_eq!(user["left_by_origin"], serde_json::json!({"subscriptions": 0, "topups": 0, "gifts": 7}));
    assert_eq!((&user["lots"][0]["left"], &user["lots"][0]["paid"]), (&7.into(), &Value::Null));
    assert_eq!((&user["entries"][0], user["entries"].as_array().unwrap().len()), (&entry, 1));
    for empty in ["payments", "subscriptions", "holds", "tokens", "sessions"] {
        assert_eq!(user[empty], serde_json::json!([]), "{empty}");
    }
    assert_eq!(
        user["units"],
        serde_json::json!({"total": 7, "remaining": 7, "held": 0, "available": 7, "expiring": []})
    );
    assert_eq!(till.json(&["user", "list", "--json"]), serde_json::json!({"data": [listed], "next": null}));
    till.text(&["user", "add", "bob", "--email", "Bob@example.org"]);
    assert_eq!(till.json(&["user", "list", "--limit", "1", "--json"])["next"], "alice");
    assert_eq!(till.json(&["user", "list", "--after", "alice", "--json"])["data"][0]["id"], "bob");
    assert_eq!(till.json(&["user", "list", "--email", "bob@example.org", "--json"])["data"][0]["id"], "bob");

    let token = till.json(&["token", "create", "pipe", "--scopes", "spend,read", "--json"]);
    assert_eq!(keys(&token), ["id", "name", "scopes", "token"]);
    assert_eq!((&token["name"], &token["scopes"]), (&"pipe".into(), &serde_json::json!(["read", "spend"])));
    assert!(till.text(&["token", "create", "more", "--scopes", "admin"]).trim().starts_with("till_"));
    till.text(&["token", "revoke", token["id"].as_str().unwrap()]);
    let listed = till.text(&["token", "list", "--json"]);
    assert!(!listed.contains(token["token"].as_str().unwrap()), "a listing shows no secret");
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let revoked = listed["data"].as_array().unwrap().iter().find(|one| one["id"] == token["id"]).unwrap();
    assert!(revoked["revoked_at"].is_string() && revoked["last_used_at"].is_null());
    assert_eq!(till.json(&["event", "list", "--json"]), serde_json::json!({"data": []}));
}

#[test]
fn the_books_prove_themselves_and_tell_where_they_were_changed() {
    let till = Books::new();
    till.text(&["user", "add", "alice"]);
    for key in ["a", "b", "c"] {
        till.text(&["user", "grant", "alice", "5", "--note", "one, \"two\"", "--key", key]);
    }
    till.check(&["ledger", "verify"], 0, "The books hold");
    let head = till.text(&["ledger", "head"]);
    let shape = till.json(&["ledger", "head", "--json"]);
    assert!(head.starts_with("till-head-1 number=1 accounts=1 entries=3 digest="), "{head}");
    assert_eq!((&shape["number"], &shape["entries"]), (&2.into(), &3.into()));
    assert!(head.contains(shape["digest"].as_str().unwrap()), "nothing has changed");
    till.check(&["ledger", "verify", "--anchor", &head], 0, "What the anchor 1 covers is as it was: entries 3");
    till.check(&["ledger", "verify", "--anchor", "x"], 2, "a line of till ledger head was expected");
    let later = head.replace("number=1", "number=9");
    till.check(&["ledger", "verify", "--anchor", &later], 1, "the books: the anchor 9 is not known");
    till.text(&["ledger", "export", "--output", "books.csv"]);
    let csv = till.text(&["ledger", "export", "--user", "alice"]);
    assert_eq!(std::fs::read_to_string(till.path("books.csv")).unwrap(), csv);
    assert_eq!(proven_by_itself(&csv), 3);

    till.sql("UPDATE books SET note = 'another' WHERE seq = 2");
    till.check(&["ledger", "verify"], 1, "account 1, ent_1_2: ");
    let output = till.run(&["ledger", "verify", "--json"]);
    let proof: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &proof["holds"]), (Some(1), &Value::Bool(false)));
    let breaks = proof["breaks"].as_array().unwrap();
    assert!(breaks.iter().any(|broken| broken["entry"] == "ent_1_2"), "{proof}");
}

/// Walks an export with nothing but SHA-256 and the documented form; answers how many entries follow one another.
fn proven_by_itself(csv: &str) -> usize {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let headings = reader.headers().unwrap().clone();
    let mut before = "0".repeat(64);
    let mut count = 0;
    for row in reader.records() {
        let row = row.unwrap();
        let cell = |name: &str| row.get(headings.iter().position(|heading| heading == name).unwrap()).unwrap();
        let millis = |name: &str| parse_rfc3339(cell(name)).map(|at| at.millis().to_string()).unwrap_or_default();
        assert_eq!(cell("previous"), before);
        // The note is in the hash by its digest, which the file proves too.
        if !cell("note").is_empty() {
            let (salt, note) = (cell("note_salt"), cell("note"));
            let form = format!("11:till-note-1,32:{salt},{}:{note},", note.len());
            assert_eq!(cell("note_digest"), id::hex(&Sha256::digest(form)));
        }
        let columns = ["account", "seq", "kind", "delta", "balance_after", "reason", "note_digest", "lot"];
        let mut fields = vec!["till-entry-1".to_owned()];
        fields.extend(columns.map(|name| cell(name).to_owned()));
        fields.extend([millis("expires_at"), millis("created_at"), before]);
        let netstring =
            |field: &String| if field.is_empty() { "-,".into() } else { format!("{}:{field},", field.len()) };
        before = id::hex(&Sha256::digest(fields.iter().map(netstring).collect::<String>()));
        assert_eq!(cell("hash"), before);
        count += 1;
    }
    count
}

#[test]
fn an_event_is_rehearsed_and_replayed() {
    let till = Books::new();
    till.text(&["user", "add", "bob"]);
    let body = r#"{"id":"evt_1","object":"event","type":"checkout.session.completed","created":1790000000,"livemode":false,
        "data":{"object":{"id":"cs_test_1","object":"checkout.session","mode":"payment","status":"complete",
        "payment_status":"paid","payment_intent":"pi_1","amount_subtotal":900,"amount_total":900,"currency":"usd",
        "livemode":false,"line_items":{"data":[{"id":"li_1","price":{"id":"price_topup_100"},"quantity":1}],"has_more":false},
        "metadata":{"user_id":"alice","plan":"topup_100"}}}}"#;
    till.sql(&format!(
        "INSERT INTO events (id, kind, livemode, object, body, created_at, received_at, status, detail, attempts,
         decided_at) VALUES ('evt_1', 'checkout.session.completed', 0, 'cs_test_1', '{body}', 1, 2, 'unmatched', 'x', 1, 2)"
    ));
    let replay = |more: &[&str], code: i32, says: &str| {
        let mut command = till.command(&[&["event", "replay", "evt_1"], more].concat());
        let output = command.env("SPRITE_STRIPE_SECRET_KEY", "sk_test_1").output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.code() == Some(code) && said.contains(says), "{code}, {says:?}: {said}");
    };
    replay(&[], 1, "evt_1: unmatched");
    till.text(&["user", "add", "alice"]);
    let change = "  topup: alice +100, balance 100 (topup_pi_1)\n";
    replay(&["--dry-run"], 0, &format!("evt_1 would be applied (100 units for alice)\n{change}"));
    assert_eq!(till.json(&["user", "show", "alice", "--json"])["units"]["total"], 0);
    replay(&[], 0, &format!("evt_1: applied (100 units for alice)\n{change}"));
    replay(&["--json"], 0, "\"status\":\"applied\",\"detail\":\"credited before\",\"waits_for\":null,\"changes\":[]");
    assert_eq!(till.json(&["user", "show", "alice", "--json"])["units"]["total"], 100);

    let event = till.json(&["event", "show", "evt_1", "--json"]);
    assert_eq!((&event["attempts"], &event["body"]["data"]["object"]["id"]), (&4.into(), &"cs_test_1".into()));
    till.check(&["event", "show", "evt_1"], 0, "\"payment_intent\": \"pi_1\"");
    assert_eq!(till.json(&["event", "list", "--status", "applied", "--json"])["data"][0]["id"], "evt_1");
    till.check(&["event", "list", "--status", "waiting"], 0, "ARRIVED");
    // Once what Stripe sent is no longer kept, it says so.
    till.sql("UPDATE events SET body = NULL");
    replay(&[], 1, "The event evt_1 cannot be read again: it was applied (credited before), and what");
    assert!(till.json(&["event", "show", "evt_1", "--json"])["body"].is_null());
    till.check(&["event", "show", "evt_1"], 0, "no longer kept");
}

/// A command that runs until it is told to stop.
struct Service(Child);

impl Service {
    fn start(mut command: Command) -> Service {
        Service(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// Reads lines up to the first that holds `awaited`.
    fn lines_until(output: impl Read, awaited: &str) -> Vec<String> {
        let mut lines = vec![];
        for line in BufReader::new(output).lines().map(Result::unwrap) {
            let is_last = line.contains(awaited);
            lines.push(line);
            if is_last {
                return lines;
            }
        }
        panic!("the output ended without {awaited:?}: {lines:#?}");
    }

    /// Sends a signal and answers the exit status.
    fn stop(mut self, signal: &str) -> Option<i32> {
        assert!(Command::new("kill").args([signal, &self.0.id().to_string()]).status().unwrap().success());
        self.0.wait().unwrap().code()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ended = self.0.kill();
    }
}

#[test]
fn serve_holds_its_database_alone_logs_events_and_ends_in_order() {
    if is_about_sqlite("one appliance alone") {
        return;
    }
    let till = Books::new();
    let serve = || {
        let mut command = till.command(&["serve", "--listen", "127.0.0.1:0"]);
        let known = [("SPRITE_STRIPE_SECRET_KEY", "sk_test_1"), ("SPRITE_STRIPE_WEBHOOK_SECRET", "whsec_1")];
        command.envs(known).env("SPRITE_TYPO", "1");
        command
    };
    let mut service = Service::start(serve());
    let log = Service::lines_until(service.0.stderr.take().unwrap(), r#""event":"ready""#);
    let log: Vec<Value> = log.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let count = |event: &str| log.iter().filter(|line| line["event"] == event).count();
    assert_eq!((count("price_missing"), count("configuration_warning")), (4, 1), "{log:#?}");
    let url = log.last().unwrap()["url"].as_str().unwrap();
    assert!(url.starts_with("http://127.0.0.1:") && !url.ends_with(":0"), "{url}");

    let second = serve().output().unwrap();
    let said = String::from_utf8(second.stderr).unwrap();
    let holder = format!("till serve, process {}", service.0.id());
    assert!(second.status.code() == Some(1) && said.contains(&holder), "{said}");
    till.text(&["token", "create", "beside", "--scopes", "read"]);
    assert_eq!(service.stop("-TERM"), Some(0));

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = till.command(&["serve", "--listen", &taken.local_addr().unwrap().to_string()]);
    command.envs([("SPRITE_STRIPE_SECRET_KEY", "sk_test_1"), ("SPRITE_STRIPE_WEBHOOK_SECRET", "whsec_1")]);
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && said.contains("another program does already"), "{said}");
}

#[test]
fn a_demonstration_starts_alone_and_leaves_nothing_or_goes_on_where_it_was() {
    let till = Books::new();
    let demo = |more: &[&str]| {
        let mut command = till.command(&[&["demo", "--listen", "127.0.0.1:0"], more].concat());
        // None of these counts.
        command.envs([
            ("SPRITE_DATABASE", "till.db"),
            ("SPRITE_STRIPE_SECRET_KEY", "sk_live_1"),
            ("SPRITE_SIGNUP", "x"),
        ]);
        let mut service = Service::start(command);
        let lines = Service::lines_until(service.0.stdout.take().unwrap(), "Ctrl-C");
        (service, lines.join("\n"))
    };
    let folders = || std::fs::read_dir(till.path("")).unwrap().count();
    let (service, said) = demo(&[]);
    for part in ["/login?token=", "/dashboard", "4242 4242 4242 4242", "TOKEN=till_", "/v1/users/demo"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!((folders(), service.stop("-INT"), folders()), (1, Some(0), 0));

    for _ in 0..2 {
        let (service, _) = demo(&["--dir", "kept"]);
        let user = till.json(&["user", "show", "demo", "--json", "--database", "kept/demo.db"]);
        assert_eq!((&user["name"], &user["units"]["total"]), (&"Ada Example".into(), &12.into()));
        assert_eq!(service.stop("-TERM"), Some(0));
    }
    till.check(&["ledger", "verify", "--database", "kept/demo.db"], 0, "The books hold");
    let tokens = till.json(&["token", "list", "--json", "--database", "kept/demo.db"]);
    let live = tokens["data"].as_array().unwrap().iter().filter(|token| token["revoked_at"].is_null()).count();
    assert_eq!(live, 1, "each run has its own token");
}
