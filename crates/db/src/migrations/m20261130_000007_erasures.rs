//! Who is erased, what came of it, and who has been.

use crate::schema::OnDelete::Cascade;
use crate::schema::Schema;

pub(crate) fn up(schema: &mut Schema) {
    schema.tenant_table("erasures", |t| {
        t.text("subject_type").text("subject_id?").text("subject_digest").json("searched?").text("state");
        t.text("actor").json("removed").json("receipt?").timestamp("guarded_until");
        t.timestamp("completed_at?").timestamps();
        t.global_index(&["guarded_until"], None);
    });
    schema.tenant_table("erased_subjects", |t| {
        t.uuid("erasure_id").bytes("digest").timestamp("before?").timestamp("created_at");
        t.index(&["digest"]).index(&["erasure_id"]).references("erasure_id", "erasures", Cascade);
    });
}
