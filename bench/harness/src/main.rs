//! What Loam's benchmarks are made of: a mock upstream without delay, a closed-loop load generator, and a
//! reader of a process's memory and CPU time.
//!
//! Both ends of the wire share two cores with the gateway between them, so every microsecond spent here flattens
//! the difference between gateways. That is why HTTP/1.1 is spoken directly over `httparse` instead of through a
//! general client and server. Nothing here is used by Loam itself.

mod answers;
mod http1;
mod load;
mod process;
mod prompt;
mod stats;
mod upstream;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Tools of Loam's benchmarks.
#[derive(Parser)]
#[command(name = "loam-bench")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Answer `OpenAI` requests with canned text, as fast as possible.
    Upstream(upstream::Args),
    /// Send requests over keep-alive connections and check every answer.
    Load(load::Args),
    /// Print memory and CPU time of a process and all its descendants.
    Process(process::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Upstream(args) => upstream::run(&args).map_err(|error| error.to_string()),
        Command::Load(args) => load::run(args),
        Command::Process(args) => process::run(&args).map_err(|error| error.to_string()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("loam-bench: {message}");
            ExitCode::FAILURE
        }
    }
}
