//! Answers that go on: pictures after pictures, and events.

use super::hub::{Hub, Jpeg, Picture, Refusal};
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Response, header};
use futures_util::stream::{self, Stream, StreamExt};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{sleep, timeout};

/// How long the last picture stays alone: clients that hear nothing for long believe that the connection is gone.
const REPEAT: Duration = Duration::from_secs(1);
/// How long one picture may take to come.
const FIRST: Duration = Duration::from_secs(5);
/// Between two events at least, and at most.
const EVENTS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

const BOUNDARY: &str = "gradcam";

/// A picture with its header, and the line that ends it: many clients show a picture only when they see that.
fn part(jpeg: &Jpeg) -> [Bytes; 3] {
    let header = format!(
        "Content-Type: image/jpeg\r\nContent-Length: {}\r\nX-Frame: {}\r\nX-Time: {:.6}\r\n\r\n",
        jpeg.bytes.len(),
        jpeg.frame,
        jpeg.time.as_secs_f64()
    );
    [Bytes::from(header), jpeg.bytes.clone(), Bytes::from(format!("\r\n--{BOUNDARY}\r\n"))]
}

/// The newest picture whenever the client is ready for one; the permit is given back when it goes.
pub(super) fn pictures(hub: &Hub, picture: Picture, permit: OwnedSemaphorePermit) -> Response<Body> {
    let start = stream::once(async { Bytes::from(format!("--{BOUNDARY}\r\n")) });
    let all = start.chain(newest(hub.watch(picture), permit).flat_map(|jpeg| stream::iter(part(&jpeg))));
    let mut response = Response::new(Body::from_stream(all.map(Ok::<_, Infallible>)));
    let kind = HeaderValue::from_static("multipart/x-mixed-replace; boundary=gradcam");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

type Place = watch::Receiver<Option<Arc<Jpeg>>>;

fn newest(place: Place, permit: OwnedSemaphorePermit) -> impl Stream<Item = Arc<Jpeg>> {
    stream::unfold((place, permit), |(mut place, permit)| async move {
        loop {
            match timeout(REPEAT, place.changed()).await {
                Ok(Ok(())) | Err(_) => {}
                Ok(Err(_)) => return None,
            }
            let newest = place.borrow_and_update().clone();
            if let Some(jpeg) = newest {
                return Some((jpeg, (place, permit)));
            }
        }
    })
}

/// One picture.
///
/// # Errors
/// A refusal where none comes.
pub(super) async fn picture(hub: &Hub) -> Result<Response<Body>, Refusal> {
    let mut place = hub.watch(Picture::Overlay);
    let jpeg = timeout(FIRST, place.wait_for(Option::is_some)).await;
    let jpeg = jpeg.ok().and_then(|found| found.ok()?.clone());
    let jpeg = jpeg.ok_or_else(|| Refusal::new(503, "no frame has come yet; /status.json says why"))?;
    let mut response = Response::new(Body::from(jpeg.bytes.clone()));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("image/jpeg"));
    headers.insert("x-frame", HeaderValue::from(jpeg.frame));
    if let Ok(time) = HeaderValue::from_str(&format!("{:.6}", jpeg.time.as_secs_f64())) {
        headers.insert("x-time", time);
    }
    Ok(response)
}

/// The status, as it changes.
pub(super) fn events(hub: Arc<Hub>, permit: OwnedSemaphorePermit) -> Response<Body> {
    let mut place = hub.status.subscribe();
    place.mark_changed();
    let events = stream::unfold((hub, place, permit, true), |(hub, mut place, permit, first)| async move {
        if !first {
            sleep(EVENTS.0).await;
        }
        if let Ok(Err(_)) = timeout(EVENTS.1 - EVENTS.0, place.changed()).await {
            return None;
        }
        let status = Arc::clone(&place.borrow_and_update());
        let event = status.told(&hub, None).ok()?;
        Some((Bytes::from(format!("event: status\ndata: {event}\n\n")), (hub, place, permit, false)))
    });
    let mut response = Response::new(Body::from_stream(events.map(Ok::<_, Infallible>)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // Proxies that collect answers would hold the events back.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}
