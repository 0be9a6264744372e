//! Files with people's data: readable by their owner alone, and never written through a link that somebody else laid.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::io::Errno;

use crate::id;

/// A file in the making: beside the path that it will have, under a name that nobody can guess, and gone if it is dropped
/// before it is whole.
pub struct PrivateFile {
    file: File,
    partial: PathBuf,
    path: PathBuf,
    is_whole: bool,
}

impl PrivateFile {
    /// Begins a file of mode 0600 that will be at `path`.
    pub fn begin(path: &Path) -> io::Result<PrivateFile> {
        match path.symlink_metadata() {
            Ok(there) if !there.is_file() && (!there.is_symlink() || leads_to_no_file(path)) => {
                return Err(io::Error::other("there is something that is no file: the path of a file was expected"));
            }
            _ => {}
        }
        let mut partial = path.as_os_str().to_owned();
        let random = id::random_bytes::<8>().map_err(io::Error::other)?;
        partial.push(format!(".{}.partial", id::hex(&random)));
        let partial = PathBuf::from(partial);
        let file = create_new(&partial)?;
        Ok(PrivateFile { file, partial, path: path.to_owned(), is_whole: false })
    }

    /// The same as for [`create_new_for_owner`], before anything is written.
    pub fn for_owner(self) -> PrivateFile {
        give_to_owner(&self.file, folder_of(&self.path));
        self
    }

    /// Where it is while it is in the making.
    pub fn partial(&self) -> &Path {
        &self.partial
    }

    /// Makes it durable and gives it its name. A file, or a link, that had the name is replaced; what the link named is not
    /// touched.
    pub fn finish(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        std::fs::rename(&self.partial, &self.path)?;
        self.is_whole = true;
        // The name is durable once the folder is.
        File::open(folder_of(&self.path))?.sync_all()
    }
}

/// Whether a link is one of the system's, such as `/dev/stdout`, or leads to a device or a pipe: replaced by a file it would be gone
/// for every program.
fn leads_to_no_file(link: &Path) -> bool {
    let is_of_system = |path: &Path| path.starts_with("/dev") || path.starts_with("/proc");
    is_of_system(link)
        || link.read_link().is_ok_and(|target| is_of_system(&target))
        || link.metadata().is_ok_and(|target| !target.is_file())
}

/// Whether two paths lead into one folder.
pub fn is_same_folder(one: &Path, other: &Path) -> bool {
    is_same_file(folder_of(one), folder_of(other))
}

/// Whether two paths lead to one file that is there.
pub fn is_same_file(one: &Path, other: &Path) -> bool {
    file_id(one).is_some_and(|file| Some(file) == file_id(other))
}

/// The device and the number of the file that a path leads to, which no other file has while it is there.
pub fn file_id(path: &Path) -> Option<(u64, u64)> {
    path.metadata().map(|file| (file.dev(), file.ino())).ok()
}

/// The path without links in its folders, whether there is a file or not. `None` if there is no such folder.
pub fn place_of(path: &Path) -> Option<PathBuf> {
    Some(folder_of(path).canonicalize().ok()?.join(path.file_name()?))
}

/// The folder that a path lies in.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The path of a file beside this one, whose name is longer by `suffix`.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

impl io::Write for PrivateFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for PrivateFile {
    fn drop(&mut self) {
        if !self.is_whole {
            let _not_removed = std::fs::remove_file(&self.partial);
        }
    }
}

/// Makes a file of mode 0600. Fails if there is anything at the path, a link included (open(2), `O_EXCL`).
pub fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)
}

/// The same beside a database: where root makes it, it belongs to the owner of the folder. So an administrator's command
/// leaves nothing behind that the service, which runs as another user, cannot use.
pub fn create_new_for_owner(path: &Path) -> io::Result<File> {
    let file = create_new(path)?;
    give_to_owner(&file, folder_of(path));
    Ok(file)
}

/// Where the owner cannot be changed, as in some containers, root keeps the file.
fn give_to_owner(file: &File, folder: &Path) {
    let (Ok(made), Ok(folder)) = (file.metadata(), folder.metadata()) else { return };
    if made.uid() == 0 && folder.uid() != 0 {
        let _kept = fchown(file, Some(folder.uid()), Some(folder.gid()));
    }
}

/// Whether anybody on the machine can read or change the file.
pub fn is_open_to_others(path: &Path) -> bool {
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o007 != 0)
}

/// Whether anybody on the machine can open files of this folder, if their own mode lets them.
pub fn lets_others_in(folder: &Path) -> bool {
    folder.metadata().is_ok_and(|folder| folder.permissions().mode() & 0o001 != 0)
}

