//! Removes a provider from the routes that use it.

use std::collections::{HashMap, HashSet};

use loam_db::{Tenant, Tx};
use loam_kernel::{Error, Kind, Result};
use loam_platform::notices::Notice;
use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, QueryOrder, Set};
use serde_json::json;

use super::Target;
use super::entity::{Column, Entity, Model};
use crate::Gateway;

/// Routes named in an error.
const MAX_NAMED: usize = 10;

/// The tenant's routes, locked.
pub(crate) async fn lock_routes(tx: &Tx<Tenant>) -> Result<Vec<Model>> {
    tx.find::<Entity>().order_by_asc(Column::Alias).locked().all().await
}

fn targets(row: &Model) -> Result<Vec<Target>> {
    serde_json::from_value(row.targets.clone()).map_err(Error::internal)
}

/// Rejects the deletion of a provider that routes use.
pub(crate) fn check_unused(rows: &[Model], provider: &str) -> Result<()> {
    let mut using = Vec::new();
    for row in rows {
        if targets(row)?.iter().any(|target| target.provider.as_deref() == Some(provider)) {
            using.push(format!("`{}`", row.alias));
        }
    }
    if using.is_empty() {
        return Ok(());
    }
    let more = using.len().saturating_sub(MAX_NAMED);
    using.truncate(MAX_NAMED);
    let mut names = using.join(", ");
    if more > 0 {
        names += &format!(" and {more} others");
    }
    let message = format!(
        "provider `{provider}` is a target of the routes {names}: remove it there, or delete it with `cascade`"
    );
    Err(Error::new(Kind::Conflict, "in_use", message))
}

/// The targets that remain of the routes that change; none remain of a route that is deleted.
fn without(provider: &str, routes: &HashMap<String, Vec<Target>>) -> HashMap<String, Vec<Target>> {
    let (mut left, mut gone) = (routes.clone(), HashSet::new());
    loop {
        for targets in left.values_mut() {
            targets.retain(|target| {
                target.provider.as_deref() != Some(provider)
                    && target.route.as_ref().is_none_or(|route| !gone.contains(route))
            });
        }
        let emptied = left.iter().filter(|(_, targets)| targets.is_empty());
        let emptied: HashSet<String> = emptied.map(|(alias, _)| alias.clone()).collect();
        if emptied == gone {
            break;
        }
        gone = emptied;
    }
    left.retain(|alias, targets| routes.get(alias) != Some(targets));
    left.values_mut().for_each(|targets| make_callable(targets));
    left
}

/// Targets of one order whose weights are all 0 were fallbacks of a target that is gone: now calls start with them.
fn make_callable(targets: &mut [Target]) {
    let mut sums: HashMap<u32, u32> = HashMap::new();
    for target in targets.iter() {
        *sums.entry(target.order).or_default() += target.weight;
    }
    targets.iter_mut().filter(|target| sums[&target.order] == 0).for_each(|target| target.weight = 1);
}

impl Gateway {
    /// Removes a provider from these routes, and deletes those without another target. The notices are published after
    /// the commit.
    pub(crate) async fn remove_from_routes(
        &self,
        tx: &Tx<Tenant>,
        rows: Vec<Model>,
        provider: &str,
    ) -> Result<Vec<Notice>> {
        let routes = rows.iter().map(|row| Ok((row.alias.clone(), targets(row)?)));
        let mut changed = without(provider, &routes.collect::<Result<_>>()?);
        let mut notices = Vec::new();
        for row in rows {
            let Some(targets) = changed.remove(&row.alias) else { continue };
            let (action, row) = if targets.is_empty() {
                tx.delete::<Entity>().filter(Column::Id.eq(row.id)).exec().await?;
                ("delete", row)
            } else {
                let mut row = row.into_active_model();
                row.targets = Set(json!(targets));
                ("update", self.0.changes.save(tx, row).await?)
            };
            notices.push(self.0.changes.record_row::<Entity>(tx, action, &row).await?);
        }
        Ok(notices)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(provider: &str, order: u32, weight: u32) -> Target {
        let (provider, model) = (Some(provider.to_owned()), Some("m".to_owned()));
        Target { provider, model, order, weight, ..Target::default() }
    }

    fn via(route: &str) -> Target {
        Target { route: Some(route.to_owned()), weight: 1, ..Target::default() }
    }

    #[test]
    fn what_remains_of_routes_can_be_called() {
        let routes = HashMap::from([
            ("mixed".to_owned(), vec![to("gone", 0, 1), to("kept", 0, 0)]),
            ("only".to_owned(), vec![to("gone", 0, 1)]),
            ("nested".to_owned(), vec![via("only")]),
            ("other".to_owned(), vec![to("kept", 0, 1)]),
            ("both".to_owned(), vec![via("nested"), to("kept", 1, 3)]),
        ]);
        let expected = HashMap::from([
            ("mixed".to_owned(), vec![to("kept", 0, 1)]),
            ("only".to_owned(), Vec::new()),
            ("nested".to_owned(), Vec::new()),
            ("both".to_owned(), vec![to("kept", 1, 3)]),
        ]);
        assert_eq!(without("gone", &routes), expected);
    }
}
