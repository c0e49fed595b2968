//! One connection: what its client may take its time with, and what not.
//!
//! The library answers requests; this sits below it, between the socket and the parser, and cuts clients that send their
//! head too slowly, take their answer too slowly, are quiet for too long or never stop sending.

use std::cell::Cell;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::web::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use tokio_rustls::server::TlsStream;

use super::gate::{Gate, Seat};

/// The most bytes of a head that are handed to the parser. The contract's limit of 8 KiB is checked above; what is far
/// beyond it is refused here, unread.
const LONGEST_HEAD: usize = 16 * 1024;
/// The most that is read of a head at once: each read fills its room with zeros first, and thousands of idle connections
/// should not hold more memory than an ordinary head needs.
const READ_AT_ONCE: usize = 4096;
/// How long and how much is read and dropped before a connection is closed, so that its client can read the answer.
const LINGER: Duration = Duration::from_secs(2);
const MOST_DROPPED: usize = 4 * 1024 * 1024;

/// Where a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing has come since this moment, when it was opened or its last answer was given.
    Quiet { since: Instant, is_new: bool },
    /// A head is arriving.
    Head { since: Instant, bytes: usize, has_line: bool },
    /// A request is worked on or answered.
    Busy,
    /// What comes is dropped; then it is closed.
    Closing { since: Instant, dropped: usize },
}

/// What the handlers know of a connection, and tell it.
#[derive(Debug)]
pub(super) struct Track {
    phase: Cell<Phase>,
    has_unread_body: Cell<bool>,
    /// Where it comes from.
    pub address: IpAddr,
    /// Whether nobody on the way can read it.
    pub is_encrypted: bool,
}

impl Track {
    /// A request has arrived, with a body or without.
    pub fn begin(&self, has_body: bool) {
        self.phase.set(Phase::Busy);
        self.has_unread_body.set(has_body);
    }

    /// Its body was read to the end.
    pub fn body_was_read(&self) {
        self.has_unread_body.set(false);
    }

    /// Whether a body that nobody read is on its way; then the connection cannot serve a second request.
    pub fn has_unread_body(&self) -> bool {
        self.has_unread_body.get()
    }

    fn end(&self) {
        let since = Instant::now();
        self.phase.set(if self.has_unread_body.get() {
            Phase::Closing { since, dropped: 0 }
        } else {
            Phase::Quiet { since, is_new: false }
        });
    }
}

/// A body that tells its connection when it has been handed over.
pub(super) struct Tracked {
    body: BoxBody,
    track: Rc<Track>,
}

impl Tracked {
    pub fn new(body: BoxBody, track: Rc<Track>) -> Self {
        Self { body, track }
    }
}

impl MessageBody for Tracked {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.track.end();
    }
}

/// The bytes of a connection, with TLS or without.
#[derive(Debug)]
pub(super) enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

/// A pace that has to be kept: some time for nothing, and more for every byte.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    started: Instant,
    bytes: u64,
}

impl Pace {
    /// A pace from now on.
    pub fn start() -> Self {
        Self { started: Instant::now(), bytes: 0 }
    }

    /// Notes that bytes have moved.
    pub fn moved(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// When the next byte is late.
    pub fn deadline(&self, gate: &Gate) -> Instant {
        self.started + gate.limits.grace + Duration::from_millis(self.bytes * 1000 / gate.limits.min_rate.max(1))
    }
}

/// A connection under these rules.
pub(super) struct Line {
    wire: Wire,
    track: Rc<Track>,
    seat: Seat,
    /// Set while the client is slow to take what it is sent.
    writing: Option<Pace>,
    has_yielded: bool,
    read_timer: Option<Pin<Box<Sleep>>>,
    write_timer: Option<Pin<Box<Sleep>>>,
}

impl Line {
    pub fn new(wire: Wire, seat: Seat) -> Self {
        let track = Track {
            phase: Cell::new(Phase::Quiet { since: Instant::now(), is_new: true }),
            has_unread_body: Cell::new(false),
            address: seat.address(),
            is_encrypted: matches!(wire, Wire::Tls(_)),
        };
        Self {
            wire,
            track: Rc::new(track),
            seat,
            writing: None,
            has_yielded: false,
            read_timer: None,
            write_timer: None,
        }
    }

    pub fn track(&self) -> &Rc<Track> {
        &self.track
    }

    /// The address it comes from, as the library wants it.
    pub fn peer(&self) -> SocketAddr {
        SocketAddr::new(self.track.address, 0)
    }

    fn gate(&self) -> &Arc<Gate> {
        self.seat.gate()
    }

