//! The live view for browsers and programs, over HTTP. `docs/browser.md` describes the interface.
//!
//! The view publishes into a [`Hub`] and never waits for a client: each client takes the newest from there, at its own
//! rate. The only files that know the web server; it runs on the one thread that calls [`Server::run`].

mod address;
mod connection;
mod control;
mod door;
mod encode;
mod files;
mod hub;
mod metrics;
mod page;
mod routes;
mod status;
mod stream;

pub use address::{Address, DEFAULT_PORT};
pub use control::{Asked, Control};
pub use door::Token;
pub use encode::Encoder;
pub use files::{Kind, Shelf};
pub use hub::{Answer, Hub, Jpeg, Picture, Refusal, Stop, Stopper, Wish, stop};
pub use status::{ColormapInfo, LayerInfo, MethodInfo, ModelInfo, RecordingInfo, ShownFrame, State, Status, Totals};

use crate::error::{Error, Result};
use door::Door;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

/// A server that is bound to its address and not running yet.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    door: Door,
    shelves: Vec<Shelf>,
}

impl Server {
    /// Binds `address`. Beyond loopback there has to be a token. `names` are further names by which browsers may call the
    /// machine; its addresses and its own name are known. `shelves` are the folders whose files are offered.
    ///
    /// # Errors
    /// [`Error::Device`] names the address that cannot be listened on; [`Error::Input`] where a token is missing.
    pub fn bind(address: Address, token: Option<Token>, names: &[String], shelves: Vec<Shelf>) -> Result<Server> {
        if token.is_none() && !address.is_loopback() {
            return Err(Error::input(address, "is open to the network, which needs a token"));
        }
        let listener = address.listen()?;
        let address = listener.local_addr().map_err(|error| Error::device("the server", error))?;
        Ok(Server { listener, address, door: Door::new(token, names), shelves })
    }

    /// Where it listens; the port is the one that the system chose, where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The addresses that a browser can be given, with the token in them: of all interfaces, where it listens on all.
    pub fn links(&self) -> Vec<String> {
        address::links(self.address, self.door.token())
    }

    /// Serves until `stop` says so or is dropped. Nothing of it is running any more when this returns.
    ///
    /// # Errors
    /// [`Error::Device`] where the system does not give what a server needs.
    pub fn run(self, hub: Arc<Hub>, stop: Stop) -> Result<()> {
        let broken = |error: std::io::Error| Error::device(format!("the server at {}", self.address), error);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            // Files are read beside the pictures, so that a slow card does not stop them.
            .max_blocking_threads(2)
            .thread_name("http-files")
            .build()
            .map_err(broken)?;
        let listener = self.listener.try_clone().map_err(broken)?;
        let routes = routes::Routes::new(hub, self.door, self.shelves);
        runtime
            .block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                connection::accept(listener, routes, stop).await;
                Ok(())
            })
            .map_err(|error: std::io::Error| Error::device("the server", error))
    }
}
