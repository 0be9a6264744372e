//! The file system that the database lies on: of what kind it is, and whether it is full. Over a network, locks and shared
//! memory are not to be relied on, and SQLite's files are damaged sooner or later ("How To Corrupt An SQLite Database File",
//! "Write-Ahead Logging").

use std::path::Path;

use crate::private_file::folder_of;

/// With less room than this, in bytes, a write may fail.
const ROOM: u64 = 1 << 20;

/// Kinds by their number in `statfs(2)`. What a hypervisor or a program of its own serves is among them: whether it keeps
/// locks and order cannot be told from here.
const UNSAFE: &[(i64, &str)] = &[
    (0x6969, "NFS"),
    (0x517B, "SMB"),
    (0xFF53_4D42, "SMB (cifs)"),
    (0xFE53_4D42, "SMB 2"),
    (0x0102_1997, "9p"),
    (0x6573_5546, "FUSE or virtiofs"),
    (0x786F_4256, "a shared folder of VirtualBox"),
    (0x00C3_6400, "Ceph"),
    (0x5346_414F, "AFS"),
    (0x7375_7245, "Coda"),
];

/// Kinds of a disk of this machine.
const DISKS: &[(i64, &str)] = &[
    (0xEF53, "ext2, ext3 or ext4"),
    (0x5846_5342, "XFS"),
    (0x9123_683E, "Btrfs"),
    (0x2FC1_2FC1, "ZFS"),
    (0xF2F5_2010, "F2FS"),
    (0xCA45_1A4E, "bcachefs"),
    (0x3153_464A, "JFS"),
];

/// Kinds that are gone with the machine's memory, or with a container.
const PASSING: &[(i64, &str)] = &[
    (0x0102_1994, "tmpfs, which is memory"),
    (0x8584_58F6, "ramfs, which is memory"),
    (0x794C_7630, "overlayfs, as a container's own files do"),
];

/// What is known of a kind of file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileSystemKind {
    /// A disk of this machine.
    Disk(&'static str),
    /// It works, and does not last.
    Passing(&'static str),
    /// It is none for a database.
    Unsafe(&'static str),
    /// Not known by its number.
    Unknown(i64),
}

/// The kind of the file system that `path` lies on; `None` if the system does not say.
pub(in crate::store) fn kind(path: &Path) -> Option<FileSystemKind> {
    let found = rustix::fs::statfs(folder_of(path)).ok()?;
    Some(kind_of(found.f_type))
}

/// The kind of the file system that `path` lies on, if it is none for a database.
pub(in crate::store) fn unsafe_kind(path: &Path) -> Option<&'static str> {
    match kind(path)? {
        FileSystemKind::Unsafe(name) => Some(name),
        _ => None,
    }
}

/// Bytes that this user can still write where `path` lies, and of how many.
pub(in crate::store) fn space(path: &Path) -> Option<(u64, u64)> {
    let found = rustix::fs::statvfs(folder_of(path)).ok()?;
    Some((found.f_bavail.saturating_mul(found.f_frsize), found.f_blocks.saturating_mul(found.f_frsize)))
}

/// Whether the file system that `path` lies on has no room left for this user.
pub(in crate::store) fn is_full(path: &Path) -> bool {
    space(path).is_some_and(|(free, _)| free < ROOM)
}

fn kind_of(number: i64) -> FileSystemKind {
    // The number has 32 bits, and some systems extend its sign.
    let number = number & 0xFFFF_FFFF;
    let named = |kinds: &[(i64, &'static str)]| kinds.iter().find(|(known, _)| *known == number).map(|(_, name)| *name);
    let disk = || named(DISKS).map(FileSystemKind::Disk);
    let passing = || named(PASSING).map(FileSystemKind::Passing);
    named(UNSAFE).map(FileSystemKind::Unsafe).or_else(disk).or_else(passing).unwrap_or(FileSystemKind::Unknown(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_systems_of_a_network_are_told_from_those_of_a_disk() {
        use FileSystemKind::{Disk, Passing, Unknown, Unsafe};
        for (number, kind) in [
            (0x6969, Unsafe("NFS")),
            (0xFF53_4D42, Unsafe("SMB (cifs)")),
            (-11_317_950, Unsafe("SMB (cifs)")),
            (0xFE53_4D42, Unsafe("SMB 2")),
            (0x0102_1997, Unsafe("9p")),
            (0x6573_5546, Unsafe("FUSE or virtiofs")),
            (0xEF53, Disk("ext2, ext3 or ext4")),
            (0x9123_683E, Disk("Btrfs")),
            (0x5846_5342, Disk("XFS")),
            (0x0102_1994, Passing("tmpfs, which is memory")),
            (0x794C_7630, Passing("overlayfs, as a container's own files do")),
            (0x1234, Unknown(0x1234)),
        ] {
            assert_eq!(kind_of(number), kind, "{number:x}");
        }
    }
}
