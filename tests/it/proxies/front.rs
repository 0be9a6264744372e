//! A proxy of Debian's in front of till, with a copy of the example that an operator copies: only the name, the addresses and the
//! certificate are its own.

use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::harness::debian::program;
use crate::harness::port::free_port;
use crate::harness::python::run;
use crate::harness::{Folder, eventually, left_out};

/// Which proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Nginx,
    Caddy,
}

/// Both of them.
pub const KINDS: [Kind; 2] = [Kind::Nginx, Kind::Caddy];

impl Kind {
    /// The example.
    pub fn example(self) -> &'static str {
        match self {
            Kind::Nginx => include_str!("../../../systemd/nginx.conf"),
            Kind::Caddy => include_str!("../../../systemd/Caddyfile"),
        }
    }

    fn program(self) -> Option<PathBuf> {
        match self {
            Kind::Nginx => program("nginx", "usr/sbin/nginx", "till behind nginx"),
            Kind::Caddy => program("caddy", "usr/bin/caddy", "till behind Caddy"),
        }
    }
}

/// A running proxy.
pub struct Front {
    child: Child,
    folder: Folder,
    pub kind: Kind,
    /// Its port of TLS, at which it is `https://127.0.0.1`.
    pub port: u16,
    plain: u16,
}

/// What curl was answered.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    /// With the names in lower case.
    pub headers: String,
    pub body: String,
}

impl Front {
    /// Starts it before till's address, or `unix:` and its socket's path, with an example that `edit` may change. None where there is no such proxy.
    pub fn start(kind: Kind, upstream: &str, edit: impl Fn(String) -> String) -> Option<Front> {
        let program = kind.program()?;
        let folder = Folder::new();
        if let Err(reason) = certificate(&folder) {
            left_out(&format!("till behind {kind:?}: no certificate could be made ({})", reason.trim()));
            return None;
        }
        let (port, plain) = (free_port(), free_port());
        let example = edit(kind.example().to_owned());
        let config = match kind {
            Kind::Nginx => nginx(&folder, &example, upstream, (port, plain)),
            Kind::Caddy => caddy(&folder, &example, upstream, (port, plain)),
        };
        let path = folder.path("config");
        fs::write(&path, config).unwrap();
        let log = fs::File::create(folder.path("log")).unwrap();
        let mut command = Command::new(program);
        match kind {
            Kind::Nginx => command.arg("-p").arg(folder.path("")).arg("-e").arg("stderr").arg("-c").arg(&path),
            Kind::Caddy => command.args(["run", "--adapter", "caddyfile", "--config"]).arg(&path),
        };
        for name in ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"] {
            command.env(name, folder.path(""));
        }
        let child = command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let mut front = Front { child, folder, kind, port, plain };
        eventually("the proxy", || {
            let ended = front.child.try_wait().unwrap();
            assert!(ended.is_none(), "{kind:?}: {}", fs::read_to_string(front.folder.path("log")).unwrap());
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        Some(front)
    }

    /// What browsers see.
    pub fn origin(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// The same without TLS.
    pub fn plain_origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.plain)
    }

    /// A path in the proxy's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path(name)
    }

    /// Asks with curl, which trusts the certificate, from 127.0.0.`last`.
    pub fn ask(&self, last: u8, path: &str, more: &[&str]) -> Reply {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "-i", "-m", "30", "--interface", &format!("127.0.0.{last}"), "--cacert"]);
        curl.arg(self.path("certificate.pem")).args(more).arg(format!("{}{path}", self.origin()));
        let answer = run(&mut curl).unwrap_or_else(|said| panic!("{:?} {path}: {said}", self.kind));
        // What goes before, as `100 Continue`, is no answer.
        let mut rest = answer.as_str();
        loop {
            let (headers, body) = rest.split_once("\r\n\r\n").unwrap_or((rest, ""));
            let status = headers.split(' ').nth(1).unwrap_or_default().parse().unwrap();
            if status != 100 {
                return Reply { status, headers: headers.to_ascii_lowercase(), body: body.to_owned() };
            }
            rest = body;
        }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        // Asked to end, so that nginx ends its workers.
        let asked = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        if !asked.is_ok_and(|status| status.success()) {
            let _ended = self.child.kill();
        }
        let _status = self.child.wait();
    }
}

fn certificate(folder: &Folder) -> Result<(), String> {
    let arguments = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out certificate.pem \
                     -subj /CN=pay.example.com -days 2 -addext subjectAltName=IP:127.0.0.1";
    run(Command::new("openssl").args(arguments.split_whitespace()).current_dir(folder.path(""))).map(drop)
}

/// Each of these words must be in the example, and is replaced.
pub fn replaced(example: &str, words: &[(&str, String)]) -> String {
    words.iter().fold(example.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from} is not in the example");
        text.replace(from, to)
    })
}

fn nginx(folder: &Folder, example: &str, upstream: &str, (port, plain): (u16, u16)) -> String {
    let at = |name: &str| folder.path(name).display().to_string();
    let (port_of_till, socket_of_till) = ("server 127.0.0.1:8080;", "#server unix:/run/till.sock;");
    let (used, left) =
        if upstream.starts_with("unix:") { (socket_of_till, port_of_till) } else { (port_of_till, socket_of_till) };
    let site = replaced(
        example,
        &[
            ("listen [::]:80;", String::new()),
            ("listen [::]:443 ssl http2;", String::new()),
            ("listen 80;", format!("listen 127.0.0.1:{plain};")),
            ("listen 443 ", format!("listen 127.0.0.1:{port} ")),
            (left, String::new()),
            (used, format!("server {upstream};")),
            ("/etc/letsencrypt/live/pay.example.com/fullchain.pem", at("certificate.pem")),
            ("/etc/letsencrypt/live/pay.example.com/privkey.pem", at("key.pem")),
        ],
    );
    let places: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|name| format!("{name}_temp_path {};\n", at(&format!("{name}_temp"))))
        .collect();
    let user = if is_root() { "user root;\n" } else { "" };
    let log = at("access.log");
    format!(
        "daemon off;\nworker_processes 1;\n{user}pid {};\nerror_log stderr;\nevents {{}}\nhttp {{\n{places}access_log {log};\n\
         {site}}}\n",
        at("pid")
    )
}

/// Whether this process may give nginx's workers another user.
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

fn caddy(folder: &Folder, example: &str, upstream: &str, (port, plain): (u16, u16)) -> String {
    let at = |name: &str| folder.path(name).display().to_string();
    let (certificate, key) = (at("certificate.pem"), at("key.pem"));
    assert!(example.contains("write unix//run/till.sock instead of the address"), "how the socket is named");
    // It writes a slash where others write a colon.
    let upstream = upstream.replace("unix:", "unix/");
    replaced(
        example,
        &[
            ("\n{\n", format!("\n{{\n\tadmin off\n\tskip_install_trust\n\thttp_port {plain}\n\thttps_port {port}\n")),
            ("\npay.example.com {", format!("\nhttps://127.0.0.1:{port} {{\n\ttls {certificate} {key}\n")),
            ("reverse_proxy 127.0.0.1:8080", format!("reverse_proxy {upstream}")),
        ],
    )
}
