//! Ids are for the client alone: nothing that the shop prints has one, and nothing that it answers but the cookie.

use std::collections::BTreeSet;

use crate::support::{Answer, Request, Server, until};

/// How much of an id must not be found anywhere.
const PART: usize = 12;

#[tokio::test]
async fn no_part_of_an_id_is_printed_or_shown() {
    let shop = Server::start_logging("trace", &["--lock-wait", "0.05"]);
    let mut seen = Seen::default();
    let login = |user: &str| Request::post("/login").json(&format!(r#"{{"user":"{user}"}}"#));

    // A visitor becomes a customer, and does all that can be done.
    let first = seen
        .note(shop.ask(Request::post("/count")).await)
        .expect("a session has begun");
    let id = seen
        .note(shop.ask(login("ada").id(&first)).await)
        .expect("a login brings an id");
    for request in [
        Request::get("/me"),
        Request::get("/count"),
        Request::post("/count"),
        Request::get("/cart"),
        Request::post("/cart").json(r#"{"item":"tea"}"#),
        Request::post("/slow?ms=1"),
        Request::post("/read-then-write?ms=1"),
        Request::post("/fail?how=500"),
        Request::post("/fail?how=panic"),
        Request::get("/plain"),
        Request::get("/"),
        Request::get("/nowhere"),
        Request::post("/me"),
        login(""),
        Request::post("/login").json("{"),
        Request::post("/page/count"),
        Request::post("/page/cart")
            .header("content-type", "application/x-www-form-urlencoded")
            .body("item=tea"),
    ] {
        // With the id that is right, one that is dead, and one that never was.
        for id in [&id, &first, "made-up-by-somebody-012345678901"] {
            seen.ids.insert(id.to_owned());
            seen.note(shop.ask(request.clone().id(id)).await);
        }
    }

    // Somebody holds the lock, others wait for it in vain, and the logout takes the session away from under all.
    let mut holder = shop.connect().await;
    holder.send(&Request::post("/slow?ms=60000").id(&id).to_bytes()).await;
    until("busy", async || {
        // Not a login: one that came before the holder would take the id away.
        seen.note_status(shop.ask(Request::post("/count").id(&id)).await) == 503
    })
    .await;
    let late = Request::post("/read-then-write?ms=100").id(&id);
    let log_out = Request::post("/logout").id(&id);
    let (late, logout) = tokio::join!(shop.ask(late), shop.ask(log_out));
    seen.note(late);
    seen.note(logout);
    drop(holder);

    let mut printed = shop.into_printed();

    // A session that ends by itself.
    let shop = Server::start_logging("trace", &["--idle", "1"]);
    let short = seen.note(shop.ask(login("ada")).await).expect("a login brings an id");
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    seen.note(shop.ask(Request::post("/count").id(&short)).await);

    printed += &shop.into_printed();
    for proof in [
        "session created",
        "session destroyed",
        "no such session",
        "panicked",
        "started processing request",
    ] {
        assert!(printed.contains(proof), "the log is on, and has {proof:?}:\n{printed}");
    }
    assert!(seen.ids.len() > 5, "{}", seen.ids.len());
    let texts = [("what the shop prints", &printed), ("an answer", &seen.answers)];
    for (place, text) in texts {
        for id in &seen.ids {
            for part in id.as_bytes().windows(PART) {
                let part = std::str::from_utf8(part).expect("ids are ASCII");
                assert!(!text.contains(part), "{place} has {part}, of {id}");
            }
        }
    }
}

/// What came back from the shop.
#[derive(Default)]
struct Seen {
    ids: BTreeSet<String>,
    /// All that was answered, but for the cookies.
    answers: String,
}

impl Seen {
    /// Returns the id that the answer brings, if it does.
    fn note(&mut self, answer: Answer) -> Option<String> {
        let id = answer.new_id();
        self.ids.extend(id.clone());
        for (name, value) in &answer.headers {
            if name != "set-cookie" {
                self.answers += &format!("{name}: {value}\n");
            }
        }
        self.answers += &answer.body;
        id
    }

    fn note_status(&mut self, answer: Answer) -> u16 {
        let status = answer.status;
        self.note(answer);
        status
    }
}
