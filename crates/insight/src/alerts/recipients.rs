//! Which addresses a tenant may send e-mail to through the operator's mail server.

use loam_db::Db;
use loam_identity::Identity;
use loam_kernel::{Result, Scope};
use loam_platform::mail::{Allowed, Mailer, bare_address};

/// The reason why this address is not permitted; `None` if it is. Checked when a rule is created or changed and again when
/// an e-mail is sent, because the operator's domains and the tenant's users change.
pub(crate) async fn rejection(
    db: &Db,
    identity: &Identity,
    mailer: &Mailer,
    scope: &Scope,
    address: &str,
) -> Result<Option<&'static str>> {
    match mailer.allows(address) {
        Allowed::Yes => Ok(None),
        Allowed::No => Ok(Some("is not in a domain that the operator of this server permits for alerts")),
        Allowed::ToUsers => {
            let bare = bare_address(address).unwrap_or_default();
            let is_user = identity.has_active_address(&db.read(scope).await?, &bare).await?;
            Ok((!is_user).then_some("is not the address of an active user of this tenant"))
        }
    }
}
