//! Looks at rules, on both databases.

use chrono::TimeDelta;
use loam_http::surface::IfMatch;
use loam_kernel::{AlertRuleId, PageQuery, ProjectId, Scope, TenantId};
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
use crate::bed::Bed;
use crate::records::DeleteOld;
use crate::stats::{Granularity, Sketch, endpoints};

on_both![
    an_incident_is_opened_once_and_ended_once_and_each_is_told_once,
    two_nodes_that_look_at_once_open_one_incident,
    what_was_resolved_by_hand_is_told_once_and_not_raised_again_before_it_was_well,
    a_rule_that_is_switched_off_leaves_no_incident_open,
    too_little_traffic_is_neither_bad_nor_well,
    every_metric_of_requests_is_measured,
    rules_are_made_from_the_thresholds_of_a_project,
    another_tenant_sees_and_changes_nothing,
    a_project_has_only_so_many_rules,
    an_incident_is_kept_for_a_year_once_it_is_over,
];

const MINUTE: TimeDelta = TimeDelta::minutes(1);

struct MonitoredProject {
    bed: Bed,
    project: ProjectId,
}

impl MonitoredProject {
    async fn new(database: Database) -> Self {
        let bed = Bed::new(database).await;
        let project = bed.project("shop").await;
        Self { bed, project }
    }

    async fn rule(&self, more: Value) -> AlertRuleId {
        let mut rule = json!({
            "project_id": self.project, "name": "slow", "metric": "response_time_p95", "threshold": 1.0,
            "recover_threshold": 0.5, "window_seconds": 60, "min_samples": 5,
            "delivery": { "webhook": { "url": "http://127.0.0.1:9/alerts" } },
        });
        rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let rule = serde_json::from_value(rule).unwrap();
        self.bed.insight.create_alert_rule(&self.bed.scope(), rule).await.unwrap().row.id
    }

    /// So many requests now, each so long, some of which failed.
    async fn requests(&self, count: i64, seconds: f64, errors: i64) {
        let mut sketch = Sketch::default();
        sketch.count((seconds * 1e6) as u64, count);
        let fill = |row: &mut endpoints::Model| {
            (row.requests, row.calls, row.errors) = (count, count, errors);
            row.duration_us = (seconds * 1e6) as i64 * count;
            (row.memory_peak, row.sketch) = (300 << 20, sketch.to_bytes());
        };
        self.bed.endpoint_sum(self.project, Granularity::Minute, fill).await;
    }

    /// Goes on by two minutes, in which so many requests come that take so long, and looks.
    async fn pass(&self, count: i64, seconds: f64) -> RuleState {
        self.bed.clock.advance(MINUTE * 3);
        if count > 0 {
            self.requests(count, seconds, 0).await;
        }
        look(&self.bed.insight).await;
        self.rows().await[0].state
    }

    async fn rows(&self) -> Vec<Model> {
        let tx = self.bed.database.db.read(&self.bed.scope()).await.unwrap();
        tx.find::<Entity>().order_by_asc(Column::Id).all().await.unwrap()
    }

    /// Oldest first.
    async fn events(&self) -> Vec<Event> {
        let filter = AlertEventFilter::default();
        let page = self.bed.insight.list_alert_events(&self.bed.scope(), filter, &PageQuery::default()).await;
        page.unwrap().data.into_iter().rev().collect()
    }

    /// Oldest first.
    async fn told(&self) -> Vec<Delivery> {
        let (scope, filter) = (self.bed.scope(), WebhookDeliveryFilter::default());
        let page = self.bed.insight.0.deliveries.list(&scope, filter, &PageQuery::default()).await;
        page.unwrap().data.into_iter().rev().collect()
    }

    async fn words(&self) -> Vec<String> {
        self.told().await.iter().map(|told| told.payload["type"].as_str().unwrap().to_owned()).collect()
    }
}

