//! How user names and e-mail addresses are stored and compared.
//!
//! Two names that look the same are the same: they are stored in Unicode's composed form (NFC). Two addresses that differ
//! in case only are the same too: domains ignore case, and no provider gives two people mailboxes that differ in case. So
//! addresses are stored in lower case. Rows from earlier versions hold what was given then, and are found all the same;
//! of several that are now equal, each is found by its exact name.

use sea_orm::ColumnTrait;
use sea_orm::sea_query::{Condition, Expr, ExprTrait, Func};
use unicode_normalization::UnicodeNormalization;

use super::entity::{Column, Model};

/// A user name as it is stored.
pub(crate) fn stored_username(name: &str) -> String {
    name.nfc().collect()
}

/// An e-mail address as it is stored.
pub(crate) fn stored_email(address: &str) -> String {
    address.nfc().collect::<String>().to_lowercase().nfc().collect()
}

/// The users with this value in a column: one, or several from earlier versions.
pub(crate) fn named(column: Column, given: &str) -> Condition {
    let given_as = |forms: [String; 3]| Condition::any().add(column.is_in(forms));
    match column {
        Column::Username => given_as([given.to_owned(), stored_username(given), given.nfd().collect()]),
        Column::Email => {
            let stored = stored_email(given);
            let lower = Expr::expr(Func::lower(Expr::col(Column::Email))).eq(stored.clone());
            given_as([given.to_owned(), stored, given.nfd().collect()]).add(lower)
        }
        _ => Condition::all().add(column.eq(given)),
    }
}

/// Of these users, the one that is meant: with exactly the given value, otherwise the oldest.
pub(crate) fn closest(mut users: Vec<Model>, column: Column, given: &str) -> Option<Model> {
    users.sort_by_key(|user| {
        let value = if matches!(column, Column::Email) { &user.email } else { &user.username };
        (value != given, user.id)
    });
    users.into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_composed_and_addresses_folded() {
        assert_eq!(stored_username("Zoe\u{308}"), "Zo\u{eb}");
        assert_eq!(stored_username("Ann"), "Ann", "names keep their case");
        assert_eq!(stored_email("Ann@X.com"), "ann@x.com");
        assert_eq!(stored_email("ZOE\u{308}@x.com"), "zo\u{eb}@x.com");
        for given in ["İ@x.com", "ΑΣ@x.com", "Ann@X.com"] {
            let stored = stored_email(given);
            assert_eq!(stored_email(&stored), stored, "storing is idempotent");
        }
    }
}
