//! Answers that are made piece by piece while the client takes them: text of another kind, which stands in no envelope, and
//! lists that are too long to be held.

use std::fmt;
use std::pin::Pin;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::future::BoxFuture;

use super::error::BoxError;
use super::node::Node;

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

/// Entries of a list that are being read.
pub type Part = BoxFuture<'static, Result<Vec<Node>, BoxError>>;

/// A list that is printed while it is read.
pub struct LongList {
    /// The name of each object.
    pub object: &'static str,
    /// How many there are in all. As many are printed, or the answer is cut short.
    pub count: i64,
    /// The entries in their order. Each part is read when it is its turn or soon.
    pub parts: Box<dyn Iterator<Item = Part> + Send>,
}

impl fmt::Debug for LongList {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LongList")
            .field("object", &self.object)
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}
