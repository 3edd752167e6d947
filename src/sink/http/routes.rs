//! What is asked by which address, and what is answered.

use super::connection::CONNECTIONS;
use super::control::Control;
use super::door::{self, Door};
use super::files::{self, Shelf};
use super::hub::{Hub, Picture, Refusal, count};
use super::{metrics, page, stream};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// Connections that may be streams; the rest is left for pages, controls and files.
const STREAMS: usize = CONNECTIONS * 3 / 4;
/// Bytes of a request's body.
const BODY: usize = 4096;
/// How long it may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(5);

const JSON: &str = "application/json";
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

type Answered = Result<Response<Body>, Refusal>;

/// What all answers are made from.
#[derive(Clone)]
pub(super) struct Routes(Arc<Inner>);

struct Inner {
    hub: Arc<Hub>,
    door: Door,
    shelves: Vec<Shelf>,
    streams: Arc<Semaphore>,
}

impl Routes {
    pub fn new(hub: Arc<Hub>, door: Door, shelves: Vec<Shelf>) -> Routes {
        Routes(Arc::new(Inner { hub, door, shelves, streams: Arc::new(Semaphore::new(STREAMS)) }))
    }

    pub fn hub(&self) -> Arc<Hub> {
        Arc::clone(&self.0.hub)
    }

    pub fn router(&self) -> Router {
        let mut router = Router::new()
            .route("/stream.mjpg", get(overlay))
            .route("/raw.mjpg", get(raw))
            .route("/frame.jpg", get(frame))
            .route("/map.json", get(map))
            .route("/model.json", get(model))
            .route("/status.json", get(status))
            .route("/events", get(events))
            .route("/files.json", get(list))
            .route("/files/{id}", get(file))
            .route("/metrics", get(measured))
            .route("/control", post(control));
        for asset in &page::ASSETS {
            router = router.route(asset.path, get(move || async { send(asset.kind, Bytes::from_static(asset.body)) }));
        }
        router
            .fallback(|| async { Refusal::new(404, "there is nothing at this address; / is the page") })
            .method_not_allowed_fallback(|| async { Refusal::new(405, "this address is not for that method") })
            .layer(middleware::from_fn_with_state(self.clone(), pass))
            .with_state(self.clone())
    }

