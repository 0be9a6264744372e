//! The machine under the books: who may touch the database's folder and whose the files are, on what kind of disk they lie,
//! how much room is left, and whether something keeps the clock right.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::finding::{Finding, bad, good, open, warning};
use crate::app::App;
use crate::clock::Deadline;
use crate::private_file::{beside, folder_of};
use crate::store::backups::COMPANIONS;
use crate::store::disk::{DiskRoom, FileSystemKind};

/// Others may not write into the folder. The sticky bit keeps them from replacing a file (inode(7)); a group may be the
/// owner's alone.
const WRITABLE: u32 = 0o022;
const BY_EVERYBODY: u32 = 0o002;
/// Of the file by which one `till serve` keeps others away.
const LOCK: &str = ".lock";
const STICKY: u32 = 0o1000;
/// Less room than this share of the disk is soon none.
const ROOM_PERCENT: u64 = 10;
/// What till needs beside a copy of the database: its log, and the log's index.
const ROOM_BYTES: u64 = 64 * 1024 * 1024;
const MEBIBYTE: u64 = 1024 * 1024;
/// How long a program may take to say whether the clock is synchronised.
const PATIENCE: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(20);
/// systemd-timesyncd makes it when it has set the clock, once after each start of the machine (systemd-timesyncd.service(8)).
const SYNCHRONIZED: &str = "/run/systemd/timesync/synchronized";

/// Whether only the database's owner can put files beside it, and whether all files there are that owner's.
pub(super) fn folder(path: &Path) -> Finding {
    let what = "database folder";
    let folder = folder_of(path);
    let (Ok(there), Ok(file)) = (folder.metadata(), path.metadata()) else {
        return open(what, format!("{} cannot be looked at by this user", folder.display()));
    };
    let (mode, shown) = (there.permissions().mode() & 0o7777, folder.display());
    if mode & BY_EVERYBODY != 0 && mode & STICKY == 0 {
        return bad(
            what,
            format!("{shown} has the mode {mode:04o}: others can replace the database. chmod 700 {shown}"),
        );
    }
    let others = COMPANIONS.iter().chain(&[LOCK]).map(|suffix| beside(path, suffix));
    let mut others = others.filter(|other| other.metadata().is_ok_and(|other| other.uid() != file.uid()));
    if let Some(other) = others.next() {
        let (other, owner) = (other.display(), file.uid());
        return bad(
            what,
            format!(
                "{other} belongs to another user than the database, whose owner cannot write to it: chown {owner} {other}"
            ),
        );
    }
    if there.uid() != file.uid() && there.uid() != 0 {
        let detail = format!("{shown} belongs to another user than the database, who can replace it");
        return warning(what, detail);
    }
    if mode & WRITABLE != 0 {
        let detail = format!(
            "{shown} has the mode {mode:04o}: others can put files beside the database. Use a folder of mode 0700"
        );
        return warning(what, detail);
    }
    good(what, format!("{shown} (mode {mode:04o}) can be written to by its owner alone, whose the files are"))
}

/// Whether the database lies on a disk.
pub(super) fn file_system(app: &App) -> Finding {
    let what = "file system";
    match app.store.file_system() {
        Some(FileSystemKind::Unsafe(name)) => {
            bad(what, app.store.file_system_fault().unwrap_or_else(|| format!("{name} is none for a database")))
        }
        Some(FileSystemKind::Passing(name)) => {
            warning(what, format!("the database lies on {name}: it may be gone with a restart. Move it to a disk"))
        }
        Some(FileSystemKind::Disk(name)) => good(what, format!("the database lies on {name}")),
        Some(FileSystemKind::Unknown(number)) => {
            open(what, format!("the database lies on one of the kind {number:#x}, of which nothing is known here"))
        }
        None => open(what, "the system does not say of what kind it is".to_owned()),
    }
}

