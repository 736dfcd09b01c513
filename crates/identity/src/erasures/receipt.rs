//! Receipts of erasures.

use chrono::{DateTime, Utc};
use loam_kernel::{ErasureId, Error, Result, Scope};
use loam_platform::personal::erasure::{ErasureState, Model, SubjectType};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::run::RemovalCounts;
use super::service::not_completed;
use crate::{Identity, jwt};

/// The audience of receipts. It differs from that of Loam's tokens, and receipts have no `exp`, so none can be used as
/// a token.
const AUDIENCE: &str = "loam-erasure-receipt";

/// A signed report of what was removed, where, and what remains.
#[derive(Serialize, ToSchema)]
pub struct ErasureReceipt {
    /// The content.
    #[schema(value_type = Object)]
    pub receipt: Value,
    /// The same as a JWS in compact form, signed with the instance's key: `/.well-known/jwks.json` has the public half.
    pub jws: String,
}

impl Identity {
    /// The receipt of a completed erasure, signed now.
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
        counts: &RemovalCounts,
        overwritten: Value,
        now: DateTime<Utc>,
    ) -> Result<Value> {
        // an application's id may be a person's name; Loam's own ids are not personal data
        let id = erasure.subject_id.as_ref().filter(|_| erasure.subject_type != SubjectType::EndUser);
        let stores = &self.data_locations()?.stores;
        let mut retained: Vec<Value> = match erasure.subject_type {
            SubjectType::Tenant => Vec::new(),
            _ => stores
                .iter()
                .filter_map(|store| Some(json!({ "place": store.name(), "what": store.retained()? })))
                .collect(),
        };
        if erasure.subject_type != SubjectType::Tenant {
            retained.push(json!({
                "place": "audit_logs",
                "what": "that a change happened, its time, and salted commitments to its content, so that the chain verifies",
            }));
        }
        retained.push(json!({
            "place": "backups made before",
            "what": "Loam can't reach them; delete them at the end of their retention, and repeat the erasure after restoring one",
        }));
        Ok(json!({
            "jti": erasure.id,
            "sub": erasure.subject_digest,
            "tenant_id": erasure.tenant_id,
            "subject": { "type": erasure.subject_type, "id": id, "digest": erasure.subject_digest },
            "requested_by": erasure.actor,
            "requested_at": erasure.created_at,
            "completed_at": now,
            "removed": counts.value()?,
            "overwritten": overwritten,
            "stays": retained,
        }))
    }
}
