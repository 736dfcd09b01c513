//! Evaluation of alert rules, on both databases.

use chrono::TimeDelta;
use loam_kernel::{AlertRuleId, ExpectedVersion, PageQuery, ProjectId, Scope, TenantId};
use loam_platform::sketch::Sketch;
use loam_platform::webhook_deliveries::WebhookDeliveryFilter;
use loam_platform::webhook_deliveries::entity::Model as Delivery;
use loam_testkit::{Database, on_both};
use sea_orm::QueryOrder;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::Insight;
use crate::alert_events::entity::{EventState, Model as Event};
use crate::alert_events::service::AlertEventFilter;
use crate::alert_rules::entity::{Column, Entity, Model, RuleState};
use crate::alert_rules::service::AlertRuleUpdate;
use crate::fixture::Fixture;
use crate::records::DeleteOld;
use crate::stats::{Granularity, endpoints};

on_both![
    an_incident_is_opened_ended_and_notified_exactly_once,
    concurrent_nodes_open_one_incident,
    a_manual_resolution_is_notified_once_and_does_not_reopen_before_recovery,
    deactivating_a_rule_ends_its_incident,
    too_few_samples_are_neither_breach_nor_recovery,
    every_request_metric_is_measured,
    default_rules_use_the_thresholds_of_a_project,
    another_tenant_can_neither_read_nor_change,
    rules_per_project_are_limited,
    a_resolved_incident_is_retained_for_400_days,
];

const MINUTE: TimeDelta = TimeDelta::minutes(1);

struct AlertFixture {
    fixture: Fixture,
    project: ProjectId,
}

impl AlertFixture {
    async fn new(database: Database) -> Self {
        let fixture = Fixture::new(database).await;
        let project = fixture.project("shop").await;
        Self { fixture, project }
    }

    async fn rule(&self, more: Value) -> AlertRuleId {
        let mut rule = json!({
            "project_id": self.project, "name": "slow", "metric": "response_time_p95", "threshold": 1.0,
            "recover_threshold": 0.5, "window_seconds": 60, "min_samples": 5,
            "delivery": { "webhook": { "url": "http://127.0.0.1:9/alerts" } },
        });
        rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let rule = serde_json::from_value(rule).unwrap();
        self.fixture.insight.alerts.create_alert_rule(&self.fixture.scope(), rule).await.unwrap().row.id
    }

    /// Adds `count` requests now, each taking `seconds`; `errors` of them failed.
    async fn requests(&self, count: i64, seconds: f64, errors: i64) {
        let mut sketch = Sketch::default();
        sketch.count((seconds * 1e6) as u64, count);
        let fill = |row: &mut endpoints::Model| {
            (row.requests, row.calls, row.errors) = (count, count, errors);
            row.duration_us = (seconds * 1e6) as i64 * count;
            (row.memory_peak, row.sketch) = (300 << 20, sketch.to_bytes());
        };
        self.fixture.endpoint_sum(self.project, Granularity::Minute, fill).await;
    }

    /// Advances by three minutes, adds `count` requests that take `seconds`, and evaluates the rules.
    async fn advance_and_evaluate(&self, count: i64, seconds: f64) -> RuleState {
        self.fixture.clock.advance(MINUTE * 3);
        if count > 0 {
            self.requests(count, seconds, 0).await;
        }
        evaluate(&self.fixture.insight).await;
        self.rows().await[0].state
    }

    async fn rows(&self) -> Vec<Model> {
        let tx = self.fixture.database.db.read(&self.fixture.scope()).await.unwrap();
        tx.find::<Entity>().order_by_asc(Column::Id).all().await.unwrap()
    }

    /// Oldest first.
    async fn events(&self) -> Vec<Event> {
        let filter = AlertEventFilter::default();
        let page = self
            .fixture
            .insight
            .alerts
            .list_alert_events(&self.fixture.scope(), filter, &PageQuery::default())
            .await;
        page.unwrap().data.into_iter().rev().collect()
    }

    /// Oldest first.
    async fn notifications(&self) -> Vec<Delivery> {
        let (scope, filter) = (self.fixture.scope(), WebhookDeliveryFilter::default());
        let page = self.fixture.insight.alerts.0.deliveries.list(&scope, filter, &PageQuery::default()).await;
        page.unwrap().data.into_iter().rev().collect()
    }

    async fn notification_types(&self) -> Vec<String> {
        self.notifications()
            .await
            .iter()
            .map(|delivery| delivery.payload["type"].as_str().unwrap().to_owned())
            .collect()
    }
}