async fn look(insight: &Insight) {
    let rules = insight.watched(&Scope::system(TenantId::NIL, "test"), None).await.unwrap();
    insight.look(rules).await.unwrap();
}

use RuleState::{Firing, Ok, Pending, Resolved};

async fn an_incident_is_opened_once_and_ended_once_and_each_is_told_once(database: Database) {
    let watched = MonitoredProject::new(database).await;
    let rule = watched.rule(json!({ "for_seconds": 120 })).await;
    let mut states = Vec::new();
    for seconds in [0.2, 2.0, 2.0, 2.0, 2.0, 0.8, 0.2, 0.2, 0.2] {
        states.push(watched.pass(10, seconds).await);
    }
    assert_eq!(states, [Ok, Pending, Firing, Firing, Firing, Firing, Firing, Ok, Ok]);
    let events = watched.events().await;
    assert_eq!(events.len(), 1);
    let event = &events[0];
    assert_eq!((event.rule_id, event.state), (rule, EventState::Resolved));
    assert!((event.value - 2.0).abs() < 0.03 && event.resolved_by.as_deref() == Some("system:alerts"));
    assert_eq!(event.context["samples"], 10);
    let told = watched.told().await;
    assert_eq!(watched.words().await, ["alert.opened", "alert.resolved"]);
    assert_eq!(event.context["deliveries"], json!({ "opened": [told[0].id], "resolved": [told[1].id] }));
    assert_eq!(event.notified_at, Some(event.opened_at));
    assert!(told.iter().all(|told| told.lane == Some(event.id.to_string())), "in order");
    assert_eq!(told[0].payload["project"]["name"], "shop");
    assert!(told[0].payload["summary"].as_str().unwrap().starts_with("response time (95 %) is "));
    // the next one is another
    for seconds in [2.0, 2.0] {
        watched.pass(10, seconds).await;
    }
    assert_eq!((watched.events().await.len(), watched.told().await.len()), (2, 3));
}

async fn two_nodes_that_look_at_once_open_one_incident(database: Database) {
    let watched = MonitoredProject::new(database).await;
    watched.rule(json!({})).await;
    let others: Vec<Insight> = (0..4).map(|_| watched.bed.another()).collect();
    for round in 0..6 {
        watched.bed.clock.advance(MINUTE * 3);
        watched.requests(10, if round % 2 == 0 { 3.0 } else { 0.1 }, 0).await;
        // all have read the rules before any has looked
        let scope = Scope::system(TenantId::NIL, "test");
        let mut looks = tokio::task::JoinSet::new();
        for node in &others {
            let (node, rules) = (node.clone(), node.watched(&scope, None).await.unwrap());
            looks.spawn(async move { node.look(rules).await });
        }
        while let Some(ended) = looks.join_next().await {
            ended.unwrap().unwrap();
        }
    }
    assert_eq!(watched.events().await.len(), 3);
    let expected = ["alert.opened", "alert.resolved"].repeat(3);
    assert_eq!(watched.words().await, expected);
}

async fn what_was_resolved_by_hand_is_told_once_and_not_raised_again_before_it_was_well(database: Database) {
    let watched = MonitoredProject::new(database).await;
    watched.rule(json!({})).await;
    let (insight, scope) = (&watched.bed.insight, watched.bed.scope());
    assert_eq!(watched.pass(10, 2.0).await, Firing);
    let id = watched.events().await[0].id;
    let taken = insight.acknowledge_alert_event(&scope, id).await.unwrap();
    assert_eq!(taken.acknowledged_by.as_deref(), Some("command_line"));
    let again = insight.acknowledge_alert_event(&scope, id).await.unwrap();
    assert_eq!(again, taken, "whoever was first has it");
    assert_eq!(watched.pass(10, 2.0).await, Firing, "taking it up changes nothing of the rule");
    for _ in 0..2 {
        let over = insight.resolve_alert_event(&scope, id).await.unwrap();
        assert_eq!((over.state, over.resolved_by.as_deref()), (EventState::Resolved, Some("command_line")));
    }
    let error = insight.acknowledge_alert_event(&scope, id).await.unwrap_err();
    assert_eq!((error.status(), error.code()), (409, "already_resolved"));
    assert_eq!(watched.pass(10, 2.0).await, Resolved);
    assert_eq!(watched.pass(10, 0.7).await, Resolved, "between the thresholds");
    assert_eq!(watched.words().await, ["alert.opened", "alert.resolved"]);
    assert_eq!(watched.pass(10, 0.2).await, Ok);
    assert_eq!(watched.pass(10, 2.0).await, Firing);
    assert_eq!(watched.events().await.len(), 2);
}

