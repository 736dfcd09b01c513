//! A small DSL for migrations: a table is described once, and becomes DDL for either database, with its row-level security,
//! grants and partitions.

use sea_orm::sea_query::{
    Alias, ColumnDef, ForeignKey, ForeignKeyAction, Index, IndexCreateStatement, PostgresQueryBuilder,
    SqliteQueryBuilder, Table as SqlTable, TableCreateStatement,
};

use crate::connect::Dialect;
use crate::migrations;

/// Collects the statements of a migration for one dialect.
pub(crate) struct Schema {
    dialect: Dialect,
    pub(crate) statements: Vec<String>,
    pub(crate) references: Vec<Reference>,
}

/// One foreign key, for the entity diagram.
pub(crate) struct Reference {
    pub(crate) from: String,
    pub(crate) column: String,
    pub(crate) to: &'static str,
}

/// The owner of a table's rows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// A tenant, by `tenant_id`.
    Tenant,
    /// The tenant itself is the row.
    Itself,
    /// The instance: only the system role has access.
    System,
}

/// What happens to a row when the row it refers to is deleted.
#[derive(Clone, Copy)]
pub(crate) enum OnDelete {
    /// It is deleted too: the parent owns it.
    Cascade,
    /// The deletion is refused.
    Restrict,
}

/// A table being described.
pub(crate) struct Table {
    name: &'static str,
    owner: Owner,
    partitioned: bool,
    create: TableCreateStatement,
    indexes: Vec<(IndexCreateStatement, Option<&'static str>)>,
    /// Columns that are unique in each partition.
    unique_each: Vec<&'static [&'static str]>,
    references: Vec<Reference>,
}

impl Schema {
    pub(crate) fn new(dialect: Dialect) -> Self {
        Self { dialect, statements: Vec::new(), references: Vec::new() }
    }

    /// A statement only for PostgreSQL.
    pub(crate) fn postgres(&mut self, sql: impl Into<String>) {
        if self.dialect == Dialect::Postgres {
            self.statements.push(sql.into());
        }
    }

    /// A statement for both databases.
    pub(crate) fn statement(&mut self, sql: impl Into<String>) {
        self.statements.push(sql.into());
    }

    /// A table of tenants' rows, with `tenant_id`, `id` and the primary key of both.
    pub(crate) fn tenant_table(&mut self, name: &'static str, describe: impl FnOnce(&mut Table)) {
        let mut table = Table::new(name, Owner::Tenant);
        table.uuid("tenant_id").uuid("id");
        describe(&mut table);
        self.add(table, &["tenant_id", "id"]);
    }

    /// The same, partitioned by month on PostgreSQL.
    pub(crate) fn partitioned_table(&mut self, name: &'static str, describe: impl FnOnce(&mut Table)) {
        self.tenant_table(name, |table| {
            table.partitioned = true;
            describe(table);
        });
    }

    /// The table of tenants.
    pub(crate) fn tenants_table(&mut self, describe: impl FnOnce(&mut Table)) {
        let mut table = Table::new("tenants", Owner::Itself);
        table.uuid("id");
        describe(&mut table);
        self.add(table, &["id"]);
    }

