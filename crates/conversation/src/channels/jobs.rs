//! The jobs of channels.

use std::time::Duration;

use loam_jobs::{Handlers, Schedule};
use loam_kernel::Result;

use super::{reply, retention};
use crate::channels::Channels;

/// The job handlers and schedules of channels.
pub(crate) fn handlers(channels: &Channels) -> Result<Handlers> {
    let deletion = Schedule::new(retention::DeleteOldChannelEvents::KIND, Duration::from_hours(1))?;
    Ok(Handlers::new()
        .with(reply::ReplyHandler(channels.clone()))
        .with(retention::DeleteOldChannelEvents(channels.clone()))
        .every(deletion))
}
