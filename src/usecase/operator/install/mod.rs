//! `till install`: till as a service of this machine where there is no package, and the files of the package. Each step looks
//! at what is there first, so a second run changes nothing.

mod files;

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Fault, Result};
use crate::private_file::{PrivateFile, own_user};

pub use files::{CONFIGURATION, NewFile};

/// The user that the service runs as, and its group.
const USER: &str = "till";
/// Folders that are made, with their modes. Those that are there stay as they are: the last one may be a mount or a link.
const FOLDERS: [(&str, u32, Owner); 3] = [
    ("etc/till", 0o750, Owner::RootForService),
    ("etc/till/credentials", 0o700, Owner::Root),
    ("var/lib/till", 0o700, Owner::Service),
];
/// A unit here goes before one of the same name that is installed.
const UNITS_OF_ADMINISTRATOR: &str = "etc/systemd/system";

/// Whose a folder is.
#[derive(Clone, Copy)]
enum Owner {
    Root,
    /// The service's group may read it.
    RootForService,
    Service,
}

/// Where till is installed.
pub struct Place {
    /// `/`, or a folder in which a package is put together: then nothing is run, and nobody's files are changed.
    pub root: PathBuf,
    /// Below the root: `usr/local`.
    pub prefix: PathBuf,
}

/// What one step does, or would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Make(PathBuf),
    Replace(PathBuf),
    /// It is as it should be.
    Leave(PathBuf),
    /// It is the administrator's.
    Keep(PathBuf),
    Run(String),
    /// Something that the administrator should know.
    Note(String),
}

impl Place {
    fn is_this_machine(&self) -> bool {
        self.root == Path::new("/")
    }

    fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.root.join(below)
    }
}

/// Installs the program, what is in `systemd/`, and `more`. `report` gets each step before it is done. With `dry_run` nothing
/// is done.
pub fn install(
    place: &Place,
    program: Vec<u8>,
    more: Vec<NewFile>,
    dry_run: bool,
    report: &mut impl FnMut(&Step),
) -> Result<()> {
    refuse(place, dry_run)?;
    let mut new = files::of_systemd(&place.prefix);
    // The user owns folders, and folders come before what is in them.
    let user_file = files::user_file(&place.prefix);
    new.sort_by_key(|file| file.path != user_file);
    new.push(NewFile::program(place.prefix.join("bin/till"), program));
    new.extend(more);
    let mut is_changed = false;
    for (index, file) in new.iter().enumerate() {
        let is_written = put(place, file, dry_run, report)?;
        is_changed |= is_written;
        if index == 0 {
            let ids = if place.is_this_machine() { user(&user_file, dry_run, report)? } else { None };
            make_folders(place, ids, dry_run, report)?;
        }
        if let Some((_, group)) =
            user_ids().filter(|_| is_written && !dry_run && file.is_kept && place.is_this_machine())
        {
            let path = place.path(&file.path);
            let cannot = |cause| Fault::new(format!("{} cannot be given to the group {USER}", path.display()), cause);
            chown(&path, None, Some(group)).map_err(cannot)?;
        }
    }
    note_other_units(place, &new, report);
    if is_changed && place.is_this_machine() && Path::new("/run/systemd/system").is_dir() {
        run(&["systemctl", "daemon-reload"], dry_run, report)?;
        // The socket stays open meanwhile, so no connection is refused.
        run(&["systemctl", "try-restart", "till.service"], dry_run, report)?;
    }
    Ok(())
}

/// The commands that take the installation away, and leave the configuration and the books.
pub fn undoing(place: &Place, more: &[NewFile]) -> Vec<String> {
    let mut paths = vec![place.prefix.join("bin/till")];
    let written = files::of_systemd(&place.prefix);
    paths.extend(written.iter().chain(more).filter(|file| !file.is_kept).map(|file| file.path.clone()));
    let paths: Vec<String> = paths.iter().map(|path| place.path(path).display().to_string()).collect();
    let mut commands = vec![format!("rm -f {}", paths.join(" "))];
    if place.is_this_machine() {
        let mut units: Vec<&str> = written.iter().filter_map(NewFile::unit).collect();
        // Sockets and timers first, because they begin services.
        units.sort_by_key(|unit| unit.ends_with(".service"));
        commands.insert(0, format!("systemctl disable --now {}", units.join(" ")));
        commands.push("systemctl daemon-reload".to_owned());
    }
    commands
}

fn refuse(place: &Place, dry_run: bool) -> Result<(), Fault> {
    if !place.is_this_machine() {
        return Ok(());
    }
    if Path::new("/var/lib/dpkg/info/till.list").exists() {
        return Err(Fault::bare("the package till is installed here: upgrade or remove that one (apt, dpkg)"));
    }
    if own_user() != Some(0) && !dry_run {
        return Err(Fault::bare("only root can install till on this machine: sudo till install (or look: --dry-run)"));
    }
    Ok(())
}

