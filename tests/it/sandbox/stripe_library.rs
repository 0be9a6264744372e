//! Stripe's official libraries, of the stand-in's API version and of an older one, against the stand-in: the judges of
//! whether a program written for Stripe runs against it unchanged. They are installed by name from PyPI and npm, each into
//! a folder under the target directory. Where that cannot be, this says so and passes; not so when `CI` is `true`.

use std::path::{Path, PathBuf};
use std::process::Command;

use till::clock::Clock;
use till::sandbox::Options;

use crate::harness::left_out;
use crate::harness::npm::npm;

const PYTHON_LIBRARY: &str = "stripe==15.2.1";
/// The last one that writes booleans as Python does and reads the fields of before 2025-03-31.
const OLDER_PYTHON_LIBRARY: &str = "stripe==11.6.0";
const NODE_LIBRARY: &str = "stripe@22.2.0";

/// A program that ended well, or what it said.
fn run(program: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(arguments).output().map_err(|error| format!("{program:?}: {error}"))?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output.status.success() {
        true => Ok(said(&output.stdout)),
        false => Err(format!("{}{}", said(&output.stdout), said(&output.stderr))),
    }
}

/// Where a library is kept from one test run to the next.
fn folder(name: &str) -> Result<String, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name.replace("==", "-").replace('@', "-"));
    folder.into_os_string().into_string().map_err(|_| "the target directory's name is not UTF-8".to_owned())
}

/// A Python that has this library.
fn python(library: &str) -> Result<PathBuf, String> {
    let folder = folder(&format!("python-{library}"))?;
    let python = Path::new(&folder).join("bin/python");
    if run(&python, &["-c", "import stripe"]).is_err() {
        run(Path::new("python3"), &["-m", "venv", "--clear", &folder])?;
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--timeout", "15"];
        run(&python, &[&install[..], &[library]].concat())?;
    }
    Ok(python)
}

/// What was to be had, if it was.
fn had<T>(what: &str, found: Result<T, String>) -> Option<T> {
    found
        .map_err(|reason| {
            assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "no {what}: {reason}");
            let reason = reason.trim().lines().next_back().unwrap_or_default().to_owned();
            left_out(&format!("the stand-in against Stripe's own library: no {what} on this machine ({reason})"));
        })
        .ok()
}

/// Tells the story to a stand-in of its own.
fn tell(program: &Path, story: &str, more: &[&str]) {
    let sandbox = till::sandbox::start(Options {
        listen: "127.0.0.1:0".parse().expect("an address"),
        public_url: None,
        endpoint: None,
        prices: Vec::new(),
        clock: Clock::System,
    })
    .expect("the stand-in starts");
    let story = format!("{}/tests/{story}", env!("CARGO_MANIFEST_DIR"));
    let said = run(program, &[&[story.as_str(), &sandbox.url()], more].concat());
    let said = said.unwrap_or_else(|said| panic!("{said}"));
    assert!(said.contains("nothing to complain of"), "{said}");
}

#[test]
fn stripes_library_for_python_finds_nothing_amiss() {
    if let Some(python) = had(&format!("Python with {PYTHON_LIBRARY}"), python(PYTHON_LIBRARY)) {
        tell(&python, "python/stripe_library.py", &[]);
    }
}

#[test]
fn an_older_library_for_python_finds_nothing_amiss() {
    if let Some(python) = had(&format!("Python with {OLDER_PYTHON_LIBRARY}"), python(OLDER_PYTHON_LIBRARY)) {
        tell(&python, "python/older_stripe_library.py", &[]);
    }
}

#[test]
fn stripes_library_for_node_finds_nothing_amiss() {
    if let Some(folder) = npm(NODE_LIBRARY, "the stand-in against Stripe's own library for Node") {
        tell(Path::new("node"), "node/stripe_library.mjs", &[folder.to_str().expect("a path in UTF-8")]);
    }
}
