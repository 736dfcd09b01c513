//! The handle of this crate.

use loam_db::Db;
use loam_identity::Identity;
use loam_kernel::{Clock, Error, Kind, ProjectId, Result, Scope};
use loam_platform::changes::Changes;
use loam_platform::notices::Notices;

/// Documents of applications. Cheap to clone.
#[derive(Clone)]
pub struct Delivery {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) changes: Changes,
    identity: Identity,
}

impl Delivery {
    /// A handle on a migrated database.
    pub fn new(db: Db, clock: Clock, notices: Notices, identity: Identity) -> Self {
        let changes = Changes::new(clock.clone(), notices);
        Self { db, clock, changes, identity }
    }

    /// Rejects the ID of a project that the tenant doesn't have.
    pub(crate) async fn check_project(&self, scope: &Scope, project: ProjectId) -> Result<()> {
        match self.identity.get_project(scope, project).await {
            Err(e) if e.kind() == Kind::NotFound => {
                Err(Error::invalid("project_id", "no project with this ID"))
            }
            found => found.map(drop),
        }
    }
}
