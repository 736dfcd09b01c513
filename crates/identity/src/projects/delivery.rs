//! The delivery of a project: its status and its timeline.

use chrono::{DateTime, Utc};
use loam_kernel::{Error, Kind, Result, bounded};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::entity::DeliveryStatus::{self, Active, Archived, Completed, Draft};

/// Maximum number of milestones.
const MAX_MILESTONES: usize = 500;

/// The timeline of a project. Further fields are your own.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProjectTimeline {
    /// The milestones.
    #[serde(default)]
    #[schema(nullable = false)]
    pub milestones: Vec<Milestone>,
}

/// A milestone.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Milestone {
    /// Name.
    pub name: String,
    /// When it is due.
    pub date: DateTime<Utc>,
    /// Whether it is reached.
    pub completed: bool,
}

/// Rejects a timeline whose milestones are not milestones.
pub(super) fn check_timeline(timeline: &Value) -> Result<()> {
    let Some(milestones) = timeline.get("milestones") else { return Ok(()) };
    let Value::Array(milestones) = milestones else {
        return Err(Error::invalid("timeline.milestones", "must be an array"));
    };
    if milestones.len() > MAX_MILESTONES {
        let message = format!("must have at most {MAX_MILESTONES} items");
        return Err(Error::invalid("timeline.milestones", message));
    }
    for (index, milestone) in milestones.iter().enumerate() {
        let name = format!("timeline.milestones[{index}]");
        let milestone = Milestone::deserialize(milestone)
            .map_err(|error| Error::invalid(&name, format!("is not a milestone: {error}")))?;
        bounded(&format!("{name}.name"), &milestone.name, 200)?;
    }
    Ok(())
}

impl DeliveryStatus {
    fn next(self) -> &'static [Self] {
        match self {
            Draft => &[Active, Archived],
            Active => &[Completed, Archived],
            Completed => &[Active, Archived],
            Archived => &[Active],
        }
    }

    fn name(self) -> &'static str {
        match self {
            Draft => "draft",
            Active => "active",
            Completed => "completed",
            Archived => "archived",
        }
    }

    /// Rejects a status that does not follow this one.
    pub(super) fn check_transition(self, to: Self) -> Result<()> {
        if self == to || self.next().contains(&to) {
            return Ok(());
        }
        let next: Vec<&str> = self.next().iter().map(|status| status.name()).collect();
        let (from, to, next) = (self.name(), to.name(), next.join(" or "));
        let message = format!("the delivery is {from}, which can't become {to}; it can become {next}");
        Err(Error::new(Kind::Conflict, "invalid_transition", message).with_param("delivery_status"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_delivery_goes_from_draft_to_archived_and_can_be_taken_up_again() {
        let all = [Draft, Active, Completed, Archived];
        let allowed = |from: DeliveryStatus| all.map(|to| u8::from(from.check_transition(to).is_ok()));
        assert_eq!(all.map(allowed), [[1, 1, 0, 1], [0, 1, 1, 1], [0, 1, 1, 1], [0, 1, 0, 1]]);
        let error = Draft.check_transition(Completed).expect_err("not yet");
        assert_eq!((error.code(), error.status()), ("invalid_transition", 409));
    }

    #[test]
    fn a_milestone_has_a_name_a_date_and_whether_it_is_reached() {
        let milestone = json!({ "name": "beta", "date": "2027-01-31T00:00:00Z", "completed": false });
        let check = |milestones: Value| check_timeline(&json!({ "milestones": milestones, "own": 1 }));
        assert!(check(json!([milestone])).is_ok() && check_timeline(&json!({})).is_ok());
        let mut late = milestone.clone();
        late["date"] = json!("soon");
        for (wrong, param) in [
            (json!({}), "timeline.milestones"),
            (json!([milestone, late]), "timeline.milestones[1]"),
            (json!([{ "name": "beta" }]), "timeline.milestones[0]"),
            (
                json!([{ "name": " ", "date": "2027-01-31T00:00:00Z", "completed": false }]),
                "timeline.milestones[0].name",
            ),
        ] {
            assert_eq!(check(wrong).expect_err("refused").param(), Some(param));
        }
    }
}
