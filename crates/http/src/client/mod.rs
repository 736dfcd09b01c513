//! The guarded client for outgoing requests.
