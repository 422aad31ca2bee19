//! [`StartError`]: a failed start of the shop.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use sessile::storage::{StorageError, StorageErrorKind};

use super::StorageChoice;

/// The shop cannot start. Names the storage or address that cannot be used, without passwords, and a remedy.
#[derive(Debug)]
pub struct StartError {
    failed: String,
    help: &'static str,
    source: Box<dyn Error + Send + Sync>,
}

impl StartError {
    /// Returns the remedy.
    #[must_use]
    pub fn help(&self) -> &'static str {
        self.help
    }

    pub(super) fn listen(address: SocketAddr, source: io::Error) -> Self {
        let help = match source.kind() {
            ErrorKind::AddrInUse => {
                "another program listens there: stop it, or choose another port with --listen (port 0 takes any that is free)"
            }
            ErrorKind::AddrNotAvailable => "this machine has no such address: try --listen 127.0.0.1:3000",
            ErrorKind::PermissionDenied => "the system keeps low ports to itself: try --listen 127.0.0.1:3000",
            _ => "choose another address with --listen",
        };
        Self {
            failed: format!("cannot listen on {address}"),
            help,
            source: source.into(),
        }
    }

    pub(super) fn storage(storage: &StorageChoice, source: StorageError) -> Self {
        let help = match (storage, source.kind()) {
            (StorageChoice::Redis(_), StorageErrorKind::Unavailable | StorageErrorKind::Timeout) => {
                "start Redis there, or say where it is with --storage; --storage memory needs none"
            }
            (StorageChoice::Redis(_), StorageErrorKind::Denied) => {
                "check the user and the password, as in --storage redis://USER:PASSWORD@HOST, and what they may do"
            }
            (StorageChoice::Redis(url), _) if url.needs_tls_that_is_missing() => {
                "this shop was built without TLS: build it with --features redis-tls"
            }
            (StorageChoice::Redis(_), _) => "check the URL that --storage gives, see --help for the kinds there are",
            (StorageChoice::File(_), _) => {
                "name a folder that this user can make and write to, as in --storage file:sessions"
            }
            (StorageChoice::Memory, _) => "choose another storage with --storage",
        };
        Self {
            failed: format!("cannot keep sessions in {storage}"),
            help,
            source: source.into(),
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.failed)
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}
