//! One connection: a row of visits, each begun by `NEW` or `ATTACH`.

use std::io;

use sessile::{Session, Visit};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::lines::{End, Lines, Received};
use crate::request::{Opening, Request};
use crate::requests::{self, Answer, Refusal};

const HELP: &str = "OK NEW | ATTACH id | GET key | SET key json | SAVE | LOGOUT | HELP | QUIT";

/// Serves a connection until it ends.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(session: &Session, mut lines: Lines<S>) -> io::Result<()> {
    let mut opening = None;
    loop {
        let visit = match &opening {
            Some(Opening::Attach(Some(id))) => Visit::attach(id.clone()),
            _ => Visit::new(),
        };
        // However the conversation ends, the lock it holds is released before another begins.
        let conversation = converse(session, &mut lines, opening.as_ref());
        let next = session.init(visit, conversation).await.map_err(io::Error::other)??;
        match next {
            Some(next) => opening = Some(next),
            None => return Ok(()),
        }
    }
}

/// Answers requests in one visit. Returns the request that begins the next, or `None` when there is none.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    session: &Session,
    lines: &mut Lines<S>,
    opening: Option<&Opening>,
) -> io::Result<Option<Opening>> {
    if let Some(opening) = opening {
        let answer = requests::open(session, opening).await;
        lines.send(text(answer)).await?;
    }
    loop {
        let line = match lines.next().await? {
            Received::Line(line) => line,
            Received::NotText => {
                lines.send(usage("this line is not UTF-8")).await?;
                continue;
            }
            Received::End(end) => return part(lines, end).await,
        };
        let answer = match Request::parse(&line) {
            Err(explanation) => usage(explanation),
            Ok(Request::Open(opening)) => return Ok(Some(opening)),
            Ok(Request::Get(key)) => text(requests::get(session, &key)),
            Ok(Request::Set(key, value)) => text(requests::set(session, &key, value).await),
            Ok(Request::Save) => text(requests::save(session).await),
            Ok(Request::Logout) => text(requests::logout(session).await),
            Ok(Request::Help) => HELP.to_owned(),
            Ok(Request::Quit) => {
                lines.send(text(Ok(Answer::Ok))).await?;
                return Ok(None);
            }
        };
        lines.send(answer).await?;
    }
}

/// Tells the peer, if it is still there, why the connection is closed.
async fn part<S: AsyncRead + AsyncWrite + Unpin>(lines: &mut Lines<S>, end: End) -> io::Result<Option<Opening>> {
    let (code, explanation) = match end {
        End::Closed => return Ok(None),
        End::Idle => ("idle", "no request came for too long"),
        End::TooLong => ("too-long", "a line has at most 8 KiB"),
        End::Stopped => ("shutdown", "the server stops"),
    };
    lines.send(format!("ERR {code} {explanation}")).await?;
    Ok(None)
}

fn text(answer: Result<Answer, Refusal>) -> String {
    answer.map_or_else(|refusal| refusal.to_string(), |answer| answer.to_string())
}

fn usage(explanation: &str) -> String {
    format!("ERR usage {explanation}")
}
