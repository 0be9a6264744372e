//! The page `docs/migrate.md`, command by command in its order, on a machine that is a folder: `docker`, `systemctl` and `chown` are
//! small stand-ins there, the earlier backend is somebody who takes Stripe's webhooks at the public name until it is stopped, and
//! everything of till's is the real program against the stand-in for Stripe.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use serde_json::Value;
use till::clock::Clock;
use till::sandbox::{self, Endpoint, Options, Sandbox, SeedPrice};
use till::secret::Secret;

use crate::harness::executable::write_script;
use crate::harness::shop::{GOOD_CARD, WEBHOOK_SECRET};
use crate::harness::webhook::now;
use crate::harness::{Client, Folder, eventually, is_about_a_file, process};

const PAGE: &str = include_str!("../../../docs/migrate.md");

const DOCKER: &str = r#"#!/bin/sh
case "$*" in
"compose stop app")
    touch "$MACHINE/stopped"
    until [ -e "$MACHINE/gone" ]; do sleep 0.01; done ;;
"compose start app") touch "$MACHINE/started" ;;
*"TO STDOUT WITH CSV HEADER"*) cat "$MACHINE/users.csv" ;;
*"FROM STDIN WITH CSV HEADER"*"INSERT INTO users"*) cat > "$MACHINE/came-back.csv" ;;
*) echo "docker $*: not expected" >&2; exit 1 ;;
esac
"#;

const SYSTEMCTL: &str = r#"#!/bin/sh
case "$*" in
"enable --now till.socket till.service")
    env -i PATH="$PATH" STATE_DIRECTORY="$MACHINE/var/lib/till" MACHINE="$MACHINE" \
        sh -c 'set -a; . "$MACHINE/etc/till/till.env"; set +a; exec till serve' > "$MACHINE/log" 2>&1 < /dev/null &
    echo $! > "$MACHINE/pid"
    until grep -q '"event":"ready"' "$MACHINE/log"; do kill -0 "$(cat "$MACHINE/pid")" || exit 1; sleep 0.01; done ;;
"disable --now till.socket till.service")
    kill -TERM "$(cat "$MACHINE/pid")"
    until grep -q '"event":"stopped"' "$MACHINE/log"; do sleep 0.01; done
    rm "$MACHINE/pid" ;;
"reload nginx") ;;
*) echo "systemctl $*: not expected" >&2; exit 1 ;;
esac
"#;

/// The machine of the container.
struct Machine {
    folder: Folder,
}

impl Machine {
    fn new(env: &str, users: &str) -> Machine {
        let machine = Machine { folder: Folder::new() };
        for place in ["bin", "srv/pay", "etc/till", "etc/nginx/sites-available", "root", "var/lib/till"] {
            fs::create_dir_all(machine.path(place)).unwrap();
        }
        symlink(process::binary(), machine.path("bin/till")).unwrap();
        for (name, text) in [("docker", DOCKER), ("systemctl", SYSTEMCTL), ("chown", "#!/bin/sh\n")] {
            write_script(&machine.path(&format!("bin/{name}")), text);
        }
        fs::write(machine.path("srv/pay/.env"), env).unwrap();
        fs::write(machine.path("users.csv"), users).unwrap();
        fs::write(machine.path("etc/nginx/sites-available/pay"), "proxy_pass http://127.0.0.1:3000;\n").unwrap();
        fs::write(machine.path("state"), "").unwrap();
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Runs a block of the page in one shell that goes on with the next block, and stops at the first command that fails.
    fn run(&self, block: &str) -> String {
        let root = self.path("");
        let root = root.to_str().unwrap().trim_end_matches('/');
        let places = ["/srv/pay", "/etc/till", "/etc/nginx", "/var/lib/till", "/root/"];
        let here = places.iter().fold(block.to_owned(), |text, place| text.replace(place, &format!("{root}{place}")));
        let keep = format!("{{ export -p; printf 'cd %q\\n' \"$PWD\"; }} > '{root}/state'");
        let script = format!("set -euo pipefail; . '{root}/state'; set -x\n{here}\nset +x; {keep}");
        let path = std::env::var("PATH").unwrap();
        let mut bash = Command::new("bash");
        bash.args(["-c", &script]).env_clear().env("PATH", format!("{root}/bin:{path}")).env("MACHINE", root);
        let output = bash.stdin(Stdio::null()).output().unwrap();
        let said = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
        assert!(output.status.success(), "{said}");
        said
    }

    /// The configuration that the page made.
    fn variables(&self) -> BTreeMap<String, String> {
        let text = self.read("etc/till/till.env");
        let lines = text.lines().filter_map(|line| line.split_once('='));
        let mut variables: BTreeMap<String, String> =
            lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        variables.insert("SPRITE_DATABASE".to_owned(), self.path("var/lib/till/till.db").display().to_string());
        variables
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Ok(pid) = fs::read_to_string(self.path("pid")) {
            let _ended_already = Command::new("kill").args(["-KILL", pid.trim()]).output();
        }
    }
}

/// Takes Stripe's webhooks at the public name until its container is stopped.
fn earlier_backend(listener: TcpListener, machine: &Path) {
    listener.set_nonblocking(true).unwrap();
    while !machine.join("stopped").exists() {
        let Ok((mut stream, _)) = listener.accept() else {
            thread::yield_now();
            continue;
        };
        stream.set_nonblocking(false).unwrap();
        let mut bytes = [0; 65_536];
        let _all_of_it = stream.read(&mut bytes).unwrap();
        let _gone = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}");
    }
    drop(listener);
    fs::write(machine.join("gone"), "").unwrap();
}

