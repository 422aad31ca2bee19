//! The page, as a browser uses it: forms, redirects, cookies.

use reqwest::{Client, Response, StatusCode};

use crate::support::Server;

struct Visitor {
    shop: Server,
    browser: Client,
}

impl Visitor {
    fn new() -> Self {
        let browser = Client::builder().cookie_store(true).no_proxy();
        Self {
            shop: Server::start(&[]),
            browser: browser.build().expect("a client"),
        }
    }

    async fn look(&self) -> String {
        let answer = self.browser.get(self.shop.url("/")).send().await.expect("an answer");
        self.text(answer).await
    }

    /// Sends a form, and returns the page it leads to.
    async fn send(&self, form: &str, fields: &[(&str, &str)]) -> String {
        let answer = self
            .browser
            .post(self.shop.url(form))
            .form(fields)
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.url().path(), "/", "{form} leads back to the page");
        self.text(answer).await
    }

    async fn text(&self, answer: Response) -> String {
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let policy = answer.headers()["content-security-policy"].to_str().expect("text");
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        answer.text().await.expect("text")
    }
}

#[tokio::test]
async fn a_visit_to_the_shop() {
    let visitor = Visitor::new();
    let page = visitor.look().await;
    assert!(
        page.contains(r#"action="/page/login""#) && page.contains("<output>0</output>"),
        "{page}"
    );

    visitor.send("/page/count", &[]).await;
    let page = visitor.send("/page/login", &[("user", "Ada")]).await;
    assert!(
        page.contains("Hello, Ada") && !page.contains(r#"action="/page/login""#),
        "{page}"
    );
    assert!(page.contains("<output>1</output>"), "{page}");

    visitor.send("/page/cart", &[("item", "tea")]).await;
    let page = visitor.send("/page/cart", &[("item", "a cup")]).await;
    assert!(page.contains("<li>tea</li><li>a cup</li>"), "{page}");
    assert_eq!(visitor.look().await, page, "it stays so");

    let page = visitor.send("/page/logout", &[]).await;
    assert!(
        page.contains(r#"action="/page/login""#) && page.contains("<ul></ul>"),
        "{page}"
    );
    assert!(page.contains("<output>0</output>"), "{page}");
}

#[tokio::test]
async fn what_visitors_write_is_text_and_nothing_else() {
    let visitor = Visitor::new();
    let evil = r#"</h2><script>alert("x")</script>{{items}}&amp;'"#;
    visitor.send("/page/cart", &[("item", evil)]).await;
    let page = visitor.send("/page/login", &[("user", evil)]).await;
    assert!(!page.contains("<script") && !page.contains("&amp;"), "{page}");
    let harmless = "&#60;/h2&#62;&#60;script&#62;alert(&#34;x&#34;)&#60;/script&#62;{{items}}&#38;amp;&#39;";
    assert_eq!(page.matches(harmless).count(), 2, "{page}");
}

#[tokio::test]
async fn a_form_that_is_wrong_says_so_on_a_page() {
    let visitor = Visitor::new();
    let long = "x".repeat(1_000);
    for (form, fields) in [
        ("/page/login", vec![]),
        ("/page/login", vec![("user", "")]),
        ("/page/login", vec![("user", long.as_str())]),
        ("/page/cart", vec![("item", " ")]),
        ("/page/cart", vec![("thing", "tea")]),
    ] {
        let answer = visitor
            .browser
            .post(visitor.shop.url(form))
            .form(&fields)
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{form} {fields:?}");
        let page = answer.text().await.expect("text");
        assert!(
            page.contains("That did not work") && page.contains(r#"<a href="/">"#),
            "{page}"
        );
    }
}

#[tokio::test]
async fn the_style_is_served() {
    let visitor = Visitor::new();
    let answer = visitor
        .browser
        .get(visitor.shop.url("/style.css"))
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.headers()["content-type"], "text/css; charset=utf-8");
    assert!(
        answer.headers().get("vary").is_none(),
        "it has nothing to do with the session"
    );
    assert!(answer.text().await.expect("text").contains("body {"));
}
