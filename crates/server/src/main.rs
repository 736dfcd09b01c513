//! `loam`: the backend under an AI application.

use std::process::ExitCode;

/// Faster than the system's own on the path of a call, by about a twentieth.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    loam_server::cli::main()
}
