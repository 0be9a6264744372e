//! What the service manager learns: that till is ready, and that the writer commits.

use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::harness::shop::variables;
use crate::harness::{Client, Folder, Till, left_out, postgres, process};

/// The next message, or none within the time.
fn next(socket: &UnixDatagram, within: Duration) -> Option<String> {
    socket.set_read_timeout(Some(within)).unwrap();
    let mut bytes = [0; 1000];
    match socket.recv(&mut bytes) {
        Ok(length) => Some(String::from_utf8_lossy(&bytes[..length]).into_owned()),
        Err(cause) => {
            assert!(matches!(cause.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{cause}");
            None
        }
    }
}

#[test]
fn a_service_is_ready_with_its_database_and_feeds_the_watchdog_while_the_writer_commits() {
    const PATIENCE: Duration = Duration::from_secs(30);
    let folder = Folder::new();
    let socket = UnixDatagram::bind(folder.path("notify")).unwrap();
    let variables = variables(&folder, "http://127.0.0.1:1");
    let mut command = process::command(&variables);
    command.env("NOTIFY_SOCKET", folder.path("notify")).env("WATCHDOG_USEC", "300000");
    let mut till = Till::start_by(command);
    let mut told = Vec::new();
    while !told.iter().any(|message: &String| message.contains("READY=1")) {
        told.push(next(&socket, PATIENCE).expect("readiness"));
    }
    assert!(told.last().unwrap().contains(&format!("STATUS=serving {}", till.url)), "{told:?}");
    for _ in 0..3 {
        assert_eq!(next(&socket, PATIENCE).unwrap().trim(), "WATCHDOG=1");
    }

    for writer in writers_of(till.id()) {
        let mut still = match stand_still(&writer) {
            Ok(still) => still,
            Err(why) => return left_out(&format!("a writer that stands still: {why}")),
        };
        // What was sent before may still be there; then nothing comes, although all else goes on.
        let falls_silent = (0..20).any(|_| next(&socket, Duration::from_millis(900)).is_none());
        assert!(falls_silent, "the watchdog is fed by something else than the writer");
        Client::new(&till.url, &[]).get("/healthz").must(200);
        assert_eq!(next(&socket, Duration::from_millis(900)), None);
        drop(still.stdin.take());
        still.wait().unwrap();
        assert_eq!(next(&socket, PATIENCE).unwrap().trim(), "WATCHDOG=1", "it goes on with the writer");
    }

    // A start would take another file, or make a new one.
    let (database, aside) = (folder.path("till.db"), folder.path("aside"));
    if !postgres::is_chosen() {
        std::fs::rename(&database, &aside).unwrap();
        till.wait_for_log("a probe that fails", |line| line["event"] == "watchdog_probe_failed");
        for _ in 0..20 {
            assert_eq!(next(&socket, PATIENCE).unwrap().trim(), "WATCHDOG=1");
        }
        std::fs::rename(&aside, &database).unwrap();
    }

    till.ask_to_stop();
    assert!(till.wait_for_end().success(), "{}", till.log());
    let mut last = String::new();
    while let Some(message) = next(&socket, Duration::from_millis(100)) {
        last = message;
    }
    assert_eq!(last.trim(), "STOPPING=1");
}

/// The threads that write: one to a file, several to a server.
fn writers_of(process: u32) -> Vec<String> {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let threads = threads.map(|thread| thread.unwrap().path());
    let writes = |thread: &PathBuf| std::fs::read_to_string(thread.join("comm")).unwrap().trim() == "till-writer";
    let name = |thread: PathBuf| thread.file_name().unwrap().to_str().unwrap().to_owned();
    let writers: Vec<String> = threads.filter(writes).map(name).collect();
    assert!(!writers.is_empty());
    writers
}

/// Stops a thread, as long as the input of the program that does it is open.
fn stand_still(thread: &str) -> Result<Child, String> {
    let script = format!("{}/tests/python/stand_still.py", env!("CARGO_MANIFEST_DIR"));
    let mut still = Command::new("python3")
        .args([&script, thread])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(still.stdout.take().unwrap()), &mut line).unwrap();
    match line.trim() {
        "stopped" => Ok(still),
        _ => Err(String::from_utf8_lossy(&still.wait_with_output().unwrap().stderr).trim().to_owned()),
    }
}
