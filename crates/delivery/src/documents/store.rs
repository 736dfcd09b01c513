//! Reading, saving and deleting documents of any kind.

use loam_db::{Tenant, Tx};
use loam_kernel::{ExpectedVersion, Page, PageQuery, ProjectId, Result, Scope};
use loam_platform::changes::check_version;
use sea_orm::{ActiveModelBehavior, ActiveModelTrait, IntoActiveModel, Value as DbValue};
use serde_json::{Value, to_string};
use uuid::Uuid;

use super::{Content, Document, DocumentStatus, DocumentTransition, Save};
use crate::Delivery;
use crate::document_versions::compare::{DocumentComparison, compare};
use crate::document_versions::{self as versions, DocumentVersion, DocumentVersionSummary};

/// A document with the content of its current version.
pub(crate) struct Current<E: Document> {
    pub(crate) row: E::Model,
    pub(crate) content: E::Content,
}

impl Delivery {
    /// A document with its current content.
    pub(crate) async fn document<E: Document>(&self, scope: &Scope, id: Uuid) -> Result<Current<E>> {
        let tx = self.db.read(scope).await?;
        let row = tx.get::<E>(id).await?.ok_or_else(E::missing)?;
        let content = versions::content::<E, _>(&tx, id, E::head(&row).version).await?;
        Ok(Current { row, content })
    }

    /// Creates a document, with the content as its first version.
    pub(crate) async fn create_document<E: Document>(
        &self,
        tx: Tx<Tenant>,
        project: ProjectId,
        content: E::Content,
        columns: Vec<(E::Column, DbValue)>,
        save: Save,
    ) -> Result<Current<E>> {
        content.validate()?;
        save.validate()?;
        let (id, now) = (self.clock.id::<Uuid>(), self.clock.now());
        let mut row = <E::ActiveModel as ActiveModelBehavior>::new();
        let fixed = [
            (E::ID, id.into()),
            (E::PROJECT, project.into()),
            (E::STATUS, DocumentStatus::Draft.into()),
            (E::VERSION, 1_i64.into()),
            (E::CREATED_AT, now.into()),
            (E::UPDATED_AT, now.into()),
        ];
        for (column, value) in fixed.into_iter().chain(E::columns(&content)).chain(columns) {
            row.set(column, value);
        }
        let row = tx.insert(row).await?;
        versions::insert::<E>(&tx, &self.clock, id, (1, None), &content, save).await?;
        let notice = self.changes.record_row::<E>(&tx, "create", &row).await?;
        self.changes.commit(tx, notice).await?;
        Ok(Current { row, content })
    }

    /// Locks a document to change its content.
    ///
    /// # Errors
    /// `version_conflict` if the change is based on another version than the current one.
    pub(crate) async fn document_to_change<E: Document>(
        &self,
        tx: &Tx<Tenant>,
        id: Uuid,
        expected: &ExpectedVersion,
        base: i64,
    ) -> Result<Current<E>> {
        let row = locked::<E>(tx, id, expected, base).await?;
        E::head(&row).status.check_editable()?;
        let content = versions::content::<E, _>(tx, id, base).await?;
        Ok(Current { row, content })
    }

    /// Saves a changed document: a new version if the content is another one.
    pub(crate) async fn save_document<E: Document>(
        &self,
        tx: Tx<Tenant>,
        current: Current<E>,
        content: E::Content,
        columns: Vec<(E::Column, DbValue)>,
        save: Save,
    ) -> Result<Current<E>> {
        content.validate()?;
        save.validate()?;
        let head = E::head(&current.row);
        // as text: the order of keys counts too
        let is_changed = json(&current.content)? != json(&content)?;
        if !is_changed && columns.is_empty() {
            tx.commit().await?;
            return Ok(current);
        }
        let mut row = current.row.into_active_model();
        if is_changed {
            let number = head.version + 1;
            versions::insert::<E>(&tx, &self.clock, head.id, (number, Some(head.version)), &content, save)
                .await?;
            row.set(E::VERSION, number.into());
            E::columns(&content).into_iter().for_each(|(column, value)| row.set(column, value));
        }
        columns.into_iter().for_each(|(column, value)| row.set(column, value));
        let row = self.changes.update(tx, row).await?;
        Ok(Current { row, content })
    }