async fn evaluate(insight: &Insight) {
    let rules = insight.alerts.active_rules(&Scope::system(TenantId::NIL, "test"), None).await.unwrap();
    insight.alerts.evaluate_due(rules).await.unwrap();
}

use RuleState::{Firing, Ok, Pending, Resolved};

async fn an_incident_is_opened_ended_and_notified_exactly_once(database: Database) {
    let alerts = AlertFixture::new(database).await;
    let rule = alerts.rule(json!({ "for_seconds": 120 })).await;
    let mut states = Vec::new();
    for seconds in [0.2, 2.0, 2.0, 2.0, 2.0, 0.8, 0.2, 0.2, 0.2] {
        states.push(alerts.advance_and_evaluate(10, seconds).await);
    }
    assert_eq!(states, [Ok, Pending, Firing, Firing, Firing, Firing, Firing, Ok, Ok]);
    let events = alerts.events().await;
    assert_eq!(events.len(), 1);
    let event = &events[0];
    assert_eq!((event.rule_id, event.state), (rule, EventState::Resolved));
    assert!((event.value - 2.0).abs() < 0.03 && event.resolved_by.as_deref() == Some("system:alerts"));
    assert_eq!(event.context["samples"], 10);
    let notifications = alerts.notifications().await;
    assert_eq!(alerts.notification_types().await, ["alert.opened", "alert.resolved"]);
    assert_eq!(
        event.context["deliveries"],
        json!({ "opened": [notifications[0].id], "resolved": [notifications[1].id] })
    );
    assert_eq!(event.notified_at, Some(event.opened_at));
    assert!(notifications.iter().all(|delivery| delivery.lane == Some(event.id.to_string())), "in order");
    assert_eq!(notifications[0].payload["project"]["name"], "shop");
    assert!(notifications[0].payload["summary"].as_str().unwrap().starts_with("response time (95 %) is "));
    // the next breach opens a new incident
    for seconds in [2.0, 2.0] {
        alerts.advance_and_evaluate(10, seconds).await;
    }
    assert_eq!((alerts.events().await.len(), alerts.notifications().await.len()), (2, 3));
}

async fn concurrent_nodes_open_one_incident(database: Database) {
    let alerts = AlertFixture::new(database).await;
    alerts.rule(json!({})).await;
    let others: Vec<Insight> = (0..4).map(|_| alerts.fixture.second_node()).collect();
    for round in 0..6 {
        alerts.fixture.clock.advance(MINUTE * 3);
        alerts.requests(10, if round % 2 == 0 { 3.0 } else { 0.1 }, 0).await;
        // all nodes read the rules before any of them evaluates
        let scope = Scope::system(TenantId::NIL, "test");
        let mut evaluations = tokio::task::JoinSet::new();
        for node in &others {
            let (node, rules) = (node.clone(), node.alerts.active_rules(&scope, None).await.unwrap());
            evaluations.spawn(async move { node.alerts.evaluate_due(rules).await });
        }
        while let Some(ended) = evaluations.join_next().await {
            ended.unwrap().unwrap();
        }
    }
    assert_eq!(alerts.events().await.len(), 3);
    let expected = ["alert.opened", "alert.resolved"].repeat(3);
    assert_eq!(alerts.notification_types().await, expected);
}

async fn a_manual_resolution_is_notified_once_and_does_not_reopen_before_recovery(database: Database) {
    let alerts = AlertFixture::new(database).await;
    alerts.rule(json!({})).await;
    let (insight, scope) = (&alerts.fixture.insight, alerts.fixture.scope());
    assert_eq!(alerts.advance_and_evaluate(10, 2.0).await, Firing);
    let id = alerts.events().await[0].id;
    let acknowledged = insight.alerts.acknowledge_alert_event(&scope, id).await.unwrap();
    assert_eq!(acknowledged.acknowledged_by.as_deref(), Some("command_line"));
    let again = insight.alerts.acknowledge_alert_event(&scope, id).await.unwrap();
    assert_eq!(again, acknowledged, "the first acknowledgement stays");
    assert_eq!(
        alerts.advance_and_evaluate(10, 2.0).await,
        Firing,
        "an acknowledgement does not change the rule"
    );
    for _ in 0..2 {
        let resolved = insight.alerts.resolve_alert_event(&scope, id).await.unwrap();
        assert_eq!(
            (resolved.state, resolved.resolved_by.as_deref()),
            (EventState::Resolved, Some("command_line"))
        );
    }
    let error = insight.alerts.acknowledge_alert_event(&scope, id).await.unwrap_err();
    assert_eq!((error.status(), error.code()), (409, "already_resolved"));
    assert_eq!(alerts.advance_and_evaluate(10, 2.0).await, Resolved);
    assert_eq!(alerts.advance_and_evaluate(10, 0.7).await, Resolved, "between the thresholds");
    assert_eq!(alerts.notification_types().await, ["alert.opened", "alert.resolved"]);
    assert_eq!(alerts.advance_and_evaluate(10, 0.2).await, Ok);
    assert_eq!(alerts.advance_and_evaluate(10, 2.0).await, Firing);
    assert_eq!(alerts.events().await.len(), 2);
}

