//! How host names are resolved. This file has the only `unsafe` block of the program, and nothing else.
//!
//! The binary is linked statically with glibc, whose `getaddrinfo` loads a shared module for each service that
//! `/etc/nsswitch.conf` names, and with it a second C library: on hosts that name `mdns4_minimal`, `myhostname` or
//! `resolve` the first lookup crashes. The services that are configured here are built in.

/// Makes lookups use built-in services: `/etc/hosts` and DNS for hosts, the files in `/etc` for the rest. To be called before
/// there is a second thread.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code, reason = "glibc offers this in C only; see the top of this file")]
pub fn use_built_in_name_services() {
    use std::ffi::{CStr, c_char, c_int};

    unsafe extern "C" {
        // "Undocumented" in glibc's manual, declared in <nss.h>, exported since 2.0.
        fn __nss_configure_lookup(database: *const c_char, services: *const c_char) -> c_int;
    }
    let services: [(&CStr, &CStr); 4] =
        [(c"hosts", c"files dns"), (c"services", c"files"), (c"passwd", c"files"), (c"group", c"files")];
    for (database, service) in services {
        // SAFETY: both strings are NUL-terminated and static; glibc copies what it keeps. There is no other thread yet.
        // It fails only for an unknown database or without memory; lookups then work as usual.
        unsafe { __nss_configure_lookup(database.as_ptr(), service.as_ptr()) };
    }
}

/// Other platforms need no change.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn use_built_in_name_services() {}
