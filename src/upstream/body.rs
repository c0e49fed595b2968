//! The body of an answer: piece by piece, at the client's pace, and never cut short unnoticed.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Why a body did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The upstream's connection broke.
    #[error("the upstream's connection broke in the middle of an answer")]
    Lost(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The upstream stayed silent.
    #[error("the upstream was silent for {} s in the middle of an answer", .0.as_secs())]
    Silent(Duration),
    /// The client took nothing for too long, so the upstream was let go.
    #[error("the client did not take the answer in time")]
    NotTaken,
}

#[derive(Debug)]
enum Piece {
    Bytes(Bytes),
    End,
    Broken(Broken),
}

/// The body of an answer. Dropping it cuts the upstream's connection.
#[derive(Debug)]
pub struct Body {
    /// What was read already, and is still to be given.
    read: Option<Bytes>,
    rest: Option<mpsc::Receiver<Piece>>,
}

impl Body {
    /// The body that comes from `frames`. It is read no faster than it is taken: at most one piece waits, one is on its way.
    ///
    /// `held` is dropped when the upstream is done with, however that comes about.
    ///
    /// No limit on the whole: `idle` is how long the upstream may be silent and how long the client may take nothing.
    pub(super) fn flowing<S, E, H>(frames: S, idle: Duration, held: H) -> Self
    where
        S: Stream<Item = Result<Bytes, E>> + Send + Unpin + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
        H: Send + 'static,
    {
        let (sender, rest) = mpsc::channel(1);
        tokio::spawn(pump(frames, sender, idle, held));
        Self { read: None, rest: Some(rest) }
    }

    /// The next piece; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<Bytes, Broken>> {
        if let Some(read) = self.read.take() {
            return Some(Ok(read));
        }
        let piece = self.rest.as_mut()?.recv().await;
        if !matches!(piece, Some(Piece::Bytes(_))) {
            self.rest = None;
        }
        match piece {
            Some(Piece::Bytes(bytes)) => Some(Ok(bytes)),
            Some(Piece::End) => None,
            Some(Piece::Broken(broken)) => Some(Err(broken)),
            // The pump has gone without a word: the answer must not look whole.
            None => Some(Err(Broken::NotTaken)),
        }
    }

    /// The whole body if it has at most `limit` bytes, else `None`. What was read is kept, so that the body can be passed on
    /// all the same.
    ///
    /// # Errors
    /// When the body breaks off. It is of no use then.
    pub async fn peek(&mut self, limit: usize) -> Result<Option<Bytes>, Broken> {
        let mut whole = BytesMut::new();
        let ended = loop {
            match self.next().await {
                None => break true,
                Some(bytes) => whole.extend_from_slice(&bytes?),
            }
            if whole.len() > limit {
                break false;
            }
        };
        let whole = whole.freeze();
        self.read = (!whole.is_empty()).then(|| whole.clone());
        Ok(ended.then_some(whole))
    }
}

async fn pump<S, E, H>(mut frames: S, sender: mpsc::Sender<Piece>, idle: Duration, held: H)
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let _held = held;
    loop {
        let next = tokio::select! {
            () = sender.closed() => return,
            next = timeout(idle, frames.next()) => next,
        };
        let piece = match next {
            Ok(Some(Ok(bytes))) => Piece::Bytes(bytes),
            Ok(None) => Piece::End,
            Ok(Some(Err(cause))) => Piece::Broken(Broken::Lost(cause.into())),
            Err(_) => Piece::Broken(Broken::Silent(idle)),
        };
        let is_last = !matches!(piece, Piece::Bytes(_));
        let taken = timeout(idle, sender.send(piece)).await;
        if is_last || !matches!(taken, Ok(Ok(()))) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::stream;

    use super::*;

    const PIECE: &[u8] = &[7; 1000];

    /// Endless pieces, counted.
    fn endless(count: &Arc<AtomicUsize>) -> impl Stream<Item = Result<Bytes, Infallible>> + Send + Unpin + 'static {
        let count = Arc::clone(count);
        stream::repeat_with(move || {
            count.fetch_add(1, Ordering::SeqCst);
            Ok(Bytes::from_static(PIECE))
        })
    }

    #[tokio::test]
    async fn nothing_is_read_ahead_of_the_client() {
        let count = Arc::new(AtomicUsize::new(0));
        let mut body = Body::flowing(endless(&count), Duration::from_secs(60), ());
        for _ in 0..5 {
            body.next().await.unwrap().unwrap();
            // Whatever the pump can do now, it does.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
        }
        assert!(count.load(Ordering::SeqCst) <= 7, "five taken, one waits, one is on its way");
    }

    #[tokio::test]
    async fn a_dropped_body_lets_go_of_everything() {
        let held = Arc::new(());
        let mut body = Body::flowing(stream::pending::<Result<Bytes, Infallible>>(), Duration::MAX, Arc::clone(&held));
        assert!(futures_util::FutureExt::now_or_never(body.next()).is_none());
        drop(body);
        while Arc::strong_count(&held) > 1 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn silence_and_a_client_that_takes_nothing_do_not_look_like_an_end() {
        let idle = Duration::from_millis(1);
        let mut body = Body::flowing(stream::pending::<Result<Bytes, Infallible>>(), idle, ());
        assert!(matches!(body.next().await, Some(Err(Broken::Silent(_)))));
        assert!(body.next().await.is_none());
        let mut body = Body::flowing(endless(&Arc::default()), idle, ());
        while !body.rest.as_ref().unwrap().is_closed() {
            tokio::time::sleep(idle).await;
        }
        assert!(body.next().await.unwrap().is_ok(), "the piece that waited");
        assert!(matches!(body.next().await, Some(Err(Broken::NotTaken))));
    }

    #[tokio::test]
    async fn what_was_looked_at_is_still_given() {
        let pieces = || stream::iter(["ab", "cd", "ef"].map(|text| Ok::<_, Infallible>(Bytes::from(text))));
        let mut body = Body::flowing(pieces(), Duration::from_secs(5), ());
        assert_eq!(body.peek(6).await.unwrap().unwrap(), "abcdef");
        assert_eq!(body.next().await.unwrap().unwrap(), "abcdef");
        assert!(body.next().await.is_none());
        let mut body = Body::flowing(pieces(), Duration::from_secs(5), ());
        assert!(body.peek(3).await.unwrap().is_none());
        assert_eq!(body.next().await.unwrap().unwrap(), "abcd");
        assert_eq!(body.next().await.unwrap().unwrap(), "ef");
    }
}
