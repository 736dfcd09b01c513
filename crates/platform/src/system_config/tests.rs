//! What is set, holds: over the default, for whom it was set, everywhere, until it is taken back.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use loam_db::{Db, Dialect};
use loam_kernel::{Actor, Clock, ExpectedVersion, PageQuery, Permissions, Scope, TenantId, etag};
use loam_testkit::{Database, on_both};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::service::Source;
use super::{Change, ConfigKey, Level, SystemConfig};
use crate::audit_logs;
use crate::notices::Notices;

const HOME: TenantId = TenantId(Uuid::from_u128(0x40));
const ACME: TenantId = TenantId(Uuid::from_u128(0xac));

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Brew {
    strength: u32,
    milk: Milk,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Milk {
    drops: u32,
    warm: bool,
}

impl Default for Brew {
    fn default() -> Self {
        Self { strength: 3, milk: Milk::default() }
    }
}

fn schema() -> Value {
    json!({
        "type": "object", "additionalProperties": false,
        "properties": {
            "strength": { "type": "integer", "minimum": 1, "maximum": 9 },
            "milk": { "type": "object", "additionalProperties": false, "properties": {
                "drops": { "type": "integer", "minimum": 0 }, "warm": { "type": "boolean" }
            } }
        }
    })
}

const TEA: ConfigKey<Brew> =
    ConfigKey::new("kitchen.tea", "kitchen", "how tea is made", schema).per_tenant().retired(&["sugar"]);
const COFFEE: ConfigKey<Brew> = ConfigKey::new("kitchen.coffee", "kitchen", "how coffee is made", schema);

on_both![
    what_is_set_lies_over_the_default_and_a_tenants_over_both,
    a_value_against_its_schema_is_refused_and_changes_nothing,
    an_unknown_key_is_not_found_and_near_ones_are_named,
    a_change_names_the_version_it_means,
    every_version_is_kept_and_can_be_gone_back_to,
    a_change_is_on_the_trail_of_whoever_made_it,
    another_process_follows_within_a_second,
    what_this_version_does_not_accept_is_passed_over,
    a_tenant_sees_and_sets_its_own_alone,
];

struct Kitchen {
    fixture: Database,
    config: SystemConfig,
}

fn open(db: Db) -> SystemConfig {
    let declared = vec![TEA.declare().unwrap(), COFFEE.declare().unwrap()];
    SystemConfig::new(db, Clock::system(), Notices::default(), declared).unwrap()
}

impl Kitchen {
    async fn new(fixture: Database) -> Self {
        fixture
            .db
            .ensure_partitions(&Scope::system(TenantId::NIL, "test"), Clock::system().now())
            .await
            .unwrap();
        let rows: Vec<String> = [HOME, ACME]
            .iter()
            .map(|tenant| {
                let id = literal(&fixture.db, tenant.0);
                let at = "'2026-01-01T00:00:00+00:00'";
                format!("({id}, '{tenant}', 'n', 'active', '{{}}', '{{}}', '{{}}', {at}, {at})")
            })
            .collect();
        let sql = "INSERT INTO tenants (id, slug, name, status, quotas, settings, metadata, created_at, updated_at) VALUES ";
        fixture.raw().await.run(sql.to_owned() + &rows.join(", ")).await;
        let config = open(fixture.db.clone());
        config.reload().await.unwrap();
        Self { fixture, config }
    }

    async fn set(&self, level: Level, key: &str, value: Value) -> loam_kernel::Result<Value> {
        self.change(level, key, &ExpectedVersion::any(), Change::Set(value)).await
    }

    async fn change(
        &self,
        level: Level,
        key: &str,
        version: &ExpectedVersion,
        change: Change,
    ) -> loam_kernel::Result<Value> {
        Ok(self.config.change(&scope(level), level, key, version, change).await?.value)
    }

    fn tea(&self) -> (Brew, Brew) {
        let tea = self.config.live(&TEA).unwrap();
        ((*tea.get()).clone(), (*tea.of(ACME)).clone())
    }
}

fn literal(db: &Db, id: Uuid) -> String {
    match db.dialect() {
        Dialect::Sqlite => format!("x'{}'", id.simple()),
        Dialect::Postgres => format!("'{id}'"),
    }
}

/// Operators set what holds for all, ACME its own.
fn scope(level: Level) -> Scope {
    let tenant = if level == Level::Global { HOME } else { ACME };
    Scope::new(tenant, Actor::CommandLine, Permissions::all())
}

fn brew(strength: u32, drops: u32, warm: bool) -> Brew {
    Brew { strength, milk: Milk { drops, warm } }
}

async fn what_is_set_lies_over_the_default_and_a_tenants_over_both(fixture: Database) {
    let kitchen = Kitchen::new(fixture).await;
    assert_eq!(kitchen.tea(), (brew(3, 0, false), brew(3, 0, false)));
    kitchen.set(Level::Tenant, "kitchen.tea", json!({ "milk": { "warm": true } })).await.unwrap();
    kitchen
        .set(Level::Global, "kitchen.tea", json!({ "strength": 5, "milk": { "drops": 2 } }))
        .await
        .unwrap();
    // an own change holds at once, field by field
    assert_eq!(kitchen.tea(), (brew(5, 2, false), brew(5, 2, true)));
    let shown = kitchen.config.get(&scope(Level::Tenant), Level::Tenant, "kitchen.tea").await.unwrap();
    assert_eq!(
        (shown.value, shown.source),
        (json!({ "strength": 5, "milk": { "drops": 2, "warm": true } }), Source::Tenant)
    );
    let patch = Change::Update(Some(json!({ "strength": null, "milk": { "drops": 1 } })), None);
    kitchen.change(Level::Global, "kitchen.tea", &ExpectedVersion::any(), patch).await.unwrap();
    assert_eq!(kitchen.tea(), (brew(3, 1, false), brew(3, 1, true)));
    kitchen.change(Level::Tenant, "kitchen.tea", &ExpectedVersion::any(), Change::Unset).await.unwrap();
    kitchen.change(Level::Global, "kitchen.tea", &ExpectedVersion::any(), Change::Unset).await.unwrap();
    assert_eq!(kitchen.tea(), (brew(3, 0, false), brew(3, 0, false)));
    let again = Change::Update(None, Some(true));
    kitchen.change(Level::Global, "kitchen.tea", &ExpectedVersion::any(), again).await.unwrap();
    assert_eq!(kitchen.tea().0, brew(3, 1, false), "the last value is in force again");
    assert_eq!(*kitchen.config.live(&COFFEE).unwrap().get(), Brew::default(), "another key is untouched");
}

async fn a_value_against_its_schema_is_refused_and_changes_nothing(fixture: Database) {
    let kitchen = Kitchen::new(fixture).await;
    kitchen.set(Level::Global, "kitchen.tea", json!({ "strength": 5 })).await.unwrap();
    for (value, param) in [
        (json!({ "strength": 10 }), "config_value.strength"),
        (json!({ "milk": { "drops": "sk-secret" } }), "config_value.milk.drops"),
        (json!({ "milk": { "cream": 1 } }), "config_value.milk.cream"),
        (json!([]), "config_value"),
        (json!({ "strength": 1e30 }), "config_value.strength"),
    ] {
        let error = kitchen.set(Level::Global, "kitchen.tea", value).await.unwrap_err();
        assert_eq!((error.status(), error.param()), (400, Some(param)), "{error}");
        assert!(!error.to_string().contains("sk-secret"));
    }
    let huge = json!({ "milk": { "x".repeat(100_000): 1 } });
    assert_eq!(kitchen.set(Level::Global, "kitchen.tea", huge).await.unwrap_err().status(), 400);
    let error = kitchen.set(Level::Tenant, "kitchen.coffee", json!({})).await.unwrap_err();
    assert_eq!(error.status(), 404, "a tenant doesn't know of what only operators can set");
    assert_eq!(kitchen.tea().0, brew(5, 0, false));
    let page = PageQuery::default();
    let versions =
        kitchen.config.versions(&scope(Level::Global), Level::Global, "kitchen.tea", &page).await.unwrap();
    assert_eq!(versions.data.len(), 1);
}

async fn an_unknown_key_is_not_found_and_near_ones_are_named(fixture: Database) {
    let kitchen = Kitchen::new(fixture).await;
    for (key, near) in
        [("kitchen.tee", true), ("tea", true), ("kitchen.te", true), ("cellar.wine", false), ("", false)]
    {
        let error = kitchen.set(Level::Global, key, json!({})).await.unwrap_err();
        assert_eq!((error.status(), error.code()), (404, "unknown_config_key"));
        assert_eq!(error.message().contains("`kitchen.tea`"), near, "{error}");
    }
    let error = kitchen.set(Level::Tenant, "kitchen.cofee", json!({})).await.unwrap_err();
    assert!(!error.message().contains("`kitchen.coffee`"), "{error}");
}

async fn a_change_names_the_version_it_means(fixture: Database) {
    let kitchen = Kitchen::new(fixture).await;
    let unset = etag(super::store::UNSET);
    let set = |n: u32| Change::Set(json!({ "strength": n }));
    kitchen.change(Level::Global, "kitchen.tea", &ExpectedVersion::tags(&unset), set(4)).await.unwrap();
    let error = kitchen
        .change(Level::Global, "kitchen.tea", &ExpectedVersion::tags(&unset), set(5))
        .await
        .unwrap_err();
    assert_eq!(error.status(), 412);
    let shown = kitchen.config.get(&scope(Level::Global), Level::Global, "kitchen.tea").await.unwrap();
    let tag = etag(shown.row.unwrap().updated_at);
    kitchen.change(Level::Global, "kitchen.tea", &ExpectedVersion::tags(&tag), set(6)).await.unwrap();
    assert_eq!(kitchen.tea().0.strength, 6);
}

async fn every_version_is_kept_and_can_be_gone_back_to(fixture: Database) {
    let kitchen = Kitchen::new(fixture).await;
    let any = ExpectedVersion::any();
    for strength in [4, 5] {
        kitchen.set(Level::Global, "kitchen.tea", json!({ "strength": strength })).await.unwrap();
    }
    kitchen.change(Level::Global, "kitchen.tea", &any, Change::Unset).await.unwrap();
    let error = kitchen.change(Level::Global, "kitchen.tea", &any, Change::Unset).await.unwrap_err();
    assert_eq!(error.code(), "not_set");
    kitchen.change(Level::Global, "kitchen.tea", &any, Change::Rollback(1)).await.unwrap();
    assert_eq!(kitchen.tea().0.strength, 4);
    kitchen.change(Level::Global, "kitchen.tea", &any, Change::Rollback(3)).await.unwrap();
    assert_eq!(kitchen.tea().0.strength, 3, "back to when nothing was set");
    let error = kitchen.change(Level::Global, "kitchen.tea", &any, Change::Rollback(9)).await.unwrap_err();
    assert_eq!((error.status(), error.param()), (400, Some("version")));
    let page = PageQuery::default();
    let versions =
        kitchen.config.versions(&scope(Level::Global), Level::Global, "kitchen.tea", &page).await.unwrap();
    let notified: Vec<(i64, String, Option<Value>, Option<Value>)> =
        versions.data.into_iter().rev().map(|v| (v.version, v.action, v.old_value, v.new_value)).collect();
    let value = |strength: u32| Some(json!({ "strength": strength }));
    assert_eq!(
        notified,
        [
            (1, "set".to_owned(), None, value(4)),
            (2, "set".to_owned(), value(4), value(5)),
            (3, "unset".to_owned(), value(5), None),
            (4, "rollback".to_owned(), None, value(4)),
            (5, "rollback".to_owned(), value(4), None),
        ]
    );
}

async fn a_change_is_on_the_trail_of_whoever_made_it(fixture: Database) {
    let kitchen = Kitchen::new(fixture).await;
    kitchen.set(Level::Global, "kitchen.coffee", json!({ "strength": 9 })).await.unwrap();
    kitchen.set(Level::Tenant, "kitchen.tea", json!({ "strength": 1 })).await.unwrap();
    for (level, key) in [(Level::Global, "kitchen.coffee"), (Level::Tenant, "kitchen.tea")] {
        let tx = kitchen.fixture.db.read(&scope(level)).await.unwrap();
        let rows = tx.find::<audit_logs::entity::Entity>().all().await.unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].action.as_str(), rows[0].resource_id.as_str()), ("create", key));
        assert_eq!(rows[0].changes["before"], Value::Null);
        let check = audit_logs::Audit::new(kitchen.fixture.db.clone(), scope(level))
            .verify(0, None, None)
            .await
            .unwrap();
        assert!(check.ok, "{check:?}");
    }
}

