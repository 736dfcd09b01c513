//! A response of bytes that are not text, such as spoken audio, which is forwarded as it arrives.

use bytes::Bytes;

use crate::{CompleteResponse, Forward, Quantity, Reader, ReportedError, ResponseError, Usage};

/// Forwards bytes unchanged.
struct BytesReader {
    quantity: Option<Quantity>,
}

/// A reader for a response of bytes. Its quantity is what the request asks for, as the response doesn't tell.
pub fn bytes_reader(quantity: Option<Quantity>) -> Box<dyn Reader> {
    Box::new(BytesReader { quantity })
}

impl Reader for BytesReader {
    fn read_complete(&mut self, body: Bytes) -> Result<CompleteResponse, ResponseError> {
        Ok(CompleteResponse { body, usage: None, quantity: self.quantity })
    }

    fn push(&mut self, chunk: Bytes) -> Forward {
        Forward { now: chunk, last: None }
    }

    fn finish(&mut self) -> Bytes {
        Bytes::new()
    }

    fn usage(&self) -> Option<Usage> {
        None
    }

    fn quantity(&self) -> Option<Quantity> {
        self.quantity
    }

    fn failure(&self) -> Option<&ReportedError> {
        None
    }

    /// Only the connection tells whether they are complete.
    fn is_complete(&self) -> bool {
        false
    }

    fn forwards_bytes(&self) -> bool {
        true
    }
}
