//! Spans by their traces.

use std::collections::HashMap;

use loam_kernel::{ProjectId, TenantId};

use super::function::Functions;
use super::{Told, entry, hex};
use crate::ingest::Sender;
use crate::otlp::settings::OtlpSettings;
use crate::trace::{Call, Part, Source};

/// Bytes of texts from which a trace goes on in another part, so that a part fits into the journal.
const MAX_PART: usize = 2 << 20;
/// What a call takes beside its texts.
const CALL: usize = 128;

/// Whose spans they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) tenant: TenantId,
    pub(crate) project: ProjectId,
}

impl From<&Sender> for Owner {
    fn from(sender: &Sender) -> Self {
        Self { tenant: sender.tenant, project: sender.project.id }
    }
}

/// Parts in the making.
pub(super) struct Groups {
    owner: Owner,
    full: Vec<Part>,
    open: HashMap<Vec<u8>, (Part, usize)>,
    functions: Functions,
}

impl Groups {
    pub(super) fn new(owner: Owner) -> Self {
        Self { owner, full: Vec::new(), open: HashMap::new(), functions: Functions::default() }
    }

    pub(super) fn add(&mut self, told: &Told<'_>, settings: &OtlpSettings) {
        let call = told.call(&mut self.functions, settings);
        let owner = self.owner;
        let (part, size) = self.open.entry(told.span.trace_id.clone()).or_insert_with(|| {
            let part = Part {
                tenant: owner.tenant,
                project: owner.project,
                trace_id: hex(&told.span.trace_id),
                source: Source::Otlp,
                entries: Vec::new(),
                calls: Vec::new(),
            };
            (part, 0)
        });
        if told.is_entry() {
            part.entries.push(entry::entry(told));
        }
        *size += weight(&call);
        part.calls.push(call);
        if *size >= MAX_PART
            && let Some((part, _)) = self.open.remove(&told.span.trace_id)
        {
            self.full.push(part);
        }
    }

    pub(super) fn done(mut self) -> Vec<Part> {
        let mut rest: Vec<Part> = self.open.into_values().map(|(part, _)| part).collect();
        // in an order that doesn't change, so that what is sent twice is written twice the same
        rest.sort_by(|a, b| a.trace_id.cmp(&b.trace_id));
        self.full.append(&mut rest);
        self.full
    }
}

fn weight(call: &Call) -> usize {
    let detail = call.detail.as_ref().map_or(0, |detail| {
        let texts = [&detail.system, &detail.operation, &detail.statement, &detail.target];
        let texts: usize = texts.into_iter().flatten().map(String::len).sum();
        texts + detail.attributes.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>()
    });
    CALL + detail + call.exception.as_ref().map_or(0, String::len)
}
