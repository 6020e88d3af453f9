//! The engine as a service for tower and for hyper.

use std::convert::Infallible;
use std::fmt;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{Empty, Full};
use hyper::service::Service as HyperService;
use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite};
use tower_service::Service as TowerService;

use crate::answer::Refusal;
use crate::config::EngineIoConfig;
use crate::engine::EngineIo;
use crate::handler::EngineIoHandler;
use crate::request::Query;
use crate::websocket;
use crate::wire::Wire;

/// Answers requests to the engine's path, and passes all others to an inner service.
pub struct EngineIoService<H: EngineIoHandler, S = NotFoundService> {
    inner: S,
    engine: Arc<EngineIo<H>>,
}

impl<H: EngineIoHandler> EngineIoService<H, NotFoundService> {
    pub fn new(handler: Arc<H>) -> Self {
        Self::with_config(handler, EngineIoConfig::default())
    }

    pub fn with_config(handler: Arc<H>, config: EngineIoConfig) -> Self {
        Self::with_config_inner(NotFoundService, handler, config)
    }
}

impl<S: Clone, H: EngineIoHandler> EngineIoService<H, S> {
    pub fn with_inner(inner: S, handler: Arc<H>) -> Self {
        Self::with_config_inner(inner, handler, EngineIoConfig::default())
    }

    pub fn with_config_inner(inner: S, handler: Arc<H>, config: EngineIoConfig) -> Self {
        Self { inner, engine: EngineIo::new(handler, config) }
    }

    pub fn into_make_service(self) -> MakeEngineIoService<H, S> {
        MakeEngineIoService::new(self)
    }
}

impl<H: EngineIoHandler, S> EngineIoService<H, S> {
    fn is_concerned(&self, path: &str) -> bool {
        let own = self.engine.config.req_path.trim_end_matches('/');
        path.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    fn answer<B, F>(&self, request: Request<B>) -> ResponseFuture<F>
    where
        B: Body + Send + Unpin + 'static,
        B::Data: Send,
    {
        ResponseFuture::Own { answer: Box::pin(self.engine.clone().answer(request)) }
    }

    /// Opens a websocket on a stream whose handshake somebody else has answered.
    fn open<St>(&self, stream: St, request: Request<()>) -> Result<(), UnsupportedProtocol>
    where
        St: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (parts, ()) = request.into_parts();
        let dialect = websocket::dialect(&parts, &Query::of(&parts.uri)).map_err(|_: Refusal| UnsupportedProtocol)?;
        websocket::begin(&self.engine, parts, Wire::of_stream(stream), dialect);
        Ok(())
    }
}

/// A request names no protocol that the engine speaks.
#[derive(Debug, thiserror::Error)]
#[error("unsupported protocol version")]
pub struct UnsupportedProtocol;

impl<S: Clone, H: EngineIoHandler> Clone for EngineIoService<H, S> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), engine: self.engine.clone() }
    }
}

impl<H: EngineIoHandler, S> fmt::Debug for EngineIoService<H, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineIoService").finish_non_exhaustive()
    }
}

impl<H, ReqBody, ResBody, S> TowerService<Request<ReqBody>> for EngineIoService<H, S>
where
    H: EngineIoHandler,
    ReqBody: Body + Send + Unpin + fmt::Debug + 'static,
    ReqBody::Error: fmt::Debug,
    ReqBody::Data: Send,
    ResBody: Body + Send + 'static,
    S: TowerService<Request<ReqBody>, Response = Response<ResBody>> + Clone,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        if self.is_concerned(request.uri().path()) {
            self.answer(request)
        } else {
            ResponseFuture::Inner { future: self.inner.call(request) }
        }
    }
}