fn stand_in(public: &str) -> Sandbox {
    let price = |key: &str, unit_amount, recurring| SeedPrice {
        id: format!("price_{key}"),
        product_name: key.to_owned(),
        unit_amount,
        currency: "usd".to_owned(),
        recurring,
    };
    let prices = vec![
        price("topup_100", 900, None),
        price("topup_250", 2_000, None),
        price("starter", 900, Some("month")),
        price("pro", 2_900, Some("month")),
    ];
    let endpoint = Endpoint { url: format!("{public}/billing/webhook"), secret: Secret::new(WEBHOOK_SECRET) };
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    sandbox::start(Options { listen, public_url: None, endpoint: Some(endpoint), prices, clock: Clock::System })
        .unwrap()
}

/// A checkout as the earlier backend began it: the address of its page.
fn begun_earlier(at_stripe: &Client, customer: &str) -> String {
    let form = [
        ("mode", "payment"),
        ("customer", customer),
        ("success_url", "https://pay.example.com/billing/return"),
        ("line_items[0][price]", "price_topup_100"),
        ("line_items[0][quantity]", "1"),
        ("metadata[user_id]", "alice"),
        ("metadata[plan]", "topup_100"),
    ];
    let made = at_stripe.post_form("/v1/checkout/sessions", &form).must(200).json();
    made["url"].as_str().unwrap().to_owned()
}

fn env(public: &str, stripe: &str) -> String {
    let listen = public.trim_start_matches("http://");
    let prices = ["TOPUP_100", "TOPUP_250", "STARTER", "PRO"]
        .map(|key| format!("SPRITE_STRIPE_{key}_PRICE_ID=price_{}\n", key.to_lowercase()))
        .concat();
    format!(
        "SPRITE_BASE_URL={public}\nSPRITE_LISTEN={listen}\nSPRITE_STRIPE_SECRET_KEY=sk_test_stories\n\
         SPRITE_STRIPE_WEBHOOK_SECRET={WEBHOOK_SECRET}\nSPRITE_STRIPE_API_BASE={stripe}\n\
         SPRITE_SESSION_KEY=of_the_container\nSPRITE_LOG_FORMAT=json\n{prices}"
    )
}

#[test]
fn the_page_moves_a_deployment_and_back_and_what_was_under_way_is_credited_once() {
    if is_about_a_file() {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let public = format!("http://{}", listener.local_addr().unwrap());
    let stripe = stand_in(&public);
    let at_stripe = Client::new(&stripe.url(), &[("authorization", "Bearer sk_test_stories")]);
    let customer = at_stripe.post_form("/v1/customers", &[("metadata[user_id]", "alice")]).must(200).json();
    let customer = customer["id"].as_str().unwrap();
    let (early, late) = (begun_earlier(&at_stripe, customer), begun_earlier(&at_stripe, customer));
    let pays = |checkout: &str| {
        Client::browser(&stripe.url()).post_form(checkout, &[("card", GOOD_CARD)]).must(303);
    };
    let header = "id,email,name,units_total,units_remaining,plan,stripe_customer_id";
    let rows = format!("alice,alice@example.org,Alice,300,140,,{customer}\nbert,,\"Bert, the second\",20,7,,\n");
    let machine = Machine::new(&env(&public, &stripe.url()), &format!("{header}\n{rows}"));
    let folder = machine.path("");
    let backend = thread::spawn(move || earlier_backend(listener, &folder));
    // Nobody pays in the second in which a checkout begins.
    let begun = now().seconds();
    eventually("the next second", || (now().seconds() > begun).then_some(()));
    pays(&early);

    let blocks: Vec<&str> = PAGE.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    let [configure, practise, switch, back] = blocks.as_slice() else { panic!("{} blocks", blocks.len()) };
    let configured = machine.run(configure);
    assert!(configured.contains("SPRITE_SESSION_KEY") && configured.contains("warning"), "{configured}");
    machine.run(practise);
    let made = fs::read_dir(machine.path("var/lib/till")).unwrap().count();
    let switched = machine.run(switch);
    backend.join().unwrap();
    assert!(machine.read("etc/nginx/sites-available/pay").contains(":8080"), "{switched}");

    // Paid before: in the balance. Paid after: credited by its metadata.
    let mut variables = machine.variables();
    let remaining = |user: &str| {
        let shown = process::run(&variables, &["user", "show", user, "--json"]);
        let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
        shown["units"]["remaining"].as_i64().unwrap()
    };
    assert_eq!((remaining("alice"), remaining("bert")), (140, 7), "{made} files were made for practice");
    pays(&late);
    eventually("what was under way", || (remaining("alice") == 240).then_some(()));
    for arguments in [&["reconcile"][..], &["ledger", "verify"], &["user", "grant", "bert", "-2", "--note", "used"]] {
        let done = process::run(&variables, arguments);
        assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    }
    assert_eq!(remaining("alice"), 240, "once");

    machine.run(back);
    let came_back = machine.read("came-back.csv");
    assert!(machine.path("started").exists() && machine.read("etc/nginx/sites-available/pay").contains(":3000"));
    let expected = format!(
        "{header}\nalice,alice@example.org,Alice,240,240,free,{customer}\nbert,,\"Bert, the second\",7,5,free,\n"
    );
    assert_eq!(came_back, expected);
    // And forth again, into other books.
    variables.insert("SPRITE_DATABASE".to_owned(), machine.path("other.db").display().to_string());
    let file = machine.path("came-back.csv");
    let again = process::run(&variables, &["import", file.to_str().unwrap()]);
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    let shown = String::from_utf8(process::run(&variables, &["user", "list", "--csv"]).stdout).unwrap();
    assert!(shown.contains("\nbert,,\"Bert, the second\",5,5,free,\n"), "{shown}");
}