async fn a_rule_that_is_switched_off_leaves_no_incident_open(database: Database) {
    let watched = MonitoredProject::new(database).await;
    let rule = watched.rule(json!({})).await;
    let (insight, scope) = (&watched.bed.insight, watched.bed.scope());
    assert_eq!(watched.pass(10, 2.0).await, Firing);
    let off = AlertRuleUpdate { is_active: Some(false), ..AlertRuleUpdate::default() };
    let row = insight.update_alert_rule(&scope, rule, &IfMatch::any(), off).await.unwrap().row;
    assert_eq!((row.state, row.open_event_id), (Ok, None));
    assert_eq!(watched.events().await[0].state, EventState::Resolved);
    assert_eq!(watched.pass(10, 2.0).await, Ok, "nobody looks");
    assert_eq!(watched.words().await, ["alert.opened", "alert.resolved"]);
    insight.delete_alert_rule(&scope, rule).await.unwrap();
    assert!(watched.events().await.is_empty(), "incidents go with their rule");
}

async fn too_little_traffic_is_neither_bad_nor_well(database: Database) {
    let watched = MonitoredProject::new(database).await;
    watched.rule(json!({})).await;
    assert_eq!(watched.pass(4, 9.0).await, Ok);
    assert_eq!(watched.rows().await[0].last_value, None);
    assert_eq!(watched.pass(5, 9.0).await, Firing);
    assert_eq!(watched.pass(4, 0.1).await, Firing);
    assert_eq!(watched.pass(0, 0.0).await, Firing);
    assert_eq!(watched.pass(5, 0.1).await, Ok);
}

async fn every_metric_of_requests_is_measured(database: Database) {
    let watched = MonitoredProject::new(database).await;
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
        watched
            .rule(json!({ "name": metric, "metric": metric, "threshold": 0.9, "recover_threshold": null }))
            .await;
    }
    let elsewhere = json!({ "endpoint": "GET /elsewhere" });
    watched.rule(json!({ "name": "elsewhere", "selector": elsewhere })).await;
    watched.rule(json!({ "name": "rate", "metric": "request_rate", "comparison": "below", "recover_threshold": 2.0 })).await;
    watched.requests(22, 1.0, 0).await;
    watched.requests(19, 2.0, 10).await;
    watched.requests(1, 2.0, 0).await;
    look(&watched.bed.insight).await;
    let rows = watched.rows().await;
    let of = |name: &str| rows.iter().find(|row| row.name == name).unwrap();
    for (metric, expected, within) in metrics {
        let seen = of(metric).last_value.unwrap();
        let expected = if metric == "error_rate" { 10.0 / 42.0 } else { expected };
        assert!((seen - expected).abs() <= within, "{metric}: {seen} is not {expected}");
    }
    assert_eq!((of("elsewhere").last_value, of("elsewhere").state), (None, Ok));
    // 42 requests in the one or two minutes that the window has
    assert!((20.0..=42.0).contains(&of("rate").last_value.unwrap()), "{:?}", of("rate").last_value);
    assert_eq!((of("response_time_p95").state, of("cost").state), (Firing, Ok));
}

