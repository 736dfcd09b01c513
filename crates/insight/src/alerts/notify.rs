//! Notification of incidents: enqueues one delivery per target, in the transaction that opens or ends the incident.

use loam_db::{Tenant, Tx};
use loam_kernel::{Result, WebhookDeliveryId};
use loam_platform::webhook_deliveries::NewDelivery;
use sea_orm::{IntoActiveModel, Set};
use serde_json::{Value, json};

use super::delivery::{EMAIL, WEBHOOK};
use super::messages;
use crate::alert_events::entity::{EventState, Model as Event};
use crate::alert_rules::definition::Definition;
use crate::alert_rules::entity::Model as Rule;
use crate::alert_rules::targets::AlertTargets;
use crate::alerts::Alerts;

impl Alerts {
    /// Enqueues the notifications of an incident in its current state, and records their IDs in the incident.
    pub(crate) async fn notify(
        &self,
        tx: &Tx<Tenant>,
        rule: &Rule,
        event: Event,
        project: &str,
    ) -> Result<Event> {
        let targets = AlertTargets::of(rule)?;
        let payload = payload(rule, &event, project, self.0.clock.now())?;
        let mut delivery_ids: Vec<WebhookDeliveryId> = Vec::new();
        if let Some(webhook) = targets.webhook {
            // same lane: the notifications of an incident are delivered in order
            let lane = Some(event.id.to_string());
            let (target, payload) = (webhook.url, payload.clone());
            let new = NewDelivery { channel: None, kind: WEBHOOK, lane, target, payload };
            delivery_ids.push(self.0.deliveries.enqueue(tx, new).await?.id);
        }
        for to in targets.email.into_iter().flat_map(|email| email.to) {
            let lane = Some(format!("{}:{to}", event.id));
            let email = json!({
                "to": to, "subject": messages::subject(rule, &event, project), "text": text(&payload),
                "rule": { "id": rule.id },
            });
            let new = NewDelivery { channel: None, kind: EMAIL, lane, target: to, payload: email };
            delivery_ids.push(self.0.deliveries.enqueue(tx, new).await?.id);
        }
        if delivery_ids.is_empty() {
            return Ok(event);
        }
        let first_notified_at = event.notified_at;
        let mut context = event.context.clone();
        let transition = if event.state == EventState::Resolved { "resolved" } else { "opened" };
        context["deliveries"][transition] = json!(delivery_ids);
        let mut change = event.into_active_model();
        change.context = Set(context);
        change.notified_at = Set(first_notified_at.or(Some(self.0.clock.now())));
        tx.update(change).await
    }
}

/// The payload of a webhook.
fn payload(rule: &Rule, event: &Event, project: &str, now: chrono::DateTime<chrono::Utc>) -> Result<Value> {
    // the threshold at the time of the incident: the rule may have changed since
    let threshold = event.context["rule"]["threshold"].as_f64().unwrap_or(rule.threshold);
    let definition = Definition { threshold, ..Definition::of(rule)? };
    let (event_type, summary) = match event.state {
        EventState::Resolved => ("alert.resolved", messages::resolved(&definition, event.value)),
        _ => ("alert.opened", messages::opened(&definition, event.value)),
    };
    Ok(json!({
        "type": event_type,
        "summary": summary,
        "project": { "id": rule.project_id, "name": project },
        "rule": {
            "id": rule.id, "name": rule.name, "metric": rule.metric, "selector": rule.selector,
            "comparison": rule.comparison, "threshold": rule.threshold,
            "window_seconds": rule.window_seconds, "for_seconds": rule.for_seconds,
        },
        "event": {
            "id": event.id, "state": event.state, "severity": event.severity, "value": event.value,
            "opened_at": event.opened_at, "acknowledged_by": event.acknowledged_by,
            "resolved_at": event.resolved_at, "resolved_by": event.resolved_by,
        },
        "created_at": now,
    }))
}

/// The text of an e-mail.
fn text(payload: &Value) -> String {
    let field = |name: &str| match payload.pointer(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => "-".to_owned(),
        Some(other) => other.to_string(),
    };
    let mut lines = vec![
        format!("{}: {}", field("/project/name"), field("/rule/name")),
        String::new(),
        format!("{}.", field("/summary")),
        String::new(),
        format!("severity  {}", field("/event/severity")),
        format!("selector  {}", field("/rule/selector")),
        format!("opened    {}", field("/event/opened_at")),
    ];
    if payload["type"] == "alert.resolved" {
        lines.push(format!("resolved  {} by {}", field("/event/resolved_at"), field("/event/resolved_by")));
    }
    lines.push(format!("event     {}", field("/event/id")));
    lines.push(format!("rule      {}", field("/rule/id")));
    lines.join("\n") + "\n"
}
