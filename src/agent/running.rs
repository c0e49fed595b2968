//! A world whose hosts listen.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::ops::Deref;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::dev::{Server, ServerHandle};
use tokio::task::JoinHandle;

use super::control;
use super::server;
use super::spec::WorldSpec;
use super::tls::Identity;
use super::world::{World, WorldError};

/// How often a port that is free on the first address is looked for.
const PORT_ATTEMPTS: u32 = 32;

/// A simulated world with its listeners. Dropping it stops them.
#[derive(Debug)]
pub struct RunningWorld {
    world: Arc<World>,
    port: u16,
    control: Option<SocketAddr>,
    fingerprints: BTreeMap<String, String>,
    listeners: Mutex<BTreeMap<String, Listener>>,
}

#[derive(Debug)]
struct Listener {
    handle: ServerHandle,
    task: JoinHandle<()>,
}

impl Listener {
    fn run(server: Server) -> Self {
        let handle = server.handle();
        let task = tokio::spawn(async move {
            if let Err(error) = server.await {
                tracing::error!(%error, "a simulated listener broke down");
            }
        });
        Self { handle, task }
    }
}

impl Deref for RunningWorld {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl World {
    /// Makes or reopens the world in a folder, and lets its hosts listen. Must be called within a tokio
    /// runtime.
    ///
    /// # Errors
    /// [`WorldError`].
    pub async fn start(spec: &WorldSpec, folder: &Path) -> Result<RunningWorld, WorldError> {
        let (owned, place) = (spec.clone(), folder.to_owned());
        let opening = tokio::task::spawn_blocking(move || Self::open(&owned, &place));
        let world =
            opening.await.map_err(|error| WorldError::Spec(format!("opening the world broke down: {error}")))??;
        let (port, sockets) = bind_all(spec)?;
        let mut running =
            RunningWorld { world, port, control: None, fingerprints: BTreeMap::new(), listeners: Mutex::default() };
        for (ip, socket) in sockets {
            let identity = running.identity(&ip)?;
            running.fingerprints.insert(ip.clone(), identity.fingerprint());
            running.listen(&ip, socket)?;
        }
        if let Some(port) = spec.control_port {
            let socket = bind("127.0.0.1", port)?;
            let address =
                socket.local_addr().map_err(|source| WorldError::Listen { address: "127.0.0.1".to_owned(), source })?;
            running.control = Some(address);
            let facts = control::Facts {
                world: Arc::clone(&running.world),
                port: running.port,
                fingerprints: running.fingerprints.clone(),
            };
            let listener = Listener::run(control::serve(facts, socket)?);
            running.lock().insert("control".to_owned(), listener);
        }
        Ok(running)
    }
}

impl RunningWorld {
    /// Port on which every host listens at its own address.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Address of the control listener.
    pub fn control(&self) -> Option<SocketAddr> {
        self.control
    }

    /// The world, to be kept beyond this handle.
    pub fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// SHA-256 of a host's certificate, 64 hexadecimal digits.
    pub fn fingerprint(&self, ip: &str) -> Option<&str> {
        self.fingerprints.get(ip).map(String::as_str)
    }

    /// Ends a host's agent: its motions stop where they are, nobody listens any more.
    ///
    /// # Errors
    /// [`WorldError::Unknown`] when there is no such host, or it is down already.
    pub async fn kill_host(&self, ip: &str) -> Result<(), WorldError> {
        let listener = self.lock().remove(ip);
        let listener = listener.ok_or_else(|| WorldError::Unknown(format!("no agent listens at {ip}")))?;
        if let Some(host) = self.world.host(ip) {
            host.restart();
        }
        listener.handle.stop(false).await;
        // The listener is gone when its task is.
        let _ = listener.task.await;
        Ok(())
    }

    /// Starts an agent that was killed, at its old port.
    ///
    /// # Errors
    /// [`WorldError::Listen`].
    pub fn revive_host(&self, ip: &str) -> Result<(), WorldError> {
        self.listen(ip, bind(ip, self.port)?)
    }

    /// Stops all listeners, motions and guests, and waits for the listeners.
    pub async fn stop(self) {
        self.world.shut_down();
        let listeners = std::mem::take(&mut *self.lock());
        for listener in listeners.into_values() {
            listener.handle.stop(false).await;
            let _ = listener.task.await;
        }
    }

    fn identity(&self, ip: &str) -> Result<Identity, WorldError> {
        let rsa = self.world.host(ip).is_some_and(|host| host.spec.rsa);
        Identity::open(ip, rsa, &self.world.folder().join("hosts").join(ip))
    }

    fn listen(&self, ip: &str, socket: TcpListener) -> Result<(), WorldError> {
        let host = self.world.host(ip);
        let host = host.ok_or_else(|| WorldError::Unknown(format!("no host {ip}")))?;
        let server = server::serve(&self.world, host, &self.identity(ip)?, socket)?;
        self.lock().insert(ip.to_owned(), Listener::run(server));
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Listener>> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RunningWorld {
    fn drop(&mut self) {
        self.world.shut_down();
        for listener in self.lock().values() {
            // The order to stop goes out at once; only waiting for it needs a runtime.
            drop(listener.handle.stop(false));
        }
    }
}

fn bind(ip: &str, port: u16) -> Result<TcpListener, WorldError> {
    TcpListener::bind((ip, port)).map_err(|source| WorldError::Listen { address: format!("{ip}:{port}"), source })
}

/// One listener per host, all on the same port.
fn bind_all(spec: &WorldSpec) -> Result<(u16, Vec<(String, TcpListener)>), WorldError> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        match try_bind(spec) {
            // A port picked on the first address may be taken on another one.
            Err(_) if spec.port == 0 && attempt < PORT_ATTEMPTS => {}
            outcome => return outcome,
        }
    }
}

fn try_bind(spec: &WorldSpec) -> Result<(u16, Vec<(String, TcpListener)>), WorldError> {
    let mut port = spec.port;
    let mut sockets = Vec::new();
    for host in &spec.hosts {
        let socket = bind(&host.ip, port)?;
        let address = socket.local_addr().map_err(|source| WorldError::Listen { address: host.ip.clone(), source })?;
        port = address.port();
        sockets.push((host.ip.clone(), socket));
    }
    Ok((port, sockets))
}
