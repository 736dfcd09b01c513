//! Suggestions are known by what they propose, not by their title.

use crate::schema::Schema;

pub(crate) fn up(schema: &mut Schema) {
    schema.add_columns("suggestions", |t| {
        t.text("fingerprint?");
        t.unique(&["project_id", "endpoint", "source", "version", "fingerprint"]);
    });
    schema.statement("DROP INDEX suggestions_project_id_endpoint_source_title_version_key");
}