    /// Changes the status of a document.
    pub(crate) async fn transition_document<E: Document>(
        &self,
        scope: &Scope,
        id: Uuid,
        expected: &ExpectedVersion,
        to: DocumentTransition,
    ) -> Result<Current<E>> {
        let tx = self.db.write(scope).await?;
        let row = locked::<E>(&tx, id, expected, to.base_version).await?;
        E::head(&row).status.check_transition(to.status, scope)?;
        let content = versions::content::<E, _>(&tx, id, to.base_version).await?;
        let mut row = row.into_active_model();
        row.set(E::STATUS, to.status.into());
        match to.status {
            DocumentStatus::Approved => row.set(E::APPROVED_VERSION, Some(to.base_version).into()),
            DocumentStatus::Superseded => {}
            DocumentStatus::Draft | DocumentStatus::InReview => {
                row.set(E::APPROVED_VERSION, None::<i64>.into());
            }
        }
        let row = self.changes.save(&tx, row).await?;
        let notice = self.changes.record_row::<E>(&tx, "transition", &row).await?;
        self.changes.commit(tx, notice).await?;
        Ok(Current { row, content })
    }

    /// Makes the content of an earlier version that of a new one.
    pub(crate) async fn restore_version<E: Document>(
        &self,
        scope: &Scope,
        (id, number): (Uuid, i64),
        expected: &ExpectedVersion,
        base: i64,
        message: Option<String>,
    ) -> Result<Current<E>> {
        let tx = self.db.write(scope).await?;
        let current = self.document_to_change::<E>(&tx, id, expected, base).await?;
        let content = versions::content::<E, _>(&tx, id, number).await?;
        let message = message.unwrap_or_else(|| format!("restore version {number}"));
        self.save_document(tx, current, content, Vec::new(), Save { message: Some(message), model: None })
            .await
    }

    /// The versions of a document, newest first, without their content.
    pub(crate) async fn document_versions<E: Document>(
        &self,
        scope: &Scope,
        id: Uuid,
        page: &PageQuery,
    ) -> Result<Page<DocumentVersionSummary>> {
        let tx = self.db.read(scope).await?;
        tx.get::<E>(id).await?.ok_or_else(E::missing)?;
        versions::list::<E>(&tx, id, page).await
    }

    /// A version with its content.
    pub(crate) async fn document_version<E: Document>(
        &self,
        scope: &Scope,
        id: Uuid,
        number: i64,
    ) -> Result<DocumentVersion> {
        versions::get::<E>(&self.db.read(scope).await?, id, number).await
    }

    /// What differs between two versions.
    pub(crate) async fn compare_versions<E: Document>(
        &self,
        scope: &Scope,
        id: Uuid,
        (from, to): (i64, i64),
    ) -> Result<DocumentComparison> {
        let tx = self.db.read(scope).await?;
        let before: Value = versions::content::<E, _>(&tx, id, from).await?;
        let after: Value = versions::content::<E, _>(&tx, id, to).await?;
        Ok(compare((from, &before), (to, &after)))
    }
}

/// Locks a document; the change must be based on its current version.
async fn locked<E: Document>(
    tx: &Tx<Tenant>,
    id: Uuid,
    expected: &ExpectedVersion,
    base: i64,
) -> Result<E::Model> {
    let row = tx.get_locked::<E>(id).await?.ok_or_else(E::missing)?;
    E::head(&row).check_base(base)?;
    check_version::<E>(Some(&row), expected)?;
    Ok(row)
}

fn json(content: &impl Content) -> Result<String> {
    to_string(content).map_err(loam_kernel::Error::internal)
}
