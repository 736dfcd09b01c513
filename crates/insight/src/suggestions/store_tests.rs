use loam_testkit::{Database, on_both};

use super::*;
use crate::fixture::Fixture;
use crate::rules::{Category, Priority};

on_both![a_reworded_title_does_not_repeat_a_dismissed_suggestion];

fn suggestion(topic: &str, title: &str) -> NewSuggestion {
    NewSuggestion {
        endpoint: "GET /".to_owned(),
        version: "1.0".to_owned(),
        function: Some("app.load".to_owned()),
        finding: Some("slow_query"),
        texts: Some((FindingCode::SpeedUpQuery, FindingParameters::default())),
        source: SuggestionSource::Rules,
        advice: Advice {
            category: Category::Database,
            priority: Priority::High,
            topic: topic.to_owned(),
            title: title.to_owned(),
            description: "as it says".to_owned(),
            code_example: None,
            expected_improvement: "some".to_owned(),
        },
        record: None,
        analysis: None,
        predicted_gain: None,
    }
}

async fn a_reworded_title_does_not_repeat_a_dismissed_suggestion(database: Database) {
    let fixture = Fixture::new(database).await;
    let project = fixture.project("shop").await;
    let put = async |topic: &str, title: &str| {
        let tx = fixture.database.db.write(&fixture.scope()).await.unwrap();
        store(&tx, &fixture.clock, project, vec![suggestion(topic, title)]).await.unwrap();
        tx.commit().await.unwrap();
    };
    let change = async |change: fn(&mut ActiveModel)| {
        let tx = fixture.database.db.write(&fixture.scope()).await.unwrap();
        for row in tx.find::<Entity>().all().await.unwrap() {
            let mut row = row.into_active_model();
            change(&mut row);
            tx.update(row).await.unwrap();
        }
        tx.commit().await.unwrap();
    };
    let stored = async || {
        let rows =
            fixture.database.db.read(&fixture.scope()).await.unwrap().find::<Entity>().all().await.unwrap();
        rows.into_iter().map(|row| (row.title, row.status)).collect::<Vec<_>>()
    };
    let dismissed = || vec![("Speed it up".to_owned(), SuggestionStatus::Dismissed)];
    put("speed_up_query:SELECT 1", "Speed it up").await;
    change(|row| row.status = Set(SuggestionStatus::Dismissed)).await;
    put("speed_up_query:SELECT 1", "Make it faster").await;
    assert_eq!(stored().await, dismissed());
    // a row from before fingerprints
    change(|row| row.fingerprint = Set(None)).await;
    put("speed_up_query:SELECT 1", "Make it faster").await;
    assert_eq!(stored().await, dismissed());
    put("speed_up_query:SELECT 2", "Make it faster").await;
    assert_eq!(stored().await.len(), 2, "another query is another suggestion");
}

#[test]
fn fingerprints_stay_what_they_are() {
    assert_eq!(suggestion("speed_up_query:SELECT 1", "x").fingerprint(), "c3efd8e338a510091f71559b5297aa86");
    assert_ne!(suggestion("", "x").fingerprint(), suggestion("", "y").fingerprint(), "a model's, by title");
}
