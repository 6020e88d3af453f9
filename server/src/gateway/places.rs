//! How many sockets there may be: in all, from one network, and of clients that have not said yet who they are.
//!
//! A place is taken before the engine begins a session, so that what is beyond a limit costs next to nothing.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use ipnet::IpNet;
use prometheus::IntGauge;
use serde_json::json;

use crate::accounts::network_of;
use crate::app::App;
use crate::config;

/// Seconds after which a client that was refused may try again.
const RETRY_AFTER: &str = "5";
/// `Forbidden`, as Node's Socket.IO answers where a request is not allowed.
const FORBIDDEN: u8 = 4;

pub struct Places {
    most: usize,
    most_unauthenticated: usize,
    most_of_network: usize,
    unauthenticated: IntGauge,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    unauthenticated: usize,
    of_network: HashMap<IpNet, usize>,
}

/// One socket's place, free again once this is dropped.
pub struct Place {
    places: Arc<Places>,
    network: Option<IpNet>,
    is_authenticated: AtomicBool,
}

/// The limit that is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    Server,
    Network,
    Unauthenticated,
}

impl Places {
    pub fn new(app: &App) -> Arc<Self> {
        let config::Gateway { max_sockets, max_unauthenticated_sockets, max_sockets_per_address, .. } =
            app.config.gateway;
        Arc::new(Self {
            most: max_sockets.get(),
            most_unauthenticated: max_unauthenticated_sockets.get(),
            most_of_network: max_sockets_per_address.get(),
            unauthenticated: app.metrics.unauthenticated_sockets.clone(),
            taken: Mutex::default(),
        })
    }

    /// # Errors
    /// The limit that is reached.
    pub fn take(self: &Arc<Self>, address: Option<IpAddr>) -> Result<Place, Full> {
        let network = address.map(network_of);
        let mut taken = self.taken();
        let of_network = network.and_then(|network| taken.of_network.get(&network)).copied().unwrap_or_default();
        if taken.all >= self.most {
            return Err(Full::Server);
        }
        if of_network >= self.most_of_network {
            return Err(Full::Network);
        }
        if taken.unauthenticated >= self.most_unauthenticated {
            return Err(Full::Unauthenticated);
        }
        taken.all += 1;
        taken.unauthenticated += 1;
        if let Some(network) = network {
            taken.of_network.insert(network, of_network + 1);
        }
        self.unauthenticated.inc();
        Ok(Place { places: self.clone(), network, is_authenticated: AtomicBool::new(false) })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// The client has said who it is.
    pub fn authenticate(&self) {
        if !self.is_authenticated.swap(true, Ordering::AcqRel) {
            self.places.taken().unauthenticated -= 1;
            self.places.unauthenticated.dec();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // It is no longer a client that might.
        self.authenticate();
        let mut taken = self.places.taken();
        taken.all -= 1;
        if let Some(network) = self.network
            && let Entry::Occupied(mut of_network) = taken.of_network.entry(network)
        {
            *of_network.get_mut() -= 1;
            if *of_network.get() == 0 {
                of_network.remove();
            }
        }
    }
}

impl Full {
    /// For whoever counts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Network => "address",
            Self::Unauthenticated => "unauthenticated",
        }
    }
}

/// In the shape of the engine's refusals.
impl IntoResponse for Full {
    fn into_response(self) -> Response {
        let (status, message) = match self {
            Self::Server | Self::Unauthenticated => (StatusCode::SERVICE_UNAVAILABLE, "Too many connections."),
            Self::Network => (StatusCode::TOO_MANY_REQUESTS, "Too many connections from this address."),
        };
        let body = json!({ "code": FORBIDDEN, "message": message });
        (status, [(header::RETRY_AFTER, RETRY_AFTER)], Json(body)).into_response()
    }
}
