//! E-mail by SMTP, to a server that the operator names.
//!
//! Belongs here: how a message reaches that server. Does not belong here: what is written to whom; who has something to
//! say makes a delivery (`webhook_deliveries`) and sends its letter from there, so that it is tried until it is taken.

mod config;
mod mailer;

pub use config::{MailConfig, MailTls};
pub use mailer::{Allowed, Email, Mailer, bare_address, check_address};
