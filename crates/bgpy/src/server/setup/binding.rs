//! What a server occupies: its name, its port and its socket.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bgpy_proto::Id;

use crate::address::Address;
use crate::error::ServeError;
use crate::name::Name;
use crate::platform::{Private, Stamp, unix_socket};
use crate::registry::{Claim, Ending, Registry, vacate};
use crate::termination::until_ended;
use crate::transport::listen::{self, Listener};
use crate::wait::Wait;

/// How long the process of a server that has ended may take to exit before a successor is refused
/// its name.
const FORMER_END: Duration = Duration::from_secs(3);

/// How long a successor waits for it at least, if that time is over when it starts.
const FORMER_END_LEAST: Duration = Duration::from_secs(1);

/// The name, port and sockets of one server.
///
/// A supervisor keeps them open, so that a restarted server has the same ones, and clients that
/// connect meanwhile wait in the accept queues.
#[derive(Debug)]
pub(crate) struct Binding {
    pub(crate) claim: Option<Claim>,
    pub(crate) tcp: std::net::TcpListener,
    /// Where the TCP socket listens.
    pub(crate) address: SocketAddr,
    pub(crate) unix: Option<unix_socket::Listener>,
    pub(crate) socket: Option<PathBuf>,
    /// Tells the socket from anything put in its place.
    pub(crate) stamp: Stamp,
    /// Why there is no Unix socket, if one was wanted.
    pub(crate) trouble: Option<io::Error>,
}

impl Binding {
    /// Takes the name, the port and the socket.
    ///
    /// # Errors
    /// [`ServeError`]; nothing is left behind.
    pub(crate) fn take(
        address: &Address,
        name: Option<&Name>,
        instance: Id,
        registry: Option<&Registry>,
    ) -> Result<Self, ServeError> {
        // The name comes first: if it is taken, no trace is left.
        let claim = name.map(|name| claim(registry, name)).transpose()?;
        let (tcp, address) = match listen::tcp(address) {
            Ok(taken) => taken,
            Err(error) => {
                claim.into_iter().for_each(Claim::release);
                return Err(error);
            }
        };
        let mut binding = Self {
            claim,
            tcp,
            address,
            unix: None,
            socket: None,
            stamp: Stamp::default(),
            trouble: None,
        };
        let listening = registry.map(|registry| {
            registry.prepare()?;
            registry.prune();
            let path = registry.socket_path(instance).filter(|_| unix_socket::EXIST);
            path.map_or(Ok(()), |path| binding.listen(path))
        });
        binding.trouble = listening.and_then(Result::err);
        Ok(binding)
    }

    /// Listens on a Unix socket as well.
    fn listen(&mut self, path: PathBuf) -> io::Result<()> {
        let (unix, stamp) = listen::unix(&path)?;
        (self.unix, self.socket, self.stamp) = (Some(unix), Some(path), stamp);
        Ok(())
    }

    /// Releases everything.
    pub(crate) fn release(self) {
        // A socket file that cannot be removed does no harm.
        self.socket.as_deref().into_iter().for_each(|path| drop(vacate(path)));
        self.claim.into_iter().for_each(Claim::release);
    }

    /// The listeners for a reactor, and the claim on the name.
    pub(crate) fn into_parts(self) -> io::Result<(Vec<Private<Listener>>, Option<Claim>)> {
        self.tcp.set_nonblocking(true)?;
        let tcp = Listener::Tcp(mio::net::TcpListener::from_std(self.tcp));
        let mut listeners = vec![Private::new(tcp)];
        if let Some(unix) = self.unix {
            listeners.push(Private::new(Listener::Unix(unix_socket::polled(unix)?)));
        }
        Ok((listeners, self.claim))
    }
}

/// Claims a name that no other server has.
fn claim(registry: Option<&Registry>, name: &Name) -> Result<Claim, ServeError> {
    let registry = registry.ok_or_else(|| ServeError::Registry {
        directory: None,
        source: Registry::of_user().err().unwrap_or_else(|| io::ErrorKind::NotFound.into()),
    })?;
    let claimed = registry.prepare().and_then(|()| registry.claim(name));
    match claimed {
        Ok(Some(claim)) => match wait_for_former(registry, name) {
            Ok(()) => Ok(claim),
            Err(error) => {
                claim.release();
                Err(error)
            }
        },
        Ok(None) => Err(ServeError::NameTaken { name: name.clone() }),
        Err(source) => {
            Err(ServeError::Registry { directory: Some(registry.directory().to_owned()), source })
        }
    }
}

/// Waits until the processes of earlier servers of this name are gone: two would compete for what
/// only one can have, such as memory, a device or a file. If that cannot be determined, the name is
/// given out.
fn wait_for_former(registry: &Registry, name: &Name) -> Result<(), ServeError> {
    let unknown = |source| {
        let directory = registry.directory().to_owned();
        ServeError::Registry { directory: Some(directory), source }
    };
    let (never, formers) = (|| false, registry.lingering(name).map_err(unknown)?);
    let ago = formers.iter().filter_map(|former| former.ending.as_ref()).map(Ending::ago).min();
    let left = FORMER_END.saturating_sub(ago.unwrap_or_default()).max(FORMER_END_LEAST);
    let wait = Wait::new(Some(left), &never);
    formers.into_iter().try_for_each(|former| {
        until_ended(registry, &former, &wait)
            .map_err(|hindrance| ServeError::name_held(name, &former, hindrance))
    })
}
