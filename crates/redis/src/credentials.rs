//! [`Credentials`] that may change while a storage is in use.

use std::fmt;

use async_trait::async_trait;

/// A password, and optionally a user name, with which a client logs in.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub(crate) username: Option<String>,
    pub(crate) password: String,
}

impl Credentials {
    /// Creates the credentials of a user of the server's access control lists.
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            username: Some(username.into()),
            password: password.into(),
        }
    }

    /// Creates credentials that are a password alone, for the user `default`.
    pub fn password(password: impl Into<String>) -> Self {
        Self {
            username: None,
            password: password.into(),
        }
    }
}

/// Shows neither part: if the password is a token, the name can be half of the secret.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

/// Provides the current credentials, for passwords that are rotated and tokens that expire.
///
/// The provider is asked for each new connection, and has to return within the time limit of a call. Open connections
/// stay open. A server that has to enforce a new password must end them (`CLIENT KILL`); they are replaced then, with
/// the credentials that the provider returns at that time.
///
/// ```
/// use async_trait::async_trait;
/// use sessile_redis::{Credentials, CredentialsProvider, RedisServers};
///
/// /// A file that another process keeps up to date.
/// struct Mounted(std::path::PathBuf);
///
/// #[async_trait]
/// impl CredentialsProvider for Mounted {
///     async fn credentials(&self) -> Result<Credentials, Box<dyn std::error::Error + Send + Sync>> {
///         let password = std::fs::read_to_string(&self.0)?;
///         Ok(Credentials::new("sessions", password.trim()))
///     }
/// }
///
/// let servers = RedisServers::single("redis://cache.internal").credentials(Mounted("/run/secrets/redis".into()));
/// # let _ = servers;
/// ```
#[async_trait]
pub trait CredentialsProvider: Send + Sync + 'static {
    /// Returns the current credentials.
    ///
    /// # Errors
    ///
    /// Returns an error if the credentials are unavailable. The call that needed the connection then fails with
    /// [`Unavailable`](sessile_core::StorageErrorKind::Unavailable), and the text of the error becomes part of its
    /// source, so it should hold no secret.
    async fn credentials(&self) -> Result<Credentials, Box<dyn std::error::Error + Send + Sync>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        let shown = format!(
            "{:?} {:#?}",
            Credentials::new("user", "hidden"),
            Credentials::password("hidden")
        );
        assert_eq!(shown, "Credentials(..) Credentials(..)");
    }
}