async fn another_process_follows_within_a_second(fixture: Database) {
    let kitchen = Kitchen::new(fixture).await;
    let db = kitchen.fixture.second_node().await;
    let (notices, stop) = (Notices::default(), CancellationToken::new());
    let declared = vec![TEA.declare().unwrap()];
    let other = SystemConfig::new(db.clone(), Clock::system(), notices.clone(), declared).unwrap();
    other.reload().await.unwrap();
    let notified = Arc::new(Mutex::new(Vec::new()));
    let keep = notified.clone();
    other.subscribe(move |key| keep.lock().unwrap().push(key));
    let tea = other.live(&TEA).unwrap();
    let follow = async {
        for strength in [7, 8] {
            kitchen.set(Level::Global, "kitchen.tea", json!({ "strength": strength })).await.unwrap();
            let began = Instant::now();
            while tea.get().strength != strength {
                assert!(began.elapsed() < Duration::from_secs(10), "it never came");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        stop.cancel();
    };
    tokio::join!(notices.watch(db, Clock::system(), stop.clone()), other.clone().watch(stop.clone()), follow);
    assert_eq!(*notified.lock().unwrap(), ["kitchen.tea", "kitchen.tea"], "once a change");
}

async fn what_this_version_does_not_accept_is_passed_over(fixture: Database) {
    let kitchen = Kitchen::new(fixture).await;
    kitchen.set(Level::Global, "kitchen.tea", json!({ "strength": 8 })).await.unwrap();
    kitchen.set(Level::Tenant, "kitchen.tea", json!({ "milk": { "warm": true } })).await.unwrap();
    let nil = literal(&kitchen.fixture.db, Uuid::nil());
    let sql =
        format!("UPDATE system_config SET config_value = '{{\"strength\": 99}}' WHERE tenant_id = {nil}");
    kitchen.fixture.raw().await.run(sql).await;
    kitchen.config.reload().await.unwrap();
    assert_eq!(kitchen.tea(), (brew(3, 0, false), brew(3, 0, true)));
    let shown = kitchen.config.get(&scope(Level::Global), Level::Global, "kitchen.tea").await.unwrap();
    assert_eq!(shown.source, Source::Default);
    // a field of an earlier version doesn't invalidate the others
    let sql = format!(
        "UPDATE system_config SET config_value = '{{\"strength\": 7, \"sugar\": 1}}' WHERE tenant_id = {nil}"
    );
    kitchen.fixture.raw().await.run(sql).await;
    kitchen.config.reload().await.unwrap();
    assert_eq!(kitchen.tea(), (brew(7, 0, false), brew(7, 0, true)));
    let shown = kitchen.config.get(&scope(Level::Global), Level::Global, "kitchen.tea").await.unwrap();
    assert_eq!(shown.source, Source::Global);
    let refused = kitchen.set(Level::Global, "kitchen.tea", json!({ "sugar": 1 })).await;
    assert!(refused.is_err(), "it can't be set any more");
}

async fn a_tenant_sees_and_sets_its_own_alone(fixture: Database) {
    let kitchen = Kitchen::new(fixture).await;
    kitchen.set(Level::Tenant, "kitchen.tea", json!({ "strength": 1 })).await.unwrap();
    let other = Scope::new(HOME, Actor::CommandLine, Permissions::all());
    let shown = kitchen.config.get(&other, Level::Tenant, "kitchen.tea").await.unwrap();
    assert_eq!((shown.source, shown.row), (Source::Default, None));
    let page = PageQuery::default();
    let versions = kitchen.config.versions(&other, Level::Tenant, "kitchen.tea", &page).await.unwrap();
    assert!(versions.data.is_empty());
    assert_eq!(kitchen.tea(), (brew(3, 0, false), brew(1, 0, false)));
    let seen = kitchen.config.list(&other, Level::Tenant, None).await.unwrap().len();
    let all = kitchen.config.list(&other, Level::Global, Some("kitchen")).await.unwrap().len();
    assert_eq!((seen, all), (1, 2));
    assert!(kitchen.config.list(&other, Level::Global, Some("cellar")).await.unwrap().is_empty());
}

#[test]
fn a_key_that_makes_no_sense_is_not_declared() {
    let wrong = |key: ConfigKey<Brew>| key.declare().and_then(|key| key.verify()).expect_err("refused");
    wrong(ConfigKey::new("tea", "kitchen", "", schema));
    wrong(ConfigKey::new("kitchen.tea", "kitchen", "", || json!({ "type": 5 })));
    wrong(ConfigKey::new("kitchen.tea", "kitchen", "", || json!({ "type": "string" })));
    wrong(ConfigKey::new(
        "kitchen.tea",
        "kitchen",
        "",
        || json!({ "properties": { "key": { "writeOnly": true } } }),
    ));
}
