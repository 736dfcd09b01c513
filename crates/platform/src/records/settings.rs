//! Retention of recorded data, by instance, tenant and project.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use loam_kernel::{ProjectId, TenantId};
use sea_orm::{ColumnTrait, Condition};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;

use crate::system_config::{ConfigKey, LiveConfig};

/// Retention of the data that Loam records. None: forever.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct RetentionSettings {
    /// Retention of request records in days.
    pub api_logs_days: Option<u32>,
    /// Retention of error records in days.
    pub error_logs_days: Option<u32>,
    /// Retention of frames in quarantine in days.
    pub quarantine_days: Option<u32>,
    /// Retention of calls in days. Their aggregates (`usage`) are kept regardless.
    pub llm_calls_days: Option<u32>,
    /// Retention of bodies of calls in days.
    pub llm_call_bodies_days: Option<u32>,
    /// Retention of tool calls in days.
    pub tool_calls_days: Option<u32>,
    /// Days for which the events of a turn can be read after its end. Its messages are kept.
    pub turn_events_days: Option<u32>,
    /// Overrides by project.
    pub projects: BTreeMap<ProjectId, ProjectRetention>,
}

impl Default for RetentionSettings {
    fn default() -> Self {
        Self {
            api_logs_days: Some(30),
            error_logs_days: Some(90),
            quarantine_days: None,
            llm_calls_days: None,
            llm_call_bodies_days: None,
            tool_calls_days: None,
            turn_events_days: None,
            projects: BTreeMap::new(),
        }
    }
}

/// Overrides of a project. Omitted fields apply as in the tenant; null: forever.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ProjectRetention {
    /// Retention of request records in days.
    #[serde(deserialize_with = "present_or_null", skip_serializing_if = "Option::is_none")]
    pub api_logs_days: Option<Option<u32>>,
    /// Retention of error records in days.
    #[serde(deserialize_with = "present_or_null", skip_serializing_if = "Option::is_none")]
    pub error_logs_days: Option<Option<u32>>,
    /// Retention of calls in days.
    #[serde(deserialize_with = "present_or_null", skip_serializing_if = "Option::is_none")]
    pub llm_calls_days: Option<Option<u32>>,
    /// Retention of bodies of calls in days.
    #[serde(deserialize_with = "present_or_null", skip_serializing_if = "Option::is_none")]
    pub llm_call_bodies_days: Option<Option<u32>>,
}

/// Distinguishes null from an omitted field.
fn present_or_null<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Option<u32>>, D::Error> {
    Option::deserialize(value).map(Some)
}

/// The key of [`RetentionSettings`].
pub const RETENTION: ConfigKey<RetentionSettings> = ConfigKey::new(
    "records.retention",
    "records",
    "how many days requests, errors, calls, bodies of calls, uses of tools, streams of turns and quarantined frames are \
     kept; null: for ever. `projects` has, by a project's id, what is kept there for another time",
    || {
        let days = json!({ "type": ["integer", "null"], "minimum": 1, "maximum": 3650 });
        json!({
            "type": "object", "additionalProperties": false,
            "properties": {
                "api_logs_days": days, "error_logs_days": days, "quarantine_days": days, "llm_calls_days": days,
                "llm_call_bodies_days": days, "tool_calls_days": days, "turn_events_days": days,
                "projects": {
                    "type": "object", "propertyNames": { "format": "uuid" }, "maxProperties": 1000,
                    "additionalProperties": {
                        "type": "object", "additionalProperties": false,
                        "properties": {
                            "api_logs_days": days, "error_logs_days": days, "llm_calls_days": days,
                            "llm_call_bodies_days": days
                        }
                    }
                }
            }
        })
    },
)
.per_tenant();

impl RetentionSettings {
    /// The days of one kind of record in a project.
    pub fn of_project(
        &self,
        project: Option<ProjectId>,
        days: impl Fn(&Self) -> Option<u32>,
        own: impl Fn(&ProjectRetention) -> Option<Option<u32>>,
    ) -> Option<u32> {
        let own = project.and_then(|project| self.projects.get(&project)).and_then(own);
        own.unwrap_or_else(|| days(self))
    }

