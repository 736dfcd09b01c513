//! What is known of a person: how it is found, shown and removed, whichever crate has it.
//!
//! Belongs here: who a person is to a search ([`Who`]), what a crate says of each place that may hold something of a
//! person ([`Store`]), and what keeps late records of an erased person out ([`Guard`]). Does not belong here: which
//! places there are, which each crate says of its own, or when somebody is erased (`loam-identity`).

mod end_user;
pub mod erased;
pub mod erasure;
mod guard;
mod recorded;
mod requests;
mod rows;
mod store;
mod stores;
mod who;

pub use end_user::known_as;
pub use guard::{Guard, Named, Subject, erased_tenants};
pub use recorded::RecordedBetween;
pub use requests::{Forgotten, forget_requests};
pub use rows::Rows;
pub use store::{Cursor, Removed, Step, Store};
pub use stores::{nothing, stores};
pub use who::Who;
