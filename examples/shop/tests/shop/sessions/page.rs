//! The page that shows the sessions of the user.

use super::{key, log_in_with, removes_the_cookie, user};
use crate::support::{Request, Response, Server};

async fn load(shop: &Server, id: &str) -> String {
    let page = shop.send(Request::get("/").id(id)).await;
    assert_eq!(page.status, 200, "{page:?}");
    page.body
}

/// Sends a form, as a browser without JavaScript does.
async fn submit(shop: &Server, id: &str, path: &str, fields: &str) -> Response {
    let form = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
    shop.send(form.header("accept", "text/html").body(fields).id(id)).await
}

#[tokio::test]
async fn the_page_shows_all_sessions_and_ends_them() {
    let shop = Server::start(&[]);
    let here = log_in_with(&shop, "ada", "Firefox").await;
    let there = log_in_with(&shop, "ada", "Chromium").await;
    let other = key(&shop, &there).await;
    let page = load(&shop, &here).await;
    for part in [
        "<strong>Firefox</strong> <small>from 127.0.0.1</small>",
        "<strong>Chromium</strong>",
        "<p>This browser.</p>",
        r#"<form method="post" action="/page/sessions/end">"#,
        r#"<form method="post" action="/page/logout-everywhere">"#,
        &format!(r#"<input type="hidden" name="key" value="{other}">"#),
    ] {
        assert_eq!(page.matches(part).count(), 1, "{part}: {page}");
    }
    assert!(
        !page.contains(&key(&shop, &here).await),
        "the other logout ends this one"
    );

    let response = submit(&shop, &here, "/page/sessions/end", &format!("key={other}")).await;
    assert_eq!((response.status, response.header("location")), (303, Some("/")));
    assert!(user(&shop, &there).await.is_null());
    let page = load(&shop, &here).await;
    assert!(page.contains("Firefox") && !page.contains("Chromium"), "{page}");

    let response = submit(&shop, &here, "/page/sessions/end", &format!("key={other}")).await;
    assert_eq!(response.status, 404);
    assert!(response.body.contains("You have no such session."), "{response:?}");
    assert_eq!(submit(&shop, &here, "/page/sessions/end", "").await.status, 400);
}

#[tokio::test]
async fn a_logout_everywhere_logs_this_browser_out() {
    let shop = Server::start(&[]);
    let (here, there) = (shop.log_in("ada").await, shop.log_in("ada").await);
    let response = submit(&shop, &here, "/page/logout-everywhere", "").await;
    assert_eq!((response.status, response.header("location")), (303, Some("/")));
    assert!(removes_the_cookie(&response), "{response:?}");
    for id in [&here, &there] {
        assert!(load(&shop, id).await.contains(r#"action="/page/login""#));
    }
}

#[tokio::test]
async fn a_visitor_sees_no_list() {
    let shop = Server::start(&[]);
    let visitor = shop.send(Request::post("/count")).await.new_id().expect("a session");
    assert!(!load(&shop, &visitor).await.contains("Where you are logged in"));
}

/// A user agent, an address behind a proxy and a name are any text that a client likes.
#[tokio::test]
async fn hostile_clients_are_shown_as_text() {
    let shop = Server::start(&["--proxy-header", "x-real-ip"]);
    let evil = r#"</b><script>alert("x")</script>{{sessions}}&amp;' id="x"#;
    let login = serde_json::json!({ "user": evil }).to_string();
    let login = Request::post("/login").json(&login).header("user-agent", evil);
    let there = shop.send(login.clone().header("x-real-ip", evil)).await;
    assert_eq!(there.status, 200, "{there:?}");
    let here = shop.send(login.clone().header("x-real-ip", "203.0.113.7")).await;
    let here = here.new_id().expect("a login returns an id");
    let page = load(&shop, &here).await;
    assert!(
        !page.contains("<script>") && !page.contains("&amp;") && !page.contains(r#""x"#),
        "{page}"
    );
    let harmless =
        "&#60;/b&#62;&#60;script&#62;alert(&#34;x&#34;)&#60;/script&#62;{{sessions}}&#38;amp;&#39; id=&#34;x";
    // The name, the agents of both sessions, and the label of a button.
    assert_eq!(page.matches(harmless).count(), 4, "{page}");
    assert!(
        page.contains("from an unknown address") && page.contains("from 203.0.113.7"),
        "{page}"
    );

    let huge = shop.send(login.header("user-agent", &"<".repeat(10_000))).await;
    assert_eq!(huge.status, 200);
    assert!(load(&shop, &here).await.matches("&#60;").count() < 2_000);
}