impl<H, ReqBody, ResBody, S> HyperService<Request<ReqBody>> for EngineIoService<H, S>
where
    H: EngineIoHandler,
    ReqBody: Body + Send + Unpin + fmt::Debug + 'static,
    ReqBody::Error: fmt::Debug,
    ReqBody::Data: Send,
    ResBody: Body + Send + 'static,
    S: HyperService<Request<ReqBody>, Response = Response<ResBody>> + Clone,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn call(&self, request: Request<ReqBody>) -> Self::Future {
        if self.is_concerned(request.uri().path()) {
            self.answer(request)
        } else {
            ResponseFuture::Inner { future: self.inner.call(request) }
        }
    }
}

impl<St, H, S> TowerService<(St, Request<()>)> for EngineIoService<H, S>
where
    H: EngineIoHandler,
    St: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Response = ();
    type Error = UnsupportedProtocol;
    type Future = Ready<Result<(), UnsupportedProtocol>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (stream, request): (St, Request<()>)) -> Self::Future {
        ready(self.open(stream, request))
    }
}

impl<St, H, S> HyperService<(St, Request<()>)> for EngineIoService<H, S>
where
    H: EngineIoHandler,
    St: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Response = ();
    type Error = UnsupportedProtocol;
    type Future = Ready<Result<(), UnsupportedProtocol>>;

    fn call(&self, (stream, request): (St, Request<()>)) -> Self::Future {
        ready(self.open(stream, request))
    }
}

/// Makes a service for each connection: the same for all.
pub struct MakeEngineIoService<H: EngineIoHandler, S> {
    service: EngineIoService<H, S>,
}

impl<H: EngineIoHandler, S> MakeEngineIoService<H, S> {
    pub fn new(svc: EngineIoService<H, S>) -> Self {
        Self { service: svc }
    }
}

impl<H: EngineIoHandler, S: Clone, T> TowerService<T> for MakeEngineIoService<H, S> {
    type Response = EngineIoService<H, S>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: T) -> Self::Future {
        ready(Ok(self.service.clone()))
    }
}

/// Answers 404.
#[derive(Debug, Clone)]
pub struct NotFoundService;

fn not_found() -> Response<ResponseBody<Empty<Bytes>>> {
    let mut answer = Response::new(ResponseBody::Own { body: Full::default() });
    *answer.status_mut() = StatusCode::NOT_FOUND;
    answer
}

impl<ReqBody> TowerService<Request<ReqBody>> for NotFoundService {
    type Response = Response<ResponseBody<Empty<Bytes>>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<ReqBody>) -> Self::Future {
        ready(Ok(not_found()))
    }
}

impl<ReqBody> HyperService<Request<ReqBody>> for NotFoundService {
    type Response = Response<ResponseBody<Empty<Bytes>>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn call(&self, _: Request<ReqBody>) -> Self::Future {
        ready(Ok(not_found()))
    }
}

type OwnAnswer = Pin<Box<dyn Future<Output = Response<Full<Bytes>>> + Send>>;

pin_project! {
    /// An answer of the engine, or of the inner service.
    #[project = ResponseFutureProjection]
    pub enum ResponseFuture<F> {
        Own { answer: OwnAnswer },
        Inner { #[pin] future: F },
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            ResponseFutureProjection::Own { answer } => {
                answer.as_mut().poll(cx).map(|answer| Ok(answer.map(|body| ResponseBody::Own { body })))
            }
            ResponseFutureProjection::Inner { future } => {
                future.poll(cx).map_ok(|answer| answer.map(|body| ResponseBody::Inner { body }))
            }
        }
    }
}

pin_project! {
    /// The body of an answer of the engine, or of the inner service.
    #[project = ResponseBodyProjection]
    pub enum ResponseBody<B> {
        Own { body: Full<Bytes> },
        Inner { #[pin] body: B },
    }
}

impl<B: Body<Data = Bytes>> Body for ResponseBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project() {
            ResponseBodyProjection::Own { body } => {
                Pin::new(body).poll_frame(cx).map_err(|error: Infallible| match error {})
            }
            ResponseBodyProjection::Inner { body } => body.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own { body } => body.is_end_stream(),
            Self::Inner { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own { body } => body.size_hint(),
            Self::Inner { body } => body.size_hint(),
        }
    }
}
