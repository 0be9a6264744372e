//! The program. What it does is in the library; here is only what must come before everything else.

use std::process::ExitCode;

fn main() -> ExitCode {
    // First of all, while there is one thread only.
    till::cli::nss::use_built_in_name_services();
    till::cli::run()
}