    /// When the bodies of a call will be deleted; none if they are kept forever. The job runs every hour.
    pub fn bodies_expire_at(
        &self,
        project: Option<ProjectId>,
        created_at: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let days = self.of_project(project, |s| s.llm_call_bodies_days, |p| p.llm_call_bodies_days);
        days.map(|days| created_at + TimeDelta::days(i64::from(days)))
    }

    /// The policies of a tenant: its own for projects without overrides, and those of the projects.
    pub fn policies_of(
        &self,
        tenant: TenantId,
        days: impl Fn(&Self) -> Option<u32>,
        own: impl Fn(&ProjectRetention) -> Option<Option<u32>>,
    ) -> Vec<Policy> {
        let (except, mut policies) = self.projects(|project| PolicyTarget::Project { tenant, project }, own);
        policies.push(Policy { whose: PolicyTarget::Tenant { tenant, except }, days: days(self) });
        policies
    }

    fn projects(
        &self,
        whose: impl Fn(ProjectId) -> PolicyTarget,
        own: impl Fn(&ProjectRetention) -> Option<Option<u32>>,
    ) -> (Vec<ProjectId>, Vec<Policy>) {
        let own = self.projects.iter().filter_map(|(project, settings)| Some((*project, own(settings)?)));
        own.map(|(project, days)| (project, Policy { whose: whose(project), days })).unzip()
    }
}

/// A retention policy for some rows.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The rows it applies to.
    pub whose: PolicyTarget,
    /// Days; none: forever.
    pub days: Option<u32>,
}

/// The rows that a policy applies to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PolicyTarget {
    /// Rows of all tenants and projects except these.
    Others {
        /// Tenants with policies of their own.
        tenants: Vec<TenantId>,
        /// Projects with policies of their own.
        except: Vec<ProjectId>,
    },
    /// Rows of a project in all tenants except these.
    OthersProject {
        /// Tenants with policies of their own.
        tenants: Vec<TenantId>,
        /// The project.
        project: ProjectId,
    },
    /// Rows of a tenant, except these projects.
    Tenant {
        /// The tenant.
        tenant: TenantId,
        /// Projects with policies of their own.
        except: Vec<ProjectId>,
    },
    /// Rows of a project.
    Project {
        /// Its tenant.
        tenant: TenantId,
        /// The project.
        project: ProjectId,
    },
}

impl Policy {
    /// All policies for one kind of record: exactly one applies to each row.
    pub fn all(
        settings: &LiveConfig<RetentionSettings>,
        days: impl Fn(&RetentionSettings) -> Option<u32>,
        own: impl Fn(&ProjectRetention) -> Option<Option<u32>>,
    ) -> Vec<Self> {
        let (instance, own_tenants) = settings.each();
        let tenants: Vec<TenantId> = own_tenants.iter().map(|(tenant, _)| *tenant).collect();
        let whose = |project| PolicyTarget::OthersProject { tenants: tenants.clone(), project };
        let (except, projects) = instance.projects(whose, &own);
        let others = PolicyTarget::Others { tenants: tenants.clone(), except };
        let mut all = vec![Self { whose: others, days: days(&instance) }];
        all.extend(projects);
        for (tenant, settings) in own_tenants {
            all.extend(settings.policies_of(tenant, &days, &own));
        }
        all
    }
}

impl PolicyTarget {
    /// The condition of the rows; a table without a project column has no project policies.
    pub fn condition<C: ColumnTrait>(&self, tenant: C, project: Option<C>) -> Condition {
        let not_of = |except: &[ProjectId]| match project {
            Some(column) if !except.is_empty() => {
                Condition::any().add(column.is_null()).add(column.is_not_in(except.iter().copied()))
            }
            _ => Condition::all(),
        };
        let not_in = |tenants: &[TenantId]| match tenants {
            [] => Condition::all(),
            tenants => Condition::all().add(tenant.is_not_in(tenants.iter().copied())),
        };
        let of = |id: &ProjectId| match project {
            Some(column) => Condition::all().add(column.eq(*id)),
            // never
            None => Condition::all().add(tenant.is_null()),
        };
        match self {
            Self::Others { tenants, except } => not_in(tenants).add(not_of(except)),
            Self::OthersProject { tenants, project } => not_in(tenants).add(of(project)),
            Self::Tenant { tenant: id, except } => Condition::all().add(tenant.eq(*id)).add(not_of(except)),
            Self::Project { tenant: id, project } => Condition::all().add(tenant.eq(*id)).add(of(project)),
        }
    }
}
