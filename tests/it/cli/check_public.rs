//! What `till check` says of the way from the world to here: the certificate of the public URL, and whether the proxy names
//! its clients, as a signed probe through it arrived.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::harness::python::run;
use crate::harness::{Client, Folder, Shop, left_out, process, shop, webhook};

/// A proxy with TLS: what it does with X-Forwarded-For is its first argument, the certificate the second, and the port behind
/// it the third. Prints its own port.
const PROXY: &str = "
import http.client, http.server, ssl, sys
way, certificate, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
class Proxy(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers['content-length']))
        headers = {name: value for name, value in self.headers.items() if name.lower() != 'connection'}
        came = self.headers.get('x-forwarded-for')
        headers = {name: value for name, value in headers.items() if name.lower() != 'x-forwarded-for'}
        headers['X-Forwarded-Proto'] = 'https'
        if way == 'sets': headers['X-Forwarded-For'] = '198.51.100.7'
        if way == 'adds': headers['X-Forwarded-For'] = (came + ', ' if came else '') + '198.51.100.7'
        if way == 'passes' and came: headers['X-Forwarded-For'] = came
        behind = http.client.HTTPConnection('127.0.0.1', port)
        behind.request('POST', self.path, body, headers)
        answer = behind.getresponse()
        text = answer.read()
        self.send_response(answer.status)
        self.send_header('content-length', str(len(text)))
        self.end_headers()
        self.wfile.write(text)
    def log_message(self, *words):
        pass
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Proxy)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate + '.pem', certificate + '.key')
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
";

struct Proxy {
    child: Child,
    url: String,
}

impl Proxy {
    fn start(folder: &Path, way: &str, certificate: &str, shop: &Shop) -> Proxy {
        let port = shop.till.url.rsplit(':').next().unwrap();
        let mut command = Command::new("python3");
        command.args(["-c", PROXY, way, certificate, port]).current_dir(folder);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Proxy { child, url: format!("https://localhost:{}", line.trim()) }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

/// An authority, `ca.pem`, and certificates of its: for how many days, and for which name.
fn certificates(folder: &Path) -> Result<(), String> {
    let openssl = |line: &str| run(Command::new("openssl").args(line.split(' ')).current_dir(folder)).map(drop);
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout";
    openssl(&format!("req -x509 {key} ca.key -out ca.pem -subj /CN=an-authority -days 90"))?;
    for (name, days, host) in [("good", 60, "localhost"), ("short", 5, "localhost"), ("other", 60, "shop.example.org")]
    {
        std::fs::write(folder.join("names"), format!("subjectAltName=DNS:{host}\nbasicConstraints=CA:FALSE\n"))
            .unwrap();
        openssl(&format!("req {key} {name}.key -out {name}.csr -subj /CN=a-shop"))?;
        openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days {days} -extfile names -out {name}.pem"
        ))?;
    }
    Ok(())
}

/// What `till check` finds with this public URL: the severity and the words by the name.
fn checked(shop: &Shop, more: &[(&str, &str)]) -> BTreeMap<String, (String, String)> {
    let mut variables = shop.variables().clone();
    variables.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let output = process::run(&variables, &["check", "--json"]);
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |row: &Value, field: &str| row[field].as_str().unwrap().to_owned();
    let row = |row: &Value| (text(row, "what"), (text(row, "severity"), text(row, "detail")));
    found["data"].as_array().unwrap().iter().map(row).collect()
}

#[track_caller]
fn says(found: &BTreeMap<String, (String, String)>, what: &str, severity: &str, words: &str) {
    let (said, detail) = found.get(what).unwrap_or_else(|| panic!("no {what:?} in {found:?}"));
    assert!(said == severity && detail.contains(words), "{what}: {said} {detail}");
}

