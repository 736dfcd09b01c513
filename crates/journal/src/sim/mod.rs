//! For tests: a disk in memory that behaves as badly as a real one may, and a journal without threads. Everything that
//! happens follows from a seed.

mod disk;
mod files;
mod rng;
mod stepped;

pub use disk::{Faults, SimStorage};
pub use rng::Rng;
pub use stepped::Stepped;

pub use crate::writer::Step;
