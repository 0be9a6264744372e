//! The demonstration: from another machine, with another sign-in link for each Enter; and what the documents say can be
//! tried on it.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::harness::port::free_port;
use crate::harness::{Client, Folder, left_out, process};

const HERE: &str = "http://127.0.0.1:8080";

/// `till demo`, with what it has printed so far read up to its last line.
struct Demo {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    welcome: String,
    _folder: Folder,
}

impl Demo {
    fn start(more: &[&str]) -> Demo {
        let folder = Folder::new();
        let mut command = Command::new(process::binary());
        command.arg("demo").args(more).env_clear().env("TMPDIR", folder.path(""));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut demo = Demo { child, lines, welcome: String::new(), _folder: folder };
        while !demo.welcome.contains("Ctrl-C") {
            let line = demo.next_line();
            demo.welcome.push_str(&line);
            demo.welcome.push('\n');
        }
        demo
    }

    fn next_line(&mut self) -> String {
        self.lines.next().unwrap_or_else(|| panic!("it ended:\n{}", self.welcome)).unwrap()
    }

    /// The word after these words.
    fn word_after(&self, words: &str) -> &str {
        let (_, rest) = self.welcome.split_once(words).unwrap_or_else(|| panic!("{words}: {}", self.welcome));
        rest.split_whitespace().next().unwrap()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ended = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let _status = self.child.wait();
    }
}

#[test]
fn enter_prints_another_link_and_a_base_url_makes_it_work_from_another_machine() {
    // The name of this machine's address stands for that of another machine: browsers see only the name.
    let free = free_port();
    let (listen, origin) = (format!("0.0.0.0:{free}"), format!("http://shop.test:{free}"));
    let mut demo = Demo::start(&["--listen", &listen, "--base-url", &origin]);
    assert!(demo.word_after("Dashboard ").starts_with(&origin), "{}", demo.welcome);
    let stand_in = demo.word_after("Stripe stand-in ").to_owned();
    assert!(stand_in.starts_with("http://shop.test:"), "{}", demo.welcome);
    let first = demo.word_after("Sign in as Ada ").to_owned();
    demo.child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    let mut second = demo.next_line();
    while second.trim().is_empty() {
        second = demo.next_line();
    }
    let second = second.split_whitespace().last().unwrap().to_owned();
    assert!(second != first && second.starts_with(&format!("{origin}/login?token=")), "{second}");

    // What the browser there would do, by this machine's address.
    let here = format!("http://127.0.0.1:{free}");
    let api = Client::program(&here, demo.word_after("TOKEN="));
    let bought = api.call("POST", "/v1/users/demo/checkout", &serde_json::json!({"plan": "topup_100"})).must(200);
    let checkout = bought.json()["checkout_url"].as_str().unwrap().to_owned();
    assert!(checkout.starts_with(&stand_in), "{checkout}");
    let port = stand_in.rsplit(':').next().unwrap();
    let path = checkout.strip_prefix(&stand_in).unwrap();
    let payer = Client::browser(&format!("http://127.0.0.1:{port}"));
    payer.post_form(path, &[("card", "4242 4242 4242 4242")]).must(303);
    crate::harness::eventually("the pack is credited by the webhook", || {
        let user = api.get("/v1/users/demo").must(200).json();
        (user["units"]["remaining"].as_i64().unwrap() > 100).then_some(())
    });
    let page = Client::browser(&here).get("/").must(200);
    assert!(
        page.header("content-security-policy").contains("form-action"),
        "{}",
        page.header("content-security-policy")
    );
}

#[test]
fn what_the_documents_show_works_on_the_demonstration() {
    if Command::new("curl").arg("--version").output().is_err() {
        return left_out("the commands that the documents show: there is no curl");
    }
    for (name, document) in
        [("README.md", include_str!("../../../README.md")), ("docs/api.md", include_str!("../../../docs/api.md"))]
    {
        // Each document begins on a demonstration of its own, as a reader does.
        let demo = Demo::start(&["--listen", "127.0.0.1:0"]);
        let base = demo.word_after("Dashboard ").trim_end_matches("/dashboard").to_owned();
        let blocks = document.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
        let blocks: Vec<&str> = blocks.filter(|block| block.contains("curl ")).collect();
        assert!(!blocks.is_empty(), "{name} shows no curl");
        // An answer that is no success ends the script.
        let begin = "set -euo pipefail\ncurl() { command curl --silent --show-error --fail-with-body \"$@\"; echo; }\n";
        let script = format!("{begin}{}", blocks.concat()).replace(HERE, &base);
        let output =
            Command::new("bash").arg("-c").arg(&script).env("TOKEN", demo.word_after("TOKEN=")).output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{name}: {said}\n{script}");
    }
}

#[test]
fn a_line_without_an_end_takes_no_memory_and_does_no_harm() {
    const MIB: usize = 1 << 20;
    let mut demo = Demo::start(&["--listen", "127.0.0.1:0"]);
    let most_memory = |demo: &Demo| -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", demo.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    };
    let before = most_memory(&demo);
    let line = vec![b'x'; MIB];
    for _ in 0..16 {
        demo.child.stdin.as_mut().unwrap().write_all(&line).unwrap();
    }
    demo.child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    // The end of it counts as one line, and what was written before it has been read.
    while !demo.next_line().contains("/login?token=") {}
    let grown = most_memory(&demo).saturating_sub(before);
    assert!(grown < 8 * 1024, "{grown} kB more for a line of 16 MiB");
}
