//! Lists that may be too long to be held.

use futures_util::future::{BoxFuture, FutureExt as _};

use crate::api::{ApiError, LongList, Part, Reply, Response};
use crate::store::StoreError;

/// The most entries that are held whole. It is what CloudStack gives at the most, unless all are asked for at once.
pub(super) const MOST_HELD: usize = 500;
/// Entries that are read at once of a longer list.
const PER_PART: usize = 128;

/// The entries with these ids, as `read` gives them. A list that is longer than [`MOST_HELD`] is read while it is printed; what
/// is wrong with its beginning is still an error of the call.
///
/// # Errors
/// 530 when the database fails.
pub(super) async fn list<V, F>(count: i64, ids: Vec<i64>, read: F) -> Result<Reply, ApiError>
where
    V: Response + 'static,
    F: Fn(Vec<i64>) -> BoxFuture<'static, Result<Vec<V>, StoreError>> + Send + 'static,
{
    if ids.len() <= MOST_HELD {
        return Ok(Reply::list(count, read(ids).await?));
    }
    let nodes = |views: Vec<V>| views.into_iter().map(Response::into_node).collect::<Vec<_>>();
    let first = nodes(read(ids[..PER_PART].to_vec()).await?);
    let mut at = PER_PART;
    let rest = std::iter::from_fn(move || {
        let part = ids.get(at..ids.len().min(at + PER_PART)).filter(|part| !part.is_empty())?;
        at += part.len();
        let views = read(part.to_vec());
        Some(async move { Ok(nodes(views.await?)) }.boxed())
    });
    let first: Part = std::future::ready(Ok(first)).boxed();
    let parts = Box::new(std::iter::once(first).chain(rest));
    Ok(Reply::Long(LongList { object: V::SPEC.object, count, parts }))
}
