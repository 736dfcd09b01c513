//! Calls that were refused, and why; tags and metadata of calls; usage by end user and by tag.

use crate::schema::Schema;

pub(crate) fn up(schema: &mut Schema) {
    schema.add_columns("llm_calls", |t| {
        t.json("refusal?").bigint("refused_calls?").json("tags?").json("metadata?");
        t.partial_index(&["id"], "tags IS NOT NULL");
    });
    // sums by label must not slow down reading those without
    schema.statement("DROP INDEX usage_stats_granularity_bucket_idx");
    schema.add_columns("usage_stats", |t| {
        t.bigint("refused?").text("label_kind?").text("label?");
        t.partial_index(&["granularity", "bucket"], "label_kind IS NULL");
        t.partial_index(&["label_kind", "label", "granularity", "bucket"], "label_kind IS NOT NULL");
    });
}
