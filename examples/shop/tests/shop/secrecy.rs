//! Only the client learns an id: the shop prints none, and responses contain it only in the cookie.

use std::collections::BTreeSet;

use crate::support::{Request, Response, Server, until};

/// The length of a part of an id that must not appear anywhere.
const PART: usize = 12;

#[tokio::test]
async fn no_part_of_an_id_is_printed_or_shown() {
    let shop = Server::start_logging("trace", &["--lock-wait", "0.05"]);
    let mut collected = Collected::default();
    let login = |user: &str| Request::post("/login").json(&format!(r#"{{"user":"{user}"}}"#));

    // A visitor logs in and uses all requests.
    let first = collected
        .collect(shop.send(Request::post("/count")).await)
        .expect("a session has begun");
    let id = collected
        .collect(shop.send(login("ada").id(&first)).await)
        .expect("a login returns an id");
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
        Request::get("/sessions"),
        Request::new("DELETE", "/sessions/nonsense"),
        Request::post("/logout-others"),
        Request::post("/page/count"),
        Request::post("/page/cart")
            .header("content-type", "application/x-www-form-urlencoded")
            .body("item=tea"),
    ] {
        // With the current id, a replaced one, and one that never existed.
        for id in [&id, &first, "invented-by-a-client-01234567890"] {
            collected.ids.insert(id.to_owned());
            collected.collect(shop.send(request.clone().id(id)).await);
        }
    }

    // One request holds the lock, others wait for it in vain, and the logout ends the session of all of them.
    let mut holder = shop.connect().await;
    holder
        .send_bytes(&Request::post("/slow?ms=60000").id(&id).to_bytes())
        .await;
    until("busy", async || {
        // Not a login: if it ran before the holder, it would change the id.
        collected.collect_status(shop.send(Request::post("/count").id(&id)).await) == 503
    })
    .await;
    let late = Request::post("/read-then-write?ms=100").id(&id);
    let log_out = Request::post("/logout").id(&id);
    let (late, logout) = tokio::join!(shop.send(late), shop.send(log_out));
    collected.collect(late);
    collected.collect(logout);
    drop(holder);

    let mut printed = shop.into_printed();

    // A session that expires.
    let shop = Server::start_logging("trace", &["--idle", "1"]);
    let short = collected
        .collect(shop.send(login("ada")).await)
        .expect("a login returns an id");
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    collected.collect(shop.send(Request::post("/count").id(&short)).await);

    printed += &shop.into_printed();
    for proof in [
        "session created",
        "session ended",
        "no such session",
        "panicked",
        "started processing request",
    ] {
        assert!(printed.contains(proof), "the log contains {proof:?}:\n{printed}");
    }
    assert!(collected.ids.len() > 5, "{}", collected.ids.len());
    let texts = [("what the shop prints", &printed), ("a response", &collected.responses)];
    for (place, text) in texts {
        for id in &collected.ids {
            for part in id.as_bytes().windows(PART) {
                let part = std::str::from_utf8(part).expect("ids are ASCII");
                assert!(!text.contains(part), "{place} has {part}, of {id}");
            }
        }
    }
}

/// The data collected from the shop.
#[derive(Default)]
struct Collected {
    ids: BTreeSet<String>,
    /// The content of all responses except cookies.
    responses: String,
}

impl Collected {
    /// Returns the id in the response, if any.
    fn collect(&mut self, response: Response) -> Option<String> {
        let id = response.new_id();
        self.ids.extend(id.clone());
        for (name, value) in &response.headers {
            if name != "set-cookie" {
                self.responses += &format!("{name}: {value}\n");
            }
        }
        self.responses += &response.body;
        id
    }

    fn collect_status(&mut self, response: Response) -> u16 {
        let status = response.status;
        self.collect(response);
        status
    }
}