async fn deactivating_a_rule_ends_its_incident(database: Database) {
    let alerts = AlertFixture::new(database).await;
    let rule = alerts.rule(json!({})).await;
    let (insight, scope) = (&alerts.fixture.insight, alerts.fixture.scope());
    assert_eq!(alerts.advance_and_evaluate(10, 2.0).await, Firing);
    let off = AlertRuleUpdate { is_active: Some(false), ..AlertRuleUpdate::default() };
    let row = insight.alerts.update_alert_rule(&scope, rule, &ExpectedVersion::any(), off).await.unwrap().row;
    assert_eq!((row.state, row.open_event_id), (Ok, None));
    assert_eq!(alerts.events().await[0].state, EventState::Resolved);
    assert_eq!(alerts.advance_and_evaluate(10, 2.0).await, Ok, "the rule is not evaluated");
    assert_eq!(alerts.notification_types().await, ["alert.opened", "alert.resolved"]);
    insight.alerts.delete_alert_rule(&scope, rule).await.unwrap();
    assert!(alerts.events().await.is_empty(), "incidents are deleted with their rule");
}

async fn too_few_samples_are_neither_breach_nor_recovery(database: Database) {
    let alerts = AlertFixture::new(database).await;
    alerts.rule(json!({})).await;
    assert_eq!(alerts.advance_and_evaluate(4, 9.0).await, Ok);
    assert_eq!(alerts.rows().await[0].last_value, None);
    assert_eq!(alerts.advance_and_evaluate(5, 9.0).await, Firing);
    assert_eq!(alerts.advance_and_evaluate(4, 0.1).await, Firing);
    assert_eq!(alerts.advance_and_evaluate(0, 0.0).await, Firing);
    assert_eq!(alerts.advance_and_evaluate(5, 0.1).await, Ok);
}

async fn every_request_metric_is_measured(database: Database) {
    let alerts = AlertFixture::new(database).await;
    let metrics = [
        ("response_time_mean", 62.0 / 42.0, 1e-9),
        ("response_time_p50", 1.0, 0.02),
        ("response_time_p95", 2.0, 0.04),
        ("response_time_p99", 2.0, 0.04),
        ("error_rate", 0.25, 1e-9),
        ("memory_usage", 300.0, 1e-9),
        ("cost", 0.0, 1e-9),
    ];
    for (metric, ..) in metrics {
        alerts
            .rule(json!({ "name": metric, "metric": metric, "threshold": 0.9, "recover_threshold": null }))
            .await;
    }
    let elsewhere = json!({ "endpoint": "GET /elsewhere" });
    alerts.rule(json!({ "name": "elsewhere", "selector": elsewhere })).await;
    alerts.rule(json!({ "name": "rate", "metric": "request_rate", "comparison": "below", "recover_threshold": 2.0 })).await;
    alerts.requests(22, 1.0, 0).await;
    alerts.requests(19, 2.0, 10).await;
    alerts.requests(1, 2.0, 0).await;
    evaluate(&alerts.fixture.insight).await;
    let rows = alerts.rows().await;
    let rule = |name: &str| rows.iter().find(|row| row.name == name).unwrap();
    for (metric, expected, within) in metrics {
        let measured = rule(metric).last_value.unwrap();
        let expected = if metric == "error_rate" { 10.0 / 42.0 } else { expected };
        assert!((measured - expected).abs() <= within, "{metric}: {measured} is not {expected}");
    }
    assert_eq!((rule("elsewhere").last_value, rule("elsewhere").state), (None, Ok));
    // 42 requests in the one or two minute buckets of the window
    assert!((20.0..=42.0).contains(&rule("rate").last_value.unwrap()), "{:?}", rule("rate").last_value);
    assert_eq!((rule("response_time_p95").state, rule("cost").state), (Firing, Ok));
}

