//! [`Options`]: the settings of a session's document by the names of the protocol.

/// The settings of a session's document. Their names are those of the protocol: `PatchVersioning`,
/// `StrictPatchRejection`, `UseSessionCookie`, `IncludeNamespaces`, `IncludeSchema`, `Default`.
///
/// ```
/// use sessile_document::Options;
///
/// let options = Options::DEFAULT.patch_versioning().strict_patch_rejection();
/// assert!(options.has_patch_versioning() && options.has_strict_patch_rejection());
/// assert!(!options.has_use_session_cookie());
/// assert_eq!(Options::DEFAULT.include_schema().include_namespaces(), Options::DEFAULT);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    versioning: bool,
    strict: bool,
    cookie: bool,
}

impl Options {
    /// No option.
    pub const DEFAULT: Self = Self {
        versioning: false,
        strict: false,
        cookie: false,
    };

    /// Messages carry the versions of both sides, so that edits made at the same time converge.
    #[must_use]
    pub const fn patch_versioning(self) -> Self {
        Self {
            versioning: true,
            ..self
        }
    }

    /// An edit of what is gone, or that the policy does not allow, fails its whole message. Otherwise that edit alone is
    /// left out, and the answer has the value of the server. Messages without versions always fail as a whole.
    #[must_use]
    pub const fn strict_patch_rejection(self) -> Self {
        Self { strict: true, ..self }
    }

    /// The id of the session travels in a cookie, not in `Location`. For the layer that carries ids; an engine ignores
    /// it.
    #[must_use]
    pub const fn use_session_cookie(self) -> Self {
        Self { cookie: true, ..self }
    }

    /// Changes nothing.
    #[must_use]
    pub const fn include_namespaces(self) -> Self {
        self
    }

    /// Changes nothing.
    #[must_use]
    pub const fn include_schema(self) -> Self {
        self
    }

    /// Returns whether [`patch_versioning`](Self::patch_versioning) is set.
    #[must_use]
    pub const fn has_patch_versioning(self) -> bool {
        self.versioning
    }

    /// Returns whether [`strict_patch_rejection`](Self::strict_patch_rejection) is set.
    #[must_use]
    pub const fn has_strict_patch_rejection(self) -> bool {
        self.strict
    }

    /// Returns whether [`use_session_cookie`](Self::use_session_cookie) is set.
    #[must_use]
    pub const fn has_use_session_cookie(self) -> bool {
        self.cookie
    }
}