    /// Says why the connection ends, where that disturbs no answer that is under way, and drops what comes from now on.
    /// Without a page it ends at once.
    fn refuse(&mut self, context: &mut Context<'_>, page: &str) {
        if page.is_empty() {
            self.track.phase.set(Phase::Closing { since: Instant::now(), dropped: MOST_DROPPED });
            return;
        }
        if self.writing.is_none() {
            // A page fits into an empty buffer; where it does not, nobody reads it.
            let _ = Pin::new(&mut self.wire).poll_write(context, page.as_bytes());
            let _ = Pin::new(&mut self.wire).poll_flush(context);
        }
        self.track.phase.set(Phase::Closing { since: Instant::now(), dropped: 0 });
        self.read_timer = None;
    }

    fn poll_head(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let (bytes, has_line) = match self.track.phase.get() {
            Phase::Head { bytes, has_line, .. } => (bytes, has_line),
            _ => (0, false),
        };
        if bytes >= LONGEST_HEAD {
            if self.has_yielded {
                self.refuse(
                    context,
                    if has_line { super::answer::HEADERS_TOO_LARGE } else { super::answer::URI_TOO_LONG },
                );
                return self.poll_closing(context);
            }
            // The parser has not seen the last bytes yet: it may find that they are a head and a body.
            self.has_yielded = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.has_yielded = false;
        let mut part =
            ReadBuf::new(buffer.initialize_unfilled_to(buffer.remaining().min(LONGEST_HEAD - bytes).min(READ_AT_ONCE)));
        match Pin::new(&mut self.wire).poll_read(context, &mut part) {
            Poll::Ready(Ok(())) => {
                let read = part.filled().len();
                let has_line = has_line || part.filled().contains(&b'\n');
                buffer.advance(read);
                if read > 0 {
                    let since = match self.track.phase.get() {
                        Phase::Head { since, .. } => since,
                        _ => Instant::now(),
                    };
                    self.track.phase.set(Phase::Head { since, bytes: bytes + read, has_line });
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                let limits = self.gate().limits;
                let (deadline, is_head) = match self.track.phase.get() {
                    Phase::Head { since, .. } => (since + limits.head_time, true),
                    Phase::Quiet { since, is_new: true } => (since + self.gate().patience(limits.head_time), false),
                    Phase::Quiet { since, .. } => (since + self.gate().patience(limits.keep_alive), false),
                    Phase::Busy | Phase::Closing { .. } => return Poll::Pending,
                };
                ready!(poll_deadline(&mut self.read_timer, deadline, context));
                self.refuse(context, if is_head { super::answer::REQUEST_TIMEOUT } else { "" });
                self.poll_closing(context)
            }
        }
    }

    /// Drops what comes. Ends with the end of the stream, which is told the library as the client's doing.
    fn poll_closing(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut scratch = [0; 8192];
        loop {
            let Phase::Closing { since, dropped } = self.track.phase.get() else { return Poll::Ready(Ok(())) };
            if dropped >= MOST_DROPPED {
                return Poll::Ready(Ok(()));
            }
            let mut part = ReadBuf::new(&mut scratch);
            match Pin::new(&mut self.wire).poll_read(context, &mut part) {
                Poll::Ready(Ok(())) if part.filled().is_empty() => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(())) => {
                    self.track.phase.set(Phase::Closing { since, dropped: dropped + part.filled().len() });
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    ready!(poll_deadline(&mut self.read_timer, since + LINGER, context));
                    self.track.phase.set(Phase::Closing { since, dropped: MOST_DROPPED });
                }
            }
        }
    }
}

/// Ready once the moment has come; the timer is kept for the next question.
fn poll_deadline(timer: &mut Option<Pin<Box<Sleep>>>, deadline: Instant, context: &mut Context<'_>) -> Poll<()> {
    let timer = timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
    if timer.deadline() != deadline {
        timer.as_mut().reset(deadline);
    }
    timer.as_mut().poll(context)
}

impl AsyncRead for Line {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let line = self.get_mut();
        match line.track.phase.get() {
            Phase::Busy => Pin::new(&mut line.wire).poll_read(context, buffer),
            Phase::Closing { .. } => line.poll_closing(context),
            Phase::Quiet { .. } | Phase::Head { .. } => line.poll_head(context, buffer),
        }
    }
}

impl AsyncWrite for Line {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let line = self.get_mut();
        match Pin::new(&mut line.wire).poll_write(context, bytes) {
            Poll::Ready(Ok(written)) => {
                if let Some(pace) = &mut line.writing {
                    pace.moved(written);
                }
                Poll::Ready(Ok(written))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                let deadline = line.writing.get_or_insert_with(Pace::start).deadline(line.seat.gate());
                ready!(poll_deadline(&mut line.write_timer, deadline, context));
                tracing::debug!(peer = %line.track.address, "cut: the client does not take its answer");
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let line = self.get_mut();
        ready!(Pin::new(&mut line.wire).poll_flush(context))?;
        line.writing = None;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().wire).poll_shutdown(context)
    }
}
