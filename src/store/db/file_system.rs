//! What kind of file system the database lies on. Over a network, locks and shared memory are not to be relied on, and
//! SQLite's files are damaged sooner or later ("How To Corrupt An SQLite Database File", "Write-Ahead Logging").

use std::path::Path;

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

/// The kind of the file system that `path` lies on, if it is none for a database.
pub(in crate::store) fn unsafe_kind(path: &Path) -> Option<&'static str> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let found = rustix::fs::statfs(folder).ok()?;
    kind_of(found.f_type)
}

fn kind_of(number: i64) -> Option<&'static str> {
    // The number has 32 bits, and some systems extend its sign.
    UNSAFE.iter().find(|(known, _)| *known == number & 0xFFFF_FFFF).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_systems_of_a_network_are_told_from_those_of_a_disk() {
        for (number, kind) in [
            (0x6969, Some("NFS")),
            (0xFF53_4D42, Some("SMB (cifs)")),
            (-11_317_950, Some("SMB (cifs)")),
            (0xFE53_4D42, Some("SMB 2")),
            (0x0102_1997, Some("9p")),
            (0x6573_5546, Some("FUSE or virtiofs")),
            (0xEF53, None),
            (0x9123_683E, None),
            (0x5846_5342, None),
            (0x0102_1994, None),
            (0x794C_7630, None),
        ] {
            assert_eq!(kind_of(number), kind, "{number:x}");
        }
    }
}
