//! Stripe's official Python library, of the stand-in's API version, against the stand-in: the judge of whether a program
//! written for Stripe runs against it unchanged. The library is installed from PyPI into a folder under the target
//! directory. Where there is no Python or no PyPI, this says so and passes; not so when `CI` is `true`.

use std::path::{Path, PathBuf};
use std::process::Command;

use till::clock::Clock;
use till::sandbox::Options;

const LIBRARY: &str = "stripe==15.2.1";

/// A program that ended well, or what it said.
fn run(program: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(arguments).output().map_err(|error| format!("{program:?}: {error}"))?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output.status.success() {
        true => Ok(said(&output.stdout)),
        false => Err(format!("{}{}", said(&output.stdout), said(&output.stderr))),
    }
}

/// A Python that has the library.
fn python() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("python-{}", LIBRARY.replace("==", "-")));
    let python = folder.join("bin/python");
    if run(&python, &["-c", "import stripe"]).is_err() {
        let folder = folder.to_str().ok_or("the target directory's name is not UTF-8")?;
        run(Path::new("python3"), &["-m", "venv", "--clear", folder])?;
        run(&python, &["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--timeout", "15", LIBRARY])?;
    }
    Ok(python)
}

#[test]
fn stripes_own_library_finds_nothing_amiss() {
    let python = match python() {
        Ok(python) => python,
        Err(reason) => {
            assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "no Python with {LIBRARY}: {reason}");
            println!("left out: no Python with {LIBRARY} on this machine: {reason}");
            return;
        }
    };
    let sandbox = till::sandbox::start(Options {
        listen: "127.0.0.1:0".parse().expect("an address"),
        public_url: None,
        endpoint: None,
        prices: Vec::new(),
        clock: Clock::System,
    })
    .expect("the stand-in starts");
    let story = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/stripe_library.py");
    let said = run(&python, &[story, &sandbox.url()]).unwrap_or_else(|said| panic!("{said}"));
    assert!(said.contains("nothing to complain of"), "{said}");
}
