//! Two requests meet: whether increments are lost, whether a logout holds against a request that is under way, and whether a
//! client logs in under an id that somebody else has chosen for it.
//!
//! Nothing is measured here. Each server runs the same small application, keeps its sessions where its library does by
//! default (actix-session: in Redis), and is asked the same.

mod actix;
mod app;
mod axum_session;
mod sessile;
mod tower_sessions;

use std::rc::Rc;

use http::HeaderValue;
use sessile_testkit::redis::RedisServer;
use tokio::task::{JoinSet, LocalSet};

use self::app::{App, Gate, USER};
use crate::Failure;
use crate::driver::{self, Ask};
use crate::jar::Jar;
use crate::redis::ensure_server;
use crate::table::Table;

/// How many requests add one to the number of one session at the same time.
const INCREMENTS: usize = 50;

pub(crate) fn run() -> Result<(), Failure> {
    ensure_server()?;
    println!(
        "{INCREMENTS} parallel requests add one to a number in one session: how many are kept. Then a client logs out while"
    );
    println!(
        "one of its requests is under way: whether its session is there again when that request has ended. Last, a client logs"
    );
    println!("in with a cookie whose id the server has not given out: whether that cookie is logged in then.\n");
    let mut table = Table::new([
        "server",
        "increments kept",
        "after the logout",
        "an id chosen by others",
    ]);
    let redis = RedisServer::start();
    LocalSet::new().block_on(&driver::runtime(), async {
        let gate = Gate::default();
        let apps = [
            sessile::app(&gate),
            tower_sessions::app(&gate),
            axum_session::app(&gate).await?,
            actix::app(&gate, &redis.url()).await?,
        ];
        for app in apps {
            let app = Rc::new(app);
            let kept = increments(&app).await?;
            let after = logout(&app, &gate).await?;
            let chosen = fixation(&app).await?;
            table.row([
                app.name.to_owned(),
                format!("{kept} of {INCREMENTS}"),
                after.to_owned(),
                chosen.to_owned(),
            ]);
        }
        Ok::<_, Failure>(())
    })?;
    table.print();
    Ok(())
}

/// Returns how many of the parallel increments of one session are there in the end.
async fn increments(app: &Rc<App>) -> Result<String, Failure> {
    let cookie = log_in(app).await?.header();
    let mut requests = JoinSet::new();
    for _ in 0..INCREMENTS {
        let (app, cookie) = (Rc::clone(app), cookie.clone());
        requests.spawn_local(async move { app.send(Ask::post("/increment", Some(cookie))).await.status });
    }
    while let Some(answered) = requests.join_next().await {
        let status = answered.map_err(|error| format!("{}: a request was not answered: {error}", app.name))?;
        if !status.is_success() {
            return Err(format!("{}: an increment was answered by {status}", app.name));
        }
    }
    Ok(app.send(Ask::get("/number", &cookie)).await.text)
}

/// Logs out while a request of the same session is under way, and says what the client finds when that has ended: with the
/// cookie it had, or with the one that the answers leave it with.
async fn logout(app: &Rc<App>, gate: &Gate) -> Result<&'static str, Failure> {
    let mut jar = log_in(app).await?;
    let before = jar.header();
    let slow = tokio::task::spawn_local({
        let (app, cookie) = (Rc::clone(app), before.clone());
        async move { app.send(Ask::post("/slow", Some(cookie))).await }
    });
    gate.arrived().await;
    let logout = app.send(Ask::post("/logout", Some(before.clone()))).await;
    if !logout.status.is_success() {
        return Err(format!("{}: the logout was answered by {}", app.name, logout.status));
    }
    jar.keep(&logout.headers);
    gate.open();
    let slow = slow
        .await
        .map_err(|error| format!("{}: the slow request was not answered: {error}", app.name))?;
    jar.keep(&slow.headers);
    for (cookie, found) in [
        (before, "logged in, by the old id"),
        (jar.header(), "logged in, by a new id"),
    ] {
        if who(app, &cookie).await == USER {
            return Ok(found);
        }
    }
    Ok("logged out")
}

/// Logs a client in whose cookie has an id that the server has not given out, as an attacker plants one (session fixation).
async fn fixation(app: &App) -> Result<&'static str, Failure> {
    let chosen = HeaderValue::from_static(app.chosen);
    let login = app.send(Ask::post("/login", Some(chosen.clone()))).await;
    if !login.status.is_success() {
        return Err(format!("{}: the login was answered by {}", app.name, login.status));
    }
    match who(app, &chosen).await == USER {
        true => Ok("is taken over"),
        false => Ok("is refused"),
    }
}

async fn log_in(app: &App) -> Result<Jar, Failure> {
    let mut jar = Jar::default();
    jar.keep(&app.send(Ask::post("/login", None)).await.headers);
    match who(app, &jar.header()).await.as_str() {
        USER => Ok(jar),
        other => Err(format!("{}: nothing comes of a login: {other}", app.name)),
    }
}

async fn who(app: &App, cookie: &HeaderValue) -> String {
    app.send(Ask::get("/who", cookie)).await.text
}
