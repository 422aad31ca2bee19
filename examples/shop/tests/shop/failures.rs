//! Browsers are told of failures on a page, programs in JSON, and both the same.

use crate::support::{Answer, Request, Server};

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// The same request of a program and of a browser.
async fn both(shop: &Server, request: &Request) -> (Answer, Answer) {
    let program = shop.ask(request.clone().header("accept", "*/*")).await;
    let browser = shop.ask(request.clone().header("accept", BROWSER)).await;
    (program, browser)
}

fn is_told_alike(status: u16, program: &Answer, page: &Answer) {
    assert_eq!((program.status, page.status), (status, status));
    let text = program.json()["error"].as_str().expect("it says why").to_owned();
    assert!(!text.is_empty());
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(
        page.body.starts_with("<!doctype html>") && page.body.trim_end().ends_with("</html>"),
        "{page:?}"
    );
    // The first letter is a capital on the page, and characters with a meaning are written in another way.
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
    for answer in [program, page] {
        let varies = |(name, value): &(String, String)| name == "vary" && value == "accept";
        assert!(answer.headers.iter().any(varies), "{answer:?}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_told_alike() {
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
        (
            413,
            Request::post("/page/cart")
                .header("content-type", form)
                .body(&format!("item={}", "x".repeat(100_000))),
        ),
    ] {
        let (program, page) = both(&shop, &request).await;
        is_told_alike(status, &program, &page);
        assert_eq!(program.header("allow").is_some(), status == 405, "{program:?}");
    }
}

#[tokio::test]
async fn what_goes_wrong_in_the_shop_is_told_alike() {
    let shop = Server::start(&["--lock-wait", "0.1"]);
    let id = shop.log_in("ada").await;
    for path in ["/fail?how=500", "/fail?how=panic"] {
        let (program, page) = both(&shop, &Request::post(path).id(&id)).await;
        is_told_alike(500, &program, &page);
    }

    let mut holder = shop.connect().await;
    holder.send(&Request::post("/slow?ms=60000").id(&id).to_bytes()).await;
    shop.until_locked(&id).await;
    let (program, page) = both(&shop, &Request::post("/page/count").id(&id)).await;
    is_told_alike(503, &program, &page);
    assert_eq!(page.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn a_failure_cannot_put_tags_on_its_page() {
    let shop = Server::start(&[]);
    let request = Request::post("/fail?how=%3Cscript%3Ealert(1)%3C/script%3E").header("accept", BROWSER);
    let page = shop.ask(request).await;
    assert_eq!(page.status, 400);
    assert!(
        page.body.contains("alert(1)") && !page.body.contains("<script>"),
        "{page:?}"
    );
}

#[tokio::test]
async fn what_a_failed_request_of_a_browser_did_is_not_kept_and_its_cookie_is_left_alone() {
    let shop = Server::start(&[]);
    let id = shop.log_in("ada").await;
    let (program, page) = both(&shop, &Request::post("/fail?how=500").id(&id)).await;
    is_told_alike(500, &program, &page);
    for answer in [program, page] {
        assert_eq!(answer.header("set-cookie"), None, "{answer:?}");
    }
    assert_eq!(shop.count(&id).await, 0);
}
