//! What is known of a person: how it is found, shown and removed, whichever crate has it.

mod end_user;

pub use end_user::known_as;
