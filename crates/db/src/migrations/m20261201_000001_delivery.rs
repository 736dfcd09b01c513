//! Documents of the delivery of an application, with all their versions.

use crate::schema::OnDelete::{Cascade, Restrict};
use crate::schema::{Schema, Table};

pub(crate) fn up(schema: &mut Schema) {
    schema.tenant_table("requirements", |t| {
        document(t).double("confidence_score").timestamps();
        t.index(&["project_id", "confidence_score", "id"]);
    });
    schema.tenant_table("prd_docs", |t| {
        document(t).uuid("requirement_id").timestamps();
        t.index(&["requirement_id", "id"]).references("requirement_id", "requirements", Cascade);
    });
    schema.tenant_table("tech_designs", |t| {
        document(t).uuid("prd_id").text("architecture_type?").uuid("api_spec_id?").timestamps();
        t.index(&["prd_id", "id"]).references("prd_id", "prd_docs", Cascade);
        t.index(&["architecture_type", "id"]).partial_index(&["api_spec_id"], "api_spec_id IS NOT NULL");
    });
    schema.tenant_table("api_specs", |t| {
        document(t).uuid("design_id?").text("openapi_version").text("github_url?").timestamp("last_sync?");
        t.json("validation_errors").timestamps();
        t.index(&["design_id", "id"]).references("design_id", "tech_designs", Cascade);
        t.index(&["openapi_version", "id"]).partial_index(&["github_url"], "github_url IS NOT NULL");
    });
    schema.tenant_table("document_versions", |t| {
        t.uuid("requirement_id?").uuid("prd_doc_id?").uuid("tech_design_id?").uuid("api_spec_id?");
        t.bigint("number").bigint("parent?").text("author?").text("model?").text("message?");
        t.bytes("content").timestamp("created_at");
        t.references("tenant_id", "tenants", Restrict);
        // a version belongs to one document, of one of these kinds
        t.partial_unique(&["requirement_id", "number"], "requirement_id IS NOT NULL");
        t.partial_unique(&["prd_doc_id", "number"], "prd_doc_id IS NOT NULL");
        t.partial_unique(&["tech_design_id", "number"], "tech_design_id IS NOT NULL");
        t.partial_unique(&["api_spec_id", "number"], "api_spec_id IS NOT NULL");
        t.references("requirement_id", "requirements", Cascade).references("prd_doc_id", "prd_docs", Cascade);
        t.references("tech_design_id", "tech_designs", Cascade);
        t.references("api_spec_id", "api_specs", Cascade).partial_index(&["author"], "author IS NOT NULL");
    });
}

/// What all kinds of documents have.
fn document(t: &mut Table) -> &mut Table {
    t.uuid("project_id").text("title?").text("status").bigint("version").bigint("approved_version?");
    t.references("tenant_id", "tenants", Restrict).references("project_id", "projects", Cascade);
    t.index(&["project_id", "id"]).index(&["project_id", "status", "id"])
}
