//! Connections: how many there are, and for how long one may keep others waiting.

use super::hub::{Counts, Hub, Stop, count};
use super::routes::Routes;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::future::Future;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep, timeout};

/// Connections at a time.
pub(super) const CONNECTIONS: usize = 128;
/// How long the header of a request may take to arrive; also how long a connection may wait for its next request.
const HEADER_TIME: Duration = Duration::from_secs(5);
/// How long a client may take nothing at all of what is sent to it.
pub(super) const WRITE_TIME: Duration = Duration::from_secs(15);
/// Bytes of a request's header, and of an answer that wait for the system to take them.
const BUFFER: usize = 16 << 10;
const HEADER_FIELDS: usize = 64;
/// Before connections are accepted again, where the system has no more.
const EXHAUSTED: Duration = Duration::from_millis(200);
/// How long a client that is turned away may take to read why.
const TURNED_AWAY_TIME: Duration = Duration::from_secs(1);

const TURNED_AWAY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: 72\r\n\
    Retry-After: 5\r\nConnection: close\r\n\r\n\
    {\"error\": \"too many clients; close a page that is not needed, try again\"}";

/// Serves whoever connects until `stop`. Connections end with the runtime.
pub(super) async fn accept(listener: TcpListener, routes: Routes, stop: Stop) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADER_TIME).max_buf_size(BUFFER).max_headers(HEADER_FIELDS);
    let hub = routes.hub();
    let service = TowerToHyperService::new(routes.router());
    let accepting = async {
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    log::info!("a connection could not be accepted: {error}");
                    sleep(EXHAUSTED).await;
                    continue;
                }
            };
            // Pictures are written whole; waiting for more would only make them late.
            let _ = stream.set_nodelay(true);
            let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
                count(&hub.counts.turned_away);
                tokio::spawn(timeout(TURNED_AWAY_TIME, turn_away(stream)));
                continue;
            };
            let connection =
                http.serve_connection(TokioIo::new(Client::new(stream, Arc::clone(&hub), permit)), service.clone());
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    log::debug!("a connection ended: {error}");
                }
            });
        }
    };
    tokio::select! {
        () = accepting => {}
        _ = stop.0 => {}
    }
}

async fn turn_away(mut stream: TcpStream) {
    use tokio::io::AsyncWriteExt;
    let _ = stream.write_all(TURNED_AWAY).await;
    let _ = stream.shutdown().await;
    // Closing with unread bytes would take the answer back.
    while stream.readable().await.is_ok() {
        match stream.try_read(&mut [0; 512]) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => break,
        }
    }
}

/// A connection that breaks off when its client takes nothing for [`WRITE_TIME`].
struct Client {
    stream: TcpStream,
    hub: Arc<Hub>,
    /// When it breaks off, while it `waits`.
    deadline: Pin<Box<Sleep>>,
    waits: bool,
    _permit: OwnedSemaphorePermit,
}

impl Client {
    fn new(stream: TcpStream, hub: Arc<Hub>, permit: OwnedSemaphorePermit) -> Client {
        count(&hub.counts.connections);
        Client { stream, hub, deadline: Box::pin(sleep(WRITE_TIME)), waits: false, _permit: permit }
    }

    fn counts(&self) -> &Counts {
        &self.hub.counts
    }

    fn written(&mut self, written: Poll<io::Result<usize>>, context: &mut Context) -> Poll<io::Result<usize>> {
        match written {
            Poll::Pending => {
                if !self.waits {
                    self.waits = true;
                    self.deadline.as_mut().reset(Instant::now() + WRITE_TIME);
                }
                ready!(self.deadline.as_mut().poll(context));
                count(&self.counts().stalled);
                Poll::Ready(Err(ErrorKind::TimedOut.into()))
            }
            Poll::Ready(outcome) => {
                self.waits = false;
                if let Ok(bytes) = &outcome {
                    self.counts().sent_bytes.fetch_add(*bytes as u64, Ordering::Relaxed);
                }
                Poll::Ready(outcome)
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.counts().connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl AsyncRead for Client {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context, to: &mut ReadBuf) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, to)
    }
}

impl AsyncWrite for Client {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context,
        parts: &[IoSlice],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.written(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