async fn default_rules_use_the_thresholds_of_a_project(database: Database) {
    let alerts = AlertFixture::new(database).await;
    let (insight, scope) = (&alerts.fixture.insight, alerts.fixture.scope());
    let request = || serde_json::from_value(json!({ "project_id": alerts.project })).unwrap();
    let created = insight.alerts.default_alert_rules(&scope, request()).await.unwrap();
    let thresholds: Vec<(&str, f64)> = created.iter().map(|row| (row.name.as_str(), row.threshold)).collect();
    assert_eq!(thresholds, [("response_time", 1.0), ("error_rate", 0.05), ("memory_usage", 512.0)]);
    let change =
        AlertRuleUpdate { threshold: Some(3.0), is_managed: Some(false), ..AlertRuleUpdate::default() };
    insight.alerts.update_alert_rule(&scope, created[0].id, &ExpectedVersion::any(), change).await.unwrap();
    insight.alerts.delete_alert_rule(&scope, created[1].id).await.unwrap();
    let again = insight.alerts.default_alert_rules(&scope, request()).await.unwrap();
    assert_eq!(again.len(), 3);
    assert_eq!((again[0].id, again[0].threshold), (created[0].id, 3.0), "existing rules stay");
    let nowhere = serde_json::from_value(json!({ "project_id": Uuid::from_u128(7) })).unwrap();
    let error = insight.alerts.default_alert_rules(&scope, nowhere).await.unwrap_err();
    assert_eq!(error.param(), Some("project_id"));
}

async fn another_tenant_can_neither_read_nor_change(database: Database) {
    let alerts = AlertFixture::new(database).await;
    let rule = alerts.rule(json!({})).await;
    assert_eq!(alerts.advance_and_evaluate(10, 2.0).await, Firing);
    let event = alerts.events().await[0].id;
    let (insight, other) = (&alerts.fixture.insight, Scope::system(TenantId(Uuid::from_u128(0xdd)), "test"));
    assert_eq!(insight.alerts.get_alert_rule(&other, rule).await.unwrap_err().status(), 404);
    assert_eq!(insight.alerts.delete_alert_rule(&other, rule).await.unwrap_err().status(), 404);
    assert_eq!(insight.alerts.get_alert_event(&other, event).await.unwrap_err().status(), 404);
    assert_eq!(insight.alerts.acknowledge_alert_event(&other, event).await.unwrap_err().status(), 404);
    assert_eq!(insight.alerts.resolve_alert_event(&other, event).await.unwrap_err().status(), 404);
    assert_eq!(alerts.events().await[0].state, EventState::Open);
}

async fn rules_per_project_are_limited(database: Database) {
    let alerts = AlertFixture::new(database).await;
    for number in 0..100 {
        alerts.rule(json!({ "name": format!("rule {number}") })).await;
    }
    let rule =
        json!({ "project_id": alerts.project, "name": "one more", "metric": "cost", "threshold": 1.0 });
    let rule = serde_json::from_value(rule).unwrap();
    let error =
        alerts.fixture.insight.alerts.create_alert_rule(&alerts.fixture.scope(), rule).await.err().unwrap();
    assert_eq!((error.status(), error.code()), (409, "too_many_alert_rules"));
}

async fn a_resolved_incident_is_retained_for_400_days(database: Database) {
    let alerts = AlertFixture::new(database).await;
    alerts.rule(json!({})).await;
    for seconds in [2.0, 0.1, 2.0] {
        alerts.advance_and_evaluate(10, seconds).await;
    }
    let events = alerts.events().await;
    assert_eq!(
        events.iter().map(|one| one.state).collect::<Vec<_>>(),
        [EventState::Resolved, EventState::Open]
    );
    let (delete, scope) =
        (DeleteOld(alerts.fixture.insight.stats.clone()), Scope::system(TenantId::NIL, "test"));
    alerts.fixture.clock.advance(TimeDelta::days(390));
    delete.sweep(&scope, || false).await.unwrap();
    assert_eq!(alerts.events().await, events);
    alerts.fixture.clock.advance(TimeDelta::days(20));
    delete.sweep(&scope, || false).await.unwrap();
    assert_eq!(alerts.events().await, events[1..], "open incidents do not expire");
}
