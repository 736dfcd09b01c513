//! Whom a tenant may write to through the operator's mail server.

use loam_db::Db;
use loam_identity::Identity;
use loam_kernel::{Result, Scope};
use loam_platform::mail::{Allowed, Mailer, bare_address};

/// Why this address may not be written to; none if it may. Looked at when a rule is made and again when a letter is sent,
/// as the operator's domains and the tenant's users change.
pub(crate) async fn refused(
    db: &Db,
    identity: &Identity,
    mailer: &Mailer,
    scope: &Scope,
    address: &str,
) -> Result<Option<&'static str>> {
    match mailer.allows(address) {
        Allowed::Yes => Ok(None),
        Allowed::No => Ok(Some("is not in a domain that this server's operator lets alerts be sent to")),
        Allowed::ToUsers => {
            let bare = bare_address(address).unwrap_or_default();
            let known = identity.has_active_address(&db.read(scope).await?, &bare).await?;
            Ok((!known).then_some("is not the address of an active user of this tenant"))
        }
    }
}
