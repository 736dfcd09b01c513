//! JSON as text: values with their bytes, and the sections of a table.

mod node;
mod sections;
mod set;
mod table;

pub(crate) use node::{Kind, Member, Node, assemble, compact, parse};
pub(crate) use sections::{HOLE, entries, layout, split, without_spaces};
pub(crate) use set::set;
pub use table::SectionTable;
pub(crate) use table::{Live, escape};
