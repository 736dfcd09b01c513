//! A tenant's monthly statement.

use chrono::{DateTime, Datelike, Months, NaiveDate, Utc};
use loam_kernel::{Error, Result, Scope};
use loam_providers::Unit;
use serde::Serialize;
use utoipa::ToSchema;

use super::entity::Granularity;
use super::quantities::Quantities;
use super::service::{GroupBy, Usage, UsageQuery, YEARS};
use crate::Gateway;
use crate::llm_calls::Source;

/// A tenant's statement for a month, by project, key, provider and model.
#[derive(Debug, Serialize, ToSchema)]
pub struct Statement {
    /// The month, for example `2026-11`.
    pub month: String,
    /// Whether the month has ended; until then the sums grow.
    pub closed: bool,
    /// Start of the month, UTC.
    pub from: DateTime<Utc>,
    /// Start of the next month, UTC.
    pub to: DateTime<Utc>,
    /// The sums of all lines.
    pub total: Usage,
    /// Usage by project, key, provider and model.
    pub lines: Vec<Usage>,
}

/// The start of a month, and of the next.
fn month(text: &str) -> Result<(DateTime<Utc>, DateTime<Utc>)> {
    let wrong = || Error::invalid("month", "must be a month, for example `2026-11`");
    let first = NaiveDate::parse_from_str(&format!("{text}-01"), "%Y-%m-%d").map_err(|_| wrong())?;
    if text.len() != 7 || !YEARS.contains(&first.year()) {
        return Err(wrong());
    }
    let next = first.checked_add_months(Months::new(1)).ok_or_else(wrong)?;
    let midnight = |day: NaiveDate| day.and_hms_opt(0, 0, 0).map(|at| at.and_utc()).ok_or_else(wrong);
    Ok((midnight(first)?, midnight(next)?))
}

impl Gateway {
    /// The tenant's statement for a month.
    pub async fn statement(&self, scope: &Scope, text: &str) -> Result<Statement> {
        let (from, to) = month(text)?;
        let by = GroupBy { provider: true, model: true, api_key: true, project: true, ..GroupBy::default() };
        // reported calls were paid for elsewhere
        let all = UsageQuery { source: Some(Source::Gateway), ..UsageQuery::default() };
        let (lines, total) = self.sums(scope, &all, Granularity::Day, (from, to), by).await?;
        Ok(Statement { month: text.to_owned(), closed: self.0.clock.now() >= to, from, to, total, lines })
    }
}

/// The columns of the CSV form.
const COLUMNS: [&str; 23] = [
    "month",
    "project_id",
    "project_name",
    "api_key_id",
    "api_key_name",
    "provider",
    "model",
    "calls",
    "refused",
    "errors",
    "estimated",
    "orphaned",
    "cache_hits",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "total_tokens",
    "cost_usd",
    "unsettled_usd",
    "characters",
    "images",
    "seconds",
    "searches",
];

impl Statement {
    /// CSV (RFC 4180).
    pub fn to_csv(&self) -> String {
        let mut text = COLUMNS.join(",") + "\r\n";
        for line in &self.lines {
            let id = |id: Option<String>| id.unwrap_or_default();
            let used = |unit| Quantities::of(&line.quantities, unit).to_string();
            let cells = [
                self.month.clone(),
                id(line.project_id.flatten().map(|id| id.to_string())),
                cell(line.project_name.as_ref().and_then(Option::as_deref).unwrap_or_default()),
                id(line.api_key_id.flatten().map(|id| id.to_string())),
                cell(line.api_key_name.as_ref().and_then(Option::as_deref).unwrap_or_default()),
                cell(line.provider.as_deref().unwrap_or_default()),
                cell(line.model.as_deref().unwrap_or_default()),
                line.calls.to_string(),
                line.refused.to_string(),
                line.errors.to_string(),
                line.estimated.to_string(),
                line.orphaned.to_string(),
                line.cache_hits.to_string(),
                line.prompt_tokens.to_string(),
                line.completion_tokens.to_string(),
                line.cached_tokens.to_string(),
                line.total_tokens.to_string(),
                format!("{:.9}", line.cost_usd),
                format!("{:.9}", line.unsettled_usd),
                used(Unit::Characters),
                used(Unit::Images),
                used(Unit::Seconds),
                used(Unit::Searches),
            ];
            text.push_str(&cells.join(","));
            text.push_str("\r\n");
        }
        text
    }
}

/// Quotes a cell. A model's name comes from a client: text that a spreadsheet would evaluate as a formula is made
/// plain text.
fn cell(text: &str) -> String {
    let text =
        if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_a_month() {
        let (from, to) = month("2026-12").expect("a month");
        assert_eq!(
            (from.to_rfc3339(), to.to_rfc3339()),
            ("2026-12-01T00:00:00+00:00".into(), "2027-01-01T00:00:00+00:00".into())
        );
        for wrong in ["", "2026", "2026-13", "2026-1", "2026-11-01", "26-11", "2026-00", "９９９９-11"] {
            assert!(month(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_cell_is_neither_split_nor_evaluated() {
        assert_eq!(cell("gpt-4o"), "gpt-4o");
        assert_eq!(cell("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(cell("=cmd()"), "'=cmd()");
    }
}