/// Whether there is room for a copy of the database, and to go on writing.
pub(super) fn room(app: &App, path: &Path) -> Finding {
    let what = "disk space";
    let Some(DiskRoom { free, total }) = app.store.disk_room() else {
        return open(what, "the system does not say how much is left".to_owned());
    };
    let size = |path: &Path| path.metadata().map_or(0, |file| file.len());
    let copy = size(path).saturating_add(size(&beside(path, "-wal")));
    judge_room(free, total, copy)
}

fn judge_room(free: u64, total: u64, copy: u64) -> Finding {
    let what = "disk space";
    let needed = copy.saturating_add(ROOM_BYTES);
    let percent = if total == 0 { 0 } else { (u128::from(free) * 100 / u128::from(total)) as u64 };
    let said = format!(
        "{} MiB free of {} MiB ({percent} %), and a copy of the database needs {} MiB",
        free / MEBIBYTE,
        total / MEBIBYTE,
        needed.div_ceil(MEBIBYTE)
    );
    if free < needed {
        return bad(what, format!("{said}: a backup to this disk fails, and soon every write. Make room"));
    }
    if percent < ROOM_PERCENT {
        return warning(what, format!("{said}: less than {ROOM_PERCENT} % is left. Make room before writes fail"));
    }
    good(what, said)
}

/// Whether a program keeps this machine's clock right. Only what such a program says counts; the clock itself is compared
/// with Stripe's.
pub(super) fn time_synchronisation() -> Finding {
    let what = "time sync";
    // The kernel's own word, which any of these programs sets and which ends when they do (timedatectl(1)).
    match ask("timedatectl", &["show", "--property=NTPSynchronized", "--value"]).as_deref() {
        Some("yes") => return good(what, "timedatectl says that the clock is synchronised".to_owned()),
        Some("no") => {
            let detail = "timedatectl says that nothing has synchronised the clock: timedatectl set-ntp true, with \
                          systemd-timesyncd or chrony installed";
            return warning(what, detail.to_owned());
        }
        _ => {}
    }
    // The last field is the leap status (chronyc(1)).
    match ask("chronyc", &["-n", "-c", "tracking"]).as_deref().and_then(|line| line.rsplit(',').next()) {
        Some("Not synchronised") => {
            return warning(what, "chrony has not synchronised the clock: see chronyc sources".to_owned());
        }
        Some("Normal" | "Insert second" | "Delete second") => {
            return good(what, "chrony says that the clock is synchronised".to_owned());
        }
        _ => {}
    }
    if Path::new(SYNCHRONIZED).exists() {
        return good(what, "systemd-timesyncd has set the clock since the machine started".to_owned());
    }
    let detail = "not known: neither timedatectl nor chronyc answers here, and systemd-timesyncd left no mark";
    open(what, detail.to_owned())
}

/// What a program prints, if it ends well and soon.
fn ask(program: &str, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    command.args(arguments).env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    let patience = Deadline::after(PATIENCE);
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => break,
            Ok(None) if !patience.left().is_zero() => std::thread::sleep(PAUSE),
            _ => {
                let _ended = child.kill();
                let _status = child.wait();
                return None;
            }
        }
    }
    let printed = child.wait_with_output().ok()?.stdout;
    Some(String::from_utf8_lossy(&printed).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usecase::operator::check::finding::Verdict;

    #[test]
    fn room_is_judged_by_what_a_copy_needs_and_by_the_share_that_is_left() {
        let (mib, gib) = (MEBIBYTE, 1024 * MEBIBYTE);
        for (free, total, copy, expected) in [
            (50 * gib, 100 * gib, gib, Verdict::Good),
            (10 * gib, 100 * gib, gib, Verdict::Good),
            (9 * gib, 100 * gib, gib, Verdict::Warning),
            (9 * gib, 100 * gib, 9 * gib, Verdict::Bad),
            (63 * mib, 100 * mib, 0, Verdict::Bad),
            (65 * mib, 100 * mib, 0, Verdict::Good),
            (0, 0, 0, Verdict::Bad),
            (u64::MAX, u64::MAX, u64::MAX, Verdict::Good),
        ] {
            assert_eq!(judge_room(free, total, copy).verdict, expected, "{free} of {total} for {copy}");
        }
    }
}