    /// A table of the instance, for the system role only.
    pub(crate) fn system_table(
        &mut self,
        name: &'static str,
        key: &[&'static str],
        describe: impl FnOnce(&mut Table),
    ) {
        let mut table = Table::new(name, Owner::System);
        describe(&mut table);
        self.add(table, key);
    }

    /// Adds columns, and indexes on them, to a table of an earlier migration. They are nullable, as there may be rows.
    pub(crate) fn add_columns(&mut self, name: &'static str, describe: impl FnOnce(&mut Table)) {
        let mut table = Table::new(name, Owner::Tenant);
        describe(&mut table);
        for column in table.create.get_columns() {
            // SQLite adds one column per statement
            let mut alter = SqlTable::alter();
            alter.table(Alias::new(name)).add_column(column.clone());
            let sql = match self.dialect {
                Dialect::Sqlite => alter.to_string(SqliteQueryBuilder),
                Dialect::Postgres => alter.to_string(PostgresQueryBuilder),
            };
            self.statements.push(sql);
        }
        self.add_indexes(&table);
    }

    fn add(&mut self, mut table: Table, key: &[&'static str]) {
        if self.dialect == Dialect::Sqlite {
            // PostgreSQL's come with each partition, from `loam_ensure_partition`
            std::mem::take(&mut table.unique_each).into_iter().for_each(|columns| _ = table.unique(columns));
        }
        let mut primary = Index::create();
        for column in key {
            primary.col(Alias::new(*column));
        }
        table.create.primary_key(&mut primary);
        let sql = match self.dialect {
            Dialect::Sqlite => table.create.to_string(SqliteQueryBuilder),
            Dialect::Postgres if table.partitioned => {
                format!("{} PARTITION BY RANGE (\"id\")", table.create.to_string(PostgresQueryBuilder))
            }
            Dialect::Postgres => table.create.to_string(PostgresQueryBuilder),
        };
        self.statements.push(sql);
        self.add_indexes(&table);
        self.enable_row_level_security(table.name, table.owner);
        self.references.append(&mut table.references);
    }

    fn add_indexes(&mut self, table: &Table) {
        for (index, condition) in &table.indexes {
            let sql = match self.dialect {
                Dialect::Sqlite => index.to_string(SqliteQueryBuilder),
                Dialect::Postgres => index.to_string(PostgresQueryBuilder),
            };
            let condition = condition.map(|c| format!(" WHERE {c}")).unwrap_or_default();
            self.statements.push(sql + &condition);
        }
    }

    /// Enables row-level security, forced and fail-closed: without a tenant the comparison is with NULL.
    fn enable_row_level_security(&mut self, name: &str, owner: Owner) {
        let tenant = "nullif(current_setting('app.tenant_id', true), '')::uuid";
        let column = match owner {
            Owner::Tenant => Some("tenant_id"),
            Owner::Itself => Some("id"),
            Owner::System => None,
        };
        self.postgres(format!("ALTER TABLE {name} ENABLE ROW LEVEL SECURITY"));
        self.postgres(format!("ALTER TABLE {name} FORCE ROW LEVEL SECURITY"));
        self.postgres(format!(
            "CREATE POLICY system ON {name} TO loam_system USING (true) WITH CHECK (true)"
        ));
        self.postgres(format!("GRANT SELECT, INSERT, UPDATE, DELETE ON {name} TO loam_system"));
        if let Some(column) = column {
            self.postgres(format!(
                "CREATE POLICY tenant ON {name} TO loam_app USING ({column} = {tenant}) WITH CHECK ({column} = {tenant})"
            ));
            // since the migration that introduces signatures, only a signed tenant is accepted
            self.postgres(format!(
                "DO $$ BEGIN IF to_regclass('loam_tenant') IS NOT NULL THEN ALTER POLICY tenant ON {name} \
                 USING ({column} = (SELECT id FROM loam_tenant)) WITH CHECK ({column} = (SELECT id FROM loam_tenant)); END IF; END $$"
            ));
            // a tenant may read its own row of `tenants`; only the system role may change it
            let rights = if owner == Owner::Itself { "SELECT" } else { "SELECT, INSERT, UPDATE, DELETE" };
            self.postgres(format!("GRANT {rights} ON {name} TO loam_app"));
        }
    }
}

impl Table {
    fn new(name: &'static str, owner: Owner) -> Self {
        let mut create = SqlTable::create();
        create.table(Alias::new(name));
        Self {
            name,
            owner,
            partitioned: false,
            create,
            indexes: Vec::new(),
            unique_each: Vec::new(),
            references: Vec::new(),
        }
    }

    fn column(&mut self, name: &'static str, kind: impl FnOnce(&mut ColumnDef)) -> &mut Self {
        let (name, nullable) = match name.strip_suffix('?') {
            Some(name) => (name, true),
            None => (name, false),
        };
        let mut column = ColumnDef::new(Alias::new(name));
        kind(&mut column);
        if !nullable {
            column.not_null();
        }
        self.create.col(&mut column);
        self
    }

    // a `?` at the end of a column's name makes it nullable

    pub(crate) fn uuid(&mut self, name: &'static str) -> &mut Self {
        self.column(name, |c| _ = c.uuid())
    }

    pub(crate) fn text(&mut self, name: &'static str) -> &mut Self {
        self.column(name, |c| _ = c.text())
    }

    pub(crate) fn json(&mut self, name: &'static str) -> &mut Self {
        self.column(name, |c| _ = c.json_binary())
    }

    pub(crate) fn bytes(&mut self, name: &'static str) -> &mut Self {
        self.column(name, |c| _ = c.blob())
    }

    pub(crate) fn int(&mut self, name: &'static str) -> &mut Self {
        self.column(name, |c| _ = c.integer())
    }

    pub(crate) fn bigint(&mut self, name: &'static str) -> &mut Self {
        self.column(name, |c| _ = c.big_integer())
    }

    pub(crate) fn double(&mut self, name: &'static str) -> &mut Self {
        self.column(name, |c| _ = c.double())
    }

    pub(crate) fn boolean(&mut self, name: &'static str) -> &mut Self {
        self.column(name, |c| _ = c.boolean())
    }

    pub(crate) fn timestamp(&mut self, name: &'static str) -> &mut Self {
        self.column(name, |c| _ = c.timestamp_with_time_zone())
    }

    /// `created_at` and `updated_at`.
    pub(crate) fn timestamps(&mut self) -> &mut Self {
        self.timestamp("created_at").timestamp("updated_at")
    }

    /// A reference to another table of the same tenant.
    pub(crate) fn references(
        &mut self,
        column: &'static str,
        to: &'static str,
        on_delete: OnDelete,
    ) -> &mut Self {
        let action = match on_delete {
            OnDelete::Cascade => ForeignKeyAction::Cascade,
            OnDelete::Restrict => ForeignKeyAction::Restrict,
        };
        let mut key = ForeignKey::create();
        key.name(format!("{}_{column}_fkey", self.name))
            .from_tbl(Alias::new(self.name))
            .to_tbl(Alias::new(to));
        if to == "tenants" {
            key.from_col(Alias::new(column)).to_col(Alias::new("id"));
        } else {
            key.from_col(Alias::new("tenant_id")).from_col(Alias::new(column));
            key.to_col(Alias::new("tenant_id")).to_col(Alias::new("id"));
        }
        self.create.foreign_key(key.on_delete(action));
        self.references.push(Reference { from: self.name.to_owned(), column: column.to_owned(), to });
        self
    }

    fn any_index(
        &mut self,
        tenant: bool,
        columns: &[&'static str],
        unique: bool,
        condition: Option<&'static str>,
    ) {
        let suffix = if unique { "key" } else { "idx" };
        let mut index = Index::create();
        index.name(format!("{}_{}_{suffix}", self.name, columns.join("_"))).table(Alias::new(self.name));
        if unique {
            index.unique();
        }
        if tenant {
            index.col(Alias::new("tenant_id"));
        }
        for column in columns {
            index.col(Alias::new(*column));
        }
        self.indexes.push((index, condition));
    }

    /// An index within a tenant.
    pub(crate) fn index(&mut self, columns: &[&'static str]) -> &mut Self {
        self.any_index(true, columns, false, None);
        self
    }

    /// A partial index within a tenant.
    pub(crate) fn partial_index(&mut self, columns: &[&'static str], condition: &'static str) -> &mut Self {
        self.any_index(true, columns, false, Some(condition));
        self
    }

    /// A unique constraint within a tenant, for some of the rows.
    pub(crate) fn partial_unique(&mut self, columns: &[&'static str], condition: &'static str) -> &mut Self {
        self.any_index(true, columns, true, Some(condition));
        self
    }

    /// A unique constraint within a tenant.
    pub(crate) fn unique(&mut self, columns: &[&'static str]) -> &mut Self {
        self.any_index(true, columns, true, None);
        self
    }

    /// A unique constraint within a tenant and a month, for a partitioned table: over all months it would have to contain the
    /// id, which would make it ineffective.
    pub(crate) fn unique_in_partition(&mut self, columns: &'static [&'static str]) -> &mut Self {
        self.unique_each.push(columns);
        self
    }

    /// An index over all tenants' rows, for look-ups before the tenant is known or by the system.
    pub(crate) fn global_index(
        &mut self,
        columns: &[&'static str],
        condition: Option<&'static str>,
    ) -> &mut Self {
        self.any_index(false, columns, false, condition);
        self
    }

    /// A value that is unique among every tenant's rows.
    pub(crate) fn global_unique(&mut self, columns: &[&'static str]) -> &mut Self {
        self.any_index(false, columns, true, None);
        self
    }
}

/// The table of applied migrations.
pub(crate) fn record_table(dialect: Dialect) -> String {
    let mut table = SqlTable::create();
    table.table(Alias::new("seaql_migrations"));
    table.col(ColumnDef::new(Alias::new("version")).string().not_null().primary_key());
    table.col(ColumnDef::new(Alias::new("applied_at")).big_integer().not_null());
    match dialect {
        Dialect::Sqlite => table.to_string(SqliteQueryBuilder),
        Dialect::Postgres => table.to_string(PostgresQueryBuilder),
    }
}

/// Records an applied migration.
pub(crate) fn record(dialect: Dialect, name: &str) -> String {
    let now = match dialect {
        Dialect::Sqlite => "unixepoch()",
        Dialect::Postgres => "extract(epoch FROM now())::bigint",
    };
    format!("INSERT INTO seaql_migrations (version, applied_at) VALUES ('{name}', {now})")
}

/// The whole schema as plain SQL, migration by migration, including the table of applied migrations: a server accepts a
/// database that was created from it.
pub fn print_schema(dialect: Dialect) -> String {
    let mut sql = format!("-- applied migrations\n{};\n\n", record_table(dialect));
    for migration in migrations::ALL {
        let mut schema = Schema::new(dialect);
        (migration.up)(&mut schema);
        sql.push_str(&format!("-- {}\n", migration.name));
        for statement in schema.statements.into_iter().chain([record(dialect, migration.name)]) {
            sql.push_str(&statement);
            sql.push_str(";\n");
        }
        sql.push('\n');
    }
    sql
}
