//! The servers that are compared: the same small application with each kind of session.
//!
//! | request | does |
//! |---|---|
//! | `GET /plain` | never touches its session |
//! | `GET /count` | reads one number |
//! | `POST /count` | adds one to it |

mod bare;
mod sessile;
mod tower_sessions;

use axum::Router;

/// One server.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) router: Router,
}

/// All of them; the first is the floor.
pub(crate) fn all() -> Vec<Contender> {
    vec![bare::make(), sessile::memory(), tower_sessions::memory()]
}
