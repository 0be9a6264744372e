//! Which certificates of an `https` endpoint the stand-in trusts: those of `SSL_CERT_FILE` too, as till's own calls do.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::harness::python::run;
use crate::harness::{Client, Folder, eventually, left_out, process};

/// An endpoint that takes everything; prints its port.
const ENDPOINT: &str = "
import http.server, ssl, sys
class Endpoint(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers['content-length']))
        self.send_response(200)
        self.send_header('content-length', '0')
        self.end_headers()
    def log_message(self, *words):
        pass
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Endpoint)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain('leaf.pem', 'leaf.key')
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
";

/// A process that ends with the test.
struct Helper(Child);

impl Helper {
    /// Starts it, and reads what it prints up to the line with these words.
    fn start(command: &mut Command, words: &str) -> (Helper, String) {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.map(Result::unwrap).find(|line| line.contains(words)).unwrap();
        (Helper(child), line)
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _status = self.0.wait();
    }
}

/// An authority, `ca.pem`, and a certificate of its for this machine.
fn certificates(folder: &Path) -> Result<(), String> {
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout"];
    std::fs::write(folder.join("names"), "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n").unwrap();
    let lines: [Vec<&str>; 3] = [
        [&["req", "-x509"][..], &key, &["ca.key", "-out", "ca.pem", "-subj", "/CN=an authority", "-days", "2"]]
            .concat(),
        [&["req"][..], &key, &["leaf.key", "-out", "leaf.csr", "-subj", "/CN=an endpoint"]].concat(),
        "x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out leaf.pem"
            .split(' ')
            .collect(),
    ];
    lines.iter().try_for_each(|line| run(Command::new("openssl").args(line).current_dir(folder)).map(drop))
}

#[test]
fn an_endpoint_is_trusted_by_the_authority_that_ssl_cert_file_names() {
    let folder = Folder::new();
    if let Err(why) = certificates(&folder.path("")) {
        return left_out(&format!("the stand-in's trust: no certificates can be made here ({})", why.trim()));
    }
    let mut endpoint = Command::new("python3");
    endpoint.args(["-c", ENDPOINT]).current_dir(folder.path(""));
    let (_endpoint, port) = Helper::start(&mut endpoint, "");
    for (trusts, expected) in [(true, "delivered"), (false, "waiting")] {
        let mut stand_in = Command::new(process::binary());
        stand_in.args(["sandbox", "--listen", "127.0.0.1:0"]).current_dir(folder.path("")).env_clear();
        if trusts {
            stand_in.env("SSL_CERT_FILE", "ca.pem");
        }
        let (_stand_in, line) = Helper::start(&mut stand_in, "http://");
        let url = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
        let api = Client::new(url, &[("authorization", "Bearer sk_test_1")]);
        let form = |path: &str, body: String| {
            let headers = [("content-type", "application/x-www-form-urlencoded")];
            api.send("POST", path, &headers, body.as_bytes()).must(200)
        };
        let address = format!("https%3A%2F%2F127.0.0.1%3A{}%2Fhook", port.trim());
        form("/v1/webhook_endpoints", format!("url={address}&enabled_events[]=*"));
        form("/v1/products", "name=A+product".to_owned());
        let delivery = eventually("the attempt", || {
            let state = Client::browser(url).get("/control/state").must(200).json();
            state["deliveries"].as_array()?.iter().find(|row| !row["last"].is_null()).cloned()
        });
        assert_eq!(delivery["progress"], expected, "{delivery}");
    }
}
