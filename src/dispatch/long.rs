//! Lists that are printed while they are read: a few parts are read ahead of the client, and no more.

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt as _};
use futures_util::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use tokio::runtime::Handle;

use crate::api::{BoxError, Envelope, Format, LongList, Part, Pieces};
use crate::model::signed;

/// Parts that are read and printed at the same time.
const AHEAD: usize = 3;

/// A list did not turn out as long as was said at its beginning.
#[derive(Debug, thiserror::Error)]
#[error(
    "{printed} of {count} entries of a list were there to be printed: some were deleted meanwhile; ask for the list again"
)]
struct Shorter {
    count: i64,
    printed: i64,
}

/// How many entries were printed, and as what.
type Printed = Result<(i64, Bytes), BoxError>;
type Printing = BoxFuture<'static, Printed>;

async fn print(object: &'static str, format: Format, part: Part, is_first: bool) -> Printed {
    let items = part.await?;
    let mut out = Vec::new();
    format.entries(object, &items, is_first, &mut out);
    Ok((signed(items.len()), Bytes::from(out)))
}

/// The answer in pieces. The work is done on `runtime`, so that it neither waits for others nor makes them wait.
pub(super) fn pieces(list: LongList, envelope: &Envelope<'_>, runtime: &Handle) -> Pieces {
    let LongList { object, count, parts } = list;
    let (before, behind) = envelope.around(object, count);
    let (format, runtime) = (envelope.format, runtime.clone());
    // Named in full, as the compiler does not see through closures that make futures.
    let tasks = parts.enumerate().map(move |(at, part): (usize, Part)| -> Printing {
        let task = runtime.spawn(print(object, format, part, at == 0));
        async move { task.await? }.boxed()
    });
    let printed: BoxStream<'static, Printed> = stream::iter(tasks).buffered(AHEAD).boxed();
    let entries = stream::try_unfold((Some(printed), 0), move |(printed, mut seen)| {
        let behind = behind.clone();
        async move {
            let Some(mut printed) = printed else { return Ok::<_, BoxError>(None) };
            match printed.try_next().await? {
                Some((number, bytes)) => {
                    seen += number;
                    Ok(Some((bytes, (Some(printed), seen))))
                }
                None if seen == count => Ok(Some((Bytes::from(behind), (None, seen)))),
                None => Err(Shorter { count, printed: seen }.into()),
            }
        }
    });
    Box::pin(stream::iter([Ok(Bytes::from(before))]).chain(entries))
}
