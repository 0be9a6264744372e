//! A command that takes a backup on its standard input. There is a backup only if the command read all of it and ended well.

use std::io::{self, pipe, stderr};
use std::os::fd::AsFd;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;

use super::ProvedCopy;
use crate::error::Fault;

/// Runs `command` by the shell, and gives it the copy. What it prints goes to standard error.
pub(super) fn feed(copy: &ProvedCopy, command: &str) -> Result<(), Fault> {
    let cannot = |cause| Fault::new("the command for the backup cannot be run", cause);
    let (mut reader, writer) = pipe().map_err(cannot)?;
    let printed = stderr().as_fd().try_clone_to_owned().map_err(cannot)?;
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(command).stdin(reader.try_clone().map_err(cannot)?).stdout(Stdio::from(printed));
    let mut child = shell.spawn().map_err(cannot)?;
    // It holds the command's end of the pipe.
    drop(shell);
    let (ended, left, written) = thread::scope(|scope| {
        let writing = scope.spawn(move || {
            let mut writer = writer;
            copy.write_to(&mut writer)
        });
        let ended = child.wait();
        // What the command left, so that the writing comes to its end.
        let left = io::copy(&mut reader, &mut io::sink());
        (ended, left, writing.join())
    });
    let status: ExitStatus = ended.map_err(cannot)?;
    if !status.success() {
        return Err(Fault::bare(format!("the command did not take the backup: it ended with {status}")));
    }
    written.unwrap_or_else(|_| Err(Fault::bare("passing on the backup panicked")))?;
    match left.map_err(cannot)? {
        0 => Ok(()),
        left => Err(Fault::bare(format!("the command did not take the backup: it left {left} bytes unread"))),
    }
}