async fn rules_are_made_from_the_thresholds_of_a_project(database: Database) {
    let watched = MonitoredProject::new(database).await;
    let (insight, scope) = (&watched.bed.insight, watched.bed.scope());
    let ask = || serde_json::from_value(json!({ "project_id": watched.project })).unwrap();
    let made = insight.default_alert_rules(&scope, ask()).await.unwrap();
    let thresholds: Vec<(&str, f64)> = made.iter().map(|row| (row.name.as_str(), row.threshold)).collect();
    assert_eq!(thresholds, [("response_time", 1.0), ("error_rate", 0.05), ("memory_usage", 512.0)]);
    let change = AlertRuleUpdate { threshold: Some(3.0), ..AlertRuleUpdate::default() };
    insight.update_alert_rule(&scope, made[0].id, &IfMatch::any(), change).await.unwrap();
    insight.delete_alert_rule(&scope, made[1].id).await.unwrap();
    let again = insight.default_alert_rules(&scope, ask()).await.unwrap();
    assert_eq!(again.len(), 3);
    assert_eq!((again[0].id, again[0].threshold), (made[0].id, 3.0), "what is there stays");
    let nowhere = serde_json::from_value(json!({ "project_id": Uuid::from_u128(7) })).unwrap();
    let error = insight.default_alert_rules(&scope, nowhere).await.unwrap_err();
    assert_eq!(error.param(), Some("project_id"));
}

async fn another_tenant_sees_and_changes_nothing(database: Database) {
    let watched = MonitoredProject::new(database).await;
    let rule = watched.rule(json!({})).await;
    assert_eq!(watched.pass(10, 2.0).await, Firing);
    let event = watched.events().await[0].id;
    let (insight, other) = (&watched.bed.insight, Scope::system(TenantId(Uuid::from_u128(0xdd)), "test"));
    assert_eq!(insight.get_alert_rule(&other, rule).await.unwrap_err().status(), 404);
    assert_eq!(insight.delete_alert_rule(&other, rule).await.unwrap_err().status(), 404);
    assert_eq!(insight.get_alert_event(&other, event).await.unwrap_err().status(), 404);
    assert_eq!(insight.acknowledge_alert_event(&other, event).await.unwrap_err().status(), 404);
    assert_eq!(insight.resolve_alert_event(&other, event).await.unwrap_err().status(), 404);
    assert_eq!(watched.events().await[0].state, EventState::Open);
}

async fn a_project_has_only_so_many_rules(database: Database) {
    let watched = MonitoredProject::new(database).await;
    for number in 0..100 {
        watched.rule(json!({ "name": format!("rule {number}") })).await;
    }
    let rule =
        json!({ "project_id": watched.project, "name": "one more", "metric": "cost", "threshold": 1.0 });
    let rule = serde_json::from_value(rule).unwrap();
    let error = watched.bed.insight.create_alert_rule(&watched.bed.scope(), rule).await.err().unwrap();
    assert_eq!((error.status(), error.code()), (409, "too_many_alert_rules"));
}

async fn an_incident_is_kept_for_a_year_once_it_is_over(database: Database) {
    let watched = MonitoredProject::new(database).await;
    watched.rule(json!({})).await;
    for seconds in [2.0, 0.1, 2.0] {
        watched.pass(10, seconds).await;
    }
    let kept = watched.events().await;
    assert_eq!(
        kept.iter().map(|one| one.state).collect::<Vec<_>>(),
        [EventState::Resolved, EventState::Open]
    );
    let (delete, scope) = (DeleteOld(watched.bed.insight.clone()), Scope::system(TenantId::NIL, "test"));
    watched.bed.clock.advance(TimeDelta::days(390));
    delete.sweep(&scope, || false).await.unwrap();
    assert_eq!(watched.events().await, kept);
    watched.bed.clock.advance(TimeDelta::days(20));
    delete.sweep(&scope, || false).await.unwrap();
    assert_eq!(watched.events().await, kept[1..], "what is not over is not old");
}
