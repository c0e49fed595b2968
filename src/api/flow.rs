//! Answers that stand in no envelope: text of another kind, made piece by piece while the client takes it.

use std::fmt;
use std::pin::Pin;

use bytes::Bytes;
use futures_util::Stream;

use super::error::BoxError;

/// Pieces of an answer. An error cuts the answer short, so that it does not look whole.
pub type Pieces = Pin<Box<dyn Stream<Item = Result<Bytes, BoxError>> + Send>>;

/// An answer in pieces.
pub struct Flow {
    /// The content type on the wire.
    pub media: &'static str,
    /// The name of a file that a browser offers to save the answer as.
    pub file_name: Option<&'static str>,
    /// The answer. No more is made than the client takes.
    pub pieces: Pieces,
}

impl fmt::Debug for Flow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Flow").field("media", &self.media).finish_non_exhaustive()
    }
}
