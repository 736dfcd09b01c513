//! What needs a database and a clock that can be moved, on both databases.

mod bed;
mod makers;
mod ownership;
mod preferences;
mod sessions;
mod tokens;
