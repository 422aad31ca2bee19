//! Races of two requests: lost increments, a logout during a slow request, and a login under an id that an attacker has
//! chosen.
//!
//! Nothing is timed here. Each server runs the same small application, keeps its sessions in the default store of its
//! library (actix-session: in Redis), and gets the same requests.

mod actix;
mod app;
mod axum_session;
mod sessile;
mod tower_sessions;

use std::rc::Rc;

use http::HeaderValue;
use sessile_lab::redis::RedisServer;
use tokio::task::{JoinSet, LocalSet};

use self::app::{App, Gate, USER};
use crate::Failure;
use crate::driver::{self, RequestSpec};
use crate::jar::Jar;
use crate::redis::ensure_server;
use crate::table::Table;

/// The number of requests that increment the number of one session at the same time.
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

/// Returns how many of the parallel increments of one session are kept.
async fn increments(app: &Rc<App>) -> Result<String, Failure> {
    let cookie = log_in(app).await?.header();
    let mut requests = JoinSet::new();
    for _ in 0..INCREMENTS {
        let (app, cookie) = (Rc::clone(app), cookie.clone());
        requests.spawn_local(async move { app.send(RequestSpec::post("/increment", Some(cookie))).await.status });
    }
    while let Some(response) = requests.join_next().await {
        let status = response.map_err(|error| format!("{}: a request was not answered: {error}", app.name))?;
        if !status.is_success() {
            return Err(format!("{}: an increment got the status {status}", app.name));
        }
    }
    Ok(app.send(RequestSpec::get("/number", &cookie)).await.text)
}

/// Logs out during a request of the same session, and returns the state that the client finds when that has ended: with
/// the cookie it had, or with the one that the responses have set.
async fn logout(app: &Rc<App>, gate: &Gate) -> Result<&'static str, Failure> {
    let mut jar = log_in(app).await?;
    let before = jar.header();
    let slow = tokio::task::spawn_local({
        let (app, cookie) = (Rc::clone(app), before.clone());
        async move { app.send(RequestSpec::post("/slow", Some(cookie))).await }
    });
    gate.arrived().await;
    let logout = app.send(RequestSpec::post("/logout", Some(before.clone()))).await;
    if !logout.status.is_success() {
        return Err(format!("{}: the logout got the status {}", app.name, logout.status));
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

/// Logs a client in whose cookie has an id that the server has not issued, as an attacker plants one (session
/// fixation).
async fn fixation(app: &App) -> Result<&'static str, Failure> {
    let chosen = HeaderValue::from_static(app.chosen);
    let login = app.send(RequestSpec::post("/login", Some(chosen.clone()))).await;
    if !login.status.is_success() {
        return Err(format!("{}: the login got the status {}", app.name, login.status));
    }
    match who(app, &chosen).await == USER {
        true => Ok("is taken over"),
        false => Ok("is refused"),
    }
}

async fn log_in(app: &App) -> Result<Jar, Failure> {
    let mut jar = Jar::default();
    jar.keep(&app.send(RequestSpec::post("/login", None)).await.headers);
    match who(app, &jar.header()).await.as_str() {
        USER => Ok(jar),
        other => Err(format!("{}: nothing comes of a login: {other}", app.name)),
    }
}

async fn who(app: &App, cookie: &HeaderValue) -> String {
    app.send(RequestSpec::get("/who", cookie)).await.text
}
