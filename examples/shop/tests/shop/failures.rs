//! Browsers get errors as a page, programs get them in JSON, with the same message.

use crate::support::{Request, Response, Server};

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// Sends the same request as a program and as a browser.
async fn both(shop: &Server, request: &Request) -> (Response, Response) {
    let program = shop.send(request.clone().header("accept", "*/*")).await;
    let browser = shop.send(request.clone().header("accept", BROWSER)).await;
    (program, browser)
}

fn assert_same_message(status: u16, program: &Response, page: &Response) {
    assert_eq!((program.status, page.status), (status, status));
    let text = program.json()["error"]
        .as_str()
        .expect("the response has a reason")
        .to_owned();
    assert!(!text.is_empty());
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(
        page.body.starts_with("<!doctype html>") && page.body.trim_end().ends_with("</html>"),
        "{page:?}"
    );
    // On the page, the first letter is a capital, and special characters are escaped.
    let plain = text[1..]
        .split(['`', '"', '\'', '<', '>', '&'])
        .next()
        .unwrap_or_default();
    assert!(page.body.contains(plain), "{text}: {page:?}");
    assert!(page.body.contains(r#"<a href="/">Back to the shop</a>"#), "{page:?}");
    let policy = page.header("content-security-policy").unwrap_or_default();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    for header in ["allow", "retry-after"] {
        assert_eq!(program.header(header), page.header(header), "{header}");
    }
    for response in [program, page] {
        let varies = |(name, value): &(String, String)| name == "vary" && value == "accept";
        assert!(response.headers.iter().any(varies), "{response:?}");
    }
}

#[tokio::test]
async fn errors_of_a_request_have_the_same_message() {
    let shop = Server::start(&[]);
    let form = "application/x-www-form-urlencoded";
    for (status, request) in [
        (404, Request::get("/nowhere")),
        (404, Request::post("/page/nowhere")),
        (405, Request::get("/page/login")),
        (405, Request::new("DELETE", "/count")),
        (400, Request::post("/slow?ms=soon")),
        (400, Request::post("/login").json("{")),
        (
            400,
            Request::post("/page/login").header("content-type", form).body("user="),
        ),
        (
            400,
            Request::post("/page/cart")
                .header("content-type", form)
                .body("thing=tea"),
        ),
        (403, Request::post("/logout-elsewhere")),
        (403, Request::post("/page/logout-elsewhere")),
        (403, Request::get("/sessions")),
        (403, Request::post("/page/logout-everywhere")),
        (
            413,
            Request::post("/page/cart")
                .header("content-type", form)
                .body(&format!("item={}", "x".repeat(100_000))),
        ),
    ] {
        let (program, page) = both(&shop, &request).await;
        assert_same_message(status, &program, &page);
        assert_eq!(program.header("allow").is_some(), status == 405, "{program:?}");
    }
}

#[tokio::test]
async fn errors_of_the_shop_have_the_same_message() {
    let shop = Server::start(&["--lock-wait", "0.1"]);
    let id = shop.log_in("ada").await;
    for path in ["/fail?how=500", "/fail?how=panic"] {
        let (program, page) = both(&shop, &Request::post(path).id(&id)).await;
        assert_same_message(500, &program, &page);
    }

    let mut holder = shop.connect().await;
    holder
        .send_bytes(&Request::post("/slow?ms=60000").id(&id).to_bytes())
        .await;
    shop.until_locked(&id).await;
    let (program, page) = both(&shop, &Request::post("/page/count").id(&id)).await;
    assert_same_message(503, &program, &page);
    assert_eq!(page.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn an_error_message_cannot_contain_tags() {
    let shop = Server::start(&[]);
    let request = Request::post("/fail?how=%3Cscript%3Ealert(1)%3C/script%3E").header("accept", BROWSER);
    let page = shop.send(request).await;
    assert_eq!(page.status, 400);
    assert!(
        page.body.contains("alert(1)") && !page.body.contains("<script>"),
        "{page:?}"
    );
}

#[tokio::test]
async fn a_failed_request_of_a_browser_changes_nothing_and_sets_no_cookie() {
    let shop = Server::start(&[]);
    let id = shop.log_in("ada").await;
    let (program, page) = both(&shop, &Request::post("/fail?how=500").id(&id)).await;
    assert_same_message(500, &program, &page);
    for response in [program, page] {
        assert_eq!(response.header("set-cookie"), None, "{response:?}");
    }
    assert_eq!(shop.count(&id).await, 0);
}
