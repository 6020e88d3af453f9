//! The engine as a layer around another service.

use std::sync::Arc;

use tower_layer::Layer;

use crate::config::EngineIoConfig;
use crate::handler::EngineIoHandler;
use crate::service::EngineIoService;

#[derive(Clone, Debug)]
pub struct EngineIoLayer<H: EngineIoHandler> {
    handler: Arc<H>,
    config: EngineIoConfig,
}

impl<H: EngineIoHandler> EngineIoLayer<H> {
    pub fn new(handler: Arc<H>) -> Self {
        Self::from_config(handler, EngineIoConfig::default())
    }

    pub fn from_config(handler: Arc<H>, config: EngineIoConfig) -> Self {
        Self { handler, config }
    }
}

impl<S: Clone, H: EngineIoHandler + Clone> Layer<S> for EngineIoLayer<H> {
    type Service = EngineIoService<H, S>;

    fn layer(&self, inner: S) -> Self::Service {
        EngineIoService::with_config_inner(inner, self.handler.clone(), self.config.clone())
    }
}
