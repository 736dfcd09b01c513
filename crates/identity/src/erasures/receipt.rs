//! What an erasure gives proof with.

use chrono::{DateTime, Utc};
use loam_kernel::{ErasureId, Error, Result, Scope};
use loam_platform::personal::erasure::{ErasureState, Model, SubjectType};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::run::Tally;
use super::service::not_completed;
use crate::{Identity, jwt};

/// Whom receipts are for. It is not the audience of Loam's tokens, and they have no end: none can be used as one.
const AUDIENCE: &str = "loam-erasure-receipt";

/// What was removed, where, and what stays; signed.
#[derive(Serialize, ToSchema)]
pub struct ErasureReceipt {
    /// What it says.
    #[schema(value_type = Object)]
    pub receipt: Value,
    /// The same as a JWS in compact form, signed with the instance's key: `/.well-known/jwks.json` has the public half.
    pub jws: String,
}

impl Identity {
    /// The receipt of an erasure that is completed, signed now.
    pub async fn erasure_receipt(&self, scope: &Scope, id: ErasureId) -> Result<ErasureReceipt> {
        let erasure = self.get_erasure(scope, id).await?;
        let (ErasureState::Completed, Some(mut receipt)) = (erasure.state, erasure.receipt) else {
            return Err(not_completed());
        };
        receipt["iss"] = json!(self.config.issuer());
        receipt["aud"] = json!(AUDIENCE);
        receipt["iat"] = json!(self.clock.now().timestamp());
        let keys = self.signing_keys().await?;
        let signer = keys.signer.as_ref().ok_or_else(|| Error::internal("there is no signing key"))?;
        let jws = jwt::sign(signer, &receipt)?;
        Ok(ErasureReceipt { receipt, jws })
    }

    pub(super) fn receipt(
        &self,
        erasure: &Model,
        tally: &Tally,
        overwritten: Value,
        now: DateTime<Utc>,
    ) -> Result<Value> {
        // what an application calls somebody may be their name; an id of Loam's own says nothing of them
        let id = erasure.subject_id.as_ref().filter(|_| erasure.subject_type != SubjectType::EndUser);
        let stores = &self.places()?.stores;
        let mut stays: Vec<Value> = match erasure.subject_type {
            SubjectType::Tenant => Vec::new(),
            _ => stores
                .iter()
                .filter_map(|store| Some(json!({ "place": store.name(), "what": store.stays()? })))
                .collect(),
        };
        if erasure.subject_type != SubjectType::Tenant {
            stays.push(json!({
                "place": "audit_logs",
                "what": "that something was changed, when, and salted commitments to what it was, so that the chain verifies",
            }));
        }
        stays.push(json!({
            "place": "backups made before",
            "what": "this instance does not reach them; delete them when their time has come, and erase again after restoring one",
        }));
        Ok(json!({
            "jti": erasure.id,
            "sub": erasure.subject_digest,
            "tenant_id": erasure.tenant_id,
            "subject": { "type": erasure.subject_type, "id": id, "digest": erasure.subject_digest },
            "requested_by": erasure.actor,
            "requested_at": erasure.created_at,
            "completed_at": now,
            "removed": tally.value()?,
            "overwritten": overwritten,
            "stays": stays,
        }))
    }
}