#[test]
fn a_proxy_that_hides_its_clients_or_lets_them_lie_falls_short_and_so_does_its_certificate() {
    let folder = Folder::new();
    let place = folder.path("");
    if let Err(why) = certificates(&place) {
        return left_out(&format!("certificates of a public URL: none can be made here ({})", why.trim()));
    }
    let shop = Shop::open();
    let authority = folder.path("ca.pem");
    let through = |way: &str, certificate: &str, more: &[(&str, &str)]| {
        let proxy = Proxy::start(&place, way, certificate, &shop);
        let own = [("SPRITE_BASE_URL", proxy.url.as_str()), ("SSL_CERT_FILE", authority.to_str().unwrap())];
        checked(&shop, &[&own, more].concat())
    };
    for (way, severity, words) in [
        ("sets", "ok", "the proxy at 127.0.0.1 names its client, 198.51.100.7; scheme https; host localhost"),
        ("adds", "ok", "names its client, 198.51.100.7"),
        ("passes", "failed", "anybody can claim any address"),
        ("hides", "failed", "sends no X-Forwarded-For"),
    ] {
        let found = through(way, "good", &[]);
        says(&found, "public URL", "ok", "a signed probe arrived in this database");
        says(&found, "proxy headers", severity, words);
        says(&found, "certificate", "ok", "name and chain of localhost are good, until 20");
    }
    let found = through("sets", "short", &[]);
    says(&found, "certificate", "warning", "days: see why the proxy does not renew it");
    let found = through("sets", "other", &[]);
    says(&found, "certificate", "failed", "the one of localhost is not accepted");
    assert_eq!(found["public URL"].0, "failed", "{found:?}");
    assert!(!found.contains_key("proxy headers"), "nothing is known of the headers: {found:?}");
    let strange = folder.path("good.pem");
    let found = through("sets", "good", &[("SSL_CERT_FILE", strange.to_str().unwrap())]);
    assert_ne!(found["certificate"].0, "ok", "nobody vouches for it: {found:?}");
    let nobody = checked(&shop, &[("SPRITE_BASE_URL", "https://localhost:9")]);
    says(&nobody, "certificate", "unknown", "localhost could not be looked at");
}

#[test]
fn a_loopback_address_where_nobody_answers_is_compared_with_where_serve_listens() {
    let shop = Shop::open();
    let at = |listen: &str| checked(&shop, &[("SPRITE_BASE_URL", "http://127.0.0.1:9"), ("SPRITE_LISTEN", listen)]);
    says(&at("127.0.0.1:8080"), "public URL", "failed", "till serve listens on 127.0.0.1:8080 (SPRITE_LISTEN");
    says(&at("127.0.0.1:8080"), "public URL", "failed", "SPRITE_BASE_URL says http://127.0.0.1:9:");
    says(&at("127.0.0.1:9"), "public URL", "failed", "Is till serve running?");
}

#[test]
fn a_proxy_that_is_not_trusted_is_named_and_only_a_signed_probe_learns_how_it_arrived() {
    let shop = Shop::open_with(&[("SPRITE_TRUSTED_PROXIES", "10.0.0.0/8")]);
    let found = checked(&shop, &[("SPRITE_BASE_URL", &shop.till.url)]);
    says(&found, "proxy headers", "ok", "there is no proxy");
    assert!(!found.contains_key("certificate"), "a URL without TLS has none: {found:?}");
    // Who has the secret learns it of his own request; an event of Stripe's, and one without a signature, do not.
    let send = |kind: &str| {
        let body = serde_json::json!({"id": format!("evt_{}", kind.len()), "object": "event", "type": kind, "created": webhook::now().seconds(),
            "livemode": false, "data": {"object": {"id": "x", "object": "x"}}})
        .to_string();
        let signature = webhook::signature(shop::WEBHOOK_SECRET, body.as_bytes(), webhook::now());
        let headers =
            [("stripe-signature", signature.as_str()), ("x-forwarded-for", "192.0.2.1"), ("x-forwarded-proto", "ftp")];
        let client = Client::new(&shop.till.url, &[]);
        (client.send("POST", "/billing/webhook", &headers, body.as_bytes()).must(200).json(), body)
    };
    let (answer, body) = send("till.probe");
    assert_eq!(answer["seen"]["client"], "127.0.0.1", "{answer}");
    assert_eq!(answer["seen"]["is_peer_trusted"], false, "{answer}");
    assert_eq!((&answer["seen"]["scheme"], &answer["seen"]["forwarded_for"][0]), (&"ftp".into(), &"192.0.2.1".into()));
    assert_eq!(send("product.created").0, serde_json::json!({"received": true}));
    let unsigned = Client::new(&shop.till.url, &[]).send("POST", "/billing/webhook", &[], body.as_bytes());
    assert!(unsigned.status == 400 && !unsigned.body.contains("127.0.0.1"), "{}", unsigned.body);
    let forged = webhook::signature("whsec_guessed", body.as_bytes(), webhook::now());
    let forged = Client::new(&shop.till.url, &[]).send(
        "POST",
        "/billing/webhook",
        &[("stripe-signature", &forged)],
        body.as_bytes(),
    );
    assert!(forged.status == 400 && !forged.body.contains("127.0.0.1"), "{}", forged.body);
}
