//! What a failed command says.

use std::io::ErrorKind;

use loam_kernel::{Error, Kind};

/// Whether the reader of the output has closed it.
pub(super) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.root_cause().downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

/// An error with its causes, but without those of a refusal: its own message says what to do, and the causes are SQL.
pub(super) fn reason(error: &anyhow::Error) -> String {
    let mut messages: Vec<String> = Vec::new();
    for cause in error.chain() {
        messages.push(cause.to_string());
        if cause.downcast_ref::<Error>().is_some_and(|error| is_refusal(error.kind())) {
            break;
        }
    }
    messages.join(": ")
}

fn is_refusal(kind: Kind) -> bool {
    !matches!(kind, Kind::Internal | Kind::Unavailable | Kind::BadGateway | Kind::Timeout)
}
