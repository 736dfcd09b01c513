//! Tests with a database and a controllable clock, on both databases.

mod creators;
mod fixture;
mod names;
mod ownership;
mod preferences;
mod sessions;
mod tokens;
