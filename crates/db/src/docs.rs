//! The data dictionary and the entity diagram of `docs/`, generated from the entities.

use std::fmt::Write;

use crate::check::EntityShape;
use crate::connect::Dialect;
use crate::migrations;
use crate::partitions::PARTITIONED;
use crate::schema::Schema;

/// A Markdown page with a table for each entity.
pub fn data_dictionary(entities: &[EntityShape]) -> String {
    let mut page = String::from(
        "# Data dictionary\n\nMade by `make docs` from the entities; don't edit it by hand. **P**: partitioned by month on \
         PostgreSQL. Times are UTC.\n",
    );
    for entity in entities {
        let mark = if PARTITIONED.contains(&entity.table.as_str()) { " **P**" } else { "" };
        _ = write!(page, "\n## {}{mark}\n\n{}\n\n", entity.table, sentence(&entity.comment));
        page.push_str("| column | PostgreSQL | SQLite | null | what it holds |\n|---|---|---|---|---|\n");
        for column in &entity.columns {
            let name = if column.key { format!("**{}**", column.name) } else { column.name.clone() };
            let null = if column.nullable { "yes" } else { "" };
            let (postgres, sqlite) = (column.sql_type(Dialect::Postgres), column.sql_type(Dialect::Sqlite));
            _ = writeln!(page, "| {name} | {postgres} | {sqlite} | {null} | {} |", column.comment);
        }
    }
    page
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect::<String>() + ".",
        None => String::new(),
    }
}

/// A Markdown page with a Mermaid diagram of the entities and the references between them.
pub fn entity_diagram(entities: &[EntityShape]) -> String {
    let mut page = String::from(
        "# Entity diagram\n\nMade by `make docs` from the entities and the migrations; don't edit it by hand. Every table but \
         `tenants` and those of the instance belongs to a tenant.\n\n```mermaid\nerDiagram\n",
    );
    let mut schema = Schema::new(Dialect::Postgres);
    for step in migrations::ALL {
        (step.up)(&mut schema);
    }
    for reference in &schema.references {
        _ = writeln!(page, "    {} ||--o{{ {} : {}", reference.to, reference.from, reference.column);
    }
    for entity in entities {
        _ = writeln!(page, "    {} {{", entity.table);
        for column in &entity.columns {
            let kind = column.sql_type(Dialect::Postgres).replace(' ', "_");
            _ = writeln!(page, "        {kind} {}{}", column.name, if column.key { " PK" } else { "" });
        }
        page.push_str("    }\n");
    }
    page.push_str("```\n");
    page
}
