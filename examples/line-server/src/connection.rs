//! Serves one connection: a sequence of visits, each begun by `NEW` or `ATTACH`.

use std::io;

use sessile::{Session, Visit};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::lines::{End, Lines, Received};
use crate::request::{Opening, Request};
use crate::requests::{self, Reply, RequestError};

const HELP: &str = "OK NEW | ATTACH id | GET key | SET key json | SAVE | LOGOUT | HELP | QUIT";

/// Serves a connection until it ends.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(session: &Session, mut lines: Lines<S>) -> io::Result<()> {
    let mut opening = None;
    loop {
        let visit = match &opening {
            Some(Opening::Attach(Some(id))) => Visit::attach(id.clone()),
            _ => Visit::new(),
        };
        // The end of `init` releases the lock, if any, before the next visit begins.
        let conversation = converse(session, &mut lines, opening.as_ref());
        let next = session.init(visit, conversation).await.map_err(io::Error::other)??;
        match next {
            Some(next) => opening = Some(next),
            None => return Ok(()),
        }
    }
}

/// Serves requests in one visit. Returns the request that begins the next visit, or `None` at the end of the
/// connection.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    session: &Session,
    lines: &mut Lines<S>,
    opening: Option<&Opening>,
) -> io::Result<Option<Opening>> {
    if let Some(opening) = opening {
        let reply = requests::open(session, opening).await;
        lines.send(text(reply)).await?;
    }
    loop {
        let line = match lines.next().await? {
            Received::Line(line) => line,
            Received::NotText => {
                lines.send(usage("this line is not UTF-8")).await?;
                continue;
            }
            Received::End(end) => return report_end(lines, end).await,
        };
        let reply = match Request::parse(&line) {
            Err(explanation) => usage(explanation),
            Ok(Request::Open(opening)) => return Ok(Some(opening)),
            Ok(Request::Get(key)) => text(requests::get(session, &key)),
            Ok(Request::Set(key, value)) => text(requests::set(session, &key, value).await),
            Ok(Request::Save) => text(requests::save(session).await),
            Ok(Request::Logout) => text(requests::logout(session).await),
            Ok(Request::Help) => HELP.to_owned(),
            Ok(Request::Quit) => {
                lines.send(text(Ok(Reply::Ok))).await?;
                return Ok(None);
            }
        };
        lines.send(reply).await?;
    }
}

/// Reports the reason for closing the connection, if the peer is still connected.
async fn report_end<S: AsyncRead + AsyncWrite + Unpin>(lines: &mut Lines<S>, end: End) -> io::Result<Option<Opening>> {
    let (code, explanation) = match end {
        End::Closed => return Ok(None),
        End::Idle => ("idle", "no request came for too long"),
        End::TooLong => ("too-long", "a line has at most 8 KiB"),
        End::Stopped => ("shutdown", "the server stops"),
    };
    lines.send(format!("ERR {code} {explanation}")).await?;
    Ok(None)
}

fn text(result: Result<Reply, RequestError>) -> String {
    result.map_or_else(|error| error.to_string(), |reply| reply.to_string())
}

fn usage(explanation: &str) -> String {
    format!("ERR usage {explanation}")
}