    fn stream(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        let free = Arc::clone(&self.0.streams).try_acquire_owned();
        free.map_err(|_| Refusal::new(503, "too many clients look; close a page that is not needed"))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response<Body> {
        let body = serde_json::json!({ "error": self.reason }).to_string();
        let mut response = send(JSON, Bytes::from(body));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if self.status == 503 {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

fn send(kind: &'static str, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// The door, before anything else; and what every answer is sent with.
async fn pass(State(routes): State<Routes>, request: Request, next: Next) -> Response<Body> {
    let hub = &routes.0.hub;
    count(&hub.counts.requests);
    let (parts, body) = request.into_parts();
    let mut response = match guard(&routes.0.door, &parts) {
        Guarded::Passes => next.run(Request::from_parts(parts, body)).await,
        Guarded::Answered(response) => response,
    };
    if response.status().is_client_error() {
        count(&hub.counts.refused);
    }
    door::secure(response.headers_mut());
    response
}

enum Guarded {
    Passes,
    Answered(Response<Body>),
}

fn guard(door: &Door, parts: &Parts) -> Guarded {
    if let Err(refusal) = door.admit(parts) {
        return Guarded::Answered(refusal.into_response());
    }
    let is_page = parts.uri.path() == "/";
    if !door.opens(parts) {
        let open = page::ASSETS.iter().any(|asset| asset.path == parts.uri.path());
        if open && !is_page {
            return Guarded::Passes;
        }
        let mut response = match is_page {
            true => send(page::DOOR.kind, Bytes::from_static(page::DOOR.body)),
            false => {
                Refusal::new(401, "the token is missing or wrong; it is in the link that the program said at its start")
                    .into_response()
            }
        };
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"gradcam\""));
        return Guarded::Answered(response);
    }
    match door.cookie(parts).filter(|_| is_page && door::asked(parts).is_some()) {
        // Not a redirect: a browser that came from another site would follow one without the cookie.
        Some(cookie) => {
            let go_on = "<!doctype html><meta charset=utf-8><meta http-equiv=refresh content=\"0; url=./\"><title>gradcam</title>\
                <a href=\"./\">gradcam</a>";
            let mut response = send(page::DOOR.kind, Bytes::from_static(go_on.as_bytes()));
            response.headers_mut().insert(header::SET_COOKIE, cookie);
            Guarded::Answered(response)
        }
        None => Guarded::Passes,
    }
}

async fn overlay(State(routes): State<Routes>) -> Answered {
    Ok(stream::pictures(&routes.0.hub, Picture::Overlay, routes.stream()?))
}

async fn raw(State(routes): State<Routes>) -> Answered {
    Ok(stream::pictures(&routes.0.hub, Picture::Raw, routes.stream()?))
}

async fn frame(State(routes): State<Routes>) -> Answered {
    stream::picture(&routes.0.hub).await
}

async fn events(State(routes): State<Routes>) -> Answered {
    let permit = routes.stream()?;
    Ok(stream::events(routes.hub(), permit))
}

/// What only a number that JSON does not have could prevent.
fn unwritten(error: serde_json::Error) -> Refusal {
    Refusal::new(500, error.to_string())
}

async fn map(State(routes): State<Routes>) -> Answered {
    let status = Arc::clone(&routes.0.hub.status.borrow());
    let map = status.map_told().ok_or_else(|| Refusal::new(503, "there is no map yet"))?;
    Ok(send(JSON, Bytes::from(map.to_string())))
}

async fn model(State(routes): State<Routes>) -> Answered {
    let hub = &routes.0.hub;
    Ok(send(JSON, Bytes::from(hub.model.told(&hub.run).map_err(unwritten)?)))
}

async fn status(State(routes): State<Routes>) -> Answered {
    let hub = &routes.0.hub;
    let status = Arc::clone(&hub.status.borrow());
    Ok(send(JSON, Bytes::from(status.told(hub, None).map_err(unwritten)?)))
}

async fn measured(State(routes): State<Routes>) -> Answered {
    Ok(send(METRICS, Bytes::from(metrics::text(&routes.0.hub))))
}

async fn list(State(routes): State<Routes>) -> Answered {
    let shelves = routes.0.shelves.clone();
    let files = spawn_blocking(move || files::list(&shelves)).await;
    let mut files = files.map_err(|_| Refusal::new(500, "the files cannot be listed"))?;
    files.iter_mut().for_each(|file| file.open = routes.0.hub.is_open(file));
    Ok(send(JSON, Bytes::from(serde_json::json!({ "files": files }).to_string())))
}

async fn file(State(routes): State<Routes>, Path(id): Path<String>, uri: Uri, headers: HeaderMap) -> Answered {
    let shown = uri.query().is_some_and(|query| query.split('&').any(|pair| pair == "show"));
    files::send(routes.0.shelves.clone(), id, headers, shown).await
}

async fn control(State(routes): State<Routes>, request: Request) -> Answered {
    debug_assert_eq!(request.method(), Method::POST);
    let (parts, body) = request.into_parts();
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    // Other sites' pages cannot send this kind without asking first.
    if !kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(JSON)) {
        return Err(Refusal::new(415, "the Content-Type has to be application/json"));
    }
    let length = parts.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let too_large = || Refusal::new(413, format!("a request has {BODY} bytes at most"));
    if length.is_some_and(|length| length > BODY as u64) {
        return Err(too_large());
    }
    let body = timeout(BODY_TIME, axum::body::to_bytes(body, BODY)).await;
    let body = body.map_err(|_| Refusal::new(408, "the request took too long to arrive"))?.map_err(|_| too_large())?;
    let answer = routes.0.hub.ask(Control::parse(&body)?).await?;
    let saved = match answer.saved {
        None => None,
        Some(path) => {
            let shelves = routes.0.shelves.clone();
            let files = spawn_blocking(move || files::saved_with(&shelves, &path)).await.unwrap_or_default();
            Some(serde_json::json!(files))
        }
    };
    Ok(send(JSON, Bytes::from(answer.status.told(&routes.0.hub, saved).map_err(unwritten)?)))
}
