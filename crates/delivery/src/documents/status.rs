//! The status of a document, and who may change it to what.

use loam_kernel::{Error, Kind, Result, Scope};
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use DocumentStatus::{Approved, Draft, InReview, Superseded};

/// The permission to approve documents, and to change the status of approved ones.
const APPROVE: &str = "documents:approve";

/// The status of a document: `draft`, `in_review`, `approved`, `superseded`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum DocumentStatus {
    /// Being written.
    Draft,
    /// Waiting for approval.
    InReview,
    /// Approved, and not changed until it is a draft again.
    Approved,
    /// Replaced by another document; final.
    Superseded,
}

/// A change of a document's status.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DocumentTransition {
    /// The new status.
    pub status: DocumentStatus,
    /// The version that it applies to, so that nobody approves what they haven't read; must be the current one.
    pub base_version: i64,
}

impl DocumentStatus {
    /// What may follow.
    fn next(self) -> &'static [Self] {
        match self {
            Draft => &[InReview],
            InReview => &[Draft, Approved],
            Approved => &[Draft, Superseded],
            Superseded => &[],
        }
    }

    fn name(self) -> &'static str {
        match self {
            Draft => "draft",
            InReview => "in_review",
            Approved => "approved",
            Superseded => "superseded",
        }
    }

    /// Rejects a transition that doesn't exist, or that this caller may not make.
    ///
    /// # Errors
    /// `invalid_transition`, `missing_permission`.
    pub(super) fn check_transition(self, to: Self, scope: &Scope) -> Result<()> {
        if !self.next().contains(&to) {
            let next: Vec<&str> = self.next().iter().map(|status| status.name()).collect();
            let next = if next.is_empty() { "nothing".to_owned() } else { next.join(" or ") };
            let message = format!(
                "the document is {}, which can't become {}; it can become {next}",
                self.name(),
                to.name()
            );
            return Err(Error::new(Kind::Conflict, "invalid_transition", message).with_param("status"));
        }
        if self == Approved || to == Approved { scope.require(APPROVE) } else { Ok(()) }
    }

    /// Rejects a change of the content of an approved or superseded document.
    ///
    /// # Errors
    /// `document_not_editable`.
    pub(super) fn check_editable(self) -> Result<()> {
        let message = match self {
            Draft | InReview => return Ok(()),
            Approved => "the document is approved; make it a draft again before you change it",
            Superseded => "the document is superseded and can't be changed; create another one",
        };
        Err(Error::new(Kind::Conflict, "document_not_editable", message))
    }
}

#[cfg(test)]
mod tests {
    use loam_kernel::{Actor, Permissions, TenantId};

    use super::*;

    #[test]
    fn only_who_may_approve_moves_a_document_to_or_from_approved() {
        let scope = |permissions: &[&str]| {
            let permissions = Permissions::new(permissions.iter().map(|name| (*name).to_owned()));
            Scope::new(TenantId::NIL, Actor::CommandLine, permissions)
        };
        let (writer, approver) = (scope(&["requirements:write"]), scope(&[APPROVE]));
        let all = [Draft, InReview, Approved, Superseded];
        let code = |from: DocumentStatus, to, scope: &Scope| match from.check_transition(to, scope) {
            Ok(()) => "ok".to_owned(),
            Err(error) => error.code().to_owned(),
        };
        for (from, by_writer, by_approver) in [
            (Draft, "no ok no no", "no ok no no"),
            (InReview, "ok no forbidden no", "ok no ok no"),
            (Approved, "forbidden no no forbidden", "ok no no ok"),
            (Superseded, "no no no no", "no no no no"),
        ] {
            for (scope, expected) in [(&writer, by_writer), (&approver, by_approver)] {
                let expected =
                    expected.replace("no", "invalid_transition").replace("forbidden", "missing_permission");
                assert_eq!(all.map(|to| code(from, to, scope)).join(" "), expected, "{from:?}");
            }
        }
    }
}
