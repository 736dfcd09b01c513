//! Compares the entities with a migrated database: one that differs fails the tests, and `loam db check`.

use std::collections::{BTreeMap, BTreeSet};

use loam_kernel::Result;
use sea_orm::sea_query::{ColumnType, PostgresQueryBuilder, SqliteQueryBuilder, TableBuilder};
use sea_orm::{ColumnTrait, DbBackend, EntityTrait, IdenStatic, Iterable, Schema};
use serde::Serialize;
use sqlx::Row;

use crate::connect::{Db, Dialect, Pools};
use crate::error::from_sqlx;
use crate::ordered_json::ORDERED_JSON;

/// The columns that an entity says its table has.
#[derive(Clone, Debug)]
pub struct EntityShape {
    /// The table.
    pub table: String,
    /// What its rows are.
    pub comment: String,
    /// Its columns.
    pub columns: Vec<ColumnShape>,
}

/// One column of an entity.
#[derive(Clone, Debug)]
pub struct ColumnShape {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub comment: String,
    /// Whether it may be null.
    pub nullable: bool,
    /// Part of the primary key.
    pub key: bool,
    kind: ColumnType,
}

impl EntityShape {
    /// The shape of an entity.
    pub fn of<E: EntityTrait>() -> Self {
        let keys: BTreeSet<String> = E::PrimaryKey::iter()
            .map(|key| sea_orm::PrimaryKeyToColumn::into_column(key).as_str().to_owned())
            .collect();
        let schema = Schema::new(DbBackend::Postgres);
        let columns = E::Column::iter().map(|column| {
            let def = column.def();
            ColumnShape {
                name: column.as_str().to_owned(),
                comment: schema
                    .get_column_def::<E>(column)
                    .get_column_spec()
                    .comment
                    .clone()
                    .unwrap_or_default(),
                nullable: def.is_null(),
                key: keys.contains(column.as_str()),
                kind: def.get_column_type().clone(),
            }
        });
        let entity = E::default();
        Self {
            table: entity.table_name().to_owned(),
            comment: entity.comment().unwrap_or_default().to_owned(),
            columns: columns.collect(),
        }
    }
}

impl ColumnShape {
    /// The column's type in a dialect's own words.
    pub fn sql_type(&self, dialect: Dialect) -> String {
        let mut sql = String::new();
        let ordered_json = matches!(&self.kind, ColumnType::Custom(name) if name.to_string() == ORDERED_JSON);
        let kind = match dialect {
            Dialect::Sqlite if ordered_json => &ColumnType::JsonBinary,
            Dialect::Postgres if ordered_json => &ColumnType::Text,
            _ => &self.kind,
        };
        match dialect {
            Dialect::Sqlite => SqliteQueryBuilder.prepare_column_type(kind, &mut sql),
            Dialect::Postgres => PostgresQueryBuilder.prepare_column_type(kind, &mut sql),
        }
        if sql == "bool" { "boolean".to_owned() } else { sql }
    }
}

/// A difference between entities and database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The table.
    pub table: String,
    /// What differs.
    pub what: String,
}

/// Lists the differences between the entities and the database.
pub async fn compare(db: &Db, entities: &[EntityShape]) -> Result<Vec<Difference>> {
    let live = actual_columns(db).await?;
    let mut differences = Vec::new();
    let mut differ =
        |table: &str, what: String| differences.push(Difference { table: table.to_owned(), what });
    for entity in entities {
        let Some(columns) = live.get(&entity.table) else {
            differ(&entity.table, "the table is missing".to_owned());
            continue;
        };
        for column in &entity.columns {
            let expected = (column.sql_type(db.dialect()), column.nullable);
            match columns.get(&column.name) {
                None => differ(&entity.table, format!("column `{}` is missing", column.name)),
                Some(found) if *found != expected => differ(
                    &entity.table,
                    format!(
                        "column `{}` is (type, nullable) {found:?}, the entity says {expected:?}",
                        column.name
                    ),
                ),
                Some(_) => {}
            }
        }
        for name in columns.keys().filter(|name| entity.columns.iter().all(|column| &column.name != *name)) {
            differ(&entity.table, format!("column `{name}` is in no entity"));
        }
    }
    for table in live.keys().filter(|table| entities.iter().all(|entity| &entity.table != *table)) {
        differ(table, "the table has no entity".to_owned());
    }
    Ok(differences)
}

type Columns = BTreeMap<String, (String, bool)>;

async fn actual_columns(db: &Db) -> Result<BTreeMap<String, Columns>> {
    let mut tables: BTreeMap<String, Columns> = BTreeMap::new();
    let mut add = |table: String, name: String, kind: String, nullable: bool| {
        tables.entry(table).or_default().insert(name, (kind, nullable));
    };
    match &db.pools {
        Pools::Sqlite { readers, .. } => {
            let sql = "SELECT t.name, c.name, c.type, c.\"notnull\" = 0 FROM sqlite_schema t, pragma_table_info(t.name) c \
                 WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND t.name <> 'seaql_migrations'";
            for row in sqlx::raw_sql(sql).fetch_all(readers).await.map_err(from_sqlx)? {
                add(row.get(0), row.get(1), row.get::<String, _>(2).to_lowercase(), row.get(3));
            }
        }
        Pools::Postgres { owner, .. } => {
            let sql = "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull \
                 FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid \
                 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition \
                 AND a.attnum > 0 AND NOT a.attisdropped AND c.relname NOT IN ('seaql_migrations', 'tenant_wall')";
            for row in sqlx::raw_sql(sql).fetch_all(owner).await.map_err(from_sqlx)? {
                add(row.get(0), row.get(1), row.get(2), row.get(3));
            }
        }
    }
    Ok(tables)
}
