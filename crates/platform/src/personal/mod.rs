//! Personal data: how it is found, exported and deleted, in all crates.
//!
//! Belongs here: the search criteria of a person ([`PersonQuery`]), the interface of a location of personal data
//! ([`PersonalDataStore`]), and the filter for late records of erased persons ([`Guard`]). Does not belong here: the
//! locations, which each crate declares, and the erasures themselves (`loam-identity`).

mod end_user;
pub mod erased;
pub mod erasure;
mod guard;
mod named;
mod query;
mod recorded;
mod requests;
mod rows;
mod store;
mod stores;

pub use end_user::end_user_key;
pub use guard::{Guard, RecordSubjects, Subject, erased_tenants};
pub use named::Named;
pub use query::PersonQuery;
pub use recorded::RecordedBetween;
pub use requests::{DeletedRequests, delete_requests};
pub use rows::Rows;
pub use store::{Cursor, PersonalDataStore, Removed, Step};
pub use stores::{null, stores};