/// Which right this process lacks to read a file and, with `to_write`, to change it and to make files beside it: what is in
/// the way, whose it is, and what to do. `None` if rights are not what is in the way.
pub fn missing_right(path: &Path, to_write: bool) -> Option<String> {
    let path = std::path::absolute(path).ok()?;
    let folder = path.parent()?;
    let mut folders: Vec<&Path> = folder.ancestors().collect();
    folders.reverse();
    if let Some(closed) = folders.into_iter().find(|folder| is_refused(folder, Access::EXEC_OK)) {
        return Some(blame("folder", closed, "entered", "rwx"));
    }
    let (rights, verb, mode) = match to_write {
        true => (Access::READ_OK | Access::WRITE_OK, "read and changed", "rw"),
        false => (Access::READ_OK, "read", "r"),
    };
    if is_refused(&path, rights) {
        return Some(blame("file", &path, verb, mode));
    }
    let is_closed = to_write && is_refused(folder, Access::WRITE_OK | Access::EXEC_OK);
    is_closed.then(|| blame("folder", folder, "written to, and files are made there", "rwx"))
}

/// The same as the end of a message about a failure; empty if rights are not what is in the way.
pub fn because_of_rights(path: &Path, to_write: bool) -> String {
    missing_right(path, to_write).map(|right| format!("; {right}")).unwrap_or_default()
}

/// The user that this process runs as: the owner of its entry (proc(5)). `None` if the system does not say.
pub fn own_user() -> Option<u32> {
    Path::new("/proc/self").metadata().ok().map(|process| process.uid())
}

fn is_refused(path: &Path, rights: Access) -> bool {
    accessat(CWD, path, rights, AtFlags::EACCESS) == Err(Errno::ACCESS)
}

fn blame(what: &str, path: &Path, verb: &str, mode: &str) -> String {
    let shown = path.display();
    let Ok(metadata) = path.metadata() else { return format!("the {what} {shown} cannot be {verb} by this user") };
    let owner = user_name(metadata.uid());
    let own = own_user();
    if own == Some(metadata.uid()) {
        return format!(
            "the {what} {shown} is this user's own, and cannot be {verb} (mode {:04o}): chmod u+{mode} {shown}",
            metadata.permissions().mode() & 0o7777
        );
    }
    let me = own.map_or_else(|| "another user".to_owned(), user_name);
    let way = match metadata.uid() {
        0 => "run till as root (sudo till …)".to_owned(),
        _ => format!("run till as {owner} (sudo -u {owner} till …) or as root"),
    };
    format!("the {what} {shown} belongs to {owner} and cannot be {verb} by {me}: {way}, or name another file")
}

/// The name of a user, or `#1000` where the system's list has none (as sudo takes it). The name services that could know
/// more are not asked: a static program cannot load them.
fn user_name(id: u32) -> String {
    let list = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = list.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(id)).then(|| name.to_owned())
    });
    named.unwrap_or_else(|| format!("#{id}"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_private_file_is_whole_or_not_there_and_no_link_is_followed() {
        let folder = std::env::temp_dir().join(id::hex(&id::random_bytes::<8>().unwrap()));
        std::fs::create_dir(&folder).unwrap();
        let (path, other) = (folder.join("books.csv"), folder.join("other"));
        std::fs::write(&other, "theirs").unwrap();
        std::os::unix::fs::symlink(&other, &path).unwrap();
        assert!(create_new(&path).is_err());
        let mut given_up = PrivateFile::begin(&path).unwrap();
        given_up.write_all(b"half").unwrap();
        drop(given_up);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 2);
        let mut file = PrivateFile::begin(&path).unwrap();
        file.write_all(b"ours").unwrap();
        file.finish().unwrap();
        let mode = path.symlink_metadata().unwrap().permissions().mode();
        assert_eq!((std::fs::read(&path).unwrap(), mode & 0o7777), (b"ours".to_vec(), 0o600));
        assert_eq!(std::fs::read(&other).unwrap(), b"theirs");
        assert!(path.symlink_metadata().unwrap().is_file() && !is_open_to_others(&path));
        assert!(PrivateFile::begin(&folder).is_err());
        for (name, target) in [("out", "/proc/self/fd/1"), ("null", "/dev/null"), ("up", "..")] {
            std::os::unix::fs::symlink(target, folder.join(name)).unwrap();
            assert!(PrivateFile::begin(&folder.join(name)).is_err() && folder.join(name).is_symlink(), "{name}");
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}
