//! [`Credentials`] that may change while a storage is in use.

use std::fmt;

use async_trait::async_trait;

/// A password, and perhaps a user name, by which a server lets a client in.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub(crate) username: Option<String>,
    pub(crate) password: String,
}

impl Credentials {
    /// Those of a user of the server's access control lists.
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            username: Some(username.into()),
            password: password.into(),
        }
    }

    /// A password alone, which is that of the user `default`.
    pub fn password(password: impl Into<String>) -> Self {
        Self {
            username: None,
            password: password.into(),
        }
    }
}

/// Shows neither of the two: with tokens, the name can be half of the secret.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

/// Knows the credentials of the moment, for passwords that are changed from time to time and tokens that expire.
///
/// It is asked for each connection that is made, and must answer within the time that a call may take. A connection
/// that is open stays open: a server that is to let only those in who know the new password has to end it (`CLIENT
/// KILL`), and then it is made anew, with what this answers then.
///
/// ```
/// use async_trait::async_trait;
/// use sessile_redis::{Credentials, CredentialsProvider, RedisServers};
///
/// /// A file that somebody else keeps up to date.
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
    /// The credentials to log in with now.
    ///
    /// # Errors
    ///
    /// When they cannot be had. The call that needed the connection then fails with
    /// [`Unavailable`](sessile_core::StorageErrorKind::Unavailable), and the text of the error is a part of its source,
    /// so it should hold no secret.
    async fn credentials(&self) -> Result<Credentials, Box<dyn std::error::Error + Send + Sync>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        let shown = format!(
            "{:?} {:#?}",
            Credentials::new("somebody", "hidden"),
            Credentials::password("hidden")
        );
        assert_eq!(shown, "Credentials(..) Credentials(..)");
    }
}
