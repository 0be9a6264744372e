//! The binary as an operator gets it: needs nothing of the system, is small, and looks names up on any host.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::harness::process::{binary, command};
use crate::harness::shop::{token, variables};
use crate::harness::{Client, Folder, Till, left_out};

const SIZE_LIMIT: u64 = 22 * 1024 * 1024;

#[test]
fn it_needs_no_library_of_the_system() {
    let output = Command::new("ldd").arg(binary()).output().unwrap();
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
    assert!(said.contains("not a dynamic executable") || said.contains("statically linked"), "{said}");
}

#[test]
fn it_is_small() {
    let binary = binary();
    if !binary.components().any(|part| part.as_os_str() == "release") {
        return left_out("the size of the binary: this is a debug build");
    }
    let size = fs::metadata(&binary).unwrap().len();
    assert!(size < SIZE_LIMIT, "{} has {size} bytes: at most {SIZE_LIMIT} were expected", binary.display());
}

/// `NSS_CONF` of a Debian desktop and worse. Each of these is a module that a static program must not load.
const HOSTILE: &str = "\
hosts: mymachines mdns4_minimal [NOTFOUND=return] resolve myhostname dns files
passwd: systemd files
services: db files
";

/// A host on which static programs crash when they look a name up.
struct HostileHost {
    folder: Folder,
    modules: PathBuf,
}

impl HostileHost {
    /// None where one cannot be made.
    fn make() -> Option<HostileHost> {
        let modules = std::env::var_os("TILL_NSS_MODULES").map(PathBuf::from).filter(|path| path.is_dir());
        let id = Command::new("id").arg("-u").output().unwrap();
        let (Some(modules), b"0\n") = (modules, id.stdout.as_slice()) else {
            left_out("name lookups on a hostile host: they need root, and tests/run to fetch the modules");
            return None;
        };
        // In a chroot, for example, no mount can be kept from the rest of the machine.
        let alone = Command::new("unshare").args(["--mount", "true"]).output().unwrap();
        if !alone.status.success() {
            let why = String::from_utf8_lossy(&alone.stderr).trim().to_owned();
            left_out(&format!("name lookups on a hostile host: this machine gives no mounts of one's own ({why})"));
            return None;
        }
        let folder = Folder::new();
        fs::write(folder.path("nsswitch.conf"), HOSTILE).unwrap();
        Some(HostileHost { folder, modules })
    }

    /// Begins a command that runs there: a mount namespace of its own, in which only it sees the other file.
    fn command(&self, program: &Path, variables: &BTreeMap<String, String>) -> Command {
        let script = "mount --bind \"$0\" /etc/nsswitch.conf && exec \"$@\"";
        let mut command = Command::new("unshare");
        command.env_clear().envs(variables).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.env("LD_LIBRARY_PATH", &self.modules);
        command.args(["--mount", "sh", "-c", script]).arg(self.folder.path("nsswitch.conf")).arg(program);
        command
    }

    /// Whether an ordinary static program crashes there; if not, surviving proves nothing.
    fn is_hostile(&self) -> bool {
        const LOOKUP: &str = "#include <netdb.h>\nint main(void) { struct addrinfo *found = 0; \
                              return getaddrinfo(\"localhost\", \"80\", 0, &found); }\n";
        let (source, program) = (self.folder.path("lookup.c"), self.folder.path("lookup"));
        fs::write(&source, LOOKUP).unwrap();
        let built = Command::new("cc").args(["-static", "-w", "-o"]).args([&program, &source]).output().unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        self.command(&program, &BTreeMap::new()).status().unwrap().signal().is_some()
    }
}

#[test]
fn it_looks_names_up_where_other_static_programs_crash() {
    let Some(host) = HostileHost::make() else { return };
    if !host.is_hostile() {
        left_out("proof that the hostile host is one: an ordinary static program survives there");
    }
    let folder = Folder::new();
    // Nobody listens on port 1; to find that out, the name is looked up.
    let variables = variables(&folder, "https://localhost:1");
    let mut till = Till::start_by(host.command(&binary(), &variables));
    let api = Client::program(&till.url, &token(&variables, "admin"));
    api.call("PUT", "/v1/users/alice", &json!({})).must(201);

    let answer = api.call("POST", "/v1/users/alice/checkout", &json!({"plan": "topup_100"})).must(502);

    assert_eq!(answer.code(), "stripe_unavailable");
    assert!(till.is_alive(), "{}", till.log());
    api.get("/readyz").must(200);
}

#[test]
fn wrong_usage_and_configuration_end_with_status_2_and_say_all_that_is_wrong() {
    let check = |arguments: &[&str], more: &[(&str, &str)], status: i32, words: &[&str]| {
        let variables = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let output = command(&variables).args(arguments).output().unwrap();
        let said = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
        for word in words {
            assert!(said.contains(word), "{arguments:?}: {word:?} is not in: {said}");
        }
    };
    check(&["--version"], &[], 0, &[env!("CARGO_PKG_VERSION")]);
    check(&["--help"], &[], 0, &["demo", "serve", "sandbox"]);
    check(&[], &[], 2, &["demo"]);
    check(&["frobnicate"], &[], 2, &["frobnicate"]);
    check(&["serve"], &[], 2, &["SPRITE_STRIPE_SECRET_KEY"]);
    let wrong = [("SPRITE_LISTEN", "eighty"), ("SPRITE_SIGNUP", "perhaps"), ("SPRITE_STRIPE_SECRET_KEY", "pk_live_x1")];
    check(&["serve"], &wrong, 2, &["SPRITE_LISTEN", "eighty", "SPRITE_SIGNUP", "perhaps", "SPRITE_STRIPE_SECRET_KEY"]);
}
