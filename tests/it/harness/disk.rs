//! A small disk of a test's own, to be filled.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use super::folder::Folder;
use super::left_out::left_out;
use super::wait::eventually;

/// A small disk of a test's own, in memory.
pub struct Disk {
    /// Where it is mounted; it ends with it.
    pub folder: Folder,
}

impl Disk {
    /// None where one cannot be made; `options` are those of tmpfs.
    pub fn mount(options: &str) -> Option<Disk> {
        let folder = Folder::new();
        let options = format!("{options},mode=0700");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "till-test"]).arg(folder.path(""));
        match mount.output() {
            Ok(output) if output.status.success() => Some(Disk { folder }),
            _ => {
                left_out("full and read-only disks: they need the right to mount, as root has it");
                None
            }
        }
    }

    /// A path on it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path(name)
    }

    /// Fills it to the last byte.
    pub fn fill(&self) -> Filling {
        self.fill_but(0)
    }

    /// Leaves so many bytes free.
    pub fn fill_but(&self, free: u64) -> Filling {
        let path = self.folder.path("filling");
        let mut file = fs::File::create(&path).unwrap();
        while file.write(&[7; 4096]).is_ok_and(|written| written > 0) {}
        file.set_len(file.metadata().unwrap().len().saturating_sub(free)).unwrap();
        Filling(path)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _unmounted_already = Command::new("umount").arg("--lazy").arg(self.folder.path("")).status();
    }
}

/// What fills a disk, until dropped.
pub struct Filling(PathBuf);

impl Drop for Filling {
    fn drop(&mut self) {
        fs::remove_file(&self.0).unwrap();
        // The system frees the room once nobody holds the file, and on a busy machine not at once.
        eventually("room on the disk", || {
            let is_there = fs::write(&self.0, vec![7; 256 << 10]).is_ok();
            let _not_made = fs::remove_file(&self.0);
            is_there.then_some(())
        });
    }
}
