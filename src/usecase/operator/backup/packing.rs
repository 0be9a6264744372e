//! Packing of backups by the program `zstd`, which Debian has. A library for it would be a fifth of what the binary may still
//! grow by, and only those need it who pack here: restic and others pack themselves.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::error::Fault;

/// What a packed file begins with (RFC 8878, section 3.1.1).
pub const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// How a backup is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    Plain,
    Zstd,
}

impl Packing {
    /// By the name of the file.
    pub fn of_name(path: &Path) -> Packing {
        match path.extension().is_some_and(|end| end == "zst") {
            true => Packing::Zstd,
            false => Packing::Plain,
        }
    }

    /// What a name ends in.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Packing::Plain => "",
            Packing::Zstd => ".zst",
        }
    }
}

/// Packs a whole file.
pub(super) fn pack(from: File, out: &mut impl Write) -> Result<(), Fault> {
    run(&["-q", "-c"], from, out)
}

/// Unpacks a whole file.
pub fn unpack(from: File, out: &mut impl Write) -> Result<(), Fault> {
    run(&["-q", "-d", "-c"], from, out)
}

/// Proves that what was packed gives the bytes of `original` again.
pub(super) fn prove(packed: File, original: File) -> Result<(), Fault> {
    let mut comparison = Comparison { original };
    unpack(packed, &mut comparison)?;
    let mut more = [0];
    match comparison.original.read(&mut more).map_err(cannot_write)? {
        0 => Ok(()),
        _ => Err(Fault::new("the backup was not packed", differs())),
    }
}

/// Takes what is written for right as long as it is what the original has.
struct Comparison {
    original: File,
}

impl Write for Comparison {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut expected = vec![0; bytes.len()];
        self.original.read_exact(&mut expected)?;
        if expected == bytes { Ok(bytes.len()) } else { Err(differs()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn differs() -> io::Error {
    io::Error::other("what zstd wrote is not the copy")
}

fn run(arguments: &[&str], from: File, out: &mut impl Write) -> Result<(), Fault> {
    let started =
        Command::new("zstd").args(arguments).stdin(from).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut zstd = started.map_err(|cause| match cause.kind() {
        ErrorKind::NotFound => Fault::bare("there is no program zstd on this machine: apt install zstd"),
        _ => Fault::new("zstd cannot be started", cause),
    })?;
    let copied = match zstd.stdout.take() {
        Some(mut packed) => io::copy(&mut packed, out),
        None => Ok(0),
    };
    // Its output is closed by now, so it ends also where not all of it was wanted.
    let ended = zstd.wait_with_output().map_err(|cause| Fault::new("zstd did not end", cause))?;
    copied.map_err(cannot_write)?;
    match ended.status.success() {
        true => Ok(()),
        false => {
            let said = String::from_utf8_lossy(&ended.stderr);
            let said = said.trim().lines().next_back().unwrap_or("it said nothing").to_owned();
            Err(Fault::bare(format!("zstd failed ({}): {said}", ended.status)))
        }
    }
}

fn cannot_write(cause: io::Error) -> Fault {
    Fault::new("the backup cannot be written", cause)
}