/// Writes a file, and says whether something has changed.
fn put(place: &Place, file: &NewFile, dry_run: bool, report: &mut impl FnMut(&Step)) -> Result<bool, Fault> {
    let path = place.path(&file.path);
    let cannot = |cause: io::Error| Fault::new(format!("cannot write {}", path.display()), cause);
    let is_there = path.symlink_metadata().is_ok();
    if is_there && file.is_kept {
        report(&Step::Keep(path));
        return Ok(false);
    }
    let is_same = || fs::read(&path).is_ok_and(|bytes| bytes == file.bytes);
    if is_there && mode_of(&path) == Some(file.mode) && is_same() {
        report(&Step::Leave(path));
        return Ok(false);
    }
    report(&if is_there { Step::Replace(path.clone()) } else { Step::Make(path.clone()) });
    if dry_run {
        return Ok(true);
    }
    make_parents(&path).map_err(cannot)?;
    // A program that runs is not written to: the new one takes its name.
    let mut written = PrivateFile::begin(&path).map_err(cannot)?;
    written.write_all(&file.bytes).map_err(cannot)?;
    fs::set_permissions(written.partial(), Permissions::from_mode(file.mode)).map_err(cannot)?;
    written.finish().map_err(cannot)?;
    Ok(true)
}

fn mode_of(path: &Path) -> Option<u32> {
    path.metadata().ok().map(|file| file.permissions().mode() & 0o7777)
}

/// Makes the folders above a file, for everybody to enter whatever the umask is.
fn make_parents(path: &Path) -> io::Result<()> {
    let Some(folder) = path.parent().filter(|folder| !folder.exists()) else { return Ok(()) };
    make_parents(folder)?;
    fs::create_dir(folder)?;
    fs::set_permissions(folder, Permissions::from_mode(0o755))
}

/// The numbers of the service's user and group, which is made if there is none.
fn user(file: &Path, dry_run: bool, report: &mut impl FnMut(&Step)) -> Result<Option<(u32, u32)>, Fault> {
    if let Some(ids) = user_ids() {
        return Ok(Some(ids));
    }
    run(&["systemd-sysusers", &Path::new("/").join(file).display().to_string()], dry_run, report)?;
    match user_ids() {
        None if !dry_run => {
            Err(Fault::bare(format!("there is no user {USER} after systemd-sysusers: make it by hand")))
        }
        ids => Ok(ids),
    }
}

fn user_ids() -> Option<(u32, u32)> {
    let list = fs::read_to_string("/etc/passwd").ok()?;
    list.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, user, group, ..] = fields.as_slice() else { return None };
        (*name == USER).then_some((user.parse().ok()?, group.parse().ok()?))
    })
}

fn make_folders(
    place: &Place,
    ids: Option<(u32, u32)>,
    dry_run: bool,
    report: &mut impl FnMut(&Step),
) -> Result<(), Fault> {
    for (below, mode, owner) in FOLDERS {
        let path = place.path(below);
        let cannot = |cause: io::Error| Fault::new(format!("cannot make the folder {}", path.display()), cause);
        if path.exists() {
            report(&Step::Leave(path));
            continue;
        }
        report(&Step::Make(path.clone()));
        if dry_run {
            continue;
        }
        make_parents(&path).map_err(cannot)?;
        fs::create_dir(&path).map_err(cannot)?;
        fs::set_permissions(&path, Permissions::from_mode(mode)).map_err(cannot)?;
        if let Some((user, group)) = ids {
            match owner {
                Owner::Root => {}
                Owner::RootForService => chown(&path, None, Some(group)).map_err(cannot)?,
                Owner::Service => chown(&path, Some(user), Some(group)).map_err(cannot)?,
            }
        }
    }
    Ok(())
}

fn note_other_units(place: &Place, new: &[NewFile], report: &mut impl FnMut(&Step)) {
    for name in new.iter().filter_map(NewFile::unit) {
        let other = place.path(UNITS_OF_ADMINISTRATOR).join(name);
        if other.symlink_metadata().is_ok_and(|there| there.is_file()) {
            let other = other.display();
            report(&Step::Note(format!("{other} goes before the unit that is installed: move it away")));
        }
    }
}

fn run(words: &[&str], dry_run: bool, report: &mut impl FnMut(&Step)) -> Result<(), Fault> {
    let shown = words.join(" ");
    report(&Step::Run(shown.clone()));
    let Some((program, arguments)) = words.split_first().filter(|_| !dry_run) else { return Ok(()) };
    let status = Command::new(program).args(arguments).status();
    match status.map_err(|cause| Fault::new(format!("cannot run {shown}"), cause))? {
        status if status.success() => Ok(()),
        status => {
            Err(Fault::bare(format!("{shown} failed ({status}); what was done before stays, and a second run goes on")))
        }
    }
}
